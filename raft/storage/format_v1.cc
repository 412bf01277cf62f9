#include "raft/storage/format_v1.h"

#include "base/codec/bytes.h"
#include "base/codec/crc32c.h"
#include "raft/storage/format.h"

namespace shoal::raft::format_v1 {
namespace {

Result<std::string_view> open(std::string_view key, std::string_view value) {
  ByteReader in(as_bytes(value));
  const uint32_t crc = in.u32();
  if (!in.ok()) return data_loss("record too short");
  const std::string_view body = value.substr(4);
  if (crc != crc32c(as_bytes(body), crc32c(as_bytes(key)))) return data_loss("checksum mismatch");
  return body;
}

}  // namespace

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
  out.meta.members = format::get_members(in);
  if (!in.done() || out.size > kMaxSnapshotBytes) return data_loss("malformed snapshot record");
  return out;
}

Result<Entry> decode_entry(std::string_view key, std::string_view value) {
  const auto index = format::parse_entry_key(key);
  if (!index) return data_loss("malformed entry key");
  return format::decode_entry(*index, SHOAL_TRY(open(key, value)));
}

}  // namespace shoal::raft::format_v1
