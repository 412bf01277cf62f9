#include "base/types/error.h"

#include "base/types/check.h"

namespace shoal {

std::string_view to_string(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kInvalidArgument:
      return "invalid_argument";
    case ErrorClass::kNotFound:
      return "not_found";
    case ErrorClass::kAlreadyExists:
      return "already_exists";
    case ErrorClass::kConflict:
      return "conflict";
    case ErrorClass::kUnauthenticated:
      return "unauthenticated";
    case ErrorClass::kPermissionDenied:
      return "permission_denied";
    case ErrorClass::kResourceExhausted:
      return "resource_exhausted";
    case ErrorClass::kUnavailable:
      return "unavailable";
    case ErrorClass::kDeadlineExceeded:
      return "deadline_exceeded";
    case ErrorClass::kDataLoss:
      return "data_loss";
    case ErrorClass::kUnimplemented:
      return "unimplemented";
    case ErrorClass::kInternal:
      return "internal";
  }
  return "internal";
}

Error Error::wrap(std::string_view context) const {
  return {code, std::string(context) + ": " + message};
}

Error ErrorList::join() const {
  SHOAL_CHECK(!errors_.empty(), "join of an empty error list");
  Error joined = errors_.front();
  for (size_t i = 1; i < errors_.size(); ++i) joined.message += "; " + errors_[i].message;
  return joined;
}

}  // namespace shoal
