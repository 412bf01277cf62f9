// Any text as what `-p` says: it is refused with a sentence, or means the same when it is shown.
#include "base/types/check.h"
#include "worker/publish/publish.h"

namespace shoal::worker {
namespace {

void check_spec(std::string_view text) {
  const auto spec = parse_port_spec(text);
  if (!spec) {
    SHOAL_CHECK(!spec.error().message.empty() && spec.error().message.size() < 512,
                "a refusal is a sentence");
    return;
  }
  SHOAL_CHECK(spec->port.first != 0 && spec->port.first <= spec->port.last, "ports are a range");
  if (!spec->host) return;
  SHOAL_CHECK(spec->host->first != 0 && spec->host->first <= spec->host->last, "as the host's are");
  SHOAL_CHECK(spec->host->size() == spec->port.size() || spec->port.size() == 1, "as many");
}

void check_plan(std::string_view text, const PublishGround& ground) {
  const auto planned = plan_ports({std::string(text)}, ground);
  if (!planned) return;
  size_t ports = 0;
  for (const PortRequest& request : *planned) {
    ports += request.port.size();
    SHOAL_CHECK(!request.host_ips.empty(), "it is published somewhere");
    for (const Ip& ip : request.host_ips) {
      SHOAL_CHECK(ip.is_v4() ? ground.has_v4 : ground.has_v6, "where the endpoint is reached");
      if (!request.host || request.host->size() != request.port.size()) continue;
      const PortBinding binding{request.protocol, ip, *request.host, request.port};
      SHOAL_CHECK(parse_port_binding(binding.str()).value() == binding, "read as it is shown");
      SHOAL_CHECK(in_the_way(binding, binding), "in its own way");
    }
  }
  SHOAL_CHECK(ports <= kMostPortsOfEndpoint, "bounded");
}

}  // namespace
}  // namespace shoal::worker

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  worker::check_spec(text);
  worker::check_plan(text, {"front", false, {}, true, true});
  worker::check_plan(text, {"front", false, {}, true, false});
  return 0;
}
