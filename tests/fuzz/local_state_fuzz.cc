// Any bytes as what a host keeps of its own networks: the file of networks, and one endpoint's.
#include <google/protobuf/stubs/logging.h>

#include "base/types/check.h"
#include "worker/local/book.h"
#include "worker/local/records.h"

namespace shoal::worker {
namespace {

// Bytes that are no message are the rule here, not news.
[[maybe_unused]] const auto kSilenced = google::protobuf::SetLogHandler(nullptr);

constexpr FrameKind kNetworks{{'S', 'H', 'L', 'N'}, 1, "networks"};

// What was read is put back, or refused with a reason, and never more than a host can have.
void restore(const LocalRecords& records) {
  Book book(default_local_pools());
  for (const manager::Network& network : records.networks) {
    const Status restored = book.restore(network);
    SHOAL_CHECK(restored.ok() || restored.error().code == ErrorClass::kDataLoss, "damage is told");
    if (!restored) continue;
    (void)book.driver(network.id).network(network);
    manager::EndpointSpec spec;
    spec.name = "web";
    const EndpointId id("aaaaaaaaaaaaaaaaaaaaaaaaa");
    const auto lease = book.lease(network.id, id, spec, Mac::from_random(1), WallTime{});
    if (lease) SHOAL_CHECK(!lease->addresses.empty(), "a lease has an address");
    book.release(id);
  }
  SHOAL_CHECK(book.networks().size() <= kMaxLocalNetworks, "bounded");
}

void as_networks(ByteView bytes) {
  (void)decode_local(bytes, "file");
  // As if the checksum had been right.
  const auto records = decode_local(encode_frame(kNetworks, bytes), "file");
  if (!records) return;
  const auto again = decode_local(encode_local(*records), "file");
  SHOAL_CHECK(again && *again == *records, "read as it was written");
  restore(*records);
}

void as_endpoint(ByteView bytes) {
  (void)decode_attachment(bytes, "file");
  const auto attachment = decode_attachment(encode_frame(kLocalEndpointKind, bytes), "file");
  if (!attachment) return;
  const auto again = decode_attachment(encode_attachment(*attachment), "file");
  SHOAL_CHECK(again && *again == *attachment, "read as it was written");
  Book book(default_local_pools());
  manager::NetworkSpec spec;
  spec.name = "shop";
  spec.driver = "bridge";
  const NetworkId id =
      is_id(attachment->endpoint.network_id.view()) ? attachment->endpoint.network_id : NetworkId();
  SHOAL_CHECK(book.create(spec, id, WallTime{}, {}).ok(), "the first network");
  (void)book.restore(attachment->endpoint);
  book.release(attachment->endpoint.id);
  SHOAL_CHECK(book.endpoints_of(id).empty(), "nothing is kept of what was released");
}

}  // namespace
}  // namespace shoal::worker

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const shoal::ByteView rest(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    shoal::worker::as_networks(rest);
  } else {
    shoal::worker::as_endpoint(rest);
  }
  return 0;
}
