// The checker against the definition, over random small histories, and its cost over long ones.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/ports/ports.h"
#include "tests/lin/oracle.h"
#include "tests/property/seeds.h"

namespace shoal::lin {
namespace {

Value draw_value(Rng& rng) {
  if (rng.below(4) == 0) return std::nullopt;
  return std::string(1, static_cast<char>('a' + rng.below(3)));
}

// Few keys, values and moments, so that about half of the histories are linearizable.
History draw_history(Rng& rng) {
  History history;
  const size_t count = 1 + rng.below(6);
  const uint64_t keys = rng.below(4) == 0 ? 2 : 1;
  const uint64_t moments = 2 + rng.below(12);
  for (size_t i = 0; i < count; ++i) {
    Operation op;
    op.client = i;
    op.kind = static_cast<Kind>(rng.below(5));
    op.key = std::string(1, static_cast<char>('k' + rng.below(keys)));
    op.in = draw_value(rng);
    if (op.kind == Kind::kCreate && !op.in) op.in = "a";
    op.out = draw_value(rng);
    op.expect = draw_value(rng);
    op.call = static_cast<int64_t>(rng.below(moments));
    if (rng.below(5) != 0) op.given = op.call + static_cast<int64_t>(rng.below(moments));
    op.ok = rng.below(3) != 0;
    history.push_back(op);
  }
  return history;
}

TEST(LinProperty, AgreesWithTheDefinition) {
  int good = 0;
  int bad = 0;
  const auto [first, last] = seeds(20000);
  for (uint64_t seed = first; seed < last; ++seed) {
    SeededRng rng(seed);
    const History history = draw_history(rng);
    const Verdict verdict = check(history);
    const bool expected = linearizable_by_definition(history);
    ++(expected ? good : bad);
    ASSERT_EQ(verdict.judgement == Judgement::kLinearizable, expected)
        << "seed " << seed << ": " << explain(history, verdict);
  }
  EXPECT_TRUE(good + bad < 1000 || (good > bad / 10 && bad > good / 10)) << good << " " << bad;
}

// Clients upon one true store: each operation takes effect at a moment between its call and its
// return, or, with an unknown outcome, at any later one or never.
History true_history(Rng& rng, size_t count, uint64_t clients, uint64_t unknown_percent) {
  struct Moment {
    int64_t time;
    size_t index;
  };
  History history;
  std::vector<Moment> moments;
  std::vector<int64_t> free_at(clients, 0);
  for (size_t i = 0; i < count; ++i) {
    Operation op;
    op.client = rng.below(clients);
    op.kind = static_cast<Kind>(rng.below(5));
    op.key = "k";
    op.in = "v" + std::to_string(i);
    op.expect = "v" + std::to_string(rng.below(i + 1));
    op.call = free_at[op.client] + 1 + static_cast<int64_t>(rng.below(20));
    const int64_t effect = op.call + static_cast<int64_t>(rng.below(50));
    op.given = effect + static_cast<int64_t>(rng.below(50));
    free_at[op.client] = *op.given;
    if (rng.below(100) < unknown_percent) {
      op.given.reset();
      if (rng.below(2) == 0) {
        moments.push_back({op.call + static_cast<int64_t>(rng.below(1000)), i});
      }
    } else {
      moments.push_back({effect, i});
    }
    history.push_back(op);
  }
  std::sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) {
    return std::pair(a.time, a.index) < std::pair(b.time, b.index);
  });
  Value now;
  for (const Moment& moment : moments) {
    Operation& op = history[moment.index];
    op.ok = true;
    if (op.kind == Kind::kCreate) op.ok = !now;
    if (op.kind == Kind::kRemove) op.ok = now.has_value();
    if (op.kind == Kind::kCas) {
      // Mostly one that has a chance.
      if (rng.below(3) != 0) op.expect = now;
      op.ok = now == op.expect;
    }
    op.out = now;
    if (!op.ok || op.kind == Kind::kRead) continue;
    now = op.kind == Kind::kRemove ? Value() : op.in;
  }
  return history;
}

TEST(LinProperty, TrueHistoriesAreLinearizableAndCheap) {
  uint64_t states = 0;
  uint64_t operations = 0;
  const auto [first, last] = seeds(60);
  for (uint64_t seed = first; seed < last; ++seed) {
    SeededRng rng(seed);
    const size_t count = 2000;
    const History history = true_history(rng, count, 1 + rng.below(16), rng.below(6));
    const Verdict verdict = check(history);
    ASSERT_EQ(verdict.judgement, Judgement::kLinearizable)
        << "seed " << seed << ": " << explain(history, verdict);
    states += verdict.states;
    operations += count;
  }
  EXPECT_LT(states, 100 * operations);
}

// One read told what was there long before, or never.
TEST(LinProperty, OneWrongAnswerIsFound) {
  const auto [first, last] = seeds(60);
  for (uint64_t seed = first; seed < last; ++seed) {
    SeededRng rng(seed);
    History history = true_history(rng, 500, 1 + rng.below(8), rng.below(4));
    std::vector<size_t> reads;
    for (size_t i = 0; i < history.size(); ++i) {
      if (history[i].kind == Kind::kRead && history[i].given && history[i].out) reads.push_back(i);
    }
    ASSERT_FALSE(reads.empty());
    Operation& wrong = history[reads[rng.below(reads.size())]];
    wrong.out = "never written";
    const Verdict verdict = check(history);
    ASSERT_EQ(verdict.judgement, Judgement::kNotLinearizable) << "seed " << seed;
    EXPECT_EQ(verdict.key, "k");
    EXPECT_FALSE(verdict.stuck.empty());
  }
}

}  // namespace
}  // namespace shoal::lin
