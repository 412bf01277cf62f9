#include "base/runtime/prompt.h"

#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

namespace shoal {
namespace {

constexpr size_t kMaxSecret = 4096;

// Hides what is typed, for as long as it lives.
class Hidden {
 public:
  Hidden() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    set_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~Hidden() {
    if (set_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

 private:
  termios before_{};
  bool set_ = false;
};

Result<std::string> first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  if (!in) {
    const std::string message = "cannot read " + path + ": " + std::strerror(errno);
    if (errno == ENOENT) return not_found(message);
    return permission_denied(message);
  }
  std::getline(in, line);
  return line;
}

}  // namespace

Result<std::string> read_secret(const std::string& prompt, const std::string& file) {
  std::string line;
  if (!file.empty()) {
    line = SHOAL_TRY(first_line(file));
  } else if (isatty(STDIN_FILENO) == 1) {
    std::fprintf(stderr, "%s", prompt.c_str());
    const Hidden hidden;
    std::getline(std::cin, line);
    std::fprintf(stderr, "\n");
  } else {
    std::getline(std::cin, line);
  }
  if (line.size() > kMaxSecret) return invalid_argument("this is longer than any key");
  const size_t end = line.find_last_not_of(" \t\r");
  line.erase(end == std::string::npos ? 0 : end + 1);
  if (line.empty()) return invalid_argument("no key was given");
  return line;
}

}  // namespace shoal
