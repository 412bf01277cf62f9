// raft_script: plays blocks from standard input, one at a time.
//
//   directive arguments
//   more lines
//   ----
//
// Each is answered by its text and the line <<<END>>>. Empty lines and lines that begin with # are
// passed over before a directive.
#include <cstdio>
#include <iostream>
#include <string>

#include "tests/scripts/raft/environment.h"

namespace {

using namespace shoal::raft::script;

// One line without its end, at most kMaxLineBytes of it; the rest is passed over. False at the end.
bool read_line(std::istream& in, std::string& line) {
  line.clear();
  int c = in.get();
  if (c == std::istream::traits_type::eof()) return false;
  for (; c != std::istream::traits_type::eof() && c != '\n'; c = in.get()) {
    if (line.size() < kMaxLineBytes) line.push_back(static_cast<char>(c));
  }
  return true;
}

void answer(const std::string& text) { std::cout << text << "<<<END>>>\n" << std::flush; }

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  Environment environment;
  std::string block;
  bool too_large = false;
  for (std::string line; read_line(std::cin, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line == "----") {
      answer(too_large ? "the block is too large\n" : environment.run(block));
      block.clear();
      too_large = false;
    } else if (block.size() + line.size() > kMaxBlockBytes) {
      too_large = true;
    } else if (!block.empty() || (!line.empty() && line.front() != '#')) {
      block += line + "\n";
    }
  }
  // A last block without its end is played too.
  if (!block.empty()) answer(too_large ? "the block is too large\n" : environment.run(block));
  return 0;
}
