// Any text as a configuration file, in both syntaxes.
#include "base/types/check.h"
#include "node/config/config.h"
#include "node/config/syntax.h"

namespace {

void check(const shoal::Result<shoal::node::Table>& root, shoal::node::Dialect dialect) {
  using namespace shoal;
  if (!root) {
    SHOAL_CHECK(!root.error().message.empty(), "an error says what is wrong");
    return;
  }
  const auto config = node::interpret(*root, dialect);
  if (!config) {
    SHOAL_CHECK(!config.error().message.empty(), "an error says what is wrong");
    return;
  }
  if (config->default_address_pools) {
    for (const worker::LocalPool& pool : *config->default_address_pools) {
      SHOAL_CHECK(pool.base == pool.base.network(), "a pool is a subnet");
      SHOAL_CHECK(pool.length >= pool.base.length, "and is cut in smaller ones");
      SHOAL_CHECK(pool.length < pool.base.ip.bits(), "that hold endpoints");
    }
  }
  if (config->state_dir) SHOAL_CHECK(config->state_dir->front() == '/', "an absolute path");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(node::parse_toml(text), node::Dialect::kShoal);
  check(node::parse_json(text), node::Dialect::kDocker);
  return 0;
}
