// Result<T>: a value or an Error. Result<void> is written Status.
//
//   Result<Ip> ip = Ip::parse(text);
//   if (!ip) return ip.error();
//   use(*ip);
//
//   Prefix prefix = SHOAL_TRY(Prefix::parse(text));   // returns the error from the enclosing
//   function
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "base/types/check.h"
#include "base/types/error.h"

namespace shoal {

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    SHOAL_CHECK(ok(), "value() of a failed Result");
    return std::get<0>(state_);
  }
  const T& value() const& {
    SHOAL_CHECK(ok(), "value() of a failed Result");
    return std::get<0>(state_);
  }
  T&& value() && {
    SHOAL_CHECK(ok(), "value() of a failed Result");
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    SHOAL_CHECK(!ok(), "error() of a successful Result");
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const { SHOAL_CHECK(ok(), "value() of a failed Status"); }
  const Error& error() const {
    SHOAL_CHECK(!ok(), "error() of a successful Status");
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

inline Status ok_status() { return Status(); }

}  // namespace shoal

// The value of a Result, or a return of its error from the enclosing function (which returns a
// Result too). Not after another element of a braced list: GCC 12 would not destroy that element
// (tests/structure looks for it).
#define SHOAL_TRY(expression)                                    \
  ({                                                             \
    auto&& shoal_try_result = (expression);                      \
    if (!shoal_try_result.ok()) return shoal_try_result.error(); \
    std::move(shoal_try_result).value();                         \
  })
