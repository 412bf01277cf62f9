// Any text as the options of a bridge network: lines of KEY=VALUE.
#include <algorithm>

#include "base/types/check.h"
#include "worker/drivers/bridge_options.h"
#include "worker/drivers/driver.h"

namespace shoal::worker {
namespace {

constexpr size_t kLongestName = 15;  // of an interface
constexpr size_t kLongestError = 1024;

std::map<std::string, std::string> options_of(std::string_view text) {
  std::map<std::string, std::string> out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const size_t sign = line.find('=');
    const bool valued = sign != std::string_view::npos;
    out.emplace(line.substr(0, sign), valued ? line.substr(sign + 1) : std::string_view());
  }
  return out;
}

void check_refusal(const Error& error) {
  SHOAL_CHECK(
      error.code == ErrorClass::kInvalidArgument || error.code == ErrorClass::kUnimplemented,
      "the caller's fault, or not there yet");
  SHOAL_CHECK(!error.message.empty() && error.message.size() <= kLongestError, "a sentence");
  SHOAL_CHECK(std::none_of(error.message.begin(), error.message.end(),
                           [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
              "nothing in it moves a terminal's cursor");
}

void check_accepted(const manager::NetworkSpec& spec, const BridgeOptions& options) {
  SHOAL_CHECK(options.bridge_name.size() <= kLongestName, "an interface has such a name");
  SHOAL_CHECK(options.ifname_prefix.size() < kLongestName, "a number follows");
  SHOAL_CHECK(options.mtu >= 68 && options.mtu <= 65535, "the kernel takes it");
  manager::Network network;
  network.id = NetworkId("nnnnnnnnnnnnnnnnnnnnnnnnn");
  network.spec = spec;
  const Driver& driver = *find_driver("bridge");
  const auto desired = driver.network(network);
  SHOAL_CHECK(!desired.bridge.name.empty() && desired.bridge.name.size() <= kLongestName, "so too");
  (void)driver.explain(network);
}

}  // namespace
}  // namespace shoal::worker

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal::worker;
  shoal::manager::NetworkSpec spec;
  spec.name = "shop";
  spec.driver = "bridge";
  spec.options = options_of({reinterpret_cast<const char*>(data), size});
  const auto options = parse_bridge_options(spec.options);
  if (options) {
    check_accepted(spec, *options);
  } else {
    check_refusal(options.error());
  }
  if (const shoal::Status valid = find_driver("bridge")->validate(spec); !valid) {
    check_refusal(valid.error());
  }
  return 0;
}
