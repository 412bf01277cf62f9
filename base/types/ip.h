// Ip, Prefix, Mac, Vni, HostPort: network values, checked when parsed, ordered, printable.
//
// Text forms are the usual ones: RFC 5952 for IPv6, colon-separated lower-case hexadecimal for
// MACs.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/types/result.h"

namespace shoal {

enum class Family : uint8_t { kV4 = 4, kV6 = 6 };

class Ip {
 public:
  // 0.0.0.0
  Ip() = default;
  static Ip v4(uint32_t host_order);
  static Ip v4(std::array<uint8_t, 4> bytes);
  static Ip v6(std::array<uint8_t, 16> bytes);
  // 4 or 16 bytes in network order.
  static Result<Ip> from_bytes(std::span<const uint8_t> bytes);
  static Result<Ip> parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::kV4; }
  bool is_v6() const { return family_ == Family::kV6; }
  int bits() const { return is_v4() ? 32 : 128; }
  // 4 or 16 bytes in network order.
  std::span<const uint8_t> bytes() const { return {bytes_.data(), is_v4() ? 4U : 16U}; }
  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_link_local() const;

  // The address `offset` further (modulo the family's size).
  Ip plus(unsigned __int128 offset) const;
  // As a number, most significant byte first.
  unsigned __int128 number() const;
  static Ip from_number(Family family, unsigned __int128 number);

  std::string str() const;

  friend std::strong_ordering operator<=>(const Ip&, const Ip&) = default;

 private:
  Family family_ = Family::kV4;
  std::array<uint8_t, 16> bytes_{};  // the first 4 for IPv4, the rest zero
};

// An address with a prefix length: a subnet ("10.0.1.0/24") or an interface address
// ("10.0.1.7/24").
struct Prefix {
  Ip ip;
  uint8_t length = 0;

  // "ADDRESS/LENGTH"; host bits may be set.
  static Result<Prefix> parse(std::string_view text);

  Prefix network() const;  // host bits cleared
  Ip first() const;        // lowest address
  Ip last() const;         // highest address
  bool contains(const Ip& ip) const;
  bool contains(const Prefix& other) const;
  bool overlaps(const Prefix& other) const;
  // Number of addresses, saturated to 2^128-1 for ::/0.
  unsigned __int128 size() const;
  std::string str() const;

  friend std::strong_ordering operator<=>(const Prefix&, const Prefix&) = default;
};

class Mac {
 public:
  Mac() = default;
  explicit Mac(std::array<uint8_t, 6> bytes) : bytes_(bytes) {}
  static Result<Mac> parse(std::string_view text);
  // A locally administered unicast address from 46 of the 64 random bits.
  static Mac from_random(uint64_t random);

  const std::array<uint8_t, 6>& bytes() const { return bytes_; }
  bool is_zero() const { return bytes_ == std::array<uint8_t, 6>{}; }
  std::string str() const;

  friend auto operator<=>(const Mac&, const Mac&) = default;

 private:
  std::array<uint8_t, 6> bytes_{};
};

// VXLAN network identifier, 24 bits (RFC 7348).
struct Vni {
  uint32_t value = 0;

  static constexpr uint32_t kMax = (1U << 24) - 1;
  friend constexpr auto operator<=>(const Vni&, const Vni&) = default;
};

// "HOST:PORT" with a numeric host: "192.0.2.1:2377", "[2001:db8::1]:2377".
struct HostPort {
  Ip ip;
  uint16_t port = 0;

  // Without a port in the text, `default_port` is taken; 0 makes the port mandatory.
  static Result<HostPort> parse(std::string_view text, uint16_t default_port = 0);
  std::string str() const;

  friend auto operator<=>(const HostPort&, const HostPort&) = default;
};

}  // namespace shoal

template <>
struct std::hash<shoal::Ip> {
  size_t operator()(const shoal::Ip& ip) const noexcept {
    const auto bytes = ip.bytes();
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
};
template <>
struct std::hash<shoal::Mac> {
  size_t operator()(const shoal::Mac& mac) const noexcept {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(mac.bytes().data()), mac.bytes().size()});
  }
};
