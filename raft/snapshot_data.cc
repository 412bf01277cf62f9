#include "raft/snapshot_data.h"

namespace shoal::raft {

SnapshotText::SnapshotText(std::string text)
    : text_(std::move(text)), digest_(crypto::sha256(as_bytes(text_))) {}

Result<std::string> SnapshotText::read(uint64_t offset, size_t most) const {
  return offset < text_.size() ? text_.substr(offset, most) : std::string();
}

std::shared_ptr<const SnapshotData> snapshot_text(std::string text) {
  return std::make_shared<SnapshotText>(std::move(text));
}

Result<std::string> read_all(const SnapshotData& data) { return data.read(0, data.size()); }

}  // namespace shoal::raft
