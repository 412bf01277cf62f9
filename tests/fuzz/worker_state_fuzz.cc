// Any bytes as a worker's files, as an endpoint's record in gossip, and as what a manager says in a
// session.
#include <google/protobuf/stubs/logging.h>

#include "base/types/check.h"
#include "worker/session/record.h"
#include "worker/session/wire.h"
#include "worker/state/attachments.h"

namespace shoal::worker {
namespace {

// Bytes that are no message are the rule here, not news.
[[maybe_unused]] const auto kSilenced = google::protobuf::SetLogHandler(nullptr);

void as_files(ByteView bytes) {
  for (const FrameKind& kind : {kAttachmentsKind, kCacheKind}) {
    if (const auto payload = decode_frame(kind, bytes, "file")) {
      SHOAL_CHECK(decode_frame(kind, encode_frame(kind, *payload), "file").ok(), "ours is whole");
    }
    // As if the checksum had been right.
    const Bytes framed = encode_frame(kind, bytes);
    const auto payload = decode_frame(kind, framed, "file");
    SHOAL_CHECK(payload && std::equal(payload->begin(), payload->end(), bytes.begin(), bytes.end()),
                "a frame holds what was put in");
  }
  if (const auto state = decode_state(encode_frame(kAttachmentsKind, bytes), "file")) {
    const auto again = decode_state(encode_state(*state), "file");
    SHOAL_CHECK(again && *again == *state, "read as it was written");
  }
  if (const auto cache = decode_cache(encode_frame(kCacheKind, bytes), "file")) {
    Catalogue catalogue;
    catalogue.apply(cache->assignments);
    const Bytes written = encode_cache(cache->cluster, catalogue.content(), [] {});
    const auto again = decode_cache(written, "file");
    SHOAL_CHECK(again && again->cluster == cache->cluster, "read as it was written");
  }
}

void as_record(ByteView bytes) {
  const auto record = decode_record(bytes);
  if (!record) return;
  const Bytes written = encode_record(*record);
  SHOAL_CHECK(written.size() <= EndpointRecord::kMaxSize, "gossip takes it");
  const auto again = decode_record(written);
  SHOAL_CHECK(again && again->ips == record->ips && again->mac == record->mac, "as it was written");
  SHOAL_CHECK(bytes.size() > EndpointRecord::kMaxSize || *again == *record, "whole when it fits");
}

void as_session(ByteView bytes) {
  dispatch::ManagerMessage message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  auto input = from_wire(message);
  if (!input || !*input) return;
  SeededRng rng(1);
  Session session({HostPort::parse("192.0.2.1:2377").value()}, rng);
  Instant now{1'000'000'000};
  session.start(now);
  session.tick(now);
  session.receive(1, Registered{"s", std::chrono::seconds(1)}, now);
  session.receive(1, std::move(**input), now);
  for (int i = 0; i < 20; ++i) {
    // A session that is lost is tried again at once, and then rests.
    for (int ticks = 0; session.next_deadline() <= now; ++ticks) {
      SHOAL_CHECK(ticks < 3, "a session rests between two events");
      session.tick(now);
      (void)session.take_effects();
    }
    now = std::min(session.next_deadline(), now + std::chrono::hours(1));
  }
  SHOAL_CHECK(session.managers().size() <= Session::kMaxManagers, "bounded");
}

}  // namespace
}  // namespace shoal::worker

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal::worker;
  if (size == 0) return 0;
  const shoal::ByteView rest(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      as_files(rest);
      break;
    case 1:
      as_record(rest);
      break;
    default:
      as_session(rest);
  }
  return 0;
}
