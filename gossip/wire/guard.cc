#include "gossip/wire/guard.h"

#include <algorithm>

#include "base/types/check.h"
#include "gossip/wire/codec.h"
#include "gossip/wire/hash.h"

namespace shoal::gossip {
namespace {

constexpr std::array<uint8_t, 2> kMagic = {'S', 'g'};
constexpr uint8_t kVersion = 2;
constexpr uint64_t kCounterEnd = uint64_t{1} << 48;

// What is sealed begins with a byte of these, and the version of the receiver's head that is held
// here; then, with kWholeHead, the version of the sender's own head and the head.
constexpr uint8_t kWholeHead = 1;
constexpr uint8_t kCompressed = 2;
// Before a compressed body: how long it is.
constexpr int kClaimSize = 4;

bool is_datagram(PacketKind kind) {
  return kind == PacketKind::kDatagram || kind == PacketKind::kOpen;
}

size_t sequence_of(PacketKind kind) {
  if (is_datagram(kind)) return 0;
  return kind == PacketKind::kQuestion ? 1 : 2;
}

size_t most_of(PacketKind kind) { return is_datagram(kind) ? kMaxDatagram : kMaxFrame; }

void put(uint8_t*& at, uint64_t number, int size) {
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) {
    *at++ = static_cast<uint8_t>(number >> shift);
  }
}

size_t head_size(ByteView plain) {
  ByteReader in(plain);
  Head head;
  SHOAL_CHECK(read_head(in, head), "a packet of our own has a head");
  return plain.size() - in.remaining();
}

}  // namespace

void Guard::Bound::add(ByteView more) {
  std::copy(more.begin(), more.end(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  size += more.size();
}

void Guard::Bound::add(uint64_t number) {
  uint8_t* at = bytes.data() + size;
  put(at, number, 8);
  size += 8;
}

Guard::Guard(const ClusterId& cluster, const NodeId& self, uint64_t epoch, KeyRing ring, Rng& rng)
    : cluster_(cluster),
      cluster_tag_(static_cast<uint16_t>(Hash().add(cluster.view()).value())),
      self_(self),
      epochs_{epoch, epoch},
      session_(rng.next()) {
  SHOAL_CHECK(is_id(cluster.view()) && is_id(self.view()), "a guard needs ids");
  set_keys(std::move(ring));
}

void Guard::set_keys(KeyRing ring) {
  SHOAL_CHECK(ring.validate().ok(), "a guard needs a valid key ring");
  ring_ = std::move(ring);
}

uint16_t Guard::receiver_tag(const Peer& peer) {
  if (peer.id.empty()) return 0;
  return static_cast<uint16_t>(Hash().add(peer.id.view()).add(peer.epoch).value());
}

crypto::Nonce Guard::nonce_of(const Header& header) {
  crypto::Nonce nonce{};
  uint8_t* at = nonce.data();
  put(at, header.session, 8);
  put(at, header.counter, 6);
  *at = static_cast<uint8_t>(header.kind);
  return nonce;
}

Guard::Bound Guard::bound_to(ByteView header, const Peer& receiver,
                             const QuestionName& question) const {
  Bound bound;
  bound.add(header.first(kSealHeaderSize));
  bound.add(as_bytes(cluster_.view()));
  if (receiver.id.empty()) return bound;
  bound.add(as_bytes(receiver.id.view()));
  bound.add(receiver.epoch);
  if (question == QuestionName{}) return bound;
  bound.add(question.session);
  bound.add(question.counter);
  return bound;
}

size_t Guard::seal(std::span<uint8_t> out, PacketKind kind, const Peer& to, ByteView plain,
                   const QuestionName& question) {
  if (kind == PacketKind::kDatagram && to.id.empty()) kind = PacketKind::kOpen;
  SHOAL_CHECK(to.id.empty() == (kind == PacketKind::kOpen), "a stream has a receiver");
  const ByteView head = plain.first(head_size(plain));
  if (!std::equal(head.begin(), head.end(), head_.begin(), head_.end())) {
    head_.assign(head.begin(), head.end());
    if (++version_ == 0) version_ = 1;
  }
  const Session* known = kind == PacketKind::kDatagram ? sessions_.of(to.id) : nullptr;
  if (known != nullptr && epoch_of(known->head.incarnation) != to.epoch) known = nullptr;

  text_.assign(1, 0);
  text_.push_back(known != nullptr ? known->version : 0);
  if (known == nullptr || known->held != version_) {
    text_[0] |= kWholeHead;
    text_.push_back(version_);
    text_.insert(text_.end(), head.begin(), head.end());
  }
  const ByteView body = plain.subspan(head.size());
  const size_t at = text_.size();
  size_t packed = 0;
  if (body.size() >= kMinCompressed) {
    text_.resize(at + body.size() * 9 / 10);
    packed = compressor_.compress(body, std::span(text_).subspan(at + kClaimSize));
  }
  if (packed > 0) {
    text_[0] |= kCompressed;
    text_.resize(at + kClaimSize + packed);
    uint8_t* claim = text_.data() + at;
    put(claim, body.size(), kClaimSize);
  } else {
    text_.resize(at);
    text_.insert(text_.end(), body.begin(), body.end());
  }

  const size_t size = kSealHeaderSize + text_.size() + crypto::kTagSize;
  seal_text(out.first(size), kind, to, text_, question);
  return size;
}

void Guard::seal_text(std::span<uint8_t> out, PacketKind kind, const Peer& to, ByteView text,
                      const QuestionName& question) {
  const KeyRing::Entry& primary = ring_.keys[ring_.primary];
  const Header header{kind,
                      cluster_tag_,
                      static_cast<uint16_t>(primary.id),
                      receiver_tag(to),
                      session_,
                      ++counters_[sequence_of(kind)]};
  SHOAL_CHECK(header.counter < kCounterEnd, "a session counts for longer than anything runs");
  uint8_t* cursor = std::copy(kMagic.begin(), kMagic.end(), out.data());
  *cursor++ = kVersion;
  *cursor++ = static_cast<uint8_t>(kind);
  put(cursor, header.cluster, 2);
  put(cursor, header.key, 2);
  put(cursor, header.receiver, 2);
  put(cursor, header.session, 8);
  put(cursor, header.counter, 6);
  const Bound bound = bound_to(out, to, question);
  crypto::seal_into(out.subspan(kSealHeaderSize), primary.key, nonce_of(header),
                    ByteView(bound.bytes).first(bound.size), text);
}

Bytes Guard::seal(PacketKind kind, const Peer& to, ByteView plain, const QuestionName& question) {
  Bytes out(plain.size() + kSealOverhead);
  out.resize(seal(out, kind, to, plain, question));
  return out;
}

const KeyRing::Entry* Guard::key(uint16_t tag) const {
  const auto it = std::find_if(
      ring_.keys.begin(), ring_.keys.end(),
      [tag](const KeyRing::Entry& entry) { return static_cast<uint16_t>(entry.id) == tag; });
  return it == ring_.keys.end() ? nullptr : &*it;
}

const uint64_t* Guard::epoch_for(const Header& header) const {
  const auto it = std::find_if(epochs_.begin(), epochs_.end(), [&](uint64_t epoch) {
    return receiver_tag({self_, epoch}) == header.receiver;
  });
  return it == epochs_.end() ? nullptr : &*it;
}

bool Guard::seen(const Header& header) const {
  const Session* session = sessions_.find(header.session);
  if (session == nullptr || header.kind == PacketKind::kAnswer) return false;
  return is_datagram(header.kind) ? session->datagrams.seen(header.counter)
                                  : session->questions.seen(header.counter);
}

DropReason Guard::parse(PacketKind kind, ByteView start, Header& header) const {
  if (start.size() < kSealHeaderSize) return DropReason::kTooShort;
  ByteReader in(start);
  const ByteView magic = in.raw(kMagic.size());
  if (!std::equal(magic.begin(), magic.end(), kMagic.begin())) return DropReason::kNotOurs;
  if (in.u8() != kVersion) return DropReason::kVersion;
  header.kind = static_cast<PacketKind>(in.u8());
  const bool called = kind == PacketKind::kDatagram && header.kind == PacketKind::kOpen;
  if (header.kind != kind && !called) return DropReason::kNotOurs;
  header.cluster = in.u16();
  header.key = in.u16();
  header.receiver = in.u16();
  header.session = in.u64();
  header.counter = uint64_t{in.u16()} << 32;
  header.counter |= in.u32();
  if (header.cluster != cluster_tag_) return DropReason::kWrongCluster;
  if (key(header.key) == nullptr) return DropReason::kUnknownKey;
  if (!called && epoch_for(header) == nullptr) return DropReason::kOtherReceiver;
  return seen(header) ? DropReason::kReplayed : DropReason::kNone;
}

DropReason Guard::check_header(PacketKind kind, ByteView start) const {
  Header header;
  return parse(kind, start, header);
}

Guard::Opened Guard::open(PacketKind kind, std::span<uint8_t> packet,
                          const QuestionName& question) {
  Opened opened;
  Header header;
  if (packet.size() < kSealHeaderSize + crypto::kTagSize) {
    opened.drop = DropReason::kTooShort;
  } else if (packet.size() > most_of(kind)) {
    opened.drop = DropReason::kTooLong;
  } else {
    opened.drop = parse(kind, packet, header);
  }
  if (opened.drop != DropReason::kNone) return opened;
  opened.open = header.kind == PacketKind::kOpen;
  const Peer receiver = opened.open ? Peer{} : Peer{self_, *epoch_for(header)};
  const Bound bound = bound_to(packet, receiver, question);
  const std::span<uint8_t> sealed = packet.subspan(kSealHeaderSize);
  const std::span<uint8_t> text = sealed.first(sealed.size() - crypto::kTagSize);
  if (!crypto::open_into(text, key(header.key)->key, nonce_of(header),
                         ByteView(bound.bytes).first(bound.size), sealed)) {
    opened.drop = DropReason::kForged;
    return opened;
  }
  opened.question = {header.session, header.counter};
  opened.drop = admit(header, text, opened);
  return opened;
}

// Authentic: reads who says it, and whether that is news.
DropReason Guard::admit(const Header& header, ByteView text, Opened& opened) {
  ByteReader in(text);
  const uint8_t flags = in.u8();
  const uint8_t held = in.u8();
  const bool whole = (flags & kWholeHead) != 0;
  const uint8_t version = whole ? in.u8() : 0;
  if (!in.ok() || flags > (kWholeHead | kCompressed)) return DropReason::kMalformed;
  const ByteView from_head = text.last(in.remaining());
  Session* session = sessions_.find(header.session);
  if (whole) {
    if (!read_head(in, opened.head)) return DropReason::kMalformed;
  } else if (session == nullptr || session->head.sender.empty()) {
    return DropReason::kUnknownSession;
  } else {
    opened.head = session->head;
  }
  if (opened.head.sender == self_) return DropReason::kSelf;
  if (const DropReason drop = settle(header, opened.head, session); drop != DropReason::kNone) {
    return drop;
  }
  if (session != nullptr && is_datagram(header.kind)) {
    session->datagrams.mark(header.counter);
    if (header.counter > session->held_at) {
      session->held_at = header.counter;
      session->held = held;
    }
    if (whole && !opened.open && header.counter > session->head_at) {
      session->head_at = header.counter;
      session->head = opened.head;
      session->version = version;
    }
  } else if (session != nullptr && header.kind == PacketKind::kQuestion) {
    session->questions.mark(header.counter);
  }
  const ByteView body = text.last(in.remaining());
  const bool compressed = (flags & kCompressed) != 0;
  if (whole && !compressed) {
    opened.plain = from_head;
    return DropReason::kNone;
  }
  return expand(header, opened.head, from_head.first(from_head.size() - body.size()), body,
                compressed, opened);
}

// Finds or makes the session a packet belongs to.
DropReason Guard::settle(const Header& header, const Head& head, Session*& session) {
  if (header.kind == PacketKind::kOpen) {
    if (session == nullptr) session = &sessions_.add(header.session);
    sessions_.touch(*session);
    return DropReason::kNone;
  }
  if (session != nullptr && !session->head.sender.empty()) {
    // A session has one sender; who holds the key may say something else, and is not believed.
    if (session->head.sender != head.sender) return DropReason::kMalformed;
    sessions_.touch(*session);
    return DropReason::kNone;
  }
  const Session* earlier = sessions_.of(head.sender);
  if (earlier != nullptr && head.incarnation <= earlier->head.incarnation) {
    return DropReason::kOldEpoch;
  }
  if (session == nullptr) session = &sessions_.add(header.session);
  sessions_.bind(header.session, *session, head);
  return DropReason::kNone;
}

DropReason Guard::expand(const Header& header, const Head& head, ByteView whole_head, ByteView body,
                         bool compressed, Opened& opened) {
  expanded_.assign(whole_head.begin(), whole_head.end());
  if (whole_head.empty()) expanded_ = encode_head(head);
  if (!compressed) {
    expanded_.insert(expanded_.end(), body.begin(), body.end());
    opened.plain = expanded_;
    return DropReason::kNone;
  }
  ByteReader in(body);
  const size_t size = in.u32();
  if (!in.ok()) return DropReason::kMalformed;
  const size_t at = expanded_.size();
  if (at + size > most_of(header.kind)) return DropReason::kOversize;
  expanded_.resize(at + size);
  if (!compressor_.expand(body.last(in.remaining()), std::span(expanded_).subspan(at))) {
    return DropReason::kMalformed;
  }
  opened.plain = expanded_;
  return DropReason::kNone;
}

}  // namespace shoal::gossip
