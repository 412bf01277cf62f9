// Applies rendered nftables scripts inside a namespace, through libnftables. Each call enters the
// namespace on a thread of its own and takes a few milliseconds.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "vxlan/filter/host_table.h"
#include "vxlan/filter/ports_table.h"
#include "vxlan/netlink/namespace.h"

namespace shoal::vxlan {

// Makes the namespace lead DNS to 127.0.0.11:`port` (render.h). Atomic; returns false when it did
// so already and nothing was changed. kUnimplemented when the kernel lacks nftables.
Result<bool> apply_dns_redirect(const NamespaceFd& space, uint16_t port);
// Removes the table, if there is one.
Status remove_dns_redirect(const NamespaceFd& space);

// Makes "table inet shoal" of the host what host_table.h says, in one transaction, and returns how
// the kernel lists it then; empty when there is none.
Result<std::string> replace_host_table(const NamespaceFd& host, const HostTable& table);
Result<std::string> list_host_table(const NamespaceFd& host);

// The same of "table inet shoal-ports". Its listing is without elements, which NetfilterSocket has.
Result<std::string> replace_ports_table(const NamespaceFd& host,
                                        std::span<const PortForward> forwards);
Result<std::string> list_ports_table(const NamespaceFd& host);

// The user's own table: there when `wanted`, else gone unless somebody wrote into it.
Status keep_user_table(const NamespaceFd& host, bool wanted);

}  // namespace shoal::vxlan
