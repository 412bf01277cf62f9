#include "tests/lin/history_file.h"

#include <boost/json/src.hpp>

namespace shoal::lin {
namespace {

namespace json = boost::json;

constexpr Kind kKinds[] = {Kind::kCreate, Kind::kRemove, Kind::kWrite, Kind::kRead, Kind::kCas};

Result<Kind> parse_kind(const json::object& object) {
  const json::value* const op = object.if_contains("op");
  if (op == nullptr || !op->is_string()) return invalid_argument("\"op\" is missing");
  for (const Kind kind : kKinds) {
    if (op->get_string() == to_string(kind)) return kind;
  }
  return invalid_argument("\"op\" is \"" + std::string(op->get_string()) +
                          "\", not create, remove, write, read or cas");
}

bool given(const json::object& object, std::string_view name) {
  const json::value* const found = object.if_contains(name);
  return found != nullptr && !found->is_null();
}

Error wrong(std::string_view name, std::string_view what) {
  return invalid_argument("\"" + std::string(name) + "\" is not " + std::string(what));
}

Result<Value> parse_value(const json::object& object, std::string_view name) {
  if (!given(object, name)) return Value();
  const json::value& value = object.at(name);
  if (!value.is_string()) return wrong(name, "a string or null");
  return Value(std::string(value.get_string()));
}

Result<int64_t> parse_number(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  json::error_code failed;
  const auto number = value == nullptr ? 0 : value->to_number<int64_t>(failed);
  if (value == nullptr || failed || value->is_double()) return wrong(name, "a whole number");
  return number;
}

}  // namespace

Result<Operation> parse_operation(std::string_view line) {
  json::error_code failed;
  const json::value parsed = json::parse(line, failed);
  if (failed) return invalid_argument("no JSON: " + failed.message());
  if (!parsed.is_object()) return invalid_argument("no JSON object");
  const json::object& object = parsed.get_object();
  Operation out;
  out.kind = SHOAL_TRY(parse_kind(object));
  if (given(object, "client")) {
    out.client = static_cast<uint64_t>(SHOAL_TRY(parse_number(object, "client")));
  }
  const Value key = SHOAL_TRY(parse_value(object, "key"));
  if (!key) return wrong("key", "there");
  out.key = *key;
  out.in = SHOAL_TRY(parse_value(object, "in"));
  out.out = SHOAL_TRY(parse_value(object, "out"));
  out.expect = SHOAL_TRY(parse_value(object, "expect"));
  if (out.kind == Kind::kCreate && !out.in) return wrong("in", "a string, as a create needs it");
  out.call = SHOAL_TRY(parse_number(object, "call"));
  if (!given(object, "return")) return out;
  out.given = SHOAL_TRY(parse_number(object, "return"));
  if (*out.given < out.call) return invalid_argument("\"return\" is before \"call\"");
  const json::value* const ok = object.if_contains("ok");
  if (ok == nullptr || !ok->is_bool()) return wrong("ok", "true or false");
  out.ok = ok->get_bool();
  return out;
}

Status read_history(std::istream& in, History& history) {
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto operation = parse_operation(line);
    if (!operation) {
      return invalid_argument("line " + std::to_string(number) + ": " + operation.error().message);
    }
    history.push_back(*std::move(operation));
  }
  return ok_status();
}

std::string format_operation(const Operation& operation) {
  const auto value = [](const Value& text) { return text ? json::value(*text) : json::value(); };
  json::object object;
  object["client"] = operation.client;
  object["op"] = to_string(operation.kind);
  object["key"] = operation.key;
  object["in"] = value(operation.in);
  object["out"] = value(operation.out);
  if (operation.kind == Kind::kCas) object["expect"] = value(operation.expect);
  object["call"] = operation.call;
  object["return"] = operation.given ? json::value(*operation.given) : json::value();
  object["ok"] = operation.ok;
  return json::serialize(object);
}

}  // namespace shoal::lin
