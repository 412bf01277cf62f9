#include "base/runtime/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace shoal {
namespace {

constexpr size_t kPart = 1U << 20;

Error system_error(const std::string& what, const std::string& path) {
  const int code = errno;
  const std::string message = what + " " + path + ": " + std::strerror(code);
  if (code == ENOENT) return not_found(message);
  if (code == EACCES || code == EPERM || code == EROFS) return permission_denied(message);
  if (code == ENOSPC || code == EDQUOT) return resource_exhausted(message);
  return internal_error(message);
}

Status write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return system_error("cannot write", path);
    }
    content.remove_prefix(static_cast<size_t>(written));
  }
  return ok_status();
}

// Part by part to the disk: another file's fsync would wait for all that is on its way there.
Status write_in_parts(int fd, std::string_view content, const std::string& path) {
  for (size_t done = 0; done < content.size(); done += kPart) {
    const std::string_view part = content.substr(done, kPart);
    SHOAL_TRY(write_all(fd, part, path));
    if (content.size() <= kPart) break;
    (void)sync_file_range(fd, static_cast<off_t>(done), static_cast<off_t>(part.size()),
                          SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  }
  return ok_status();
}

}  // namespace

Status sync_directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error("cannot open", directory);
  const int code = fsync(fd);
  close(fd);
  return code == 0 ? ok_status() : Status(system_error("cannot sync", directory));
}

Result<std::string> read_file(const std::string& path, size_t max_size) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error("cannot open", path);
  std::string content;
  char buffer[16384];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const Error error = system_error("cannot read", path);
      close(fd);
      return error;
    }
    if (got == 0) break;
    content.append(buffer, static_cast<size_t>(got));
    if (content.size() > max_size) {
      close(fd);
      return invalid_argument(path + " is larger than " + std::to_string(max_size) + " bytes");
    }
  }
  close(fd);
  return content;
}

Status write_file_atomic(const std::string& path, std::string_view content, unsigned mode,
                         Outlives outlives) {
  const bool synced = outlives == Outlives::kPower;
  const std::string temporary = path + ".new";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return system_error("cannot create", temporary);
  Status status =
      synced ? write_in_parts(fd, content, temporary) : write_all(fd, content, temporary);
  if (status.ok() && fchmod(fd, mode) != 0) status = system_error("cannot chmod", temporary);
  if (status.ok() && synced && fsync(fd) != 0) status = system_error("cannot sync", temporary);
  close(fd);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = system_error("cannot rename to", path);
  }
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return synced ? sync_directory_of(path) : ok_status();
}

Status make_directories(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      return system_error("cannot make directory", part);
    }
    if (slash == std::string::npos) return ok_status();
  }
}

Status remove_file(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return system_error("cannot remove", path);
  return ok_status();
}

Result<FileLock> FileLock::acquire(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return system_error("cannot open", path);
  FileLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error("cannot lock", path);
    char pid[32] = {};
    const ssize_t got = read(fd, pid, sizeof pid - 1);
    return conflict(path + " is held by another process" +
                    (got > 0 ? " (pid " + std::string(pid) + ")" : std::string()) +
                    ": stop that one first, or use another state directory");
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    return system_error("cannot write", path);
  }
  return lock;
}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace shoal
