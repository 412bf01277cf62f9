#include "raft/storage/format.h"

#include <algorithm>

namespace shoal::raft::format {
namespace {

std::string text_of(const ByteWriter& out) { return std::string(as_text(out.view())); }

crypto::Tag get_tag(ByteReader& in) {
  crypto::Tag tag{};
  const ByteView bytes = in.raw(tag.size());
  std::copy(bytes.begin(), bytes.end(), tag.begin());
  return tag;
}

std::vector<Member> get_members(ByteReader& in) {
  std::vector<Member> out;
  const uint64_t count = in.varint();
  if (count > kMaxMembers) in.fail();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    Member member;
    member.id = in.u64();
    member.address = in.text(kMaxAddressBytes);
    const uint8_t part = in.u8();
    member.learner = (part & 1) != 0;
    member.joint = part >> 1;
    if (member.joint > kJointBits) in.fail();
    out.push_back(std::move(member));
  }
  return out;
}

}  // namespace

std::string entry_key(Index index) {
  ByteWriter out;
  out.u8(static_cast<uint8_t>(kEntryPrefix));
  out.u64(index);
  return text_of(out);
}

std::optional<Index> parse_entry_key(std::string_view key) {
  ByteReader in(as_bytes(key));
  const bool prefix = in.u8() == static_cast<uint8_t>(kEntryPrefix);
  const Index index = in.u64();
  if (!prefix || !in.done()) return std::nullopt;
  return index;
}

std::string entry_place(Index index, const crypto::Tag& previous) {
  ByteWriter out;
  out.raw(as_bytes("entry"));
  out.u64(index);
  out.raw(previous);
  return text_of(out);
}

std::string snapshot_place(Index index, Term term, uint64_t number, bool last) {
  ByteWriter out;
  out.raw(as_bytes("snapshot"));
  out.u64(index);
  out.u64(term);
  out.u64(number);
  out.u8(last ? 1 : 0);
  return text_of(out);
}

std::string encode_version() {
  ByteWriter out;
  out.u32(kVersion);
  return text_of(out);
}

std::string encode(const State& state) {
  ByteWriter out;
  out.u64(state.sequence);
  out.u64(state.hard_state.term);
  out.u64(state.hard_state.vote);
  out.u64(state.hard_state.commit);
  out.u64(state.offset);
  out.u64(state.offset_term);
  out.raw(state.offset_tag);
  out.u64(state.last);
  out.raw(state.last_tag);
  out.u64(state.snapshot.index);
  out.u64(state.snapshot.term);
  out.varint(state.snapshot.members.size());
  for (const Member& member : state.snapshot.members) {
    out.u64(member.id);
    out.text(member.address);
    out.u8(static_cast<uint8_t>((member.learner ? 1 : 0) | member.joint << 1));
  }
  return text_of(out);
}

std::string encode(const Entry& entry) {
  ByteWriter out;
  out.u64(entry.term);
  out.u8(static_cast<uint8_t>(entry.type));
  out.raw(as_bytes(entry.data));
  return text_of(out);
}

Status check_version(std::string_view value) {
  ByteReader in(as_bytes(value));
  const uint32_t version = in.u32();
  if (!in.done() || version == 0) return data_loss("malformed format version");
  if (version > kVersion) {
    return unimplemented("format version " + std::to_string(version) +
                         " is newer than this program (" + std::to_string(kVersion) +
                         "): upgrade it");
  }
  if (version < kVersion) {
    return unimplemented("format version " + std::to_string(version) +
                         " was not encrypted and is not read any more: remove this manager from "
                         "the cluster, delete its state and join it again");
  }
  return ok_status();
}

Result<State> decode_state(std::string_view record) {
  ByteReader in(as_bytes(record));
  State out;
  out.sequence = in.u64();
  out.hard_state.term = in.u64();
  out.hard_state.vote = in.u64();
  out.hard_state.commit = in.u64();
  out.offset = in.u64();
  out.offset_term = in.u64();
  out.offset_tag = get_tag(in);
  out.last = in.u64();
  out.last_tag = get_tag(in);
  out.snapshot.index = in.u64();
  out.snapshot.term = in.u64();
  out.snapshot.members = get_members(in);
  if (!in.done() || out.last < out.offset) return data_loss("malformed state record");
  return out;
}

Result<Entry> decode_entry(Index index, std::string_view record) {
  ByteReader in(as_bytes(record));
  Entry out;
  out.index = index;
  out.term = in.u64();
  const uint8_t type = in.u8();
  if (!in.ok() || type > static_cast<uint8_t>(EntryType::kNoop)) {
    return data_loss("malformed entry");
  }
  out.type = static_cast<EntryType>(type);
  out.data = as_text(in.raw(in.remaining()));
  return out;
}

}  // namespace shoal::raft::format
