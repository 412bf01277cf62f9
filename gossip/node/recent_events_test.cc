#include "gossip/node/recent_events.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/ports/ports.h"

namespace shoal::gossip {
namespace {

using std::chrono::milliseconds;

constexpr RecentEvents::Bounds kBounds{100, 2000, milliseconds(150), milliseconds(300)};

SharedBytes bytes_of(size_t size) { return std::make_shared<const Bytes>(size); }

// The same by a plain list, oldest first.
class Model {
 public:
  struct Known {
    uint32_t tag = 0;
    Instant since;
    SharedBytes bytes;
    Instant kept;
  };
  Known* find(uint32_t tag) {
    const auto it = std::ranges::find(known_, tag, &Known::tag);
    return it == known_.end() ? nullptr : &*it;
  }
  void add(uint32_t tag, const SharedBytes& bytes, Instant now) {
    if (find(tag) == nullptr) {
      if (known_.size() >= kBounds.tags) known_.erase(known_.begin());
      known_.push_back({tag, now, nullptr, now});
    }
    Known& known = *find(tag);
    if (bytes == nullptr || known.bytes != nullptr) return;
    known.bytes = bytes;
    known.kept = now;
    order_.push_back({tag, now});
    while (held() > kBounds.bytes) forget_bytes();
  }
  void expire(Instant now) {
    while (!order_.empty() && now - order_.front().second >= kBounds.keep_event) forget_bytes();
    std::erase_if(known_,
                  [now](const Known& known) { return now - known.since >= kBounds.keep_tag; });
  }
  size_t held() const {
    size_t all = 0;
    for (const Known& known : known_) all += known.bytes == nullptr ? 0 : known.bytes->size();
    return all;
  }

 private:
  void forget_bytes() {
    Known* known = find(order_.front().first);
    if (known != nullptr && known->kept == order_.front().second) known->bytes.reset();
    order_.erase(order_.begin());
  }

  std::vector<Known> known_;
  std::vector<std::pair<uint32_t, Instant>> order_;
};

TEST(RecentEvents, DoesAsAListDoes) {
  SeededRng rng(1);
  RecentEvents events(kBounds);
  Model model;
  Instant now{1'000'000'000};
  for (int i = 0; i < 20'000; ++i) {
    // Many of one place in the table.
    const auto tag = static_cast<uint32_t>(rng.below(40) * 64 + rng.below(8));
    const SharedBytes bytes = rng.below(3) == 0 ? nullptr : bytes_of(1 + rng.below(100));
    events.add(tag, bytes, now);
    model.add(tag, bytes, now);
    now = now + milliseconds(static_cast<int64_t>(rng.below(4)));
    events.expire(now);
    model.expire(now);
    ASSERT_EQ(events.bytes(), model.held()) << i;
    for (uint32_t other = 0; other < 40 * 64; ++other) {
      if (other % 64 >= 8) continue;
      const Model::Known* known = model.find(other);
      ASSERT_EQ(events.contains(other), known != nullptr) << i;
      const SharedBytes* held = events.event(other);
      ASSERT_EQ(held == nullptr ? nullptr : *held, known == nullptr ? nullptr : known->bytes) << i;
    }
  }
}

TEST(RecentEvents, IsEmptyAtFirstAndTakesMoreThanItsTable) {
  RecentEvents events({5000, 1U << 20, milliseconds(150), milliseconds(300)});
  EXPECT_FALSE(events.contains(0));
  EXPECT_EQ(events.event(0), nullptr);
  for (uint32_t tag = 0; tag < 4000; ++tag) events.add(tag, nullptr, Instant{0});
  for (uint32_t tag = 0; tag < 4000; ++tag) EXPECT_TRUE(events.contains(tag));
  events.expire(Instant{0} + milliseconds(300));
  for (uint32_t tag = 0; tag < 4000; ++tag) EXPECT_FALSE(events.contains(tag));
}

}  // namespace
}  // namespace shoal::gossip
