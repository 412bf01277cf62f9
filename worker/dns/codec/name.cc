#include "worker/dns/codec/name.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace shoal::worker::dns {
namespace {

constexpr size_t kHeaderSize = 12;  // no name starts inside the header
constexpr std::string_view kV4Suffix = ".in-addr.arpa";
constexpr std::string_view kV6Suffix = ".ip6.arpa";

std::optional<Ip> reversed_v4(std::string_view text) {
  std::array<uint8_t, 4> bytes;
  for (int i = 3; i >= 0; --i) {
    const size_t dot = i > 0 ? text.find('.') : text.size();
    if (dot == std::string_view::npos || dot == 0 || dot > 3) return std::nullopt;
    if (dot > 1 && text[0] == '0') return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + dot, bytes[i]);
    if (error != std::errc() || end != text.data() + dot) return std::nullopt;
    text.remove_prefix(i > 0 ? dot + 1 : dot);
  }
  return Ip::v4(bytes);
}

std::optional<Ip> reversed_v6(std::string_view text) {
  if (text.size() != 63) return std::nullopt;  // 32 digits, 31 dots
  std::array<uint8_t, 16> bytes{};
  for (size_t i = 0; i < 32; ++i) {
    if (i < 31 && text[2 * i + 1] != '.') return std::nullopt;
    uint8_t nibble = 0;
    const char* digit = &text[2 * i];
    const auto [end, error] = std::from_chars(digit, digit + 1, nibble, 16);
    if (error != std::errc() || end != digit + 1) return std::nullopt;
    bytes[15 - i / 2] |= static_cast<uint8_t>(nibble << (i % 2 * 4));
  }
  return Ip::v6(bytes);
}

}  // namespace

Name::Name(const Name& other) : size_(other.size_) {
  std::memcpy(wire_.data(), other.wire_.data(), size_);
}

Name& Name::operator=(const Name& other) {
  size_ = other.size_;
  std::memmove(wire_.data(), other.wire_.data(), size_);
  return *this;
}

bool Name::append_label(ByteView label) {
  // size_ counts the final root byte, which the label pushes back.
  if (label.empty() || label.size() > kMaxLabelSize) return false;
  if (size_ + label.size() + 1 > kMaxNameSize) return false;
  uint8_t* at = &wire_[size_ - 1];
  *at = static_cast<uint8_t>(label.size());
  std::memcpy(at + 1, label.data(), label.size());
  size_ = static_cast<uint8_t>(size_ + label.size() + 1);
  wire_[size_ - 1] = 0;
  return true;
}

std::optional<Name> Name::from_text(std::string_view text) {
  Name name;
  if (text.ends_with('.')) text.remove_suffix(1);
  while (!text.empty()) {
    const size_t dot = text.find('.');
    if (!name.append_label(as_bytes(text.substr(0, dot)))) return std::nullopt;
    if (dot == std::string_view::npos) return name;
    text.remove_prefix(dot + 1);
    if (text.empty()) return std::nullopt;
  }
  return name;
}

Name Name::reverse_of(const Ip& ip) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto bytes = ip.bytes();
  std::string text;
  for (size_t i = bytes.size(); i-- > 0;) {
    if (ip.is_v4()) {
      text += std::to_string(bytes[i]);
    } else {
      text += kDigits[bytes[i] & 15];
      text += '.';
      text += kDigits[bytes[i] >> 4];
    }
    if (i > 0) text += '.';
  }
  text += ip.is_v4() ? kV4Suffix : kV6Suffix;
  return *from_text(text);
}

size_t Name::read(ByteView message, size_t offset, Compression compression) {
  size_ = 1;
  wire_[0] = 0;
  size_t after = 0;        // behind the name in the outer stream, known at the first pointer
  size_t lowest = offset;  // a pointer must lead below everything read so far
  while (offset < message.size()) {
    const uint8_t length = message[offset];
    if (length == 0) return after != 0 ? after : offset + 1;
    if (length >= 0xc0) {
      if (compression == Compression::kForbidden || offset + 2 > message.size()) return 0;
      const size_t target = static_cast<size_t>(length & 0x3f) << 8 | message[offset + 1];
      if (target < kHeaderSize || target >= lowest) return 0;
      if (after == 0) after = offset + 2;
      offset = lowest = target;
      continue;
    }
    if (length > kMaxLabelSize || offset + 1 + length > message.size()) return 0;
    if (!append_label(message.subspan(offset + 1, length))) return 0;
    offset += 1 + length;
  }
  return 0;
}

std::string_view Name::key(std::array<char, kMaxNameSize>& out) const {
  size_t written = 0;
  for (size_t at = 0; wire_[at] != 0;) {
    const size_t length = wire_[at++];
    if (written > 0) out[written++] = '.';
    for (size_t end = at + length; at < end; ++at) {
      if (wire_[at] == '.') return {};
      out[written++] = static_cast<char>(ascii_lower(wire_[at]));
    }
  }
  return {out.data(), written};
}

std::optional<Ip> Name::reversed() const {
  std::array<char, kMaxNameSize> buffer;
  std::string_view text = key(buffer);
  if (text.ends_with(kV4Suffix)) return reversed_v4(text.substr(0, text.size() - kV4Suffix.size()));
  if (text.ends_with(kV6Suffix)) return reversed_v6(text.substr(0, text.size() - kV6Suffix.size()));
  return std::nullopt;
}

std::string Name::text() const {
  if (is_root()) return ".";
  std::string out;
  for (size_t at = 0; wire_[at] != 0;) {
    const size_t length = wire_[at++];
    if (!out.empty()) out += '.';
    for (size_t end = at + length; at < end; ++at) {
      const uint8_t c = wire_[at];
      if (c <= ' ' || c >= 0x7f) {
        const char digits[] = {'\\', static_cast<char>('0' + c / 100),
                               static_cast<char>('0' + c / 10 % 10),
                               static_cast<char>('0' + c % 10)};
        out.append(digits, 4);
      } else {
        if (std::strchr(".\\\"();@$", c) != nullptr) out += '\\';
        out += static_cast<char>(c);
      }
    }
  }
  return out;
}

bool operator==(const Name& a, const Name& b) {
  // Length bytes are below 64 and so never changed by lowering.
  return a.size_ == b.size_ &&
         std::equal(a.wire_.begin(), a.wire_.begin() + a.size_, b.wire_.begin(),
                    [](uint8_t x, uint8_t y) { return ascii_lower(x) == ascii_lower(y); });
}

}  // namespace shoal::worker::dns
