// raft_scripts [--rewrite] DIRECTORY: runs every .script in it. A file is blocks of
//
//   # a comment
//   a directive, and further lines
//   ----
//   the output they must have
//
// separated by empty lines. --rewrite puts the real output in; read the difference before you keep
// it.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/scripts/raft/environment.h"

namespace {

namespace fs = std::filesystem;

// The file as it would be with the real output.
std::string play(std::istream& in) {
  shoal::raft::script::Environment environment;
  std::string out;
  std::string block;
  bool expecting = false;
  for (std::string line; std::getline(in, line);) {
    if (expecting) {
      // The expected output goes on to the empty line.
      if (line.empty()) {
        expecting = false;
        out += "\n";
      }
    } else if (line == "----") {
      out += "----\n" + environment.run(block);
      block.clear();
      expecting = true;
    } else {
      out += line + "\n";
      if (!block.empty() || (!line.empty() && line.front() != '#')) block += line + "\n";
    }
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  bool rewrite = false;
  std::string directory;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rewrite") == 0) {
      rewrite = true;
    } else {
      directory = argv[i];
    }
  }
  int files = 0;
  int failed = 0;
  for (const auto& file : fs::directory_iterator(directory.empty() ? "." : directory)) {
    if (file.path().extension() != ".script") continue;
    ++files;
    std::ifstream in(file.path());
    std::stringstream expected;
    expected << in.rdbuf();
    const std::string actual = play(expected);
    if (actual == expected.str()) continue;
    if (rewrite) {
      std::ofstream(file.path()) << actual;
      continue;
    }
    ++failed;
    std::printf("%s differs; its output now:\n%s\n", file.path().c_str(), actual.c_str());
  }
  std::printf("%d scripts, %d failed\n", files, failed);
  return files == 0 || failed != 0 ? 1 : 0;
}
