#include "base/types/id.h"

#include <algorithm>

namespace shoal {

bool is_id(std::string_view text) {
  return text.size() == kIdLength && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
         });
}

std::string id_from_random(std::span<const uint8_t, 16> random) {
  unsigned __int128 value = 0;
  for (uint8_t byte : random) value = value << 8 | byte;
  std::string text(kIdLength, '0');
  for (auto it = text.rbegin(); it != text.rend(); ++it) {
    *it = "0123456789abcdefghijklmnopqrstuvwxyz"[static_cast<int>(value % 36)];
    value /= 36;
  }
  return text;
}

}  // namespace shoal
