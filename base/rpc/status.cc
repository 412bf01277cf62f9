#include "base/rpc/status.h"

namespace shoal {
namespace {

// What gRPC says when the answer did not come, whatever became of the call.
bool is_loss(const grpc::Status& status) {
  using grpc::StatusCode;
  if (status.error_details().starts_with(kOurStatus)) return false;
  switch (status.error_code()) {
    case StatusCode::UNAVAILABLE:
      return !status.error_message().starts_with("failed to connect to all addresses");
    case StatusCode::CANCELLED:
    case StatusCode::UNKNOWN:
    case StatusCode::INTERNAL:
      return true;
    default:
      return false;
  }
}

}  // namespace

grpc::Status to_grpc(const Error& error) {
  using grpc::StatusCode;
  StatusCode code = StatusCode::INTERNAL;
  switch (error.code) {
    case ErrorClass::kInvalidArgument:
      code = StatusCode::INVALID_ARGUMENT;
      break;
    case ErrorClass::kNotFound:
      code = StatusCode::NOT_FOUND;
      break;
    case ErrorClass::kAlreadyExists:
      code = StatusCode::ALREADY_EXISTS;
      break;
    case ErrorClass::kConflict:
      code = StatusCode::FAILED_PRECONDITION;
      break;
    case ErrorClass::kUnauthenticated:
      code = StatusCode::UNAUTHENTICATED;
      break;
    case ErrorClass::kPermissionDenied:
      code = StatusCode::PERMISSION_DENIED;
      break;
    case ErrorClass::kResourceExhausted:
      code = StatusCode::RESOURCE_EXHAUSTED;
      break;
    case ErrorClass::kUnavailable:
      code = StatusCode::UNAVAILABLE;
      break;
    case ErrorClass::kDeadlineExceeded:
      code = StatusCode::DEADLINE_EXCEEDED;
      break;
    case ErrorClass::kDataLoss:
      code = StatusCode::DATA_LOSS;
      break;
    case ErrorClass::kUnimplemented:
      code = StatusCode::UNIMPLEMENTED;
      break;
    case ErrorClass::kInternal:
      break;
  }
  return {code, error.message, kOurStatus};
}

Error from_grpc(const grpc::Status& status) {
  using grpc::StatusCode;
  const std::string& message = status.error_message();
  if (is_loss(status)) {
    return deadline_exceeded("the connection was lost (" + message +
                             "): it may or may not have happened");
  }
  switch (status.error_code()) {
    case StatusCode::INVALID_ARGUMENT:
    case StatusCode::OUT_OF_RANGE:
      return invalid_argument(message);
    case StatusCode::NOT_FOUND:
      return not_found(message);
    case StatusCode::ALREADY_EXISTS:
      return already_exists(message);
    case StatusCode::FAILED_PRECONDITION:
    case StatusCode::ABORTED:
      return conflict(message);
    case StatusCode::UNAUTHENTICATED:
      return unauthenticated(message);
    case StatusCode::PERMISSION_DENIED:
      return permission_denied(message);
    case StatusCode::RESOURCE_EXHAUSTED:
      return resource_exhausted(message);
    case StatusCode::UNAVAILABLE:
    case StatusCode::CANCELLED:
      return unavailable(message);
    case StatusCode::DEADLINE_EXCEEDED:
      return deadline_exceeded(message);
    case StatusCode::DATA_LOSS:
      return data_loss(message);
    case StatusCode::UNIMPLEMENTED:
      return unimplemented(message);
    default:
      return internal_error(message);
  }
}

}  // namespace shoal
