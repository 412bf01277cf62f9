// Network namespaces: opened by path or process, made persistent, entered.
//
// A thread that has entered a namespace is never used for anything else: run_in_namespace() makes
// one, so the process's other threads stay where they are and nothing has to be put back.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/runtime/unique_fd.h"
#include "base/types/result.h"

namespace shoal::vxlan {

using shoal::UniqueFd;

// Which namespace a descriptor or path leads to.
struct NamespaceIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;

  friend bool operator==(const NamespaceIdentity&, const NamespaceIdentity&) = default;
};

// An open network namespace; it lives at least as long as this does.
class NamespaceFd {
 public:
  NamespaceFd() = default;
  // kNotFound, kPermissionDenied; kInvalidArgument when `path` is not a network namespace.
  static Result<NamespaceFd> open(const std::string& path);
  static Result<NamespaceFd> open_pid(int32_t pid);
  static Result<NamespaceFd> open_own();
  // Takes a descriptor over after checking what it is; `name` is for the refusal.
  static Result<NamespaceFd> adopt(UniqueFd fd, const std::string& name);

  int get() const { return fd_.get(); }
  bool valid() const { return fd_.valid(); }
  NamespaceIdentity identity() const { return identity_; }

 private:
  UniqueFd fd_;
  NamespaceIdentity identity_;
};

// kNotFound when there is nothing at `path`.
Result<NamespaceIdentity> identify(const std::string& path);

// A new namespace without a name.
Result<NamespaceFd> create_anonymous_namespace();
// A new namespace, bind-mounted at `path` (made; must not be a namespace already).
Result<NamespaceFd> create_namespace(const std::string& path);
// Bind-mounts an open namespace at `path` (again).
Status persist_namespace(const NamespaceFd& space, const std::string& path);
// Unmounts and removes the file; success when there is none.
Status delete_namespace(const std::string& path);

// Runs `work` on a fresh thread inside the namespace and waits for it.
Status run_in_namespace(const NamespaceFd& space, const std::function<Status()>& work);

// Writes one value below /proc/sys, as seen from inside the namespace ("net/ipv4/ip_forward").
// Success when the key does not exist and `optional` is set. Call inside run_in_namespace().
Status write_sysctl(const std::string& key, const std::string& value, bool optional);

}  // namespace shoal::vxlan
