// A serialised state of the state machine, which may be hundreds of megabytes: read in pieces,
// never as one string. SnapshotSource is a state being written out, once, from its beginning;
// SnapshotData is one that lies somewhere (a file, or memory) and is the same at every read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/crypto/crypto.h"
#include "base/types/result.h"

namespace shoal::raft {

class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  // About how many bytes there will be.
  virtual uint64_t size_hint() const = 0;
  // The next bytes, about `most`; empty at the end. On any one thread; may block.
  virtual Result<std::string> next(size_t most) = 0;
  // Instead of reading: makes the state machine's own copy of this state durable. May block.
  virtual Status make_durable() = 0;
};

class SnapshotData {
 public:
  virtual ~SnapshotData() = default;
  virtual uint64_t size() const = 0;
  virtual const crypto::Sha256& digest() const = 0;  // of the whole
  // `most` bytes from `offset` on; fewer only at the end. From any thread; may block. kDataLoss.
  virtual Result<std::string> read(uint64_t offset, size_t most) const = 0;
};

class SnapshotText final : public SnapshotData {
 public:
  explicit SnapshotText(std::string text);
  uint64_t size() const override { return text_.size(); }
  const crypto::Sha256& digest() const override { return digest_; }
  Result<std::string> read(uint64_t offset, size_t most) const override;

 private:
  const std::string text_;
  const crypto::Sha256 digest_;
};

std::shared_ptr<const SnapshotData> snapshot_text(std::string text);

// For states that are known to be small.
Result<std::string> read_all(const SnapshotData& data);

}  // namespace shoal::raft
