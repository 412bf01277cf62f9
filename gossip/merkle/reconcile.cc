#include "gossip/merkle/reconcile.h"

#include <algorithm>
#include <bit>

#include "gossip/merkle/compose.h"

namespace shoal::gossip::merkle {
namespace {

// An endpoint's, on the wire.
constexpr size_t kUsualEntryBytes = 100;

const Head* head_of(const Message& message, std::string_view owner) {
  const auto found = std::ranges::find(message.heads, owner, &Head::owner);
  return found == message.heads.end() ? nullptr : &*found;
}

Knowledge knowledge_of(const Head* head) {
  return head == nullptr ? Knowledge{} : Knowledge{true, head->epoch, head->complete};
}

// What one place holds on both sides, without what both hold alike. Lists name places by hashes
// only, so that where hashes collide it is not known which item of theirs is a version of which one
// here, if any.
struct Place {
  std::vector<const Item*> mine;
  std::vector<const Listed*> theirs;
};
using Places = std::map<std::pair<std::string_view, Path>, Place>;

// `mine` is null when it is theirs alone.
struct Difference {
  Doing doing = Doing::kNothing;
  std::string_view owner;
  Path path;
  uint64_t stamp = 0;
  const Item* mine = nullptr;
  Knowledge their;
  bool deleted_here = false;  // and listed as live: they can only bury it
};

Places places_of(const OwnedMap& map, const Map& snapshot, const Message& message,
                 const Listing& listing) {
  Places places;
  snapshot.each(listing.prefix, [&](const Item& item) {
    if (!map.is_head(item)) places[{map.owner_of(item), item.path}].mine.push_back(&item);
  });
  for (const Listing::Part& part : listing.parts) {
    for (const Listed& item : part.items) {
      places[{message.heads[part.owner].owner, item.path}].theirs.push_back(&item);
    }
  }
  return places;
}

void drop_what_is_alike(Place& place) {
  std::erase_if(place.mine, [&place](const Item* mine) {
    const auto same = std::ranges::find_if(place.theirs, [mine](const Listed* theirs) {
      return theirs->stamp == mine->stamp && theirs->deleted == mine->marked();
    });
    if (same == place.theirs.end()) return false;
    place.theirs.erase(same);
    return true;
  });
}

template <typename Visit>
void each_difference(const OwnedMap& map, const Message& message, const Listing& listing,
                     Visit&& visit) {
  const Map snapshot = map.map();
  for (auto& [key, place] : places_of(map, snapshot, message, listing)) {
    const auto& [owner, path] = key;
    const Knowledge my = map.knowledge(owner);
    const Knowledge their = knowledge_of(head_of(message, owner));
    const bool comparable = my.known && their.known && my.epoch == their.epoch;
    if (comparable) drop_what_is_alike(place);
    uint64_t news = 0;  // the highest wanted
    for (const Listed* listed : place.theirs) {
      const Doing doing = judge({}, my, Version{listed->stamp, listed->deleted}, their);
      const bool wanted =
          doing == Doing::kWant && !(comparable && map.is_known(owner, listed->stamp));
      if (wanted) news = std::max(news, listed->stamp);
      const bool is_newer = std::ranges::any_of(
          place.mine, [listed](const Item* mine) { return mine->stamp > listed->stamp; });
      const bool deleted_here =
          comparable && !listed->deleted && listed->stamp <= my.complete && !is_newer;
      visit(Difference{wanted ? Doing::kWant : Doing::kNothing, owner, path, listed->stamp, nullptr,
                       their, deleted_here});
    }
    for (const Item* mine : place.mine) {
      // It may be the older version of what is wanted. If it is another key, whose hash is the
      // same, the session after sees it alone.
      if (comparable && news > mine->stamp) continue;
      const Doing doing = judge(Version{mine->stamp, mine->marked()}, my, {}, their);
      visit(Difference{doing, owner, path, mine->stamp, mine, their, false});
    }
  }
}

void settle(Editor& mine, const Settled& settled) {
  const Head& head = settled.head;
  if (!mine.takes(head.owner, head.epoch)) return;
  const Knowledge known = mine.map().knowledge(head.owner);
  if (known.known && known.epoch > head.epoch) return;
  const bool same_epoch = known.known && known.epoch == head.epoch;
  const uint64_t contents = same_epoch ? mine.map().contents(head.owner, head.complete) : 0;
  if (contents == settled.contents) mine.raise(head);
}

}  // namespace

Message respond(Editor& editor, const Message& question, size_t budget) {
  const OwnedMap& mine = editor.map();
  if (!well_formed(question, mine.owner_size())) return {};
  for (const Entry& entry : question.entries) {
    if (editor.takes(entry.owner, entry.epoch)) editor.apply(entry);
  }
  for (const Listing& listing : question.listings) {
    each_difference(mine, question, listing, [&](const Difference& found) {
      if (found.doing != Doing::kBury || !editor.takes(found.owner, found.their.epoch)) return;
      editor.bury(*found.mine, found.their.complete);
    });
  }
  for (const Settled& settled : question.settled) settle(editor, settled);

  Composer answer(mine, question.upper, budget);
  for (const Path& path : question.wants) {
    if (!answer.has_room()) break;
    // All at a place or none: the asker takes one entry for the whole.
    mine.map().each(Prefix::of(path, kPathBits), [&](const Item& item) {
      if (!mine.is_head(item)) answer.push(item);
    });
  }
  for (const Listing& listing : question.listings) {
    if (!listing.final) answer.list_finally(listing);
  }
  for (const Split& split : question.splits) {
    for (const Range& range : differing(mine.map(), split, question.upper)) answer.ask(range);
  }
  return answer.take_answer();
}

Session::Session(const OwnedMap& mine, bool upper) : begun_(mine.map()), upper_(upper) {
  to_ask_.push_back({});
}

void Session::ask(const Prefix& range, bool absent) {
  if (work() < kMaxSessionWork) {
    to_ask_.push_back({range, absent});
  } else {
    whole_ = false;
  }
}

std::optional<Message> Session::next(Editor& mine, size_t budget) {
  if (stage_ == Stage::kOver) return {};
  if (work() == 0) return finish(mine);
  if (++rounds_ > kMaxSessionRounds) {
    whole_ = false;
    stage_ = Stage::kOver;
    return {};
  }
  Composer question(mine.map(), upper_, budget);
  while (!to_push_.empty() && question.has_room()) {
    question.push(to_push_.front());
    to_push_.pop_front();
  }
  while (!to_list_.empty() && question.has_room()) {
    question.list({to_list_.front()}, true);
    to_list_.pop_front();
  }
  asked_.clear();
  for (const auto& [path, stamp] : wanted_) {
    if (!asked_.empty() && asked_.back() == path) continue;
    // As many as the answer has room for, lest the same are asked for again and again.
    if (!question.has_room() || asked_.size() > budget / kUsualEntryBytes) break;
    question.want(path);
    asked_.push_back(path);
  }
  while (!to_ask_.empty() && question.has_room()) {
    question.ask(to_ask_.front());
    to_ask_.pop_front();
  }
  auto [message, left] = question.take_question();
  to_ask_.insert(to_ask_.end(), left.begin(), left.end());
  return std::move(message);
}

// What is not wanted any more. A higher event than was wanted will do, unless it may be of another
// key whose hash is the same.
size_t Session::come(const OwnedMap& mine, const Entry& entry) {
  const Path place = mine.place(entry.owner, entry.key);
  size_t keys = 0;
  mine.map().each(Prefix::of(place, kPathBits),
                  [&](const Item& item) { keys += mine.is_head(item) ? 0 : 1; });
  if (keys > 1) return wanted_.erase({place, entry.stamp});
  const auto first = wanted_.lower_bound({place, 0});
  const auto last = wanted_.upper_bound({place, entry.stamp});
  const auto count = static_cast<size_t>(std::distance(first, last));
  wanted_.erase(first, last);
  return count;
}

void Session::take_entries(Editor& mine, const Message& answer) {
  size_t came = 0;
  for (const Entry& entry : answer.entries) {
    if (!mine.takes(entry.owner, entry.epoch) || mine.apply(entry) == OwnedMap::Outcome::kRefused) {
      leave_unsettled(entry.owner);
    }
    came += come(mine.map(), entry);
  }
  if (asked_.empty() || came > 0) return;
  // They are gone there by now: without them their owners are not known whole.
  for (const Path& path : asked_) {
    wanted_.erase(wanted_.lower_bound({path, 0}), wanted_.upper_bound({path, UINT64_MAX}));
    unsettled_.insert(path.high);
  }
}

bool Session::receive(Editor& mine, const Message& answer) {
  if (stage_ == Stage::kOver || !well_formed(answer, mine.map().owner_size())) return false;
  for (const Head& head : answer.heads) {
    const auto [first, is_new] = first_heads_.try_emplace(head.owner, head);
    if (first->second.epoch != head.epoch) leave_unsettled(head.owner);
    owners_.insert(head.owner);
  }
  take_entries(mine, answer);
  for (const Prefix& range : answer.unanswered) ask(range, false);
  for (const Split& split : answer.splits) {
    for (const Range& range : differing(mine.map().map(), split, upper_))
      ask(range.prefix, range.absent);
  }
  for (const Listing& listing : answer.listings) resolve(mine, answer, listing);
  if (first_heads_.size() > kMaxSessionWork) stage_ = Stage::kOver, whole_ = false;
  return true;
}

void Session::resolve(Editor& editor, const Message& answer, const Listing& listing) {
  const OwnedMap& mine = editor.map();
  mine.map().each(listing.prefix, [&](const Item& item) { owners_.emplace(mine.owner_of(item)); });
  bool tell = false;
  each_difference(mine, answer, listing, [&](const Difference& found) {
    tell = tell || found.deleted_here;
    if (found.doing == Doing::kNothing) return;
    if (found.doing == Doing::kPush) {
      if (work() < kMaxSessionWork) return to_push_.push_back(*found.mine);
    } else if (!editor.takes(found.owner, found.their.epoch)) {
      return leave_unsettled(found.owner);
    } else if (found.doing == Doing::kBury) {
      return editor.bury(*found.mine, found.their.complete);
    } else if (work() < kMaxSessionWork) {
      return void(wanted_.insert({found.path, found.stamp}));
    }
    whole_ = false;
  });
  if (tell && !listing.final) to_list_.push_back(listing.prefix);
}

// What was forgotten or began anew meanwhile is not what was compared.
bool Session::may_raise(const OwnedMap& mine, const Head& head) const {
  if (unsettled_.contains(OwnedMap::head_place(head.owner).high)) return false;
  const std::optional<Head> now = mine.head(head.owner);
  const std::optional<Head> before = mine.head(begun_, head.owner);
  if (!now) return !before;
  if (now->epoch > head.epoch) return false;
  return !before || before->epoch < now->epoch || before->complete <= now->complete;
}

std::optional<Message> Session::finish(Editor& editor) {
  stage_ = Stage::kOver;
  if (!whole_) return {};
  const OwnedMap& mine = editor.map();
  for (const auto& [owner, head] : first_heads_) {
    if (editor.takes(owner, head.epoch) && may_raise(mine, head)) editor.raise(head);
  }
  Message last;
  for (const std::string& owner : owners_) {
    if (unsettled_.contains(OwnedMap::head_place(owner).high)) continue;
    const std::optional<Head> now = mine.head(owner);
    const auto theirs = first_heads_.find(owner);
    if (!now || (theirs != first_heads_.end() && *now == theirs->second)) continue;
    last.settled.push_back({*now, mine.contents(owner, now->complete)});
  }
  if (last.settled.empty()) return {};
  return last;
}

}  // namespace shoal::gossip::merkle
