#include "node/gossip_keys.h"

#include "base/codec/text.h"
#include "base/runtime/files.h"
#include "node/identity.h"
#include "worker/session/wire.h"

namespace shoal::node {

Result<std::string> list_gossip_keys(const std::string& state_dir) {
  const Identity identity = SHOAL_TRY(load_identity(state_dir));
  const std::string path = state_dir + "/" + std::string(worker::kCacheFile);
  const auto file = read_file(path, worker::kMaxCacheFile);
  if (!file && file.error().code == ErrorClass::kNotFound) {
    return not_found("the node in " + state_dir + " has not been given gossip keys yet");
  }
  if (!file) return file.error();
  const worker::CachedCluster cached = SHOAL_TRY(worker::decode_cache(as_bytes(*file), path));
  std::string out = "# cluster " + identity.cluster.str() + "\n";
  for (const manager::GossipKey& key : cached.cluster.gossip_keys.keys) {
    out += std::to_string(key.id) + " " + to_hex(as_bytes(key.key)) + "\n";
  }
  return out;
}

}  // namespace shoal::node
