// Any text as a resolv.conf.
#include "base/types/check.h"
#include "worker/dns/policy/resolv_conf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const HostPort& upstream : worker::dns::upstreams_of_resolv_conf(text)) {
    SHOAL_CHECK(upstream.port == 53, "the port of DNS");
    SHOAL_CHECK(upstream.ip != Ip::v4(0x7f00000b), "never ourselves");
    SHOAL_CHECK(!upstream.ip.is_unspecified(), "an address");
  }
  return 0;
}
