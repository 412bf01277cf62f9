#include "base/codec/text.h"

#include "base/types/check.h"

namespace shoal {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return invalid_argument("hexadecimal text has an odd length");
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const size_t high = kDigits.find(text[i]);
    const size_t low = kDigits.find(text[i + 1]);
    if (high > 15 || low > 15) return invalid_argument("not a hexadecimal digit");
    bytes.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return bytes;
}

std::string to_base36(ByteView bytes, size_t width) {
  Bytes number(bytes.begin(), bytes.end());
  std::string text(width, '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit) {
    unsigned remainder = 0;
    for (auto& byte : number) {
      const unsigned value = remainder << 8 | byte;
      byte = static_cast<uint8_t>(value / 36);
      remainder = value % 36;
    }
    *digit = kDigits[remainder];
  }
  for (uint8_t byte : number) SHOAL_CHECK(byte == 0, "base36 width too small");
  return text;
}

Result<Bytes> from_base36(std::string_view text, size_t size) {
  Bytes number(size, 0);
  for (char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return invalid_argument("not a base36 digit");
    unsigned carry = static_cast<unsigned>(digit);
    for (auto byte = number.rbegin(); byte != number.rend(); ++byte) {
      const unsigned value = *byte * 36U + carry;
      *byte = static_cast<uint8_t>(value);
      carry = value >> 8;
    }
    if (carry != 0) return invalid_argument("base36 number is too large");
  }
  return number;
}

}  // namespace shoal
