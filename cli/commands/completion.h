// Shell completion, made from the command tree itself so that it cannot fall behind.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace shoal::cli {

// `shell` is "bash" or "zsh" (which loads the bash script through bashcompinit).
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace shoal::cli
