#include "raft/core/configuration.h"

#include "base/codec/bytes.h"

namespace shoal::raft {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

std::string encode(const ConfChange& change) {
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(change.kind));
  out.u64(change.member.id);
  out.text(change.member.address);
  return std::string(as_text(out.view()));
}

Result<ConfChange> decode_conf_change(std::string_view data) {
  ByteReader in(as_bytes(data));
  const uint8_t version = in.u8();
  const uint8_t kind = in.u8();
  ConfChange change;
  change.member.id = in.u64();
  change.member.address = in.text(kMaxAddressBytes);
  if (in.ok() && version != kVersion) {
    return unimplemented("membership change of version " + std::to_string(version) +
                         " is not known here: upgrade this node");
  }
  if (!in.done() || kind < 1 || kind > static_cast<uint8_t>(ConfChangeKind::kRemove)) {
    return data_loss("malformed membership change in the raft log");
  }
  change.kind = static_cast<ConfChangeKind>(kind);
  change.member.learner = change.kind == ConfChangeKind::kAddLearner;
  return change;
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

Status Configuration::check(const ConfChange& change) const {
  const RaftId id = change.member.id;
  const std::string name = "raft member " + std::to_string(id);
  if (id == 0) return invalid_argument("a raft member needs an id other than 0");
  if (change.kind == ConfChangeKind::kRemove) {
    if (!contains(id)) return not_found(name + " does not exist");
    if (is_voter(id) && voters_.voters().size() == 1) {
      return conflict(name + " is the last voter and cannot be removed: add another manager first");
    }
    return ok_status();
  }
  if (change.member.address.empty() || change.member.address.size() > kMaxAddressBytes) {
    return invalid_argument(name + " needs an address of at most 256 bytes");
  }
  if (change.kind == ConfChangeKind::kAddLearner && is_voter(id)) {
    return conflict(name + " is a voter: remove it before adding it as a learner");
  }
  if (!contains(id) && members_.size() >= kMaxMembers) {
    return resource_exhausted("the group has its most members already (" +
                              std::to_string(kMaxMembers) + "): remove one first");
  }
  return ok_status();
}

void Configuration::apply(const ConfChange& change) {
  if (!check(change)) return;
  if (change.kind == ConfChangeKind::kRemove) {
    members_.erase(change.member.id);
  } else {
    members_[change.member.id] = change.member;
    members_[change.member.id].learner = change.kind == ConfChangeKind::kAddLearner;
  }
  rebuild();
}

void Configuration::rebuild() {
  std::vector<RaftId> voters;
  for (const auto& [id, member] : members_) {
    if (!member.learner) voters.push_back(id);
  }
  voters_ = MajorityConfig(std::move(voters));
}

}  // namespace shoal::raft
