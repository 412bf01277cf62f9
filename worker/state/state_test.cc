#include <gtest/gtest.h>

#include "base/ports/ports.h"
#include "worker/state/attachments.h"

namespace shoal::worker {
namespace {

std::string id(char fill) { return std::string(kIdLength, fill); }

PersistedState example() {
  PersistedState state;
  state.epoch = 1234567890123;
  Attachment intent;
  intent.endpoint.id = EndpointId(id('a'));
  intent.endpoint.spec.name = "web";
  intent.space.path = "/run/netns/x";
  state.attachments[intent.endpoint.id] = intent;
  Attachment attached;
  attached.phase = Attachment::Phase::kAttached;
  attached.endpoint.id = EndpointId(id('b'));
  attached.endpoint.network_id = NetworkId(id('n'));
  attached.endpoint.node_id = NodeId(id('0'));
  attached.endpoint.spec = {"db", {"alias", "other"}, {Ip::v4(0x0a000105)}};
  attached.endpoint.addresses = {*Prefix::parse("10.0.1.5/24"), *Prefix::parse("fd00::5/64")};
  attached.endpoint.mac = *Mac::parse("02:11:22:33:44:55");
  attached.endpoint.created_at = {77};
  attached.endpoint.version = 12;
  attached.network_name = "back";
  attached.space = {"", 4242, 99, 4, 4026531840};
  attached.ifname = "eth1";
  attached.mtu = 1450;
  state.attachments[attached.endpoint.id] = attached;
  state.releases = {EndpointId(id('c')), EndpointId(id('d'))};
  return state;
}

TEST(PersistedState, RoundTrips) {
  for (const PersistedState& state : {PersistedState{}, example()}) {
    const auto decoded = decode_state(encode_state(state), "f");
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(*decoded, state);
  }
}

TEST(PersistedState, EveryTruncationIsRefusedWithTheFileNamed) {
  const Bytes whole = encode_state(example());
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto decoded = decode_state(ByteView(whole).first(size), "/state/attachments");
    ASSERT_FALSE(decoded.ok()) << size;
    EXPECT_EQ(decoded.error().code, ErrorClass::kDataLoss);
    EXPECT_NE(decoded.error().message.find("/state/attachments"), std::string::npos);
  }
}

TEST(PersistedState, EveryFlippedBitIsRefused) {
  Bytes whole = encode_state(example());
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    whole[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    EXPECT_FALSE(decode_state(whole, "f").ok()) << bit;
    whole[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
  }
}

// Content behind a good checksum is still parsed as hostile.
TEST(PersistedState, ImpossibleContentIsRefused) {
  const Bytes good = encode_state(example());
  const auto payload = decode_frame(kAttachmentsKind, good, "f");
  ASSERT_TRUE(payload.ok());
  for (size_t size = 0; size < payload->size(); ++size) {
    const Bytes framed = encode_frame(kAttachmentsKind, ByteView(*payload).first(size));
    EXPECT_FALSE(decode_state(framed, "f").ok()) << size;
  }
  SeededRng rng(1);
  for (int i = 0; i < 20000; ++i) {
    Bytes changed = *payload;
    for (int k = 0; k < 3; ++k) {
      changed[rng.below(changed.size())] = static_cast<uint8_t>(rng.next());
    }
    (void)decode_state(encode_frame(kAttachmentsKind, changed), "f");  // must not crash
  }
}

TEST(Frame, ANewerVersionIsNamedAsSuch) {
  FrameKind newer = kAttachmentsKind;
  newer.version = 2;
  const auto decoded = decode_frame(kAttachmentsKind, encode_frame(newer, {}), "f");
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code, ErrorClass::kUnimplemented);
}

TEST(Frame, AnotherKindOfFileIsRefused) {
  FrameKind other = kAttachmentsKind;
  other.magic = {'X', 'X', 'X', 'X'};
  EXPECT_FALSE(decode_frame(kAttachmentsKind, encode_frame(other, {}), "f").ok());
}

TEST(LocalEndpoint, RoundTripsWithItsPorts) {
  Attachment attachment = example().attachments.at(EndpointId(id('b')));
  attachment.endpoint.spec.ports = {"8080:80"};
  attachment.endpoint.ports = {"0.0.0.0:8080:80/tcp", "[::]:8080:80/tcp"};
  const auto decoded = decode_attachment(encode_attachment(attachment), "f");
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(*decoded, attachment);
}

}  // namespace
}  // namespace shoal::worker
