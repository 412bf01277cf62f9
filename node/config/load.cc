#include "node/config/load.h"

#include "base/runtime/files.h"
#include "node/config/syntax.h"

namespace shoal::node {

Result<Config> load_config(const std::string& path) {
  const Dialect dialect = path.ends_with(".json") ? Dialect::kDocker : Dialect::kShoal;
  const Result<std::string> text = read_file(path, kMaxConfigBytes);
  if (!text) return text.error().wrap("configuration file");
  const auto root = dialect == Dialect::kDocker ? parse_json(*text) : parse_toml(*text);
  if (!root) return root.error().wrap(path);
  auto config = interpret(*root, dialect);
  if (!config) return config.error().wrap(path);
  return config;
}

}  // namespace shoal::node
