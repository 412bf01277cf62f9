// Two replicas of an OwnedMap are made equal at a cost proportional to what differs.
//
// One side, who began, keeps a Session; the other answers each message from what it holds at that
// moment (respond()) and keeps nothing. A range in which the fingerprints differ is split sixteen
// ways, until one side holds at most kListedItems of it; that side lists it. The other side lists
// it too; then both see all that both hold of it, and judge() says what is to be done:
//
//   session                                  answer
//   split of everything          ------->
//                                <-------    splits of the parts that differ
//   splits, lists of small parts ------->
//                                <-------    final lists of those, splits, lists
//   final lists, entries pushed, wants ->
//                                <-------    entries
//   settled (heads)              ------->
//
// Raising. When all that differs is settled, and all that was wanted is here, the Session raises an
// owner's `complete` to that of the *first* head of it seen from the other side, for the other's
// later answers only know more; then it tells the other side its own heads, each with a fingerprint
// of the owner's contents, and the other raises what has the same contents. So a cut session
// withdraws nothing: it has only brought entries, and tombstones of what is deleted. This asks that
// the first head of an owner comes no later than the first comparison of a part of the owner's
// range: a message that says anything of ranges inside an owner (64 bits and more) holds its head.
//
// Messages are idempotent and arrive whole or not at all: a lost one is sent again, a session may
// be dropped at any time. What is decoded must be well_formed() before it is given to anything
// else; respond() and receive() check it themselves.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "gossip/merkle/owned.h"

namespace shoal::gossip::merkle {

// A range of this many items is listed rather than split: about the bytes of a split.
inline constexpr uint32_t kListedItems = 16;
// A list to one who holds nothing of a range is cut in pieces of at most this many items.
inline constexpr uint32_t kPieceItems = 256;
// What a Session keeps to be done, and how often it asks: a whole table of a million entries in
// messages of 20 kB. Beyond it the session brings what it has and raises nothing; the next goes on.
inline constexpr size_t kMaxSessionWork = 1U << 20;
inline constexpr size_t kMaxSessionRounds = 1U << 13;

// "Below this prefix I hold this, by sixteenths; and nothing else below its first `outer_bits`."
struct Split {
  Prefix prefix;
  uint8_t outer_bits = 0;
  uint16_t present = 0;          // parts that hold something
  std::vector<uint32_t> prints;  // of those, half of Summary::hash
};
struct Listed {
  Path path;
  uint64_t stamp = 0;
  bool deleted = false;
};
// "This is all I hold below the prefix." The heads of its owners are in the message.
struct Listing {
  struct Part {
    uint32_t owner = 0;  // place in Message::heads
    std::vector<Listed> items;
  };
  Prefix prefix;
  bool final = false;  // an answer to a list, not to be answered by another
  std::vector<Part> parts;
};
// "Who has these contents of the owner knows all events up to head.complete, as I do."
struct Settled {
  Head head;
  uint64_t contents = 0;  // OwnedMap::contents(owner, complete)
};
struct Message {
  bool upper = false;  // which half of the fingerprints
  std::vector<Head> heads;
  std::vector<Split> splits;
  std::vector<Listing> listings;
  std::vector<Prefix> unanswered;  // for want of room: ask again
  std::vector<Path> wants;         // all entries at these paths
  std::vector<Entry> entries;
  std::vector<Settled> settled;

  bool empty() const;
  // About what its encoding takes.
  size_t wire_bytes() const;
};

// A range that differs; `absent`: the other side holds nothing of it.
struct Range {
  Prefix prefix;
  bool absent = false;
};

bool well_formed(const Message& message, size_t owner_size);

// At most about `budget` bytes, but one step at least; of a malformed question nothing is taken.
Message respond(Editor& mine, const Message& question, size_t budget);

class Session {
 public:
  // `upper`: alternate it from session to session, so that an accident of 32 bits does not last.
  Session(const OwnedMap& mine, bool upper);

  // `mine` is the same map all the time, as the session itself and others change it.
  //
  // What to send next, of about `budget` bytes; its answer is to be given to receive() (or it is to
  // be sent again). Nothing when the session is over; the message before needs no answer if
  // expects_answer() is false.
  std::optional<Message> next(Editor& mine, size_t budget);
  bool expects_answer() const { return stage_ == Stage::kAsking; }
  // False when it is malformed; the session should be dropped then.
  bool receive(Editor& mine, const Message& answer);
  // All is settled: both sides are as equal as the bounds of both allow.
  bool complete() const { return stage_ == Stage::kOver && whole_ && unsettled_.empty(); }

 private:
  enum class Stage : uint8_t { kAsking, kOver };

  void take_entries(Editor& mine, const Message& answer);
  size_t come(const OwnedMap& mine, const Entry& entry);
  void resolve(Editor& mine, const Message& answer, const Listing& listing);
  std::optional<Message> finish(Editor& mine);
  bool may_raise(const OwnedMap& mine, const Head& head) const;
  void leave_unsettled(std::string_view owner) {
    unsettled_.insert(OwnedMap::head_place(owner).high);
  }
  size_t work() const {
    return to_ask_.size() + to_list_.size() + to_push_.size() + wanted_.size();
  }
  void ask(const Prefix& range, bool absent);

  const Map begun_;  // as it was
  const bool upper_;
  Stage stage_ = Stage::kAsking;
  bool whole_ = true;
  size_t rounds_ = 0;
  std::deque<Range> to_ask_;
  std::deque<Prefix> to_list_;  // finally
  std::deque<Item> to_push_;
  std::set<std::pair<Path, uint64_t>> wanted_;  // events
  std::vector<Path> asked_;                     // of those, in the last message
  std::map<std::string, Head> first_heads_;
  std::set<std::string> owners_;  // of which anything was compared
  // By the high half of their paths: owners of which not all that differs could be had. They are
  // not raised; the others are.
  std::set<uint64_t> unsettled_;
};

}  // namespace shoal::gossip::merkle
