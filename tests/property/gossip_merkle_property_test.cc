// Random lives of two to five replicas that reconcile by sessions which lose messages and are cut
// anywhere, while owners put, delete and begin anew, and events come late, twice or never.
//
// At every step, at every replica: no entry goes that its owner did not delete (or leave behind by
// beginning anew), and none gets an older value; none comes back after it was gone; at the end all
// are what the owners say. Where the hashes of keys collide, one may come back for a while.
#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "base/ports/ports.h"
#include "gossip/merkle/reconcile.h"
#include "tests/property/seeds.h"

namespace shoal::gossip::merkle {
namespace {

constexpr size_t kOwnerSize = 4;
constexpr int kSteps = 400;

using Number = std::pair<uint64_t, uint64_t>;  // epoch, stamp
using Place = std::pair<std::string, std::string>;

// What the owner said, all of it.
struct Owner {
  uint64_t epoch = 1;
  uint64_t stamp = 0;
  std::map<std::string, uint64_t> live;
  // Per key and epoch, the events that deleted it.
  std::map<std::pair<std::string, uint64_t>, std::set<uint64_t>> deletions;
};

struct Replica {
  Replica(Pool& pool, unsigned key_bits) : map(pool, kOwnerSize, {.key_bits = key_bits}) {}

  OwnedMap map;
  std::map<Place, Number> shown;
  std::map<Place, Number> gone;  // not to be shown again unless higher
  std::deque<Entry> late;
};

struct Running {
  size_t from, to;
  size_t budget;
  std::unique_ptr<Session> session;
};

class World {
 public:
  explicit World(uint64_t seed) : rng_(seed), pool_(rng_.below(2) == 0) {
    collide_ = rng_.below(4) == 0;
    const unsigned key_bits = collide_ ? 3 : 64;
    for (uint64_t i = 0, count = 2 + rng_.below(4); i < count; ++i) {
      replicas_.emplace_back(pool_, key_bits);
    }
    keys_ = 1 + rng_.below(120);
    loss_ = rng_.below(100);
    owners_ = std::vector<Owner>(replicas_.size());
  }

  void live() {
    for (int step = 0; step < kSteps; ++step) {
      switch (rng_.below(4)) {
        case 0:
        case 1:
          change(rng_.below(owners_.size()));
          break;
        case 2:
          deliver(replicas_[rng_.below(replicas_.size())]);
          break;
        default:
          advance();
      }
      for (const Replica& replica : replicas_) ASSERT_NO_FATAL_FAILURE(check(replica, step));
      ASSERT_FALSE(testing::Test::HasFatalFailure());
    }
  }

  // Nothing changes any more, nothing is lost: each pair a few times.
  void settle() {
    running_.clear();
    for (Replica& replica : replicas_) replica.late.clear();
    for (int round = 0; round < 4; ++round) {
      for (size_t from = 0; from < replicas_.size(); ++from) {
        for (size_t to = 0; to < replicas_.size(); ++to) {
          if (from == to) continue;
          start(from, to);
          while (!running_.empty()) step_session(0, false);
          ASSERT_NO_FATAL_FAILURE(check(replicas_[from], kSteps));
          ASSERT_NO_FATAL_FAILURE(check(replicas_[to], kSteps));
        }
      }
    }
    for (const Replica& replica : replicas_) {
      ASSERT_EQ(replica.map.map(), replicas_[0].map.map());
      ASSERT_EQ(replica.map.map().summary(), replicas_[0].map.map().summary());
      for (size_t i = 0; i < owners_.size(); ++i) {
        const Owner& owner = owners_[i];
        std::map<std::string, uint64_t> held;
        replica.map.map().each(OwnedMap::range_of(name(i)), [&](const Item& item) {
          if (replica.map.is_head(item)) return;
          ASSERT_FALSE(item.marked()) << "a tombstone that nobody reaps";
          held[std::string(item.id().substr(kOwnerSize))] = item.stamp;
        });
        ASSERT_EQ(held, owner.live);
        const auto head = replica.map.head(name(i));
        if (owner.stamp > 0) {
          ASSERT_EQ(head, (Head{name(i), owner.epoch, owner.stamp}));
        }
      }
    }
  }

 private:
  static std::string name(size_t i) { return "own" + std::to_string(i); }

  // Seldom: the owner begins anew, with its first event.
  void change(size_t i) {
    Owner& owner = owners_[i];
    if (rng_.below(60) == 0) {
      ++owner.epoch;
      owner.stamp = 0;
      owner.live.clear();
    }
    const std::string key = "k" + std::to_string(rng_.below(keys_));
    const bool deleted = owner.live.contains(key) && rng_.below(2) == 0;
    const Entry entry{name(i),
                      owner.epoch,
                      ++owner.stamp,
                      deleted,
                      false,
                      key,
                      deleted ? Bytes() : Bytes{static_cast<uint8_t>(owner.stamp)}};
    if (deleted) {
      owner.live.erase(key);
      owner.deletions[{key, owner.epoch}].insert(owner.stamp);
    } else {
      owner.live[key] = owner.stamp;
    }
    ASSERT_EQ(replicas_[i].map.apply(entry), OwnedMap::Outcome::kApplied);
    for (size_t other = 0; other < replicas_.size(); ++other) {
      if (other == i || rng_.below(100) < loss_) continue;
      for (uint64_t copies = 1 + rng_.below(2); copies-- > 0;) {
        std::deque<Entry>& late = replicas_[other].late;
        late.insert(late.begin() + static_cast<ptrdiff_t>(rng_.below(late.size() + 1)), entry);
      }
    }
  }

  void deliver(Replica& replica) {
    for (uint64_t count = rng_.below(8); count-- > 0 && !replica.late.empty();) {
      replica.map.apply(replica.late.front());
      replica.late.pop_front();
    }
  }

  void start(size_t from, size_t to) {
    const uint64_t budgets[] = {1, 200, 1200, 20'000};
    const size_t budget = budgets[rng_.below(4)];
    running_.push_back(
        {from, to, budget, std::make_unique<Session>(replicas_[from].map, rng_.below(2) == 0)});
  }

  void advance() {
    if (running_.size() < 3 && rng_.below(2) == 0) {
      const size_t from = rng_.below(replicas_.size());
      const size_t to = (from + 1 + rng_.below(replicas_.size() - 1)) % replicas_.size();
      start(from, to);
    }
    if (!running_.empty()) step_session(rng_.below(running_.size()), true);
  }

  // One question and its answer; with loss it may be asked twice, or the session dropped.
  void step_session(size_t which, bool lossy) {
    Running& run = running_[which];
    Editor mine(replicas_[run.from].map), theirs(replicas_[run.to].map);
    const std::optional<Message> question = run.session->next(mine, run.budget);
    bool over = !question;
    if (question) {
      const bool lost = lossy && rng_.below(100) < 15;
      if (!lost) {
        Message answer = respond(theirs, *question, run.budget);
        if (lossy && rng_.below(100) < 15) {
          change(rng_.below(owners_.size()));
          answer = respond(theirs, *question, run.budget);
        }
        if (run.session->expects_answer()) {
          if (lossy && rng_.below(100) < 15) change(rng_.below(owners_.size()));
          ASSERT_TRUE(run.session->receive(mine, answer));
        }
      }
      over = !run.session->expects_answer() || lost;
    }
    if (over) running_.erase(running_.begin() + static_cast<ptrdiff_t>(which));
  }

  void check(const Replica& replica, int step) {
    Replica& seen = const_cast<Replica&>(replica);
    std::map<Place, Number> now;
    replica.map.map().each({}, [&](const Item& item) {
      if (replica.map.is_head(item) || item.marked()) return;
      now[{std::string(replica.map.owner_of(item)), std::string(item.id().substr(kOwnerSize))}] = {
          item.epoch, item.stamp};
    });
    for (const auto& [place, number] : seen.shown) {
      if (now.contains(place)) continue;
      const Owner& owner = owners_[static_cast<size_t>(place.first[3] - '0')];
      if (replica.map.head(place.first)->epoch > number.first) {
        seen.gone[place] = {number.first, ~uint64_t{0}};
        continue;
      }
      const auto deleted = owner.deletions.find({place.second, number.first});
      ASSERT_TRUE(deleted != owner.deletions.end())
          << "step " << step << ": withdrawn, never deleted";
      const auto first = deleted->second.upper_bound(number.second);
      ASSERT_TRUE(first != deleted->second.end())
          << "step " << step << ": " << place.first << place.second << " was withdrawn at event "
          << number.second << ", and not deleted since";
      seen.gone[place] = {number.first, *first};
    }
    for (const auto& [place, number] : now) {
      const auto gone = seen.gone.find(place);
      // Which of the keys at one place is meant is not known before the session after.
      ASSERT_TRUE(collide_ || gone == seen.gone.end() || number > gone->second)
          << "step " << step << ": " << place.first << place.second << " came back";
      const auto before = seen.shown.find(place);
      ASSERT_TRUE(before == seen.shown.end() || number >= before->second)
          << "step " << step << ": an old value";
    }
    seen.shown = std::move(now);
  }

  SeededRng rng_;
  Pool pool_;
  std::deque<Replica> replicas_;
  std::vector<Owner> owners_;
  std::vector<Running> running_;
  uint64_t keys_ = 1;
  uint64_t loss_ = 0;
  bool collide_ = false;  // all keys of an owner have one of eight hashes
};

TEST(MerkleProperty, ReplicasEndEqualAndNothingLiveIsWithdrawn) {
  const Seeds range = seeds(300);
  for (uint64_t seed = range.first; seed < range.last; ++seed) {
    SCOPED_TRACE("SHOAL_SEED=" + std::to_string(seed));
    World world(seed);
    ASSERT_NO_FATAL_FAILURE(world.live());
    ASSERT_NO_FATAL_FAILURE(world.settle());
  }
}

}  // namespace
}  // namespace shoal::gossip::merkle
