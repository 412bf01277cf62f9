#include "gossip/swim/roster.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/ports/ports.h"
#include "gossip/swim/member.h"

namespace shoal::gossip {
namespace {

struct Known {
  MemberInfo info;
  int told = 0;
};

NodeId id_of(uint64_t number) {
  std::string text = "n" + std::to_string(number) + "x";
  text.resize(kIdLength, '0');
  return NodeId(text);
}
HostPort place_of(uint64_t number) {
  return {Ip::v4(0x0a000000U + static_cast<uint32_t>(number)), 7946};
}

class Oracle {
 public:
  // One of the doings of a roster's life; few ids, so that they meet.
  void step(SeededRng& rng) {
    const NodeId id = id_of(rng.below(60));
    Known* known = roster_.edit(id);
    EXPECT_EQ(known != nullptr, model_.contains(id));
    if (known == nullptr) {
      Known& added = roster_.add(id);
      added.info.address = place_of(rng.below(20));
      added.told = static_cast<int>(rng.below(1000));
      model_[id] = {added.info, added.told};
      live_.add(roster_.slot_of(id), added.info.address);
    } else if (rng.below(3) == 0) {
      rng.below(2) == 0 ? live_.erase(roster_.slot_of(id), known->info.address)
                        : live_.erase_in_order(roster_.slot_of(id), known->info.address);
      roster_.erase(id);
      model_.erase(id);
    } else {
      const HostPort to = place_of(rng.below(20));
      live_.move(roster_.slot_of(id), known->info.address, to);
      known->info.address = model_[id].info.address = to;
      known->told = model_[id].told = static_cast<int>(rng.below(1000));
    }
  }
  void check() const {
    ASSERT_EQ(roster_.size(), model_.size());
    ASSERT_EQ(live_.size(), model_.size());
    std::set<NodeId> ids;
    for (size_t i = 0; i < live_.size(); ++i) ids.insert(roster_.at(live_[i])->info.id);
    EXPECT_EQ(ids.size(), model_.size());
    for (const auto& [id, known] : model_) {
      ASSERT_NE(roster_.find(id), nullptr);
      EXPECT_EQ(roster_.find(id)->told, known.told);
      EXPECT_EQ(roster_.find(id)->info, known.info);
    }
    for (uint64_t place = 0; place < 20; ++place) {
      std::set<NodeId> found, expected;
      live_.each_at(place_of(place), [&](Slot slot) {
        const MemberInfo& info = roster_.at(slot)->info;
        if (info.address != place_of(place)) return false;
        EXPECT_TRUE(found.insert(info.id).second);
        return false;
      });
      for (const auto& [id, known] : model_) {
        if (known.info.address == place_of(place)) expected.insert(id);
      }
      EXPECT_EQ(found, expected);
    }
  }

 private:
  Roster<Known> roster_;
  Live live_;
  std::map<NodeId, Known> model_;
};

TEST(Roster, DoesAsAMapDoes) {
  SeededRng rng(1);
  Oracle oracle;
  for (int i = 0; i < 5000; ++i) {
    oracle.step(rng);
    if (i % 10 == 0) oracle.check();
  }
}

TEST(Roster, CopiesLiveOnApart) {
  SeededRng rng(2);
  Oracle first;
  for (int i = 0; i < 100; ++i) first.step(rng);
  Oracle second = first;
  for (int i = 0; i < 500; ++i) {
    (rng.below(2) == 0 ? first : second).step(rng);
    first.check();
    second.check();
  }
}

TEST(Roster, ACopyHasTheRecordsInCommonUntilTheyAreEdited) {
  Roster<Known> roster;
  for (uint64_t i = 0; i < 10; ++i) roster.add(id_of(i));
  Roster<Known> copy = roster;
  EXPECT_EQ(copy.find(id_of(3)), roster.find(id_of(3)));
  copy.edit(id_of(3))->told = 1;
  EXPECT_NE(copy.find(id_of(3)), roster.find(id_of(3)));
  EXPECT_EQ(roster.find(id_of(3))->told, 0);
  EXPECT_EQ(copy.find(id_of(4)), roster.find(id_of(4)));
}

TEST(Roster, HoldsAsManyAsThereMayBe) {
  Roster<Known> roster;
  for (uint64_t i = 0; i < kMaxMembers; ++i) roster.add(id_of(i));
  for (uint64_t i = 0; i < kMaxMembers; ++i) EXPECT_TRUE(roster.contains(id_of(i)));
  EXPECT_FALSE(roster.contains(id_of(kMaxMembers)));
}

}  // namespace
}  // namespace shoal::gossip
