#include "gossip/wire/codec.h"

#include <algorithm>

#include "gossip/wire/ranges.h"

namespace shoal::gossip {
uint64_t read_number(ByteReader& in) {
  const uint64_t number = in.varint();
  if (number > kMaxNumber) in.fail();
  return number;
}

size_t read_count(ByteReader& in, size_t item_size) {
  const uint64_t count = in.varint();
  if (count > in.remaining() / item_size) {
    in.fail();
    return 0;
  }
  return static_cast<size_t>(count);
}

namespace {

// The wire's type bytes, in the order of the variant's alternatives.
enum class Type : uint8_t {
  kPing = 1,
  kPingRequest,
  kAck,
  kTestimony,
  kClaim,
  kEntryEvent,
  kDigest,
  kMemberDigests,
  kMemberDifference,
  kSync,
  kSharedDigest,
  kHave,
  kPull,
  kEnd
};
static_assert(std::variant_size_v<Message> == static_cast<size_t>(Type::kEnd) - 1);

constexpr uint8_t kPadding = 255;   // a type that means nothing
constexpr uint8_t kAccused = 0x80;  // in a claim's kind byte: accusers follow

constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
// An id is two numbers of twelve digits of base 36 and a last digit: 8, 8 and 1 bytes.
constexpr size_t kWordDigits = 12;
constexpr uint64_t kWordEnd = 4738381338321616896;  // 36^12

uint64_t digit(char c) { return static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

template <typename Id>
void write_id(ByteWriter& out, const Id& id) {
  write_id_text(out, id.view());
}

template <typename Id>
Id read_id(ByteReader& in) {
  std::array<char, kIdLength> text;
  return read_id_text(in, text) ? Id(std::string_view(text.data(), text.size())) : Id();
}

// An event's name is what its body begins with.
void write_name(ByteWriter& out, const EntryEvent& event) {
  write_id(out, event.network);
  write_id(out, event.owner);
  out.varint(event.epoch);
  out.varint(event.sequence);
}

uint32_t tag_of_name(ByteView name) {
  return static_cast<uint32_t>(merkle::hash_of(as_text(name)));
}

bool is_copy(ByteView body, Seen& seen) {
  ByteReader in(body);
  in.raw(2 * kWireId);
  in.varint();
  in.varint();
  return in.ok() && seen.is_copy(tag_of_name(body.first(body.size() - in.remaining())));
}

void write_address(ByteWriter& out, const HostPort& address) {
  out.ip(address.ip);
  out.u16(address.port);
}

HostPort read_address(ByteReader& in) {
  const Ip ip = in.ip();
  return {ip, in.u16()};
}

// The start and what was refuted since, apart: two short numbers instead of a long one.
void write_incarnation(ByteWriter& out, uint64_t incarnation) {
  out.varint(epoch_of(incarnation));
  out.varint(incarnation - first_incarnation(epoch_of(incarnation)));
}

uint64_t read_incarnation(ByteReader& in) {
  const uint64_t epoch = in.varint();
  const uint64_t refuted = in.varint();
  if (epoch > epoch_of(kMaxNumber) || refuted >= first_incarnation(1)) in.fail();
  return in.ok() ? first_incarnation(epoch) + refuted : 0;
}

bool read_flag(ByteReader& in) {
  const uint8_t flag = in.u8();
  if (flag > 1) in.fail();
  return flag == 1;
}

void write_tags(ByteWriter& out, const std::vector<uint32_t>& tags) {
  out.varint(tags.size());
  for (const uint32_t tag : tags) out.u32(tag);
}

std::vector<uint32_t> read_tags(ByteReader& in) {
  const size_t count = read_count(in, sizeof(uint32_t));
  if (count == 0 || count > kMaxTags) in.fail();
  std::vector<uint32_t> tags;
  tags.reserve(count);
  for (size_t i = 0; i < count && in.ok(); ++i) tags.push_back(in.u32());
  return tags;
}

struct Writer {
  ByteWriter& out;

  void operator()(const Ping& ping) const {
    out.u32(ping.number);
    out.u8(ping.target.empty() ? 0 : 1);
    if (!ping.target.empty()) write_id(out, ping.target);
  }
  void operator()(const PingRequest& request) const {
    out.u32(request.number);
    write_id(out, request.target);
    write_address(out, request.address);
  }
  void operator()(const Ack& ack) const { out.u32(ack.number); }
  void operator()(const Testimony& testimony) const {
    out.u32(testimony.number);
    out.u8(static_cast<uint8_t>(testimony.reach));
  }
  void operator()(const Claim& claim) const {
    const size_t accusers = std::min(claim.accusers.size(), kMaxAccusers);
    out.u8(static_cast<uint8_t>(claim.kind) | (accusers == 0 ? 0 : kAccused));
    write_id(out, claim.id);
    write_incarnation(out, claim.incarnation);
    write_address(out, claim.address);
    if (accusers != 0) out.u8(static_cast<uint8_t>(accusers));
    for (size_t i = 0; i < accusers; ++i) write_id(out, claim.accusers[i]);
  }
  void operator()(const EntryEvent& event) const {
    write_name(out, event);
    out.u8(event.deleted ? 1 : 0);
    out.text(event.key);
    if (!event.deleted) out.bytes(event.value);
  }
  void operator()(const Digest& digest) const {
    out.u64(digest.members);
    out.varint(digest.networks.size());
    for (const NetworkDigest& network : digest.networks) {
      write_id(out, network.network);
      out.u64(network.hash);
    }
  }
  void operator()(const MemberDigests& digests) const {
    for (const uint64_t bucket : digests.buckets) out.u64(bucket);
  }
  void operator()(const MemberDifference& difference) const { out.raw(difference.buckets); }
  void operator()(const Sync& sync) const {
    out.u8(static_cast<uint8_t>(sync.kind));
    out.u32(sync.number);
    out.varint(sync.parts.size());
    for (const Sync::Part& part : sync.parts) {
      write_id(out, part.network);
      out.u8(part.joined ? 1 : 0);
      if (part.joined) write_ranges(out, part.ranges);
    }
  }
  void operator()(const SharedDigest& digest) const {
    out.u64(digest.members);
    out.varint(digest.parts.size());
    for (const uint64_t part : digest.parts) out.u64(part);
  }
  void operator()(const Have& have) const {
    write_id(out, have.network);
    write_tags(out, have.tags);
  }
  void operator()(const Pull& pull) const { write_tags(out, pull.tags); }
};

Claim read_claim(ByteReader& in) {
  const uint8_t kind = in.u8();
  const bool accused = (kind & kAccused) != 0;
  Claim claim;
  claim.kind = static_cast<ClaimKind>(kind & ~kAccused);
  if (claim.kind < ClaimKind::kAlive || claim.kind > ClaimKind::kStalled) in.fail();
  claim.id = read_id<NodeId>(in);
  claim.incarnation = read_incarnation(in);
  claim.address = read_address(in);
  if (!accused) return claim;
  const size_t accusers = in.u8();
  if (accusers == 0 || accusers > kMaxAccusers) in.fail();
  for (size_t i = 0; i < accusers && in.ok(); ++i) {
    claim.accusers.push_back(read_id<NodeId>(in));
  }
  return claim;
}

Testimony read_testimony(ByteReader& in) {
  Testimony testimony;
  testimony.number = in.u32();
  testimony.reach = static_cast<Reach>(in.u8());
  if (testimony.reach < Reach::kStalled || testimony.reach > Reach::kUnknown) in.fail();
  return testimony;
}

EntryEvent read_entry_event(ByteReader& in) {
  EntryEvent event;
  event.network = read_id<NetworkId>(in);
  event.owner = read_id<NodeId>(in);
  event.epoch = read_number(in);
  event.sequence = read_number(in);
  event.deleted = read_flag(in);
  event.key = in.text(kMaxKeySize);
  if (!event.deleted) {
    const ByteView value = in.bytes(kMaxValueSize);
    event.value.assign(value.begin(), value.end());
  }
  if (event.key.empty() || event.sequence == 0) in.fail();  // events count from 1
  return event;
}

Digest read_digest(ByteReader& in) {
  Digest digest;
  digest.members = in.u64();
  const size_t count = read_count(in, kWireId + 8);
  digest.networks.reserve(count);
  for (size_t i = 0; i < count && in.ok(); ++i) {
    const auto network = read_id<NetworkId>(in);
    digest.networks.push_back({network, in.u64()});
  }
  return digest;
}

Sync read_sync(ByteReader& in) {
  Sync sync;
  const uint8_t kind = in.u8();
  if (kind > static_cast<uint8_t>(SyncKind::kTooLarge)) in.fail();
  sync.kind = static_cast<SyncKind>(kind);
  sync.number = in.u32();
  const size_t count = read_count(in, kWireId + 1);
  for (size_t i = 0; i < count && in.ok(); ++i) {
    Sync::Part part{read_id<NetworkId>(in), read_flag(in), {}};
    if (part.joined) part.ranges = read_ranges(in);
    sync.parts.push_back(std::move(part));
  }
  return sync;
}

SharedDigest read_shared_digest(ByteReader& in) {
  SharedDigest digest;
  digest.members = in.u64();
  const uint64_t count = in.varint();
  if (count != 1 && count != kSharedParts) in.fail();
  for (uint64_t i = 0; i < count && in.ok(); ++i) digest.parts.push_back(in.u64());
  return digest;
}

Ping read_ping(ByteReader& in) {
  Ping ping;
  ping.number = in.u32();
  if (read_flag(in)) ping.target = read_id<NodeId>(in);
  return ping;
}

PingRequest read_ping_request(ByteReader& in) {
  PingRequest request;
  request.number = in.u32();
  request.target = read_id<NodeId>(in);
  request.address = read_address(in);
  return request;
}

MemberDigests read_member_digests(ByteReader& in) {
  MemberDigests digests;
  for (uint64_t& bucket : digests.buckets) bucket = in.u64();
  return digests;
}

MemberDifference read_member_difference(ByteReader& in) {
  MemberDifference difference;
  const ByteView bits = in.raw(difference.buckets.size());
  std::copy(bits.begin(), bits.end(), difference.buckets.begin());
  return difference;
}

Have read_have(ByteReader& in) {
  Have have;
  have.network = read_id<NetworkId>(in);
  have.tags = read_tags(in);
  return have;
}

Message read_body(Type type, ByteReader& in) {
  switch (type) {
    case Type::kPing:
      return read_ping(in);
    case Type::kPingRequest:
      return read_ping_request(in);
    case Type::kAck:
      return Ack{in.u32()};
    case Type::kTestimony:
      return read_testimony(in);
    case Type::kClaim:
      return read_claim(in);
    case Type::kEntryEvent:
      return read_entry_event(in);
    case Type::kDigest:
      return read_digest(in);
    case Type::kMemberDigests:
      return read_member_digests(in);
    case Type::kMemberDifference:
      return read_member_difference(in);
    case Type::kSync:
      return read_sync(in);
    case Type::kSharedDigest:
      return read_shared_digest(in);
    case Type::kHave:
      return read_have(in);
    case Type::kPull:
      return Pull{read_tags(in)};
    case Type::kEnd:
      break;
  }
  return Ack{};
}

}  // namespace

void write_id_text(ByteWriter& out, std::string_view text) {
  SHOAL_CHECK(is_id(text), "an id on the wire has 25 characters");
  for (size_t at = 0; at < 2 * kWordDigits; at += kWordDigits) {
    uint64_t word = 0;
    for (const char c : text.substr(at, kWordDigits)) word = word * 36 + digit(c);
    out.u64(word);
  }
  out.u8(static_cast<uint8_t>(digit(text.back())));
}

bool read_id_text(ByteReader& in, std::array<char, kIdLength>& text) {
  for (size_t end = kWordDigits; end <= 2 * kWordDigits; end += kWordDigits) {
    uint64_t word = in.u64();
    if (word >= kWordEnd) in.fail();
    for (size_t i = 1; i <= kWordDigits; ++i, word /= 36) text[end - i] = kDigits[word % 36];
  }
  const uint8_t last = in.u8();
  if (last >= kDigits.size()) in.fail();
  if (!in.ok()) return false;
  text.back() = kDigits[last];
  return true;
}

Bytes encode_head(const Head& head) {
  ByteWriter out;
  write_id(out, head.sender);
  write_incarnation(out, head.incarnation);
  write_address(out, head.address);
  return out.take();
}

Bytes encode_message(const Message& message) {
  ByteWriter body;
  std::visit(Writer{body}, message);
  ByteWriter out;
  out.u8(static_cast<uint8_t>(message.index() + 1));
  out.bytes(body.view());
  return out.take();
}

uint32_t tag_of(const EntryEvent& event) {
  ByteWriter name;
  write_name(name, event);
  return tag_of_name(name.view());
}

Bytes encode_padding(size_t size, Rng& rng) {
  // The length takes one byte for up to 127 others, else two.
  Bytes noise(size - (size <= 129 ? 2 : 3));
  rng.fill(noise);
  ByteWriter out;
  out.u8(kPadding);
  out.bytes(noise);
  return out.take();
}

bool read_head(ByteReader& in, Head& head) {
  head.sender = read_id<NodeId>(in);
  head.incarnation = read_incarnation(in);
  head.address = read_address(in);
  return in.ok();
}

Result<Packet> decode_packet(ByteView plain, Seen* seen) {
  ByteReader in(plain);
  Packet packet;
  if (!read_head(in, packet.head)) return data_loss("the head of a packet is malformed");
  while (in.ok() && in.remaining() > 0) {
    const uint8_t type = in.u8();
    const ByteView bytes = in.bytes(in.remaining());
    if (!in.ok()) break;
    if (type == 0 || type >= static_cast<uint8_t>(Type::kEnd)) continue;
    const bool event = type == static_cast<uint8_t>(Type::kEntryEvent);
    if (event && seen != nullptr && is_copy(bytes, *seen)) continue;
    ByteReader body(bytes);
    Message message = read_body(static_cast<Type>(type), body);
    if (!body.done()) {
      return data_loss("a message of type " + std::to_string(type) + " is malformed");
    }
    packet.messages.push_back(std::move(message));
  }
  if (!in.ok()) return data_loss("a message claims more bytes than there are");
  return packet;
}

Packer::Packer(const Head& head, size_t budget)
    : head_(encode_head(head)), budget_(budget), current_(head_) {}

size_t Packer::room() const { return budget_ > current_.size() ? budget_ - current_.size() : 0; }

void Packer::add(ByteView message) {
  if (message.size() > room() && current_.size() > head_.size()) {
    full_.push_back(std::move(current_));
    current_ = head_;
  }
  current_.insert(current_.end(), message.begin(), message.end());
}

std::vector<Bytes> Packer::take(bool even_empty) {
  if (current_.size() > head_.size() || (even_empty && full_.empty())) {
    full_.push_back(std::move(current_));
  }
  current_ = head_;
  return std::exchange(full_, {});
}

}  // namespace shoal::gossip
