#include "tests/lin/oracle.h"

#include <algorithm>
#include <map>

namespace shoal::lin {
namespace {

// Carries the operation out; false when the model would have answered otherwise.
bool carry_out(const Operation& op, std::map<std::string, std::string>& store) {
  const auto found = store.find(op.key);
  const Value now = found == store.end() ? Value() : Value(found->second);
  bool done = true;
  Value after = now;
  if (op.kind == Kind::kCreate) {
    done = !now.has_value();
    if (done) after = op.in;
  } else if (op.kind == Kind::kRemove) {
    done = now.has_value();
    after = std::nullopt;
  } else if (op.kind == Kind::kWrite) {
    if (op.given && !op.ok) return true;
    after = op.in;
  } else if (op.kind == Kind::kRead) {
    if (op.given && op.ok && op.out != now) return false;
    return true;
  } else {
    done = now == op.expect;
    if (done) after = op.in;
  }
  if (after) store[op.key] = *after;
  if (!after) store.erase(op.key);
  return !op.given || op.kind == Kind::kWrite || done == op.ok;
}

bool order_exists(const History& history, std::vector<bool>& used, size_t left,
                  std::map<std::string, std::string> store) {
  if (left == 0) return true;
  for (size_t i = 0; i < history.size(); ++i) {
    if (used[i]) continue;
    bool first = true;  // nothing left returned before this one was called
    for (size_t j = 0; j < history.size(); ++j) {
      if (!used[j] && history[j].given && *history[j].given < history[i].call) first = false;
    }
    auto after = store;
    if (!first || !carry_out(history[i], after)) continue;
    used[i] = true;
    if (order_exists(history, used, left - 1, after)) return true;
    used[i] = false;
  }
  return false;
}

}  // namespace

bool linearizable_by_definition(const History& history) {
  std::vector<size_t> unknown;
  for (size_t i = 0; i < history.size(); ++i) {
    if (!history[i].given) unknown.push_back(i);
  }
  for (size_t happened = 0; happened < (size_t{1} << unknown.size()); ++happened) {
    std::vector<bool> used(history.size(), false);
    size_t left = history.size();
    for (size_t i = 0; i < unknown.size(); ++i) {
      if ((happened >> i & 1) != 0) continue;
      used[unknown[i]] = true;
      --left;
    }
    if (order_exists(history, used, left, {})) return true;
  }
  return false;
}

}  // namespace shoal::lin
