// errno -> Error, so that callers branch on classes and people read sentences.
#pragma once

#include <string>

#include "base/types/error.h"

namespace shoal::vxlan {

// "cannot <action>: <what the system says>". `detail`: the kernel's own sentence (extended ACK).
Error errno_error(int error_number, const std::string& action, const std::string& detail = "");

}  // namespace shoal::vxlan
