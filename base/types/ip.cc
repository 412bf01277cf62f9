#include "base/types/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>

namespace shoal {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 64)) + "\""; }

std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
  unsigned value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

unsigned __int128 host_mask(const Prefix& prefix) {
  const int host_bits = prefix.ip.bits() - prefix.length;
  if (host_bits >= 128) return ~static_cast<unsigned __int128>(0);
  return (static_cast<unsigned __int128>(1) << host_bits) - 1;
}

}  // namespace

Ip Ip::v4(uint32_t host_order) {
  return v4(std::array<uint8_t, 4>{
      static_cast<uint8_t>(host_order >> 24), static_cast<uint8_t>(host_order >> 16),
      static_cast<uint8_t>(host_order >> 8), static_cast<uint8_t>(host_order)});
}

Ip Ip::v4(std::array<uint8_t, 4> bytes) {
  Ip ip;
  std::copy(bytes.begin(), bytes.end(), ip.bytes_.begin());
  return ip;
}

Ip Ip::v6(std::array<uint8_t, 16> bytes) {
  Ip ip;
  ip.family_ = Family::kV6;
  ip.bytes_ = bytes;
  return ip;
}

Result<Ip> Ip::from_bytes(std::span<const uint8_t> bytes) {
  Ip ip;
  if (bytes.size() == 16) {
    ip.family_ = Family::kV6;
  } else if (bytes.size() != 4) {
    return invalid_argument("an IP address has 4 or 16 bytes, not " + std::to_string(bytes.size()));
  }
  std::copy(bytes.begin(), bytes.end(), ip.bytes_.begin());
  return ip;
}

Result<Ip> Ip::parse(std::string_view text) {
  const std::string copy(text.substr(0, INET6_ADDRSTRLEN));
  Ip ip;
  if (copy.find('\0') == std::string::npos && text.size() < INET6_ADDRSTRLEN) {
    if (inet_pton(AF_INET, copy.c_str(), ip.bytes_.data()) == 1) return ip;
    if (inet_pton(AF_INET6, copy.c_str(), ip.bytes_.data()) == 1) {
      ip.family_ = Family::kV6;
      return ip;
    }
  }
  return invalid_argument(quoted(text) + " is not an IP address");
}

bool Ip::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](uint8_t byte) { return byte == 0; });
}

bool Ip::is_loopback() const { return is_v4() ? bytes_[0] == 127 : number() == 1; }

bool Ip::is_multicast() const { return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff; }

bool Ip::is_link_local() const {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254
                 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

unsigned __int128 Ip::number() const {
  unsigned __int128 value = 0;
  for (uint8_t byte : bytes()) value = value << 8 | byte;
  return value;
}

Ip Ip::from_number(Family family, unsigned __int128 number) {
  Ip ip;
  ip.family_ = family;
  for (int i = ip.bits() / 8 - 1; i >= 0; --i) {
    ip.bytes_[static_cast<size_t>(i)] = static_cast<uint8_t>(number);
    number >>= 8;
  }
  return ip;
}

Ip Ip::plus(unsigned __int128 offset) const { return from_number(family_, number() + offset); }

std::string Ip::str() const {
  if (is_v4()) {
    // inet_ntop() prints with sprintf(), ten times as slow; a state is full of addresses.
    char text[INET_ADDRSTRLEN];
    char* end = text;
    for (size_t i = 0; i < 4; ++i) {
      if (i != 0) *end++ = '.';
      end = std::to_chars(end, text + sizeof text, bytes_[i]).ptr;
    }
    return {text, end};
  }
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

Result<Prefix> Prefix::parse(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return invalid_argument(quoted(text) +
                            " is not a subnet: write ADDRESS/LENGTH, for example 10.0.1.0/24");
  }
  Prefix prefix;
  prefix.ip = SHOAL_TRY(Ip::parse(text.substr(0, slash)));
  const auto length = parse_number(text.substr(slash + 1), static_cast<unsigned>(prefix.ip.bits()));
  if (!length) {
    return invalid_argument(quoted(text) + " has a bad prefix length: 0 to " +
                            std::to_string(prefix.ip.bits()) + " is expected after the slash");
  }
  prefix.length = static_cast<uint8_t>(*length);
  return prefix;
}

Prefix Prefix::network() const {
  return {Ip::from_number(ip.family(), ip.number() & ~host_mask(*this)), length};
}

Ip Prefix::first() const { return network().ip; }

Ip Prefix::last() const { return Ip::from_number(ip.family(), ip.number() | host_mask(*this)); }

bool Prefix::contains(const Ip& other) const {
  return other.family() == ip.family() &&
         (other.number() & ~host_mask(*this)) == (ip.number() & ~host_mask(*this));
}

bool Prefix::contains(const Prefix& other) const {
  return other.length >= length && contains(other.ip);
}

bool Prefix::overlaps(const Prefix& other) const {
  return contains(other.first()) || other.contains(first());
}

unsigned __int128 Prefix::size() const {
  const unsigned __int128 mask = host_mask(*this);
  return mask + 1 == 0 ? mask : mask + 1;
}

std::string Prefix::str() const { return ip.str() + "/" + std::to_string(length); }

Result<Mac> Mac::parse(std::string_view text) {
  std::array<uint8_t, 6> bytes{};
  bool good = text.size() == 17;
  for (size_t i = 0; good && i < 6; ++i) {
    const std::string_view pair = text.substr(i * 3, 2);
    auto [end, code] = std::from_chars(pair.data(), pair.data() + 2, bytes[i], 16);
    good = code == std::errc() && end == pair.data() + 2 && (i == 5 || text[i * 3 + 2] == ':');
  }
  if (!good) return invalid_argument(quoted(text) + " is not a MAC address");
  return Mac(bytes);
}

Mac Mac::from_random(uint64_t random) {
  std::array<uint8_t, 6> bytes{};
  for (auto& byte : bytes) {
    byte = static_cast<uint8_t>(random);
    random >>= 8;
  }
  bytes[0] = static_cast<uint8_t>((bytes[0] & 0xfc) | 0x02);
  return Mac(bytes);
}

std::string Mac::str() const {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", bytes_[0], bytes_[1], bytes_[2],
                bytes_[3], bytes_[4], bytes_[5]);
  return text;
}

Result<HostPort> HostPort::parse(std::string_view text, uint16_t default_port) {
  std::string_view host = text;
  std::optional<std::string_view> port;
  if (!text.empty() && text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) {
      return invalid_argument(quoted(text) + " lacks the closing bracket of its IPv6 address");
    }
    host = text.substr(1, close - 1);
    if (close + 1 < text.size()) {
      if (text[close + 1] != ':') {
        return invalid_argument(quoted(text) + " is not an address: write [IPV6]:PORT");
      }
      port = text.substr(close + 2);
    }
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    const size_t colon = text.find(':');
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  HostPort result;
  result.ip = SHOAL_TRY(Ip::parse(host));
  result.port = default_port;
  if (port) {
    const auto number = parse_number(*port, 65535);
    if (!number || *number == 0) {
      return invalid_argument(quoted(text) + " has a bad port: 1 to 65535 is expected");
    }
    result.port = static_cast<uint16_t>(*number);
  } else if (default_port == 0) {
    return invalid_argument(quoted(text) + " lacks a port: write ADDRESS:PORT");
  }
  return result;
}

std::string HostPort::str() const {
  return (ip.is_v6() ? "[" + ip.str() + "]" : ip.str()) + ":" + std::to_string(port);
}

}  // namespace shoal
