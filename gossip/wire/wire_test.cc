#include <gtest/gtest.h>

#include "base/ports/ports.h"
#include "gossip/wire/codec.h"
#include "gossip/wire/ranges.h"

namespace shoal::gossip {
namespace {

std::string padded(const std::string& text) {
  return text + std::string(kIdLength - text.size(), '0');
}
const NodeId kNode(padded("node"));
const NodeId kOther(padded("other"));
const NetworkId kNet(padded("net"));
const HostPort kV4 = HostPort::parse("192.0.2.1:7946").value();
const HostPort kV6 = HostPort::parse("[2001:db8::1]:7946").value();
const Head kHead{kNode, 77, kV4};

// Something in every list.
merkle::Message ranges() {
  const merkle::Path in_node{merkle::OwnedMap::head_place(kNode.view()).high, 0xabc0000000000000};
  merkle::Message all;
  all.upper = true;
  all.heads = {{kNode.str(), 9, 100}, {kOther.str(), INT64_MAX, 0}};
  all.splits = {{{}, 0, 0x8001, {1, 2}}, {merkle::Prefix::of(in_node, 76), 72, 0, {}}};
  all.listings = {{merkle::Prefix::of(in_node, 64), true, {{0, {{in_node, 100, true}}}, {1, {}}}}};
  all.unanswered = {merkle::Prefix::of(in_node, 128), {}};
  all.wants = {in_node};
  all.entries = {{kNode.str(), 9, 5, false, false, "key", {1, 2}},
                 {kNode.str(), 8, INT64_MAX, true, true, std::string(kMaxKeySize, 'k'), {}}};
  all.settled = {{{kOther.str(), INT64_MAX, 3}, 4}};
  return all;
}

std::vector<Message> one_of_each() {
  MemberDigests digests;
  digests.buckets[3] = 33;
  MemberDifference difference;
  difference.buckets[31] = 0x80;
  return {Ping{1, kNode},
          Ping{2, NodeId()},
          PingRequest{3, kOther, kV6},
          Ack{4},
          Testimony{5, Reach::kRefused},
          Claim{ClaimKind::kAlive, kOther, 12, kV6, {}},
          Claim{ClaimKind::kSuspect, kOther, 12, kV4, {kNode, kOther}},
          EntryEvent{kNet, kNode, 9, 1, false, "key", {1, 2, 3}},
          EntryEvent{kNet, kNode, 9, INT64_MAX, true, std::string(kMaxKeySize, 'k'), {}},
          Digest{99, {{kNet, 1}, {NetworkId(padded("b")), 2}}},
          digests,
          difference,
          Sync{SyncKind::kQuestion, 7, {{kNet, true, ranges()}, {kNet, false, {}}}},
          Sync{SyncKind::kTooLarge, 8, {}},
          SharedDigest{9, {1}},
          SharedDigest{9, std::vector<uint64_t>(kSharedParts, 3)},
          Have{kNet, {1, 0xffffffff}},
          Pull{std::vector<uint32_t>(kMaxTags, 7)}};
}

Bytes packet_of(const std::vector<Message>& messages) {
  Packer packer(kHead, 1U << 20);
  for (const Message& message : messages) packer.add(encode_message(message));
  return packer.take(true).front();
}

TEST(Codec, RoundTripsEveryMessage) {
  const Bytes plain = packet_of(one_of_each());
  const Result<Packet> packet = decode_packet(plain);
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(packet->head, kHead);
  ASSERT_EQ(packet->messages.size(), one_of_each().size());
  for (size_t i = 0; i < packet->messages.size(); ++i) {
    EXPECT_EQ(packet->messages[i].index(), one_of_each()[i].index());
    EXPECT_EQ(encode_message(packet->messages[i]), encode_message(one_of_each()[i])) << i;
  }
  EXPECT_EQ(std::get<Claim>(packet->messages[6]).accusers, (std::vector<NodeId>{kNode, kOther}));
  const merkle::Message read = std::get<Sync>(packet->messages[12]).parts.at(0).ranges,
                        all = ranges();
  EXPECT_TRUE(read.upper);
  EXPECT_EQ(read.heads, all.heads);
  EXPECT_EQ(read.entries, all.entries);
  EXPECT_EQ(read.wants, all.wants);
  EXPECT_EQ(read.unanswered, all.unanswered);
  EXPECT_EQ(read.splits.at(1).prefix, all.splits.at(1).prefix);
  EXPECT_EQ(read.splits.at(0).prints, all.splits.at(0).prints);
  EXPECT_EQ(read.listings.at(0).parts.at(0).items.at(0).path, all.wants.at(0));
  EXPECT_EQ(read.settled.at(0).head, all.settled.at(0).head);
}

TEST(Codec, SkipsWhatItDoesNotKnow) {
  Bytes plain = packet_of({Ack{4}});
  const Bytes unknown = {200, 3, 1, 2, 3};
  plain.insert(plain.end(), unknown.begin(), unknown.end());
  const Bytes after = encode_message(Testimony{5, Reach::kSilent});
  plain.insert(plain.end(), after.begin(), after.end());
  const Result<Packet> packet = decode_packet(plain);
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(packet->messages.size(), 2U);
}

TEST(Codec, RefusesWhatIsOutOfBounds) {
  const auto refused = [](const Message& message) {
    return !decode_packet(packet_of({message})).ok();
  };
  EXPECT_TRUE(refused(EntryEvent{kNet, kNode, 1, 1, false, std::string(65, 'k'), {}}));
  EXPECT_TRUE(refused(EntryEvent{kNet, kNode, 1, 1, false, "", {}}));
  EXPECT_TRUE(refused(EntryEvent{kNet, kNode, 1, 1, false, "k", Bytes(kMaxValueSize + 1)}));
  EXPECT_TRUE(refused(EntryEvent{kNet, kNode, 1, 0, false, "k", {}}));
  EXPECT_TRUE(refused(EntryEvent{kNet, kNode, 1, uint64_t{1} << 63, false, "k", {}}));
  EXPECT_TRUE(refused(Claim{ClaimKind::kAlive, kNode, ~uint64_t{0}, kV4, {}}));
  EXPECT_TRUE(refused(Claim{static_cast<ClaimKind>(9), kNode, 1, kV4, {}}));
  const auto refused_ranges = [&](const merkle::Message& message) {
    return refused(Sync{SyncKind::kAnswer, 1, {{kNet, true, message}}});
  };
  EXPECT_FALSE(refused_ranges(ranges()));
  const auto entry = [](uint64_t stamp, const std::string& key, size_t value) {
    return merkle::Message{.entries = {{kNode.str(), 1, stamp, false, false, key, Bytes(value)}}};
  };
  EXPECT_FALSE(refused_ranges(entry(1, "k", kMaxValueSize)));
  EXPECT_TRUE(refused_ranges(entry(1, "k", kMaxValueSize + 1)));
  EXPECT_TRUE(refused_ranges(entry(1, std::string(65, 'k'), 0)));
  EXPECT_TRUE(refused_ranges(entry(1, "", 0)));
  EXPECT_TRUE(refused_ranges(entry(0, "k", 0)));
  EXPECT_TRUE(refused_ranges({.heads = {{kNode.str(), uint64_t{1} << 63, 1}}}));
  EXPECT_TRUE(refused_ranges({.splits = {{merkle::Prefix{{}, 6}, 0, 0, {}}}}));
  // A prefix of all bits a path has, and of more.
  for (const uint8_t bits : {128, 129}) {
    ByteWriter out;
    out.u8(16);
    out.varint(1);
    out.u8(bits);
    out.raw(Bytes((bits + 7U) / 8));
    ByteReader in(out.view());
    EXPECT_EQ(read_ranges(in).unanswered.size(), bits == 128 ? 1U : 0U);
    EXPECT_EQ(in.ok(), bits == 128);
  }
  EXPECT_TRUE(refused(Sync{static_cast<SyncKind>(4), 1, {}}));
  EXPECT_TRUE(refused(SharedDigest{1, {1, 2}}));
  EXPECT_TRUE(refused(Testimony{1, Reach::kAnswers}));
  EXPECT_TRUE(refused(Testimony{1, static_cast<Reach>(5)}));
  EXPECT_TRUE(refused(Have{kNet, {}}));
  EXPECT_TRUE(refused(Have{kNet, std::vector<uint32_t>(kMaxTags + 1)}));
  EXPECT_TRUE(refused(Pull{}));
  EXPECT_TRUE(refused(Pull{std::vector<uint32_t>(kMaxTags + 1)}));

  Bytes crowd = packet_of({Claim{ClaimKind::kFailed, kNode, 1, kV4, {kOther}}});
  const size_t count = crowd.size() - kWireId - 1;
  EXPECT_EQ(crowd[count], 1);
  crowd[count] = 0;
  EXPECT_FALSE(decode_packet(crowd).ok());
  crowd[count] = kMaxAccusers + 1;
  EXPECT_FALSE(decode_packet(crowd).ok());

  // A count that claims what is not there costs nothing.
  Bytes plain = packet_of({});
  ByteWriter body;
  body.u64(1);
  body.varint(uint64_t{1} << 60);
  ByteWriter message;
  message.u8(7);
  message.bytes(body.view());
  plain.insert(plain.end(), message.view().begin(), message.view().end());
  EXPECT_FALSE(decode_packet(plain).ok());
}

// Damaged packets are refused or read as something; nothing crashes, and what is read encodes.
TEST(Codec, SurvivesGarbage) {
  SeededRng rng(1);
  const Bytes good = packet_of(one_of_each());
  size_t read = 0;
  size_t refused = 0;
  for (int i = 0; i < 100'000; ++i) {
    Bytes packet = good;
    switch (rng.below(4)) {
      case 0:
        packet.resize(rng.below(packet.size()));
        break;
      case 1:
        for (uint64_t flips = 1 + rng.below(8); flips > 0; --flips) {
          packet[rng.below(packet.size())] ^= static_cast<uint8_t>(1U << rng.below(8));
        }
        break;
      case 2:
        packet.resize(rng.below(300));
        rng.fill(packet);
        break;
      default: {  // a good head and random messages
        packet = packet_of({});
        Bytes tail(rng.below(200));
        rng.fill(tail);
        if (!tail.empty()) tail[0] = static_cast<uint8_t>(rng.below(16));
        packet.insert(packet.end(), tail.begin(), tail.end());
      }
    }
    const Result<Packet> decoded = decode_packet(packet);
    if (!decoded) {
      ++refused;
      EXPECT_EQ(decoded.error().code, ErrorClass::kDataLoss);
      continue;
    }
    ++read;
    for (const Message& message : decoded->messages) encode_message(message);
  }
  EXPECT_GT(read, 1000U);
  EXPECT_GT(refused, 50'000U);
}

TEST(Packer, FillsPacketsToTheBudget) {
  Packer packer(kHead, 200);
  const Bytes message(60);
  for (int i = 0; i < 5; ++i) packer.add(message);
  packer.add(Bytes(500));  // too large for any: alone
  packer.add(message);
  const std::vector<Bytes> packets = packer.take();
  ASSERT_EQ(packets.size(), 5U);
  for (size_t i : {0, 1, 2, 4}) EXPECT_LE(packets[i].size(), 200U);
  EXPECT_GT(packets[3].size(), 500U);
  EXPECT_TRUE(packer.take().empty());
  EXPECT_EQ(packer.take(true).size(), 1U);
}

}  // namespace
}  // namespace shoal::gossip
