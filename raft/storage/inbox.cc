#include "raft/storage/inbox.h"

namespace shoal::raft {

Result<uint64_t> FileInbox::begin(const SnapshotMeta& meta, uint64_t size,
                                  const crypto::Sha256& digest) {
  if (writer_ && meta == meta_ && size == size_ && digest == digest_) return writer_->size();
  writer_.reset();
  if (size > kMaxSnapshotBytes) return invalid_argument("a snapshot too large to take in");
  writer_ = SHOAL_TRY(StateFileWriter::create(directory_, key_, meta.index, meta.term));
  meta_ = meta;
  size_ = size;
  digest_ = digest;
  return uint64_t{0};
}

Status FileInbox::add(uint64_t offset, std::string_view piece) {
  if (!writer_ || offset != writer_->size() || piece.size() > size_ - offset) {
    return invalid_argument("a piece of a snapshot out of order");
  }
  const Status added = writer_->add(piece);
  if (!added) writer_.reset();  // what is in the file is not known
  return added;
}

Result<std::shared_ptr<const Snapshot>> FileInbox::finish() {
  if (!writer_ || writer_->size() != size_) return invalid_argument("a snapshot that is not whole");
  auto data = std::exchange(writer_, nullptr)->finish();
  if (!data) return data.error();
  if ((*data)->digest() != digest_) {
    return data_loss("a snapshot that is not what it was said to be: its digest differs");
  }
  return std::shared_ptr<const Snapshot>(std::make_shared<Snapshot>(Snapshot{meta_, *data}));
}

}  // namespace shoal::raft
