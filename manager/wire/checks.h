// What the translations of manager/wire share: bounded text, ids, maps. Private to this folder.
#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/message.h>
#include <google/protobuf/repeated_field.h>
#include <google/protobuf/unknown_field_set.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/types/id.h"
#include "base/types/result.h"
#include "manager/model/unknown.h"

namespace shoal::manager::wire {

// `value` when it is at most `max_size` bytes; the error names `field`.
inline Result<std::string> text(const std::string& value, const char* field, size_t max_size) {
  if (value.size() > max_size) {
    return invalid_argument(std::string(field) + " is " + std::to_string(value.size()) +
                            " bytes long; at most " + std::to_string(max_size) + " are allowed");
  }
  return value;
}

inline Status count(size_t size, const char* field, size_t max_size) {
  if (size <= max_size) return ok_status();
  return invalid_argument(std::string(field) + " has " + std::to_string(size) +
                          " entries; at most " + std::to_string(max_size) + " are allowed");
}

template <typename Id>
Result<Id> optional_id(const std::string& value) {
  if (value.empty()) return Id();
  return Id::parse(value);
}

// T::parse() for a field that must be there, the error naming `field`.
template <typename T>
Result<T> parsed(const std::string& value, const char* field) {
  auto result = T::parse(value);
  if (!result) return result.error().wrap(field);
  return result;
}

// Absent when empty.
template <typename T>
Result<std::optional<T>> optionally_parsed(const std::string& value, const char* field) {
  if (value.empty()) return std::optional<T>();
  auto result = T::parse(value);
  if (!result) return result.error().wrap(field);
  return std::optional<T>(std::move(*result));
}

// Above what any version adds; keeps a stranger from filling memory with what nobody reads.
inline constexpr size_t kMaxUnknown = 16U << 10;

inline Result<Unknown> unknown_of(const google::protobuf::Message& message) {
  const auto& fields = message.GetReflection()->GetUnknownFields(message);
  if (fields.empty()) return Unknown();
  std::string bytes;
  fields.SerializeToString(&bytes);
  if (bytes.size() > kMaxUnknown) return invalid_argument("too many fields of a newer version");
  return Unknown(std::move(bytes));
}

inline void put_unknown(const Unknown& unknown, google::protobuf::Message& message) {
  if (unknown.fields().empty()) return;
  google::protobuf::UnknownFieldSet fields;
  fields.ParseFromArray(unknown.fields().data(), static_cast<int>(unknown.fields().size()));
  message.GetReflection()->MutableUnknownFields(&message)->MergeFrom(fields);
}

// Each element through `translate`, bounded.
template <typename T, typename Repeated, typename F>
Result<std::vector<T>> list(const Repeated& values, const char* field, size_t max_size,
                            F translate) {
  SHOAL_TRY(count(static_cast<size_t>(values.size()), field, max_size));
  std::vector<T> out;
  out.reserve(static_cast<size_t>(values.size()));
  for (const auto& value : values) {
    auto result = translate(value);
    if (!result) return result.error().wrap(field);
    out.push_back(std::move(*result));
  }
  return out;
}

Result<std::map<std::string, std::string>> labels(
    const google::protobuf::Map<std::string, std::string>& values, const char* field);

}  // namespace shoal::manager::wire
