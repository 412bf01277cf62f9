// The nftables text of what Shoal filters, and its recognition in a listing. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace shoal::vxlan {

// All of ours in an endpoint's namespace that leads DNS: "table ip shoal-dns".
inline constexpr std::string_view kDnsTable = "shoal-dns";
inline constexpr std::string_view kDnsAddress = "127.0.0.11";

// A script that replaces the table in one transaction: queries to 127.0.0.11 port 53, UDP and TCP,
// go to `port` there, and what comes from that port says it comes from 53.
std::string render_dns_redirect(uint16_t port);
// The same where the table is known to be absent.
std::string render_dns_table(uint16_t port);
// A script that removes the table, there or not.
std::string render_dns_removal();
// True when `listing` ("list table ip shoal-dns") does what render_dns_redirect(port) does.
bool shows_dns_redirect(std::string_view listing, uint16_t port);

}  // namespace shoal::vxlan
