// Error: what the environment did to us, told to whoever asked.
//
// The class is what a caller may branch on; it maps one to one to a gRPC status, a Docker API
// status and an exit code of `shoal` (docs/NOMENCLATURE.md). The message is one sentence for a
// person that says what to do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace shoal {

enum class ErrorClass {
  kInvalidArgument,    // the request can never succeed as written
  kNotFound,           // the named thing does not exist
  kAlreadyExists,      // the name, address or port is taken
  kConflict,           // the thing exists and its state forbids this (in use, already in a cluster)
  kUnauthenticated,    // who are you: token or certificate missing, wrong or expired
  kPermissionDenied,   // we know you, and you may not
  kResourceExhausted,  // a pool, queue or bound is full
  kUnavailable,        // no leader, no connection: it did not happen, and later may succeed
  kDeadlineExceeded,   // it took too long or the answer was lost; it may or may not have happened
  kDataLoss,           // stored or received data is corrupt
  kUnimplemented,      // this kernel, node or version lacks it
  kInternal,           // a bug or an unexpected refusal by the system
};

// The word used in JSON output and logs, e.g. "not_found".
std::string_view to_string(ErrorClass error_class);

struct Error {
  ErrorClass code = ErrorClass::kInternal;
  std::string message;

  // The same class with `context` put before the message: "context: message".
  Error wrap(std::string_view context) const;

  friend bool operator==(const Error&, const Error&) = default;
};

inline Error invalid_argument(std::string message) {
  return {ErrorClass::kInvalidArgument, std::move(message)};
}
inline Error not_found(std::string message) { return {ErrorClass::kNotFound, std::move(message)}; }
inline Error already_exists(std::string message) {
  return {ErrorClass::kAlreadyExists, std::move(message)};
}
inline Error conflict(std::string message) { return {ErrorClass::kConflict, std::move(message)}; }
inline Error unauthenticated(std::string message) {
  return {ErrorClass::kUnauthenticated, std::move(message)};
}
inline Error permission_denied(std::string message) {
  return {ErrorClass::kPermissionDenied, std::move(message)};
}
inline Error resource_exhausted(std::string message) {
  return {ErrorClass::kResourceExhausted, std::move(message)};
}
inline Error unavailable(std::string message) {
  return {ErrorClass::kUnavailable, std::move(message)};
}
inline Error deadline_exceeded(std::string message) {
  return {ErrorClass::kDeadlineExceeded, std::move(message)};
}
inline Error data_loss(std::string message) { return {ErrorClass::kDataLoss, std::move(message)}; }
inline Error unimplemented(std::string message) {
  return {ErrorClass::kUnimplemented, std::move(message)};
}
inline Error internal_error(std::string message) {
  return {ErrorClass::kInternal, std::move(message)};
}

// Several failures of one teardown or validation, kept in order.
class ErrorList {
 public:
  void add(Error error) { errors_.push_back(std::move(error)); }
  bool empty() const { return errors_.empty(); }
  const std::vector<Error>& errors() const { return errors_; }
  // The class of the first error and all messages joined with "; ". Must not be empty.
  Error join() const;

 private:
  std::vector<Error> errors_;
};

}  // namespace shoal
