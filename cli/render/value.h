// Value: an ordered JSON value, what every command's output is made of before it becomes text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace shoal::cli {

class Value {
 public:
  using Array = std::vector<Value>;
  using Object = std::vector<std::pair<std::string, Value>>;  // in the order of insertion

  Value() = default;                       // null
  Value(bool value) : data_(value) {}      // NOLINT: implicit, so that objects read like JSON
  Value(int64_t value) : data_(value) {}   // NOLINT
  Value(uint64_t value) : data_(value) {}  // NOLINT
  Value(int value) : data_(static_cast<int64_t>(value)) {}  // NOLINT
  Value(uint32_t value) : data_(uint64_t{value}) {}         // NOLINT
  Value(std::string value) : data_(std::move(value)) {}     // NOLINT
  Value(const char* value) : data_(std::string(value)) {}   // NOLINT
  Value(Array value) : data_(std::move(value)) {}           // NOLINT
  Value(Object value) : data_(std::move(value)) {}          // NOLINT

  static Value object(Object members) { return Value(std::move(members)); }
  static Value array(Array items = {}) { return Value(std::move(items)); }

  // Appends a member; the value must be an object (or null, which becomes one).
  void set(std::string key, Value value);
  void push(Value value);
  // nullptr when this is not an object or has no such member. Keys compare as written.
  const Value* find(std::string_view key) const;
  const Array* as_array() const { return std::get_if<Array>(&data_); }
  const Object* as_object() const { return std::get_if<Object>(&data_); }

  // Compact (indent < 0) or pretty JSON. Strings that are not UTF-8 are escaped byte by byte as
  // U+FFFD.
  std::string json(int indent = -1) const;
  // As a template prints it: strings bare, numbers and booleans as JSON, the rest as compact JSON.
  std::string text() const;

 private:
  void write(std::string& out, int indent, int depth) const;

  std::variant<std::monostate, bool, int64_t, uint64_t, std::string, Array, Object> data_;
};

}  // namespace shoal::cli
