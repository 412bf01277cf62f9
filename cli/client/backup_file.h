// The file of `shoal backup` on this host: a secret, so for its owner alone, whole or not there.
#pragma once

#include <string>
#include <string_view>

#include "base/types/result.h"

namespace shoal::cli {

// Before anything is asked of the daemon: kAlreadyExists when `path` exists, kNotFound when its
// directory does not.
Status check_new_file(const std::string& path);
// Mode 0600, fsynced, in place by a rename. The disk's refusal, with the path.
Status write_secret_file(const std::string& path, std::string_view content);
// kNotFound, kPermissionDenied; kInvalidArgument for what is larger than any backup.
Result<std::string> read_backup_file(const std::string& path);

}  // namespace shoal::cli
