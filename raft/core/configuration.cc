#include "raft/core/configuration.h"

#include "base/codec/bytes.h"

namespace shoal::raft {
namespace {

constexpr uint8_t kSingle = 1;
constexpr uint8_t kSet = 2;

std::string name_of(RaftId id) { return "raft member " + std::to_string(id); }

void write(ByteWriter& out, const ConfChange& change) {
  out.u8(static_cast<uint8_t>(change.kind));
  out.u64(change.member.id);
  out.text(change.member.address);
}

ConfChange read(ByteReader& in) {
  ConfChange change;
  const uint8_t kind = in.u8();
  if (kind < 1 || kind > static_cast<uint8_t>(ConfChangeKind::kRemove)) in.fail();
  change.kind = static_cast<ConfChangeKind>(kind);
  change.member.id = in.u64();
  change.member.address = in.text(kMaxAddressBytes);
  change.member.learner = change.kind == ConfChangeKind::kAddLearner;
  return change;
}

bool incoming(const Member& member) {
  return !member.learner && (member.joint & kNotIncoming) == 0;
}

}  // namespace

std::string encode(const ConfChange& change) {
  ByteWriter out;
  out.u8(kSingle);
  write(out, change);
  return std::string(as_text(out.view()));
}

std::string encode(const ConfChangeSet& set) {
  if (set.single && set.changes.size() == 1) return encode(set.changes.front());
  ByteWriter out;
  out.u8(kSet);
  out.u8(static_cast<uint8_t>(set.transition));
  out.varint(set.changes.size());
  for (const ConfChange& change : set.changes) write(out, change);
  return std::string(as_text(out.view()));
}

Result<ConfChangeSet> decode_conf_changes(std::string_view data) {
  ByteReader in(as_bytes(data));
  const uint8_t version = in.u8();
  ConfChangeSet set;
  if (version == kSingle) {
    set.single = true;
    set.changes.push_back(read(in));
  } else if (version == kSet) {
    const uint8_t transition = in.u8();
    if (transition > static_cast<uint8_t>(Transition::kJointExplicit)) in.fail();
    set.transition = static_cast<Transition>(transition);
    const uint64_t count = in.varint();
    if (count > kMaxMembers) in.fail();
    for (uint64_t i = 0; i < count && in.ok(); ++i) set.changes.push_back(read(in));
  } else if (in.ok()) {
    return unimplemented("membership change of version " + std::to_string(version) +
                         " is not known here: upgrade this node");
  }
  if (!in.done()) return data_loss("malformed membership change in the raft log");
  return set;
}

Configuration::Configuration(const std::vector<Member>& members) {
  for (const Member& member : members) members_[member.id] = member;
  rebuild();
}

std::vector<Member> Configuration::list() const {
  std::vector<Member> out;
  for (const auto& [id, member] : members_) out.push_back(member);
  return out;
}

bool Configuration::leaves_joint_itself() const {
  for (const auto& [id, member] : members_) {
    if ((member.joint & kLeavesItself) != 0) return true;
  }
  return false;
}

Status Configuration::check_one(const ConfChange& change) const {
  const RaftId id = change.member.id;
  if (id == 0) return invalid_argument("a raft member needs an id other than 0");
  if (change.kind == ConfChangeKind::kRemove) {
    return contains(id) ? ok_status() : Status(not_found(name_of(id) + " does not exist"));
  }
  if (change.member.address.empty() || change.member.address.size() > kMaxAddressBytes) {
    return invalid_argument(name_of(id) + " needs an address of at most 256 bytes");
  }
  if (!contains(id) && members_.size() >= kMaxMembers) {
    return resource_exhausted("the group has its most members already (" +
                              std::to_string(kMaxMembers) + "): remove one first");
  }
  return ok_status();
}

Status Configuration::check(const ConfChange& change) const {
  const RaftId id = change.member.id;
  if (joint()) return conflict("a change of several members is in progress: try again");
  const Status fits = check_one(change);
  if (!fits) return fits;
  if (change.kind == ConfChangeKind::kRemove && is_voter(id) && voters_.ids().size() == 1) {
    return conflict(name_of(id) +
                    " is the last voter and cannot be removed: add another manager first");
  }
  if (change.kind == ConfChangeKind::kAddLearner && is_voter(id)) {
    return conflict(name_of(id) + " is a voter: remove it before adding it as a learner");
  }
  return ok_status();
}

Status Configuration::check(const ConfChangeSet& set) const {
  if (set.single && set.changes.size() == 1) return check(set.changes.front());
  if (set.leaves_joint()) {
    return joint() ? ok_status() : Status(conflict("there is no joint configuration to leave"));
  }
  if (joint()) return conflict("a change of several members is in progress: try again");
  Configuration next = *this;
  for (const ConfChange& change : set.changes) {
    const Status fits = next.check_one(change);
    if (!fits) return fits;
    next.change(change);
  }
  for (const auto& [id, member] : next.members_) {
    if (incoming(member)) return ok_status();
  }
  return conflict("the change would leave no voter");
}

void Configuration::change(const ConfChange& change) {
  const auto found = members_.find(change.member.id);
  const bool outgoing = found != members_.end() && (found->second.joint & kOutgoing) != 0;
  const auto joint_bits = static_cast<uint8_t>(outgoing ? found->second.joint : 0);
  switch (change.kind) {
    case ConfChangeKind::kAddVoter:
      members_[change.member.id] = change.member;
      members_[change.member.id].learner = false;
      members_[change.member.id].joint = joint_bits & (kOutgoing | kLeavesItself);
      break;
    case ConfChangeKind::kAddLearner:
      members_[change.member.id] = change.member;
      // Who votes in the outgoing half goes on to do so until that half is left.
      members_[change.member.id].learner = !outgoing;
      members_[change.member.id].joint =
          outgoing ? static_cast<uint8_t>(joint_bits | kNotIncoming | kDemoted) : uint8_t{0};
      break;
    case ConfChangeKind::kRemove:
      if (outgoing) {
        found->second.joint = (joint_bits & ~kDemoted) | kNotIncoming;
      } else {
        members_.erase(change.member.id);
      }
      break;
  }
}

void Configuration::enter_joint(bool leaves_itself) {
  for (auto& [id, member] : members_) {
    if (!member.learner) member.joint = kOutgoing | (leaves_itself ? kLeavesItself : 0);
  }
}

void Configuration::leave_joint() {
  std::erase_if(members_, [](const auto& item) {
    return (item.second.joint & (kNotIncoming | kDemoted)) == kNotIncoming;
  });
  for (auto& [id, member] : members_) {
    member.learner = member.learner || (member.joint & kDemoted) != 0;
    member.joint = 0;
  }
}

void Configuration::apply(const ConfChangeSet& set) {
  if (!check(set)) return;
  if (set.leaves_joint()) {
    leave_joint();
  } else {
    if (set.enters_joint()) enter_joint(set.transition != Transition::kJointExplicit);
    for (const ConfChange& one : set.changes) change(one);
  }
  rebuild();
}

void Configuration::rebuild() {
  std::vector<RaftId> in;
  std::vector<RaftId> out;
  for (const auto& [id, member] : members_) {
    if (incoming(member)) in.push_back(id);
    if ((member.joint & kOutgoing) != 0) out.push_back(id);
  }
  voters_ = JointConfig(MajorityConfig(std::move(in)), MajorityConfig(std::move(out)));
}

}  // namespace shoal::raft
