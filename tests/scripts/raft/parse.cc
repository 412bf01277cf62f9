#include "tests/scripts/raft/parse.h"

#include <charconv>

namespace shoal::raft::script {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// "(a,b c)" from its opening bracket on; empty when it does not close.
std::string_view bracketed(std::string_view text) {
  const size_t end = text.find(')');
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
}

std::vector<std::string> split_values(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text) {
    if (c != ',' && !blank(c)) {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

}  // namespace

Result<Directive> parse_directive(std::string_view line) {
  Directive out;
  while (!line.empty()) {
    if (blank(line.front())) {
      line.remove_prefix(1);
      continue;
    }
    size_t end = 0;
    while (end < line.size() && !blank(line[end]) && line[end] != '=') ++end;
    Argument argument{std::string(line.substr(0, end)), {}};
    line.remove_prefix(end);
    if (!line.empty() && line.front() == '=') {
      line.remove_prefix(1);
      if (!line.empty() && line.front() == '(') {
        const std::string_view list = bracketed(line);
        if (list.empty()) return invalid_argument("a bracket is not closed");
        argument.values = split_values(list.substr(1, list.size() - 2));
        line.remove_prefix(list.size());
      } else {
        end = 0;
        while (end < line.size() && !blank(line[end])) ++end;
        argument.values.emplace_back(line.substr(0, end));
        line.remove_prefix(end);
      }
    }
    if (out.name.empty()) {
      if (argument.key.empty()) return invalid_argument("a directive needs a name");
      out.name = argument.key;
    } else {
      out.arguments.push_back(std::move(argument));
    }
  }
  if (out.name.empty()) return invalid_argument("a directive needs a name");
  return out;
}

Result<uint64_t> parse_number(std::string_view text, uint64_t max) {
  uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out > max) {
    return invalid_argument("\"" + std::string(text) + "\" is not a number up to " +
                            std::to_string(max));
  }
  return out;
}

Result<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "1" || text == "t") return true;
  if (text == "false" || text == "0" || text == "f") return false;
  return invalid_argument("\"" + std::string(text) + "\" is not true or false");
}

}  // namespace shoal::raft::script
