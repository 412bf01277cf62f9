// The streams of control.Local: a backup's bytes on their way out and in. They live until gRPC is
// done with them.
#pragma once

#include <string>

#include "node/node.h"
#include "proto/control.grpc.pb.h"

namespace shoal::node {

// Below the message bound of the local socket.
inline constexpr size_t kBackupChunkBytes = 1U << 20;

class BackupStream final : public grpc::ServerWriteReactor<control::BackupChunk> {
 public:
  explicit BackupStream(Node& node);
  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  void write();

  manager::Manager::Copy copy_;
  size_t sent_ = 0;
  control::BackupChunk chunk_;
};

class RestoreStream final : public grpc::ServerReadReactor<control::RestoreChunk> {
 public:
  RestoreStream(Node& node, control::RestoreResponse* response);
  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  Node& node_;
  control::RestoreResponse* response_;
  control::RestoreChunk chunk_;
  control::InitRequest settings_;
  std::string file_;
  std::string unlock_key_;
};

}  // namespace shoal::node
