// A member that reconciles as it likes: questions and answers of gossip/merkle, in their bytes, to
// a node's tables.
//
//   input = (how u8 | length varint | ranges)*     how: 0 a question, 1 the answer to our question,
//                                                  2 a new session of ours, 3 an own change
//
// Whatever comes: what is said can be read by others, memory is bounded, own entries stay as they
// are, and of removed nodes nothing is shown.
#include <optional>

#include "base/types/check.h"
#include "gossip/table/tables.h"
#include "gossip/wire/ranges.h"

namespace shoal::gossip {
namespace {

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}
const NetworkId kNet = named<NetworkId>("net");
const NodeId kSelf = named<NodeId>("self");
const NodeId kGone = named<NodeId>("gone");
constexpr Instant kNow{1'000'000'000};
constexpr size_t kBudget = 4000;
constexpr size_t kMaxEntries = 64;

class Harness {
 public:
  Harness() : tables_(config(), kSelf, 1'700'000'000'000) {
    tables_.join(kNet);
    for (const char* name : {"a", "b", "c"}) tables_.set_present(named<NodeId>(name), true);
    tables_.set_present(named<NodeId>("down"), false);
    tables_.forget(kGone);
    for (uint64_t i = 1; i <= 20; ++i) {
      tables_.receive({kNet, named<NodeId>(i % 2 == 0 ? "a" : "b"), 5, i / 2 + i / 11, i % 7 == 0,
                       "key" + std::to_string(i), Bytes(i)},
                      kNow);
    }
    change();
    begin();
  }

  void run(ByteView input) {
    ByteReader in(input);
    while (in.ok() && in.remaining() > 0) {
      const uint8_t how = in.u8();
      ByteReader body(in.bytes(in.remaining()));
      if (!in.ok()) return;
      if (how % 4 == 2) begin();
      if (how % 4 == 3) change();
      if (how % 4 < 2) feed(how % 4 == 0, body);
      check();
    }
  }

 private:
  static TableConfig config() {
    TableConfig config;
    // Small, so that they are met.
    config.max_entries_per_owner = 16;
    config.max_parked_entries = 8;
    config.max_entries = kMaxEntries / 2;
    config.max_ahead = 8;
    return config;
  }

  void change() {
    const std::string key = "own" + std::to_string(++value_ % 5);
    if (value_ % 3 == 0) {
      tables_.remove(kNet, key);
      own_.erase(key);
    } else {
      SHOAL_CHECK(tables_.upsert(kNet, key, {value_}).ok(), "an own entry");
      own_[key] = {value_};
    }
  }

  void begin() {
    session_.emplace(tables_.begin_session(kNet, value_ % 2 == 0));
    ask();
  }

  void ask() {
    if (const auto question = tables_.ask(kNet, *session_, kBudget, kNow)) {
      read_again(*question);
    } else {
      session_.reset();
    }
  }

  void feed(bool question, ByteReader& in) {
    const merkle::Message message = read_ranges(in);
    if (!in.done()) return;
    read_again(message);
    if (question) {
      read_again(tables_.answer(kNet, message, kBudget, kNow));
    } else if (session_) {
      SHOAL_CHECK(tables_.receive(kNet, *session_, message, kNow) || !session_->expects_answer(),
                  "what can be read is well formed");
      ask();
    }
  }

  void read_again(const merkle::Message& message) {
    ByteWriter out;
    write_ranges(out, message);
    ByteReader in(out.view());
    const merkle::Message again = read_ranges(in);
    SHOAL_CHECK(in.done(), "ranges can be read");
    ByteWriter twice;
    write_ranges(twice, again);
    SHOAL_CHECK(twice.view() == out.view(), "and are what was written");
  }

  void check() {
    SHOAL_CHECK(tables_.entries() <= kMaxEntries + 16, "tables are bounded");
    for (const Tables::Event& event : tables_.take_events()) {
      SHOAL_CHECK(event.network == kNet && event.owner != kGone, "a removed node shows nothing");
    }
    for (const EntryEvent& news : tables_.take_news()) {
      SHOAL_CHECK(news.owner != kSelf && news.owner != kGone, "of others only");
    }
    tables_.take_own_events();
    for (const auto& [key, value] : own_) {
      SHOAL_CHECK(tables_.upsert(kNet, key, value).ok(), "an own entry");
    }
    SHOAL_CHECK(tables_.take_own_events().empty(), "own entries are as they were said");
  }

  Tables tables_;
  std::optional<merkle::Session> session_;
  std::map<std::string, Bytes> own_;
  uint8_t value_ = 0;
};

}  // namespace
}  // namespace shoal::gossip

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shoal::gossip::Harness().run({data, size});
  return 0;
}
