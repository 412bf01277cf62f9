#include "tests/cluster/load/history.h"

#include <chrono>
#include <cstdlib>

namespace shoal::load {
namespace {

// Keys and values are ours: letters, digits, '-' and '.'.
std::string quoted(const std::optional<std::string>& text) {
  return text ? '"' + *text + '"' : "null";
}

}  // namespace

int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

History::History(const std::string& path) : file_(std::fopen(path.c_str(), "a")) {
  if (file_ != nullptr) return;
  std::perror(path.c_str());
  std::exit(1);
}

History::~History() { std::fclose(file_); }

void History::add(const Operation& operation) {
  const std::string line =
      "{\"client\":" + std::to_string(operation.client) + ",\"op\":\"" + operation.op +
      "\",\"key\":\"" + operation.key + "\",\"in\":" + quoted(operation.in) +
      ",\"out\":" + quoted(operation.out) + ",\"call\":" + std::to_string(operation.called) +
      ",\"return\":" + (operation.returned ? std::to_string(*operation.returned) : "null") +
      ",\"ok\":" + (operation.ok ? "true" : "false") + "}\n";
  const std::lock_guard lock(mutex_);
  const bool written =
      std::fwrite(line.data(), 1, line.size(), file_) == line.size() && std::fflush(file_) == 0;
  if (written) return;
  std::perror("history");
  std::exit(1);
}

}  // namespace shoal::load
