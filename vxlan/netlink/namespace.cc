#include "vxlan/netlink/namespace.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "vxlan/netlink/errno_error.h"

namespace shoal::vxlan {
namespace {

constexpr const char* kThreadNamespace = "/proc/thread-self/ns/net";

NamespaceIdentity identity_of(const struct stat& info) {
  return {static_cast<uint64_t>(info.st_dev), static_cast<uint64_t>(info.st_ino)};
}

Result<UniqueFd> new_namespace_fd() {
  Result<UniqueFd> result = internal_error("the thread did not run");
  std::thread thread([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      result = errno_error(errno, "make a network namespace");
      return;
    }
    UniqueFd fd(::open(kThreadNamespace, O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) {
      result = errno_error(errno, std::string("open ") + kThreadNamespace);
      return;
    }
    result = std::move(fd);
  });
  thread.join();
  return result;
}

}  // namespace

Result<NamespaceFd> NamespaceFd::adopt(UniqueFd fd, const std::string& name) {
  struct statfs filesystem {};
  struct stat info {};
  if (fstatfs(fd.get(), &filesystem) != 0 || fstat(fd.get(), &info) != 0) {
    return errno_error(errno, "examine " + name);
  }
  if (filesystem.f_type != NSFS_MAGIC || ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
    return invalid_argument(name + " is not a network namespace");
  }
  NamespaceFd space;
  space.fd_ = std::move(fd);
  space.identity_ = identity_of(info);
  return space;
}

Result<NamespaceFd> NamespaceFd::open(const std::string& path) {
  // O_NONBLOCK: a path from outside may be a FIFO, which would hold us up.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno_error(errno, "open " + path);
  return adopt(std::move(fd), path);
}

Result<NamespaceFd> NamespaceFd::open_pid(int32_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    // A zombie's directory exists but its namespaces are gone.
    if (errno == ENOENT || errno == ESRCH) {
      return not_found("no process " + std::to_string(pid));
    }
    return errno_error(errno, "open the network namespace of process " + std::to_string(pid));
  }
  return adopt(std::move(fd), path);
}

Result<NamespaceFd> NamespaceFd::open_own() { return open(kThreadNamespace); }

Result<NamespaceIdentity> identify(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return errno_error(errno, "examine " + path);
  return identity_of(info);
}

Result<NamespaceFd> create_anonymous_namespace() {
  return NamespaceFd::adopt(SHOAL_TRY(new_namespace_fd()), "the new namespace");
}

Result<NamespaceFd> create_namespace(const std::string& path) {
  NamespaceFd space = SHOAL_TRY(create_anonymous_namespace());
  SHOAL_TRY(persist_namespace(space, path));
  return space;
}

Status persist_namespace(const NamespaceFd& space, const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0444));
  if (!file.valid()) return errno_error(errno, "make " + path);
  const std::string source = "/proc/self/fd/" + std::to_string(space.get());
  if (mount(source.c_str(), path.c_str(), "none", MS_BIND, nullptr) != 0) {
    return errno_error(errno, "mount a network namespace at " + path);
  }
  return ok_status();
}

Status delete_namespace(const std::string& path) {
  // EINVAL: not a mount point (any more); the file is removed all the same. Mounted twice over: the
  // loop ends when nothing is left.
  while (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno != EINVAL && errno != ENOENT) return errno_error(errno, "unmount " + path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error(errno, "remove " + path);
  return ok_status();
}

Status run_in_namespace(const NamespaceFd& space, const std::function<Status()>& work) {
  Status result;
  std::thread thread([&] {
    if (setns(space.get(), CLONE_NEWNET) != 0) {
      result = errno_error(errno, "enter a network namespace");
      return;
    }
    result = work();
  });
  thread.join();
  return result;
}

Status write_sysctl(const std::string& key, const std::string& value, bool optional) {
  const std::string path = "/proc/sys/" + key;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) {
    if (errno == ENOENT && optional) return ok_status();
    return errno_error(errno, "open " + path);
  }
  if (::write(file.get(), value.data(), value.size()) < 0) {
    return errno_error(errno, "write " + value + " to " + path);
  }
  return ok_status();
}

}  // namespace shoal::vxlan
