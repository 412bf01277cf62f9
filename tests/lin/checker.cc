#include "tests/lin/checker.h"

#include <algorithm>
#include <map>

#include "base/types/check.h"
#include "tests/lin/search.h"

namespace shoal::lin {
namespace {

// Says nothing about the value, whenever it took effect.
bool says_nothing(const Operation& operation) {
  const bool refused = !operation.ok || !operation.given;
  return (operation.kind == Kind::kRead && refused) ||
         (operation.kind == Kind::kWrite && operation.given && !operation.ok);
}

}  // namespace

Verdict check(const History& history, const Limits& limits) {
  std::map<std::string_view, std::vector<size_t>> keys;
  for (size_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history[i];
    SHOAL_CHECK(!operation.given || *operation.given >= operation.call, "a return before its call");
    if (!says_nothing(operation)) keys[operation.key].push_back(i);
  }
  Verdict verdict;
  for (const auto& [key, members] : keys) {
    Search search(history, members, limits);
    const Judgement judgement = search.run();
    verdict.states += search.states();
    // A key that is wrong is worth more than one that took too long.
    if (judgement == Judgement::kLinearizable) continue;
    if (judgement == Judgement::kUndecided && verdict.judgement == judgement) continue;
    verdict.judgement = judgement;
    verdict.key = key;
    verdict.prefix = search.longest();
    verdict.stuck = search.stuck();
    verdict.value = search.value();
    if (judgement == Judgement::kNotLinearizable) break;
  }
  return verdict;
}

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kCreate:
      return "create";
    case Kind::kRemove:
      return "remove";
    case Kind::kWrite:
      return "write";
    case Kind::kRead:
      return "read";
    case Kind::kCas:
      return "cas";
  }
  return "unknown";
}

namespace {

std::string text(const Value& value) { return value ? "\"" + *value + "\"" : "nothing"; }

}  // namespace

std::string to_string(const Operation& operation) {
  std::string out = "client " + std::to_string(operation.client) + " " +
                    std::string(to_string(operation.kind)) + " " + operation.key;
  if (operation.kind == Kind::kCas) out += " " + text(operation.expect) + " ->";
  if (operation.kind != Kind::kRead && operation.kind != Kind::kRemove) {
    out += " " + text(operation.in);
  }
  if (!operation.given) {
    return out + " = unknown [" + std::to_string(operation.call) + ", ...]";
  }
  if (operation.kind == Kind::kRead && operation.ok) {
    out += " = " + text(operation.out);
  } else {
    out += operation.ok ? " = ok" : " = refused";
  }
  return out + " [" + std::to_string(operation.call) + ", " + std::to_string(*operation.given) +
         "]";
}

std::string explain(const History& history, const Verdict& verdict, size_t most) {
  const std::string count = std::to_string(history.size()) + " operations, " +
                            std::to_string(verdict.states) + " states looked at";
  if (verdict.judgement == Judgement::kLinearizable) return "linearizable: " + count + "\n";
  std::string out = verdict.judgement == Judgement::kUndecided
                        ? "undecided, too many ways to order it: key "
                        : "not linearizable: key ";
  out += verdict.key + " (" + count + ")\n";
  const size_t skipped = verdict.prefix.size() - std::min(most, verdict.prefix.size());
  out += "the longest order that could be made has " + std::to_string(verdict.prefix.size()) +
         " operations" + (skipped > 0 ? ", and ends so:\n" : ":\n");
  for (size_t i = skipped; i < verdict.prefix.size(); ++i) {
    out += "  " + to_string(history[verdict.prefix[i]]) + "\n";
  }
  out += "after it the value is " + text(verdict.value) + ", and one of these had to be next:\n";
  for (const size_t index : verdict.stuck) out += "  " + to_string(history[index]) + "\n";
  return out;
}

}  // namespace shoal::lin
