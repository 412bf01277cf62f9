// Any bytes as what another member sends, and as what the raft database holds: a message, the
// offer of a snapshot, a membership change, records. The first byte chooses.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "base/codec/bytes.h"
#include "base/types/check.h"
#include "raft/core/configuration.h"
#include "raft/storage/format.h"
#include "raft/transport/wire.h"

namespace shoal::raft {
namespace {

// Bytes that are no message are the rule here, not news.
[[maybe_unused]] const auto kSilenced = google::protobuf::SetLogHandler(nullptr);

// What is let in keeps its bounds, and says the same again after a round trip.
void as_message(ByteView bytes) {
  wire::Envelope envelope;
  if (!envelope.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  if (!envelope.has_message()) return;
  const auto message = from_wire(std::move(*envelope.mutable_message()));
  if (!message) return;
  SHOAL_CHECK(message->from != 0 && message->to != 0, "a message has two ends");
  SHOAL_CHECK(message->type != MessageType::kSnapshot, "snapshots come in chunks");
  Index last = message->index;
  for (const Entry& entry : message->entries) {
    SHOAL_CHECK(entry.index == ++last && entry.term <= message->term, "entries follow each other");
  }
  wire::Message again;
  to_wire(*message, again);
  const auto copy = from_wire(std::move(again));
  SHOAL_CHECK(copy && copy->entries == message->entries && copy->term == message->term &&
                  copy->type == message->type && copy->index == message->index,
              "what is sent again is the same");
}

void as_offer(ByteView bytes) {
  wire::SnapshotPiece piece;
  if (!piece.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto offer = from_wire(piece.offer());
  if (!offer) return;
  SHOAL_CHECK(offer->size <= kMaxSnapshotBytes, "a bounded snapshot");
  const SnapshotMeta& meta = offer->meta;
  SHOAL_CHECK(meta.index != 0 && meta.term != 0 && !meta.members.empty(), "a whole offer");
  SHOAL_CHECK(meta.members.size() <= kMaxMembers, "a bounded one");
  Configuration(meta.members).list();
}

// Several changes, each with its length: no order of them leaves a group without a voter.
void as_changes(ByteView bytes) {
  ByteReader in(bytes);
  Configuration configuration({{1, "192.0.2.1:2377", false}, {2, "192.0.2.2:2377", true}});
  while (in.ok() && in.remaining() > 0) {
    const auto change = decode_conf_changes(as_text(in.bytes(in.remaining())));
    if (!change) continue;
    const auto again = decode_conf_changes(encode(*change));
    SHOAL_CHECK(again && encode(*again) == encode(*change), "a change is read as it was written");
    const bool allowed = configuration.check(*change).ok();
    const auto before = configuration.list();
    configuration.apply(*change);
    SHOAL_CHECK(allowed || configuration.list() == before, "a refused change changes nothing");
    const auto members = configuration.list();
    SHOAL_CHECK(std::any_of(members.begin(), members.end(),
                            [](const Member& member) { return !member.learner; }),
                "somebody votes");
    SHOAL_CHECK(configuration.members().size() <= kMaxMembers, "the group is bounded");
  }
}

// Bodies as if their seal had opened.
void as_records(ByteView body) {
  const std::string_view raw = as_text(body);
  (void)format::check_version(raw);
  (void)format::parse_entry_key(raw);
  if (const auto state = format::decode_state(raw)) {
    SHOAL_CHECK(state->snapshot.members.size() <= kMaxMembers, "a bounded group");
    SHOAL_CHECK(*format::decode_state(format::encode(*state)) == *state, "same");
  }
  if (const auto entry = format::decode_entry(7, raw)) {
    SHOAL_CHECK(format::encode(*entry) == raw, "one form");
  }
}

}  // namespace
}  // namespace shoal::raft

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal::raft;
  if (size == 0) return 0;
  const shoal::ByteView rest(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      as_message(rest);
      break;
    case 1:
      as_offer(rest);
      break;
    case 2:
      as_changes(rest);
      break;
    default:
      as_records(rest);
  }
  return 0;
}
