// Files of the state directory: whole, durable, private, owned by one process.
#pragma once

#include <string>

#include "base/types/result.h"

namespace shoal {

// The whole file; kNotFound when absent, kInvalidArgument beyond `max_size` bytes.
Result<std::string> read_file(const std::string& path, size_t max_size = 16U << 20);

// What a written file outlives. The process: nothing is fsynced, and after a power loss the file
// may be an older one, or empty. The power: file and directory are fsynced.
enum class Outlives { kPower, kProcess };

// Replaces `path` in one step: written beside it and renamed. After a crash the file is the old one
// or the new one. `mode` as chmod's.
Status write_file_atomic(const std::string& path, std::string_view content, unsigned mode = 0600,
                         Outlives outlives = Outlives::kPower);

// mkdir -p with mode 0700 for what is made.
Status make_directories(const std::string& path);

// Makes the names in the directory of `path` outlive the power.
Status sync_directory_of(const std::string& path);

// Removes a file if it exists.
Status remove_file(const std::string& path);

// An exclusive lock on a file, held until destruction (or the process's death).
class FileLock {
 public:
  // kConflict when another process holds it; the message names its pid when the file says so.
  static Result<FileLock> acquire(const std::string& path);
  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace shoal
