// Reading a configuration file.
#pragma once

#include <string>

#include "node/config/config.h"

namespace shoal::node {

// Read without being named, when it is there.
inline constexpr char kDefaultConfigFile[] = "/etc/shoal/shoald.toml";

// A path that ends in ".json" is a daemon.json of Docker's, any other one is TOML. Errors name the
// file. kNotFound when there is none, kInvalidArgument for what it says.
Result<Config> load_config(const std::string& path);

}  // namespace shoal::node
