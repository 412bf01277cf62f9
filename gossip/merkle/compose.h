// Composer: a message about what an OwnedMap holds, within a budget of bytes. The heads that the
// message must hold (reconcile.h) are added with what needs them.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "gossip/merkle/reconcile.h"

namespace shoal::gossip::merkle {

// The parts of a split, and what is outside of it, in which the map holds something else.
std::vector<Range> differing(const Map& map, const Split& theirs, bool upper);

class Composer {
 public:
  Composer(const OwnedMap& map, bool upper, size_t budget) : map_(map), budget_(budget) {
    message_.upper = upper;
  }

  // An empty message takes one thing more, whatever its size: so there is always progress.
  bool has_room(size_t more = 1) const { return used_ + more <= budget_ || used_ == 0; }
  void push(const Item& item);
  void want(const Path& path);
  // A list where there is little, in pieces where the other side holds nothing, else a split.
  void ask(const Range& range);
  void list(const Range& range, bool final);
  // All of the range of a list, in pieces.
  void list_finally(const Listing& theirs);

  // What found no room is `unanswered`.
  Message take_answer();
  // What found no room is given back.
  std::pair<Message, std::vector<Range>> take_question();

 private:
  void split(const Prefix& range);
  void pieces(const Prefix& range, bool final,
              const std::function<bool(const Prefix&)>& holds_something);
  void leave(const Range& range);
  uint32_t add_head(std::string_view owner);
  void add_heads_inside(const Prefix& range);

  const OwnedMap& map_;
  size_t budget_;
  size_t used_ = 0;
  Message message_;
  std::string last_owner_;  // of the entries
  std::vector<Range> left_;
  std::map<std::string, uint32_t, std::less<>> head_places_;
};

}  // namespace shoal::gossip::merkle
