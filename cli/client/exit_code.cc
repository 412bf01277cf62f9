#include "cli/client/execute.h"

namespace shoal::cli {

int exit_code(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kInternal:
      return 1;
    case ErrorClass::kInvalidArgument:
      return 2;
    case ErrorClass::kNotFound:
      return 3;
    case ErrorClass::kAlreadyExists:
      return 4;
    case ErrorClass::kConflict:
      return 5;
    case ErrorClass::kUnauthenticated:
      return 6;
    case ErrorClass::kPermissionDenied:
      return 7;
    case ErrorClass::kResourceExhausted:
      return 8;
    case ErrorClass::kUnavailable:
      return 9;
    case ErrorClass::kDeadlineExceeded:
      return 10;
    case ErrorClass::kDataLoss:
      return 11;
    case ErrorClass::kUnimplemented:
      return 12;
  }
  return 1;
}

}  // namespace shoal::cli
