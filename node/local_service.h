// control.Local over gRPC: translates, nothing else. Registered on the local socket only.
#pragma once

#include "node/node.h"
#include "proto/control.grpc.pb.h"

namespace shoal::node {

class LocalService final : public control::Local::CallbackService {
 public:
  // `node` must outlive the server.
  explicit LocalService(Node& node) : node_(node) {}

  grpc::ServerUnaryReactor* Init(grpc::CallbackServerContext* context,
                                 const control::InitRequest* request,
                                 control::InitResponse* response) override;
  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context,
                                 const control::JoinRequest* request,
                                 control::JoinResponse* response) override;
  grpc::ServerUnaryReactor* Leave(grpc::CallbackServerContext* context,
                                  const control::LeaveRequest* request,
                                  control::LeaveResponse* response) override;
  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context,
                                   const control::StatusRequest* request,
                                   control::StatusResponse* response) override;
  grpc::ServerUnaryReactor* Unlock(grpc::CallbackServerContext* context,
                                   const control::UnlockRequest* request,
                                   control::UnlockResponse* response) override;
  grpc::ServerUnaryReactor* Attach(grpc::CallbackServerContext* context,
                                   const control::AttachRequest* request,
                                   control::AttachResponse* response) override;
  grpc::ServerUnaryReactor* Detach(grpc::CallbackServerContext* context,
                                   const control::DetachRequest* request,
                                   control::DetachResponse* response) override;
  grpc::ServerWriteReactor<control::BackupChunk>* Backup(
      grpc::CallbackServerContext* context, const control::BackupRequest* request) override;
  grpc::ServerReadReactor<control::RestoreChunk>* Restore(
      grpc::CallbackServerContext* context, control::RestoreResponse* response) override;

 private:
  Node& node_;
};

}  // namespace shoal::node
