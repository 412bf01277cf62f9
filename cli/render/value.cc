#include "cli/render/value.h"

#include <cstdio>

#include "base/types/check.h"

namespace shoal::cli {
namespace {

// Length of the well-formed UTF-8 sequence at `text`, 0 when there is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  if (byte(0) < 0x80) return 1;
  if (byte(0) >= 0xc2 && byte(0) <= 0xdf) return continues(1) ? 2 : 0;
  if (byte(0) >= 0xe0 && byte(0) <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (byte(0) == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
    if (byte(0) == 0xed && byte(1) > 0x9f) return 0;  // surrogates
    return 3;
  }
  if (byte(0) >= 0xf0 && byte(0) <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (byte(0) == 0xf0 && byte(1) < 0x90) return 0;
    if (byte(0) == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

void write_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text[0];
    size_t length = 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else if ((length = utf8_length(text)) > 0) {
      out += text.substr(0, length);
    } else {
      out += "\\ufffd";
      length = 1;
    }
    text.remove_prefix(length);
  }
  out += '"';
}

void new_line(std::string& out, int indent, int depth) {
  if (indent < 0) return;
  out += '\n';
  out.append(static_cast<size_t>(indent * depth), ' ');
}

}  // namespace

void Value::set(std::string key, Value value) {
  if (std::holds_alternative<std::monostate>(data_)) data_ = Object{};
  auto* object = std::get_if<Object>(&data_);
  SHOAL_CHECK(object != nullptr, "set() on a value that is not an object");
  object->emplace_back(std::move(key), std::move(value));
}

void Value::push(Value value) {
  if (std::holds_alternative<std::monostate>(data_)) data_ = Array{};
  auto* array = std::get_if<Array>(&data_);
  SHOAL_CHECK(array != nullptr, "push() on a value that is not an array");
  array->push_back(std::move(value));
}

const Value* Value::find(std::string_view key) const {
  const Object* object = as_object();
  if (object == nullptr) return nullptr;
  for (const auto& [name, value] : *object) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string Value::json(int indent) const {
  std::string out;
  write(out, indent, 0);
  return out;
}

std::string Value::text() const {
  if (const auto* text = std::get_if<std::string>(&data_)) return *text;
  return json();
}

void Value::write(std::string& out, int indent, int depth) const {
  if (const auto* boolean = std::get_if<bool>(&data_)) {
    out += *boolean ? "true" : "false";
  } else if (const auto* number = std::get_if<int64_t>(&data_)) {
    out += std::to_string(*number);
  } else if (const auto* unsigned_number = std::get_if<uint64_t>(&data_)) {
    out += std::to_string(*unsigned_number);
  } else if (const auto* text = std::get_if<std::string>(&data_)) {
    write_string(out, *text);
  } else if (const auto* array = as_array()) {
    out += '[';
    for (size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ',';
      new_line(out, indent, depth + 1);
      (*array)[i].write(out, indent, depth + 1);
    }
    if (!array->empty()) new_line(out, indent, depth);
    out += ']';
  } else if (const auto* object = as_object()) {
    out += '{';
    for (size_t i = 0; i < object->size(); ++i) {
      if (i > 0) out += ',';
      new_line(out, indent, depth + 1);
      write_string(out, (*object)[i].first);
      out += indent < 0 ? ":" : ": ";
      (*object)[i].second.write(out, indent, depth + 1);
    }
    if (!object->empty()) new_line(out, indent, depth);
    out += '}';
  } else {
    out += "null";
  }
}

}  // namespace shoal::cli
