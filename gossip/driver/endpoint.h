// Between HostPort and Asio's endpoints. A socket bound to [::] speaks IPv4 by mapped addresses.
#pragma once

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <optional>

#include "base/types/ip.h"

namespace shoal::gossip {

template <typename Endpoint>
HostPort from_endpoint(const Endpoint& endpoint) {
  const auto address = endpoint.address();
  if (address.is_v4()) return {Ip::v4(address.to_v4().to_uint()), endpoint.port()};
  if (address.to_v6().is_v4_mapped()) {
    const auto v4 = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
    return {Ip::v4(v4.to_uint()), endpoint.port()};
  }
  return {Ip::v6(address.to_v6().to_bytes()), endpoint.port()};
}

inline boost::asio::ip::address to_address(const Ip& ip) {
  if (ip.is_v4()) {
    return boost::asio::ip::address_v4(static_cast<uint32_t>(ip.number()));
  }
  boost::asio::ip::address_v6::bytes_type bytes;
  std::copy(ip.bytes().begin(), ip.bytes().end(), bytes.begin());
  return boost::asio::ip::address_v6(bytes);
}

// As seen from a socket of `family`; none when it cannot reach the address's family.
template <typename Endpoint>
std::optional<Endpoint> to_endpoint(const HostPort& to, Family family) {
  if (family == Family::kV4 && !to.ip.is_v4()) return std::nullopt;
  if (family == Family::kV6 && to.ip.is_v4()) {
    const auto mapped =
        boost::asio::ip::make_address_v6(boost::asio::ip::v4_mapped, to_address(to.ip).to_v4());
    return Endpoint(mapped, to.port);
  }
  return Endpoint(to_address(to.ip), to.port);
}

}  // namespace shoal::gossip
