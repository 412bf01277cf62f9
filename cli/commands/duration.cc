#include "cli/commands/duration.h"

#include <array>
#include <charconv>
#include <utility>

namespace shoal::cli {
namespace {

constexpr double kLongest = 100.0 * 365 * 24 * 3600e9;  // nanoseconds: a century
// The longer name before the one that it begins with.
constexpr std::array<std::pair<std::string_view, double>, 7> kUnits = {{{"ns", 1},
                                                                        {"us", 1e3},
                                                                        {"\u00b5s", 1e3},
                                                                        {"ms", 1e6},
                                                                        {"s", 1e9},
                                                                        {"m", 60e9},
                                                                        {"h", 3600e9}}};

Error not_a_duration(std::string_view text) {
  return invalid_argument("\"" + std::string(text.substr(0, 64)) +
                          "\" is not a duration: \"90m\" or \"2160h\" would be one");
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return not_a_duration(text);
  double sum = 0;
  for (std::string_view rest = text; !rest.empty();) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    const bool plain = (rest[0] >= '0' && rest[0] <= '9') || rest[0] == '.';
    if (error != std::errc() || !plain) return not_a_duration(text);
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    bool known = false;
    for (const auto& [name, nanoseconds] : kUnits) {
      if (!rest.starts_with(name)) continue;
      sum += number * nanoseconds;
      rest.remove_prefix(name.size());
      known = true;
      break;
    }
    if (!known || sum > kLongest) return not_a_duration(text);
  }
  return std::chrono::nanoseconds(static_cast<int64_t>(sum));
}

}  // namespace shoal::cli
