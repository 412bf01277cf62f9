#include "cli/client/backup_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace shoal::cli {
namespace {

constexpr size_t kMaxFileBytes = 300U << 20;  // more than the daemon takes
constexpr mode_t kSecret = 0600;

Error refusal(const std::string& path, const char* what) {
  const std::string message = std::string(what) + " " + path + ": " + std::strerror(errno);
  if (errno == ENOENT) return not_found(message);
  if (errno == EACCES || errno == EPERM) return permission_denied(message);
  if (errno == ENOSPC || errno == EDQUOT) return resource_exhausted(message);
  return internal_error(message);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return refusal(path, "cannot write");
    content.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0 ? ok_status() : Status(refusal(path, "cannot write"));
}

}  // namespace

Status check_new_file(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) {
    return already_exists(path + " exists already: choose another name, or remove it first");
  }
  const std::string directory = directory_of(path);
  if (stat(directory.c_str(), &info) != 0) return refusal(directory, "cannot use");
  return ok_status();
}

Status write_secret_file(const std::string& path, std::string_view content) {
  const std::string partial = path + ".partial-" + std::to_string(getpid());
  const Descriptor file(open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kSecret));
  if (file.get() < 0) return refusal(partial, "cannot make");
  Status written = write_all(file.get(), content, path);
  // link() does not replace what came into being meanwhile, as rename() would.
  if (written && link(partial.c_str(), path.c_str()) != 0) written = refusal(path, "cannot make");
  (void)unlink(partial.c_str());
  if (!written) return written;
  const Descriptor directory(open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) return refusal(path, "cannot keep");
  return ok_status();
}

Result<std::string> read_backup_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return refusal(path, "cannot read");
  std::string out;
  std::string buffer(1U << 20, '\0');
  while (true) {
    const ssize_t got = read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refusal(path, "cannot read");
    if (got == 0) return out;
    out.append(buffer, 0, static_cast<size_t>(got));
    if (out.size() > kMaxFileBytes) {
      return invalid_argument(path + " is larger than any backup of Shoal");
    }
  }
}

}  // namespace shoal::cli
