#include "base/codec/nearest.h"

#include <algorithm>
#include <vector>

namespace shoal {
namespace {

constexpr size_t kMeasured = 64;

// Levenshtein's distance.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view tried, std::span<const std::string_view> known) {
  tried = tried.substr(0, kMeasured);
  const auto found =
      std::min_element(known.begin(), known.end(), [&](std::string_view a, std::string_view b) {
        return distance(tried, a) < distance(tried, b);
      });
  return found == known.end() ? std::string_view() : *found;
}

}  // namespace shoal
