#include "cli/render/render.h"

#include <algorithm>

namespace shoal::cli {
namespace {

constexpr size_t kGap = 3;

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The value named by ".", ".A" or ".A.B".
Result<const Value*> resolve(std::string_view path, const Value& value) {
  if (path.empty() || path[0] != '.') {
    return invalid_argument("\"{{" + std::string(path) +
                            "}}\" is not understood: write {{.Field}}");
  }
  const Value* at = &value;
  std::string_view rest = path.substr(1);
  while (!rest.empty()) {
    const size_t dot = rest.find('.');
    const std::string_view key = rest.substr(0, dot);
    const Value* next = at->find(key);
    if (next == nullptr) {
      std::string known;
      if (const auto* object = at->as_object()) {
        for (const auto& [name, unused] : *object) known += (known.empty() ? "" : ", ") + name;
      }
      return invalid_argument("there is no field \"" + std::string(key) +
                              "\" here; fields are: " + known);
    }
    at = next;
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  }
  return at;
}

Result<std::string> evaluate(std::string_view expression, const Value& value) {
  constexpr std::string_view kJson = "json ";
  if (expression.starts_with(kJson)) {
    const Value* found = SHOAL_TRY(resolve(trim(expression.substr(kJson.size())), value));
    return found->json();
  }
  const Value* found = SHOAL_TRY(resolve(expression, value));
  return found->text();
}

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 't' || text[i + 1] == 'n')) {
      out += text[++i] == 't' ? '\t' : '\n';
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// "{{.NetworkID}}" -> "NETWORK ID": the heading of a column that a user wrote.
std::string heading(std::string_view cell) {
  std::string out;
  char previous = 0;
  for (char c : cell) {
    if (c == '{' || c == '}' || c == '.') continue;
    const bool upper = c >= 'A' && c <= 'Z';
    const bool previous_lower = previous >= 'a' && previous <= 'z';
    if (upper && previous_lower) out += ' ';
    out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    previous = c;
  }
  return out;
}

std::string align(const std::vector<std::vector<std::string>>& lines) {
  std::vector<size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string out;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      out += line[i];
      if (i + 1 < line.size()) out.append(widths[i] - line[i].size() + kGap, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace

Result<std::string> render_template(std::string_view text, const Value& value) {
  const std::string source = unescape(text);
  std::string out;
  size_t at = 0;
  while (true) {
    const size_t open = source.find("{{", at);
    out += source.substr(at, open == std::string::npos ? open : open - at);
    if (open == std::string::npos) return out;
    const size_t close = source.find("}}", open);
    if (close == std::string::npos) {
      return invalid_argument("the format has \"{{\" without \"}}\" at position " +
                              std::to_string(open + 1));
    }
    const std::string_view inner(source.data() + open + 2, close - open - 2);
    out += SHOAL_TRY(evaluate(trim(inner), value));
    at = close + 2;
  }
}

Result<std::string> render_table(const std::vector<Column>& columns, const Value::Array& rows) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : columns) lines[0].push_back(column.header);
  for (const Value& row : rows) {
    auto& line = lines.emplace_back();
    for (const Column& column : columns) {
      line.push_back(SHOAL_TRY(render_template(column.template_text, row)));
    }
  }
  return align(lines);
}

Result<std::string> render_list(std::string_view format, const std::vector<Column>& columns,
                                const Value::Array& rows) {
  constexpr std::string_view kTable = "table";
  if (format.empty() || format == kTable) return render_table(columns, rows);
  if (format.starts_with("table ")) {
    std::vector<Column> asked;
    for (const auto& cell : split(unescape(trim(format.substr(kTable.size()))), '\t')) {
      asked.push_back({heading(cell), cell});
    }
    return render_table(asked, rows);
  }
  const std::string_view text = format == "json" ? "{{json .}}" : format;
  std::string out;
  for (const Value& row : rows) out += SHOAL_TRY(render_template(text, row)) + "\n";
  return out;
}

Result<std::string> render_inspect(std::string_view format, const Value::Array& items) {
  if (format.empty()) return Value(items).json(4) + "\n";
  return render_list(format, {}, items);
}

}  // namespace shoal::cli
