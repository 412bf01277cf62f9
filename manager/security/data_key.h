// The key under which a manager's state lies on its disk, and the cluster's key that locks it.
//
// The data key is random and this node's own. The file (0600) holds it in the open while autolock
// is off, and sealed under the cluster's unlock key while it is on; then a manager that restarts is
// locked until someone gives the unlock key. The unlock key is in the replicated cluster object;
// every manager follows it.
//
//   "SHKY" | version u8 (1) | kind u8 | since u64 | body | CRC-32C u32     big endian
//   kind 1: body is the key (32 bytes); kind 2: body is the key sealed (base/crypto/sealer.h) in
//   the place "data key" | since u64
//
// since: the version (raft index) of the cluster object that this follows. A restart may apply
// older ones again, and must not lay open what is sealed nor bring back an unlock key that was
// replaced.
//
// An unlock key is written "SWMKEY-1-" and 43 characters of base64, without padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/crypto/crypto.h"
#include "base/types/result.h"

namespace shoal::manager {

inline constexpr size_t kUnlockKeySize = 32;

std::string format_unlock_key(std::string_view key);
// kInvalidArgument with what is wrong.
Result<std::string> parse_unlock_key(std::string_view text);

// What everyone is told who wants something of a locked manager.
Error locked_error();

class DataKey {
 public:
  enum class Lock { kAbsent, kOpen, kLocked };
  // What `path` holds. kDataLoss when it is damaged.
  static Result<Lock> lock_of(const std::string& path);

  // A new key, in the open.
  static Result<DataKey> make(const std::string& path);
  // `unlock_key`: 32 bytes, empty when not known. kNotFound; kConflict when it is locked and no key
  // is given; kInvalidArgument when it is not this one; kDataLoss.
  static Result<DataKey> load(const std::string& path, const std::string& unlock_key);

  // The key of one store of this node.
  crypto::SecretKey for_store(std::string_view name) const {
    return crypto::derive_key(key_, name);
  }
  // The unlock key it is sealed under now; empty: none.
  const std::string& unlock_key() const { return unlock_key_; }
  // Writes the file anew, durably, when `unlock_key` (empty: none) is another one and `version`,
  // that of the cluster object that has it, is later than what the file follows.
  Status follow(const std::string& unlock_key, uint64_t version);

 private:
  DataKey(std::string path, const crypto::SecretKey& key, uint64_t since)
      : path_(std::move(path)), key_(key), since_(since) {}
  Status write(const std::string& unlock_key, uint64_t since);

  std::string path_;
  crypto::SecretKey key_;
  uint64_t since_ = 0;
  std::string unlock_key_;
};

}  // namespace shoal::manager
