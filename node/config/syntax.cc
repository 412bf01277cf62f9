#include "node/config/syntax.h"

#include <boost/json/src.hpp>

// toml++ 3.3 takes some texts that are no TOML for its own mistake: that is an error of the text
// like others, in every build.
namespace shoal::node {
struct GaveUp {};
[[noreturn]] inline void give_up() { throw GaveUp(); }
}  // namespace shoal::node
#define TOML_ASSERT(expr) (static_cast<bool>(expr) ? void() : ::shoal::node::give_up())
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

namespace shoal::node {
namespace {

constexpr int kMaxDepth = 32;

std::string at_line(uint32_t line) { return "line " + std::to_string(line) + ": "; }

Result<Value> from_toml(const toml::node& node, int depth);

Result<Table> from_toml_table(const toml::table& table, int depth) {
  Table out;
  for (const auto& [key, node] : table) {
    out.emplace(std::string(key.str()), SHOAL_TRY(from_toml(node, depth)));
  }
  return out;
}

Result<Value> from_toml(const toml::node& node, int depth) {
  Value out;
  out.line = node.source().begin.line;
  if (depth == 0) return invalid_argument(at_line(out.line) + "nested too deep");
  if (const auto* table = node.as_table()) {
    out.held = SHOAL_TRY(from_toml_table(*table, depth - 1));
  } else if (const auto* array = node.as_array()) {
    List list;
    for (const toml::node& each : *array) list.push_back(SHOAL_TRY(from_toml(each, depth - 1)));
    out.held = std::move(list);
  } else if (const auto* text = node.as_string()) {
    out.held = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.held = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    out.held = number->get();
  } else if (const auto* flag = node.as_boolean()) {
    out.held = flag->get();
  } else {
    return invalid_argument(at_line(out.line) + "a date or time has no meaning here");
  }
  return out;
}

Result<Value> from_json(const boost::json::value& node);

Result<Table> from_json_object(const boost::json::object& object) {
  Table out;
  for (const auto& [key, value] : object) {
    out.emplace(std::string(key), SHOAL_TRY(from_json(value)));
  }
  return out;
}

Result<Value> from_json(const boost::json::value& node) {
  Value out;
  switch (node.kind()) {
    case boost::json::kind::object:
      out.held = SHOAL_TRY(from_json_object(node.get_object()));
      return out;
    case boost::json::kind::array: {
      List list;
      for (const auto& each : node.get_array()) list.push_back(SHOAL_TRY(from_json(each)));
      out.held = std::move(list);
      return out;
    }
    case boost::json::kind::string:
      out.held = std::string(node.get_string());
      return out;
    case boost::json::kind::int64:
      out.held = node.get_int64();
      return out;
    case boost::json::kind::double_:
      out.held = node.get_double();
      return out;
    case boost::json::kind::bool_:
      out.held = node.get_bool();
      return out;
    case boost::json::kind::uint64:
      return invalid_argument("the number " + std::to_string(node.get_uint64()) + " is too large");
    case boost::json::kind::null:
      break;
  }
  return invalid_argument("null has no meaning here: leave the key out");
}

}  // namespace

Result<Table> parse_toml(std::string_view text) {
  try {
    return from_toml_table(toml::parse(text), kMaxDepth);
  } catch (const toml::parse_error& error) {
    return invalid_argument(at_line(error.source().begin.line) + std::string(error.description()));
  } catch (const GaveUp&) {
    return invalid_argument("this is no TOML");
  }
}

// Boost.JSON keeps the last of several equal keys, as Go's reader, Docker's, does.
Result<Table> parse_json(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::json::stream_parser parser({}, options);
  boost::system::error_code error;
  const size_t read = parser.write_some(text.data(), text.size(), error);
  if (!error && read == text.size()) parser.finish(error);
  if (error || read != text.size()) {
    const auto lines = std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(read), '\n');
    return invalid_argument(at_line(static_cast<uint32_t>(lines) + 1) +
                            (error ? error.message() : "something follows the end"));
  }
  const boost::json::value root = parser.release();
  if (!root.is_object()) return invalid_argument("the file must hold an object: { ... }");
  return from_json_object(root.get_object());
}

}  // namespace shoal::node
