// Swim's word on daemons that get no CPU, or hang: the kernel takes their connections, they say
// nothing.
//
// One such finding is worth more than any number of accusations, which may be lost packets. So it
// ends a suspicion, here and wherever it is heard of. Whether a member goes on so is watched by
// some of those who found it; when it does not speak for `stalled_watch`, all others are told.
// From the first time that a member is called stalled in public it has `stalled_fuse` to deny it,
// by a higher incarnation, which it does as soon as it runs. After that, to be found stalled is to
// be found silent.
#include "gossip/swim/swim.h"

namespace shoal::gossip {
namespace {

// Of those who find a member stalled one in so many watches it; in a small cluster all do.
constexpr uint64_t kWatchers = 3;
constexpr size_t kSmallCluster = 32;
constexpr Instant kNever{INT64_MIN / 2};

}  // namespace

// False when it was given up: this says nothing any more.
bool Swim::note_stalled(Member& member, Instant now) {
  if (is_given_up(member, now)) return false;
  const bool suspected = member.suspicion.has_value();
  member.found_stalled = now;
  hold(member, now);
  if (suspected && !isolated_) vouch(member, now);
  return true;
}

void Swim::hold(Member& member, Instant now) {
  member.stalled_until = now + config_.stalled_hold;
  stalled_.insert(member.info.id);
  lapse(member);
}

// To all others, and to the member, which cannot deny what it does not hear of.
void Swim::vouch(Member& member, Instant now) {
  if (!member.stalled) member.stalled = now;
  member.vouched = now;
  spread(claim_of(member));
  accuse(member, member.info.address, now);
}

void Swim::on_stalled(Member& member, const Claim& claim, const HostPort& reply_to, bool news,
                      Instant now) {
  if (claim.incarnation < member.incarnation) return correct(member, reply_to, now);
  if (!is_live(claim.id)) return;
  if (claim.incarnation > member.incarnation) {
    lapse(member);
    renew(member, claim);
    rehash(member);
  }
  if (is_given_up(member, now)) return;
  const bool pass_on = news && (!member.stalled || member.suspicion);
  if (!member.stalled) member.stalled = now;
  if (!news) return;
  hold(member, now);
  if (!pass_on) return;
  member.vouched = now;
  spread(claim_of(member));
}

// Against an accusation of one that this node itself found stalled a moment ago: to all others, but
// not for each copy of the accusation. Of hearsay nothing is said, as it would be heard for ever.
void Swim::defend(Member& member, const HostPort& reply_to, Instant now) {
  if (now - member.found_stalled >= config_.stalled_hold) return;
  if (now - member.vouched >= config_.stalled_hold) return vouch(member, now);
  accuse(member, reply_to, now);
}

// It runs. Who else was told that it is stalled hears it deny that.
void Swim::note_heard(Member& member, Instant now) {
  member.heard = now;
  if (member.stalled) member.stalled = now;
  if (member.stalled_until < now) return;
  member.stalled_until = now;
  stalled_.erase(member.info.id);
}

void Swim::end_stall(Member& member) {
  member.stalled.reset();
  member.stalled_until = member.found_stalled = member.vouched = kNever;
  stalled_.erase(member.info.id);
  watches_.erase(member.info.id);
}

void Swim::watch(Member& member, Instant now) {
  if (member.stalled || watches_.contains(member.info.id)) return;
  if (live_.size() > kSmallCluster && rng_.below(kWatchers) != 0) return;
  member.watched = now;
  watches_.set(member.info.id, now + config_.stalled_look);
}

void Swim::look_again(Instant now) {
  for (const NodeId& id : watches_.take_due(now)) {
    Member& member = *find(id);
    if (!is_live(id) || member.stalled || member.heard >= member.watched) continue;
    watches_.set(id, now + config_.stalled_look);
    look(member, now);
  }
}

// Whether its kernel lives. An answer of the daemon is heard like any packet.
void Swim::look(Member& member, Instant now) {
  const uint32_t number = next_number_++;
  member.looked = now;
  member.look = number;
  member.answered = false;
  Outgoing out{member.info.address, {Ping{number, member.info.id}}};
  if (is_accused(member) && !isolated_) out.messages.push_back(claim_of(member));
  outgoing_.push_back(std::move(out));
  start_tcp(member.info.id, member.info.address, number, Purpose::kLook);
}

// Nobody is accused on a look.
void Swim::finish_look(const NodeId& id, Reach reach, Instant now) {
  Member* member = find(id);
  if (member == nullptr || !is_live(id)) return;
  if (reach == Reach::kAnswers) member->answered = true;
  if (reach != Reach::kStalled || !note_stalled(*member, now)) return watches_.erase(id);
  if (watches_.contains(id) && now - member->watched >= config_.stalled_watch) {
    watches_.erase(id);
    vouch(*member, now);
  }
}

}  // namespace shoal::gossip
