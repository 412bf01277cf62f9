// A state on the disk, sealed in parts (format.h): written piece by piece, then read from anywhere.
// Memory: one part, whatever the size.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "base/crypto/sealer.h"
#include "raft/storage/format.h"

namespace shoal::raft {

// A whole one. Read from any thread. One that was not given a name of its own goes with its last
// reader.
class StateFile final : public SnapshotData {
 public:
  // What snapshot-<index> of an earlier run holds. kNotFound, kDataLoss (its length).
  static Result<std::shared_ptr<const StateFile>> open(const std::string& path,
                                                       const crypto::Key& key, Index index,
                                                       Term term);
  ~StateFile() override;
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  uint64_t size() const override { return size_; }
  // Zeros for a file of an earlier run.
  const crypto::Sha256& digest() const override { return digest_; }
  Result<std::string> read(uint64_t offset, size_t most) const override;
  // Renames it; the directory is not synced. From now on it stays.
  Status keep_as(const std::string& path) const;

 private:
  friend class StateFileWriter;
  StateFile(std::string path, int fd, const crypto::Key& key, Index index, Term term);
  Status load_part(uint64_t number) const;  // mutex_ held

  const int fd_;
  const crypto::Sealer sealer_;  // opens only
  const Index index_;
  const Term term_;
  uint64_t size_ = 0;
  crypto::Sha256 digest_{};
  mutable std::atomic<bool> kept_ = false;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::string path_;
  mutable std::string part_;  // the one read last
  mutable uint64_t part_number_ = UINT64_MAX;
};

class StateFileWriter {
 public:
  // Makes a file in `directory`, of a name that no other has; it is removed with the writer unless
  // finished.
  static Result<std::unique_ptr<StateFileWriter>> create(const std::string& directory,
                                                         const crypto::Key& key, Index index,
                                                         Term term);
  ~StateFileWriter();
  StateFileWriter(const StateFileWriter&) = delete;
  StateFileWriter& operator=(const StateFileWriter&) = delete;

  // kResourceExhausted (full disk), kInternal.
  Status add(std::string_view piece);
  uint64_t size() const { return size_; }
  // Durable, but for its name. Nothing may be added after it.
  Result<std::shared_ptr<const StateFile>> finish();

 private:
  StateFileWriter(std::string path, int fd, const crypto::Key& key, Index index, Term term);
  Status write_part(std::string_view part, bool last);

  const std::string path_;
  int fd_;
  const crypto::SecretKey key_;
  crypto::Sealer sealer_;
  const Index index_;
  const Term term_;
  crypto::Sha256Hasher hash_;
  std::string rest_;  // less than a part, or one that may be the last
  uint64_t number_ = 0;
  off_t written_ = 0;
  uint64_t size_ = 0;
};

}  // namespace shoal::raft
