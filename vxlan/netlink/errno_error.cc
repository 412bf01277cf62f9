#include "vxlan/netlink/errno_error.h"

#include <cerrno>
#include <system_error>

namespace shoal::vxlan {
namespace {

ErrorClass class_of(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENODEV:
    case ESRCH:
    case EADDRNOTAVAIL:
      return ErrorClass::kNotFound;
    case EEXIST:
    case EADDRINUSE:
      return ErrorClass::kAlreadyExists;
    case EPERM:
    case EACCES:
      return ErrorClass::kPermissionDenied;
    case EINVAL:
    case ENOTDIR:
    case ENAMETOOLONG:
      return ErrorClass::kInvalidArgument;
    case EBUSY:
      return ErrorClass::kConflict;
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return ErrorClass::kUnimplemented;
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
      return ErrorClass::kResourceExhausted;
    case EAGAIN:
    case EINTR:
    case ENETDOWN:
      return ErrorClass::kUnavailable;
    default:
      return ErrorClass::kInternal;
  }
}

}  // namespace

Error errno_error(int error_number, const std::string& action, const std::string& detail) {
  std::string message = "cannot " + action + ": " + std::generic_category().message(error_number);
  if (!detail.empty()) message += " (" + detail + ")";
  return {class_of(error_number), std::move(message)};
}

}  // namespace shoal::vxlan
