#include "node/local_streams.h"

#include "base/rpc/status.h"
#include "manager/backup/backup.h"

namespace shoal::node {

BackupStream::BackupStream(Node& node) {
  node.backup([this](Result<manager::Manager::Copy> copy) {
    if (!copy) return Finish(to_grpc(copy.error()));
    copy_ = std::move(*copy);
    chunk_.set_notice(copy_.notice);
    chunk_.set_locked(copy_.locked);
    write();
  });
}

void BackupStream::write() {
  const size_t size = std::min(kBackupChunkBytes, copy_.file.size() - sent_);
  chunk_.set_data(copy_.file.data() + sent_, size);
  sent_ += size;
  StartWrite(&chunk_);
}

void BackupStream::OnWriteDone(bool ok) {
  if (!ok) return Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the reader went away"));
  if (sent_ == copy_.file.size()) return Finish(grpc::Status::OK);
  chunk_.Clear();
  write();
}

RestoreStream::RestoreStream(Node& node, control::RestoreResponse* response)
    : node_(node), response_(response) {
  StartRead(&chunk_);
}

void RestoreStream::OnReadDone(bool ok) {
  if (ok) {
    if (chunk_.has_settings()) settings_ = chunk_.settings();
    if (!chunk_.unlock_key().empty()) unlock_key_ = chunk_.unlock_key();
    if (file_.size() + chunk_.data().size() > manager::kMaxBackupBytes) {
      return Finish(to_grpc(invalid_argument("this is larger than any backup of Shoal")));
    }
    file_ += chunk_.data();
    return StartRead(&chunk_);
  }
  node_.restore(std::move(settings_), std::move(file_), std::move(unlock_key_),
                [this](Result<control::RestoreResponse> restored) {
                  if (!restored) return Finish(to_grpc(restored.error()));
                  *response_ = std::move(*restored);
                  Finish(grpc::Status::OK);
                });
}

}  // namespace shoal::node
