#include "cli/commands/completion.h"

#include <CLI/CLI.hpp>

namespace shoal::cli {
namespace {

// One `case` line per command path: the words that may follow it.
void add_cases(const CLI::App& app, const std::string& path, std::string& cases) {
  std::string words;
  for (const CLI::App* command : app.get_subcommands({})) {
    words += command->get_name() + " ";
    add_cases(*command, path + " " + command->get_name(), cases);
  }
  for (const CLI::Option* option : app.get_options({})) {
    for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
  }
  cases += "    \"" + path + "\") words=\"" + words + "\" ;;\n";
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  std::string cases;
  add_cases(app, "shoal", cases);
  std::string script;
  if (shell == "zsh") script += "autoload -U +X bashcompinit && bashcompinit\n";
  script +=
      "_shoal() {\n"
      "  local path=shoal words= word i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${COMP_WORDS[i]}\n"
      "    case \"$path $word\" in\n";
  std::string paths;
  for (size_t at = 0; (at = cases.find('"', at)) != std::string::npos;) {
    const size_t end = cases.find('"', at + 1);
    paths += (paths.empty() ? "" : "|") + cases.substr(at, end - at + 1);
    at = cases.find('\n', end);
  }
  script += "    " + paths + ") path=\"$path $word\" ;;\n    esac\n  done\n  case \"$path\" in\n" +
            cases +
            "  esac\n"
            "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
            "}\n"
            "complete -o default -F _shoal shoal\n";
  return script;
}

}  // namespace shoal::cli
