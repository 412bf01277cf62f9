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

// What one place holds on both sides. Lists name places by hashes only: an item of each side at one
// place is taken for the same key, else a live entry might be buried for the higher version of it
// that is still to come. If hashes collided, what is left is seen by the session after.
struct Place {
  std::vector<const Item*> mine;
  std::vector<const Listed*> theirs;
};

template <typename Visit>
void each_difference(const OwnedMap& map, const Message& message, const Listing& listing,
                     Visit&& visit) {
  std::map<std::pair<std::string_view, Path>, Place> places;
  const Map snapshot = map.map();
  snapshot.each(listing.prefix, [&](const Item& item) {
    if (!map.is_head(item)) places[{map.owner_of(item), item.path}].mine.push_back(&item);
  });
  for (const Listing::Part& part : listing.parts) {
    for (const Listed& item : part.items) {
      places[{message.heads[part.owner].owner, item.path}].theirs.push_back(&item);
    }
  }
  for (auto& [key, place] : places) {
    const Knowledge my = map.knowledge(key.first);
    const Knowledge their = knowledge_of(head_of(message, key.first));
    const bool comparable = my.known && their.known && my.epoch == their.epoch;
    std::erase_if(place.mine, [&place = place, comparable](const Item* mine) {
      const auto same = std::ranges::find_if(place.theirs, [mine](const Listed* theirs) {
        return theirs->stamp == mine->stamp && theirs->deleted == mine->marked();
      });
      if (!comparable || same == place.theirs.end()) return false;
      place.theirs.erase(same);
      return true;
    });
    for (size_t i = 0; i < std::max(place.mine.size(), place.theirs.size()); ++i) {
      std::optional<Version> mine, theirs;
      if (i < place.mine.size()) mine = {place.mine[i]->stamp, place.mine[i]->marked()};
      if (i < place.theirs.size()) theirs = {place.theirs[i]->stamp, place.theirs[i]->deleted};
      const Doing doing = judge(mine, my, theirs, their);
      // What is deleted here and listed as live there can only be buried there.
      const bool news_of_deletion =
          !mine && !theirs->deleted && comparable && theirs->stamp <= my.complete;
      visit(doing, mine ? place.mine[i] : nullptr, key.second, their.complete, news_of_deletion);
    }
  }
}

void settle(OwnedMap& mine, const Settled& settled) {
  const Head& head = settled.head;
  const Knowledge known = mine.knowledge(head.owner);
  if (known.known && known.epoch > head.epoch) return;
  const bool same_epoch = known.known && known.epoch == head.epoch;
  const uint64_t contents = same_epoch ? mine.contents(head.owner, head.complete) : 0;
  if (contents == settled.contents) mine.raise(head);
}

}  // namespace

Message respond(OwnedMap& mine, const Message& question, size_t budget) {
  if (!well_formed(question, mine.owner_size())) return {};
  for (const Entry& entry : question.entries) mine.apply(entry);
  for (const Listing& listing : question.listings) {
    each_difference(mine, question, listing,
                    [&](Doing doing, const Item* item, const Path&, uint64_t by, bool) {
                      if (doing == Doing::kBury) mine.bury(*item, by);
                    });
  }
  for (const Settled& settled : question.settled) settle(mine, settled);

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

Session::Session(OwnedMap& mine, bool upper, size_t budget)
    : mine_(mine), begun_(mine.map()), upper_(upper), budget_(budget) {
  to_ask_.push_back({});
}

void Session::ask(const Prefix& range, bool absent) {
  if (work() < kMaxSessionWork) {
    to_ask_.push_back({range, absent});
  } else {
    whole_ = false;
  }
}

std::optional<Message> Session::next() {
  if (stage_ == Stage::kOver) return {};
  if (work() == 0) return finish();
  if (++rounds_ > kMaxSessionRounds) {
    whole_ = false;
    stage_ = Stage::kOver;
    return {};
  }
  Composer question(mine_, upper_, budget_);
  while (!to_push_.empty() && question.has_room()) {
    question.push(to_push_.front());
    to_push_.pop_front();
  }
  while (!to_list_.empty() && question.has_room()) {
    question.list({to_list_.front()}, true);
    to_list_.pop_front();
  }
  asked_.clear();
  for (const Path& path : wanted_) {
    // As many as the answer has room for, lest the same are asked for again and again.
    if (!question.has_room() || asked_.size() > budget_ / kUsualEntryBytes) break;
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

void Session::take_entries(const Message& answer) {
  size_t came = 0;
  for (const Entry& entry : answer.entries) {
    came += wanted_.erase(OwnedMap::place(entry.owner, entry.key));
    if (mine_.apply(entry) == OwnedMap::Outcome::kRefused) whole_ = false;
  }
  if (asked_.empty() || came > 0) return;
  // They are gone there by now: without them nothing is known to be whole.
  for (const Path& path : asked_) wanted_.erase(path);
  whole_ = false;
}

bool Session::receive(const Message& answer) {
  if (stage_ == Stage::kOver || !well_formed(answer, mine_.owner_size())) return false;
  for (const Head& head : answer.heads) {
    const auto [first, is_new] = first_heads_.try_emplace(head.owner, head);
    if (first->second.epoch != head.epoch) whole_ = false;
    owners_.insert(head.owner);
  }
  take_entries(answer);
  for (const Prefix& range : answer.unanswered) ask(range, false);
  for (const Split& split : answer.splits) {
    for (const Range& range : differing(mine_.map(), split, upper_))
      ask(range.prefix, range.absent);
  }
  for (const Listing& listing : answer.listings) resolve(answer, listing);
  if (first_heads_.size() > kMaxSessionWork) stage_ = Stage::kOver, whole_ = false;
  return true;
}

void Session::resolve(const Message& answer, const Listing& listing) {
  mine_.map().each(listing.prefix,
                   [&](const Item& item) { owners_.emplace(mine_.owner_of(item)); });
  bool tell = false;
  each_difference(mine_, answer, listing,
                  [&](Doing doing, const Item* item, const Path& path, uint64_t by, bool deleted) {
                    tell = tell || deleted;
                    if (doing == Doing::kBury) mine_.bury(*item, by);
                    if (doing != Doing::kPush && doing != Doing::kWant) return;
                    if (work() >= kMaxSessionWork) {
                      whole_ = false;
                    } else if (doing == Doing::kPush) {
                      to_push_.push_back(*item);
                    } else {
                      wanted_.insert(path);
                    }
                  });
  if (tell && !listing.final) to_list_.push_back(listing.prefix);
}

// What was forgotten or began anew meanwhile is not what was compared.
bool Session::may_raise(const Head& head) const {
  const std::optional<Head> now = mine_.head(head.owner);
  const std::optional<Head> before = mine_.head(begun_, head.owner);
  if (!now) return !before;
  if (now->epoch > head.epoch) return false;
  return !before || before->epoch < now->epoch || before->complete <= now->complete;
}

std::optional<Message> Session::finish() {
  stage_ = Stage::kOver;
  if (!whole_) return {};
  for (const auto& [owner, head] : first_heads_) {
    if (may_raise(head)) mine_.raise(head);
  }
  Message last;
  for (const std::string& owner : owners_) {
    const std::optional<Head> now = mine_.head(owner);
    const auto theirs = first_heads_.find(owner);
    if (!now || (theirs != first_heads_.end() && *now == theirs->second)) continue;
    last.settled.push_back({*now, mine_.contents(owner, now->complete)});
  }
  if (last.settled.empty()) return {};
  return last;
}

}  // namespace shoal::gossip::merkle
