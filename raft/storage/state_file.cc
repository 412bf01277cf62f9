#include "raft/storage/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/runtime/system_ports.h"

namespace shoal::raft {
namespace {

constexpr size_t kSealedPart = format::kSnapshotPart + crypto::kSealOverhead;

Error system_error(const std::string& what, const std::string& path) {
  const int code = errno;
  const std::string message = what + " " + path + ": " + std::strerror(code);
  if (code == ENOENT) return not_found(message);
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
    return resource_exhausted(message + ". Free space on this disk");
  }
  return internal_error(message);
}

Error damaged(const std::string& path, const std::string& how) {
  return data_loss("the raft snapshot " + path + " is damaged (" + how +
                   "). Remove this manager from the cluster, delete its state and join it again, "
                   "or restore a backup");
}

std::array<uint8_t, 16> random_run() {
  std::array<uint8_t, 16> run{};
  SystemRng().fill(run);
  return run;
}

}  // namespace

StateFile::StateFile(std::string path, int fd, const crypto::Key& key, Index index, Term term)
    : fd_(fd), sealer_(key, random_run()), index_(index), term_(term), path_(std::move(path)) {}

StateFile::~StateFile() {
  if (!kept_) unlink(path_.c_str());
  close(fd_);
}

Result<std::shared_ptr<const StateFile>> StateFile::open(const std::string& path,
                                                         const crypto::Key& key, Index index,
                                                         Term term) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error("cannot open", path);
  std::shared_ptr<StateFile> file(new StateFile(path, fd, key, index, term));
  file->kept_ = true;
  struct stat status {};
  if (fstat(fd, &status) != 0) return system_error("cannot read", path);
  const auto sealed = static_cast<uint64_t>(status.st_size);
  const uint64_t parts = (sealed + kSealedPart - 1) / kSealedPart;
  if (parts == 0 || sealed < parts * crypto::kSealOverhead) return damaged(path, "cut short");
  file->size_ = sealed - parts * crypto::kSealOverhead;
  return std::shared_ptr<const StateFile>(std::move(file));
}

Status StateFile::load_part(uint64_t number) const {
  if (number == part_number_) return ok_status();
  std::string sealed(kSealedPart, '\0');
  size_t got = 0;
  while (got < sealed.size()) {
    const ssize_t count = pread(fd_, sealed.data() + got, sealed.size() - got,
                                static_cast<off_t>(number * kSealedPart + got));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("cannot read", path_);
    if (count == 0) break;
    got += static_cast<size_t>(count);
  }
  sealed.resize(got);
  const uint64_t last = size_ == 0 ? 0 : (size_ - 1) / format::kSnapshotPart;
  auto part = sealer_.open(format::snapshot_place(index_, term_, number, number == last), sealed);
  if (!part) return damaged(path_, part.error().message);
  part_ = std::move(*part);
  part_number_ = number;
  return ok_status();
}

Result<std::string> StateFile::read(uint64_t offset, size_t most) const {
  if (offset >= size_ && size_ > 0) return std::string();
  const std::lock_guard lock(mutex_);
  std::string out;
  // Also of an empty state the one part is opened: it might be damaged.
  do {
    SHOAL_TRY(load_part(offset / format::kSnapshotPart));
    const size_t from = offset % format::kSnapshotPart;
    if (from >= part_.size()) break;
    out += std::string_view(part_).substr(from, most - out.size());
    offset += std::min(part_.size() - from, most);
  } while (out.size() < most && offset < size_);
  return out;
}

Status StateFile::keep_as(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  if (rename(path_.c_str(), path.c_str()) != 0) return system_error("cannot rename", path_);
  path_ = path;
  kept_ = true;
  return ok_status();
}

StateFileWriter::StateFileWriter(std::string path, int fd, const crypto::Key& key, Index index,
                                 Term term)
    : path_(std::move(path)),
      fd_(fd),
      key_(key),
      sealer_(key, random_run()),
      index_(index),
      term_(term) {}

StateFileWriter::~StateFileWriter() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(path_.c_str());
}

Result<std::unique_ptr<StateFileWriter>> StateFileWriter::create(const std::string& directory,
                                                                 const crypto::Key& key,
                                                                 Index index, Term term) {
  static std::atomic<uint64_t> count = 0;
  std::string path =
      directory + "/" + std::string(format::kUnfinishedFile) + std::to_string(++count);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return system_error("cannot create", path);
  return std::unique_ptr<StateFileWriter>(
      new StateFileWriter(std::move(path), fd, key, index, term));
}

Status StateFileWriter::write_part(std::string_view part, bool last) {
  const std::string sealed =
      sealer_.seal(format::snapshot_place(index_, term_, number_, last), part);
  ++number_;
  for (size_t done = 0; done < sealed.size();) {
    const ssize_t count = ::write(fd_, sealed.data() + done, sealed.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("cannot write", path_);
    done += static_cast<size_t>(count);
  }
  // Part by part to the disk: an fsync of the log would wait for all that is on its way there.
  const auto length = static_cast<off_t>(sealed.size());
  (void)sync_file_range(fd_, written_, length, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  written_ += length;
  return ok_status();
}

Status StateFileWriter::add(std::string_view piece) {
  hash_.add(as_bytes(piece));
  size_ += piece.size();
  while (rest_.size() + piece.size() > format::kSnapshotPart) {
    const size_t room = format::kSnapshotPart - rest_.size();
    rest_ += piece.substr(0, room);
    piece.remove_prefix(room);
    SHOAL_TRY(write_part(rest_, false));
    rest_.clear();
  }
  rest_ += piece;
  return ok_status();
}

Result<std::shared_ptr<const StateFile>> StateFileWriter::finish() {
  SHOAL_TRY(write_part(rest_, true));
  if (fsync(fd_) != 0) return system_error("cannot sync", path_);
  std::shared_ptr<StateFile> file(new StateFile(path_, fd_, key_, index_, term_));
  fd_ = -1;
  file->size_ = size_;
  file->digest_ = hash_.finish();
  return std::shared_ptr<const StateFile>(std::move(file));
}

}  // namespace shoal::raft
