// FileInbox: the SnapshotInbox of the daemon, a sealed file beside the raft log. A restart begins
// anew.
#pragma once

#include <memory>
#include <string>

#include "raft/driver/ports.h"
#include "raft/storage/state_file.h"

namespace shoal::raft {

class FileInbox final : public SnapshotInbox {
 public:
  FileInbox(std::string directory, const crypto::Key& key)
      : directory_(std::move(directory)), key_(key) {}

  Result<uint64_t> begin(const SnapshotMeta& meta, uint64_t size,
                         const crypto::Sha256& digest) override;
  Status add(uint64_t offset, std::string_view piece) override;
  Result<std::shared_ptr<const Snapshot>> finish() override;

 private:
  const std::string directory_;
  const crypto::SecretKey key_;
  std::unique_ptr<StateFileWriter> writer_;  // none: nothing was begun
  SnapshotMeta meta_;
  uint64_t size_ = 0;
  crypto::Sha256 digest_{};
};

}  // namespace shoal::raft
