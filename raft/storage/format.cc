#include "raft/storage/format.h"

#include "base/codec/bytes.h"
#include "base/codec/crc32c.h"

namespace shoal::raft::format {
namespace {

std::string text_of(const ByteWriter& out) { return std::string(as_text(out.view())); }

std::string seal(std::string_view key, std::string_view body) {
  ByteWriter out;
  out.u32(crc32c(as_bytes(body), crc32c(as_bytes(key))));
  out.raw(as_bytes(body));
  return text_of(out);
}

Result<std::string_view> open(std::string_view key, std::string_view value) {
  ByteReader in(as_bytes(value));
  const uint32_t crc = in.u32();
  if (!in.ok()) return data_loss("record too short");
  const std::string_view body = value.substr(4);
  if (crc != crc32c(as_bytes(body), crc32c(as_bytes(key)))) return data_loss("checksum mismatch");
  return body;
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

std::string encode_version() {
  ByteWriter out;
  out.u32(kVersion);
  return text_of(out);
}

std::string encode(const HardState& state) {
  ByteWriter out;
  out.u64(state.term);
  out.u64(state.vote);
  out.u64(state.commit);
  return seal(kHardStateKey, as_text(out.view()));
}

std::string encode(const Offset& offset) {
  ByteWriter out;
  out.u64(offset.index);
  out.u64(offset.term);
  return seal(kOffsetKey, as_text(out.view()));
}

std::string encode(const SnapshotRecord& record) {
  ByteWriter out;
  out.u64(record.meta.index);
  out.u64(record.meta.term);
  out.u64(record.size);
  out.u32(record.crc);
  out.varint(record.meta.members.size());
  for (const Member& member : record.meta.members) {
    out.u64(member.id);
    out.text(member.address);
    out.u8(static_cast<uint8_t>((member.learner ? 1 : 0) | member.joint << 1));
  }
  return seal(kSnapshotKey, as_text(out.view()));
}

std::string encode(const Entry& entry) {
  ByteWriter out;
  out.u64(entry.term);
  out.u8(static_cast<uint8_t>(entry.type));
  out.raw(as_bytes(entry.data));
  return seal(entry_key(entry.index), as_text(out.view()));
}

Status check_version(std::string_view value) {
  ByteReader in(as_bytes(value));
  const uint32_t version = in.u32();
  if (!in.done()) return data_loss("malformed format version");
  if (version > kVersion) {
    return unimplemented("format version " + std::to_string(version) +
                         " is newer than this program (" + std::to_string(kVersion) +
                         "): upgrade it");
  }
  return ok_status();
}

Result<HardState> decode_hard_state(std::string_view value) {
  ByteReader in(as_bytes(SHOAL_TRY(open(kHardStateKey, value))));
  HardState out;
  out.term = in.u64();
  out.vote = in.u64();
  out.commit = in.u64();
  if (!in.done()) return data_loss("malformed hard state");
  return out;
}

Result<Offset> decode_offset(std::string_view value) {
  ByteReader in(as_bytes(SHOAL_TRY(open(kOffsetKey, value))));
  Offset out;
  out.index = in.u64();
  out.term = in.u64();
  if (!in.done()) return data_loss("malformed log offset");
  return out;
}

Result<SnapshotRecord> decode_snapshot(std::string_view value) {
  ByteReader in(as_bytes(SHOAL_TRY(open(kSnapshotKey, value))));
  SnapshotRecord out;
  out.meta.index = in.u64();
  out.meta.term = in.u64();
  out.size = in.u64();
  out.crc = in.u32();
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
    out.meta.members.push_back(std::move(member));
  }
  if (!in.done() || out.size > kMaxSnapshotBytes) return data_loss("malformed snapshot record");
  return out;
}

Result<Entry> decode_entry(std::string_view key, std::string_view value) {
  const auto index = parse_entry_key(key);
  if (!index) return data_loss("malformed entry key");
  ByteReader in(as_bytes(SHOAL_TRY(open(key, value))));
  Entry out;
  out.index = *index;
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
