#include "raft/storage/witness.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/codec/bytes.h"
#include "base/codec/crc32c.h"

namespace shoal::raft {
namespace {

constexpr size_t kSlots = 2;
constexpr size_t kSlotBytes = 512;  // a disk writes a sector whole or not at all
constexpr size_t kRecordBytes = 12;

Bytes encode(uint64_t sequence) {
  ByteWriter out;
  out.u64(sequence);
  out.u32(crc32c(out.view()));
  return out.take();
}

uint64_t decode(ByteView record) {
  ByteReader in(record);
  const uint64_t sequence = in.u64();
  const uint32_t crc = in.u32();
  return in.done() && crc == crc32c(record.first(8)) ? sequence : 0;
}

Error failed(const std::string& what, const std::string& path) {
  const std::string message = "cannot " + what + " " + path + ": " + std::strerror(errno);
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return full ? resource_exhausted(message + ". Free space on this disk") : internal_error(message);
}

// Nothing when the file cannot be read; errno says why.
std::optional<uint64_t> read_slots(int fd) {
  uint64_t out = 0;
  for (size_t slot = 0; slot < kSlots; ++slot) {
    Bytes record(kRecordBytes);
    const ssize_t got =
        pread(fd, record.data(), record.size(), static_cast<off_t>(slot * kSlotBytes));
    if (got < 0) return std::nullopt;
    record.resize(static_cast<size_t>(got));
    out = std::max(out, decode(record));
  }
  return out;
}

}  // namespace

Witness::~Witness() {
  if (fd_ >= 0) close(fd_);
}

Status Witness::open(const std::string& path) {
  if (fd_ >= 0) close(fd_);
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) return failed("open", path);
  const auto sequence = read_slots(fd_);
  if (!sequence) return failed("read", path);
  sequence_ = std::max(sequence_, *sequence);
  // Room for both slots, so that noting never needs any.
  errno = posix_fallocate(fd_, 0, static_cast<off_t>(kSlots * kSlotBytes));
  if (errno != 0) return failed("make room for", path);
  return ok_status();
}

uint64_t Witness::noted(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const auto sequence = read_slots(fd);
  close(fd);
  return sequence.value_or(0);
}

void Witness::note(uint64_t sequence) {
  const Bytes record = encode(sequence);
  const auto at = static_cast<off_t>(sequence % kSlots * kSlotBytes);
  if (pwrite(fd_, record.data(), record.size(), at) == static_cast<ssize_t>(record.size())) {
    sequence_ = sequence;
  }
}

}  // namespace shoal::raft
