#include "raft/transport/wire.h"

#include <algorithm>

namespace shoal::raft {
namespace {

Status check_numbers(const wire::Message& in) {
  const uint64_t largest =
      std::max({in.term(), in.index(), in.log_term(), in.commit(), in.reject_hint()});
  if (largest > kMaxIndex) return invalid_argument("term or index out of range");
  if (in.from() == 0 || in.to() == 0) return invalid_argument("message from or to nobody");
  if (in.log_term() > in.term() && !in.reject()) {
    return invalid_argument("message about a later term than its own");
  }
  return ok_status();
}

Status take_entries(wire::Message& in, Message& out) {
  if (in.entries_size() > kMaxEntriesPerMessage) return invalid_argument("too many entries");
  if (in.entries_size() > 0 && out.type != MessageType::kAppend) {
    return invalid_argument("entries in a message that has none");
  }
  Index index = out.index;
  Term term = out.log_term;
  out.entries.reserve(static_cast<size_t>(in.entries_size()));
  for (wire::Entry& entry : *in.mutable_entries()) {
    if (entry.index() != ++index) return invalid_argument("entries that do not follow each other");
    if (entry.term() < term || entry.term() > out.term) {
      return invalid_argument("entry of an impossible term");
    }
    if (entry.type() > static_cast<uint32_t>(EntryType::kNoop)) {
      return invalid_argument("entry of an unknown type");
    }
    if (entry.data().size() > kMaxEntryBytes) return invalid_argument("entry too large");
    term = entry.term();
    out.entries.push_back({.term = entry.term(),
                           .index = entry.index(),
                           .type = static_cast<EntryType>(entry.type()),
                           .data = std::move(*entry.mutable_data())});
  }
  return ok_status();
}

}  // namespace

void to_wire(const Message& message, wire::Message& out) {
  out.set_type(static_cast<uint32_t>(message.type));
  out.set_from(message.from);
  out.set_to(message.to);
  out.set_term(message.term);
  out.set_index(message.index);
  out.set_log_term(message.log_term);
  out.set_commit(message.commit);
  out.set_reject(message.reject);
  out.set_force(message.force);
  out.set_reject_hint(message.reject_hint);
  out.set_context(message.context);
  for (const Entry& entry : message.entries) {
    wire::Entry* to = out.add_entries();
    to->set_term(entry.term);
    to->set_index(entry.index);
    to->set_type(static_cast<uint32_t>(entry.type));
    to->set_data(entry.data);
  }
}

Result<Message> from_wire(wire::Message&& in) {
  if (in.type() == 0 || in.type() > kLastMessageType ||
      in.type() == static_cast<uint32_t>(MessageType::kSnapshot)) {
    return invalid_argument("message of an unknown type");
  }
  const Status numbers = check_numbers(in);
  if (!numbers) return numbers.error();
  Message out;
  out.type = static_cast<MessageType>(in.type());
  out.from = in.from();
  out.to = in.to();
  out.term = in.term();
  out.index = in.index();
  out.log_term = in.log_term();
  out.commit = in.commit();
  out.reject = in.reject();
  out.force = in.force();
  out.reject_hint = in.reject_hint();
  out.context = in.context();
  const Status entries = take_entries(in, out);
  if (!entries) return entries.error();
  return out;
}

void to_wire(const Message& message, wire::SnapshotOffer& out) {
  const Snapshot& snapshot = *message.snapshot;
  out.set_term(message.term);
  out.set_size(snapshot.data->size());
  const crypto::Sha256& digest = snapshot.data->digest();
  out.set_digest(digest.data(), digest.size());
  wire::SnapshotMeta* meta = out.mutable_meta();
  meta->set_index(snapshot.meta.index);
  meta->set_term(snapshot.meta.term);
  for (const Member& member : snapshot.meta.members) {
    wire::Member* to = meta->add_members();
    to->set_id(member.id);
    to->set_address(member.address);
    to->set_learner(member.learner);
    to->set_joint(member.joint);
  }
}

namespace {

Result<SnapshotMeta> meta_from_wire(const wire::SnapshotMeta& in, Term sender_term) {
  if (in.index() == 0 || in.index() > kMaxIndex || in.term() == 0 || in.term() > sender_term ||
      sender_term > kMaxIndex) {
    return invalid_argument("snapshot of an impossible place");
  }
  if (in.members_size() == 0 || static_cast<size_t>(in.members_size()) > kMaxMembers) {
    return invalid_argument("snapshot with an impossible number of members");
  }
  SnapshotMeta out;
  out.index = in.index();
  out.term = in.term();
  for (const wire::Member& member : in.members()) {
    if (member.id() == 0 || member.address().size() > kMaxAddressBytes ||
        member.joint() > kJointBits) {
      return invalid_argument("snapshot with a malformed member");
    }
    out.members.push_back(
        {member.id(), member.address(), member.learner(), static_cast<uint8_t>(member.joint())});
  }
  return out;
}

}  // namespace

Result<SnapshotOffer> from_wire(const wire::SnapshotOffer& in) {
  SnapshotOffer out;
  out.term = in.term();
  out.meta = SHOAL_TRY(meta_from_wire(in.meta(), in.term()));
  if (in.size() > kMaxSnapshotBytes) return invalid_argument("snapshot too large");
  out.size = in.size();
  if (in.digest().size() != out.digest.size()) return invalid_argument("malformed digest");
  std::copy(in.digest().begin(), in.digest().end(), out.digest.begin());
  return out;
}

}  // namespace shoal::raft
