// Writes what the fuzz targets of gossip begin with: every message in every form, and dialogues
// with a core and with tables as the targets have them, recorded.
// usage: gossip_corpus DIRECTORY     (tests/fuzz/corpus)
//
// Inputs that once found a bug lie beside these and are not written by it.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "base/codec/compress.h"
#include "gossip/wire/guard.h"
#include "gossip/wire/ranges.h"
#include "tests/fuzz/gossip_core_harness.h"

namespace shoal::gossip {
namespace {

using Corpus = std::map<std::string, Bytes>;  // path below the directory -> input

const NetworkId kNet = named<NetworkId>("net");
const NodeId kSelf = named<NodeId>("self");
const HostPort kSelfAddress = HostPort::parse("192.0.2.1:7946").value();
const HostPort kPeerAddress = HostPort::parse("192.0.2.9:7946").value();
const HostPort kOther = HostPort::parse("[2001:db8::7]:7946").value();
constexpr uint64_t kEpoch = 1'700'000'000'123;
// The mutations cut what is longer.
constexpr size_t kMaxInput = 4000;

Head head_of(const std::string& name) {
  return {named<NodeId>(name), first_incarnation(kEpoch), kPeerAddress};
}

Claim claim(ClaimKind kind, const std::string& name, const std::vector<std::string>& accusers) {
  Claim made{kind, named<NodeId>(name), first_incarnation(kEpoch) + 3, kOther, {}};
  for (const std::string& accuser : accusers) made.accusers.push_back(named<NodeId>(accuser));
  return made;
}

EntryEvent event(const std::string& owner, uint64_t sequence, const std::string& key, Bytes value) {
  return {kNet, named<NodeId>(owner), kEpoch << 20, sequence, value.empty(), key, std::move(value)};
}

merkle::Message ranges_of_all_kinds() {
  merkle::Message ranges;
  ranges.upper = true;
  const std::string a = named<NodeId>("a").str(), b = named<NodeId>("b").str();
  ranges.heads = {{a, kEpoch << 20, 7}, {b, kEpoch << 20, 2}};
  const merkle::Path place = merkle::OwnedMap::head_place(a);
  ranges.splits = {{{{0, 0}, 0}, 0, 0x8003, {1, 2, 3}},
                   {merkle::Prefix::of(place, 68), 64, 1, {9}}};
  ranges.listings = {{merkle::Prefix::of(place, 64),
                      true,
                      {{0, {{place, 7, false}, {{place.high, 99}, 5, true}}}}}};
  ranges.unanswered = {merkle::Prefix::of(place, 8)};
  ranges.wants = {{place.high, 77}};
  ranges.entries = {{a, kEpoch << 20, 7, false, false, "key", {1, 2}},
                    {a, kEpoch << 20, 9, true, false, "other", {}},
                    {b, kEpoch << 19, 2, true, true, "buried", {}}};
  ranges.settled = {{{a, kEpoch << 20, 7}, 12345}};
  return ranges;
}

// At least one of each, in each of its forms.
std::map<std::string, Message> messages() {
  std::map<std::string, Message> all;
  all["ping"] = Ping{1, kSelf};
  all["ping_anybody"] = Ping{2, {}};
  all["ping_request"] = PingRequest{3, named<NodeId>("a"), kOther};
  all["ack"] = Ack{4};
  for (const Reach reach : {Reach::kStalled, Reach::kRefused, Reach::kSilent, Reach::kUnknown}) {
    all["testimony_" + std::to_string(static_cast<int>(reach))] = Testimony{5, reach};
  }
  all["claim_alive"] = claim(ClaimKind::kAlive, "a", {});
  all["claim_suspect"] = claim(ClaimKind::kSuspect, "a", {"b"});
  all["claim_suspect_5"] = claim(ClaimKind::kSuspect, "a", {"b", "c", "peer", "self", "d"});
  all["claim_failed"] = claim(ClaimKind::kFailed, "a", {"b", "c", "peer"});
  all["claim_left"] = claim(ClaimKind::kLeft, "a", {});
  all["claim_self"] = claim(ClaimKind::kSuspect, "self", {"b", "c", "peer"});
  all["claim_gone"] = claim(ClaimKind::kAlive, "gone", {});
  all["entry"] = event("peer", 1, "key", {1, 2, 3});
  all["entry_ahead"] = event("peer", 5, "later", Bytes(60, 'v'));
  all["entry_deleted"] = event("peer", 2, "key", {});
  all["entry_unknown_owner"] = event("stranger", 1, "key", {1});
  all["entry_largest"] = event("peer", 3, std::string(kMaxKeySize, 'k'), Bytes(kMaxValueSize, 'v'));
  all["digest"] = Digest{9, {{kNet, 1}, {Tables::directory(), 2}, {named<NetworkId>("other"), 3}}};
  MemberDigests digests;
  for (size_t i = 0; i < kMemberBuckets; ++i) digests.buckets[i] = i % 16 == 0 ? i : 0;
  all["member_digests"] = digests;
  MemberDifference difference;
  difference.buckets[3] = 0xff;
  difference.buckets[31] = 1;
  all["member_difference"] = difference;
  const Sync::Part part{kNet, true, ranges_of_all_kinds()};
  all["sync_question"] = Sync{SyncKind::kQuestion, 1, {part}};
  all["sync_answer"] = Sync{SyncKind::kAnswer, 1, {part, {named<NetworkId>("other"), false, {}}}};
  all["sync_last"] = Sync{SyncKind::kLast, 2, {part}};
  all["sync_too_large"] = Sync{SyncKind::kTooLarge, 1, {}};
  all["shared_digest"] = SharedDigest{9, {7}};
  SharedDigest parts{9, {}};
  for (uint64_t i = 0; i < kSharedParts; ++i) parts.parts.push_back(i * 3);
  all["shared_digest_parts"] = parts;
  all["have"] = Have{kNet, {1, 2, 0xfffffffe}};
  Pull pull;
  for (uint32_t i = 0; i < kMaxTags; ++i) pull.tags.push_back(i);
  all["pull"] = Pull{{1, 2, 0xfffffffe}};
  all["pull_most"] = pull;
  return all;
}

Bytes packet_of(const Head& head, const std::vector<Message>& messages) {
  Packer packer(head, SIZE_MAX / 2);
  for (const Message& message : messages) packer.add(encode_message(message));
  return packer.take(true).front();
}

// flags, what is held, version and head; a body that expands to `claim` bytes.
Bytes text(uint8_t flags, ByteView head, ByteView body, std::optional<size_t> claim) {
  ByteWriter out;
  out.u8(flags);
  out.u8(1);
  if ((flags & 1) != 0) {
    out.u8(1);
    out.raw(head);
  }
  if (claim) out.u32(static_cast<uint32_t>(*claim));
  out.raw(body);
  return out.take();
}

Bytes zstd(ByteView plain) {
  Bytes packed(plain.size() + 200);
  packed.resize(Compressor().compress(plain, packed));
  return packed;
}

void texts(Corpus& corpus) {
  const Bytes head = encode_head(head_of("there"));
  Bytes body;
  for (uint64_t i = 1; i <= 20; ++i) {
    const Bytes one = encode_message(event("there", i, "key" + std::to_string(i), Bytes(60, 'v')));
    body.insert(body.end(), one.begin(), one.end());
  }
  const Bytes packed = zstd(body);
  const auto put = [&corpus](const std::string& name, Bytes made) {
    corpus["gossip_wire/text_" + name] = std::move(made);
  };
  put("plain", text(1, head, encode_message(Ack{1}), {}));
  put("headless", text(0, {}, encode_message(Ack{1}), {}));
  put("packed", text(3, head, packed, body.size()));
  put("packed_headless", text(2, {}, packed, body.size()));
  put("claims_less", text(3, head, packed, body.size() - 1));
  put("claims_more", text(3, head, packed, body.size() + 1));
  put("claims_most", text(3, head, packed, kMaxDatagram));
  put("claims_all", text(3, head, packed, UINT32_MAX));
  put("expands_to_much", text(3, head, zstd(Bytes(1 << 20, 'v')), 9000));
  put("expands_to_nothing", text(3, head, zstd({}), 0));
  Bytes twice = packed;
  twice.insert(twice.end(), packed.begin(), packed.end());
  put("two_frames", text(3, head, twice, 2 * body.size()));
  Bytes skippable = {0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
  skippable.insert(skippable.end(), packed.begin(), packed.end());
  put("skippable", text(3, head, skippable, body.size()));
  put("cut", text(3, head, ByteView(packed).first(packed.size() - 5), body.size()));
}

void wire(Corpus& corpus) {
  std::vector<Message> all;
  SeededRng rng(1);
  for (const auto& [name, message] : messages()) {
    corpus["gossip_wire/" + name] = packet_of(head_of("there"), {message});
    all.push_back(message);
  }
  corpus["gossip_wire/all"] = packet_of(head_of("there"), all);
  Bytes padded = packet_of(head_of("there"), {Ping{1, named<NodeId>("here")}});
  const Bytes padding = encode_padding(300, rng);
  padded.insert(padded.end(), padding.begin(), padding.end());
  corpus["gossip_wire/padded"] = padded;
  texts(corpus);
}

class Script {
 public:
  void add(uint8_t how, ByteView packet) {
    out_.u8(how);
    out_.bytes(packet);
  }
  size_t size() const { return out_.size(); }
  Bytes take() { return out_.take(); }

 private:
  ByteWriter out_;
};

constexpr uint8_t kDatagram = 0, kQuestion = 1, kAnswer = 2, kPass = 3, kOpen = 4, kProbed = 6;

// A member says one message, to a node that knows three others, and time passes.
void single_talks(Corpus& corpus) {
  const Bytes known = packet_of(
      head_of("peer"), {claim(ClaimKind::kAlive, "a", {}), claim(ClaimKind::kAlive, "b", {}),
                        claim(ClaimKind::kAlive, "c", {})});
  const std::map<std::string, uint8_t> ways = {
      {"datagram", kDatagram}, {"question", kQuestion}, {"open", kOpen}};
  Script everything;
  everything.add(kDatagram, known);
  for (const auto& [name, message] : messages()) {
    const Bytes packet = packet_of(head_of("peer"), {message});
    for (const auto& [way, how] : ways) {
      Script script;
      script.add(kDatagram, known);
      script.add(how, packet);
      script.add(kPass, Bytes{4});
      corpus["gossip_core/" + way + "_" + name] = script.take();
    }
    if (packet.size() < 500) everything.add(kDatagram, packet);
    everything.add(kPass, Bytes{1});
  }
  corpus["gossip_core/all"] = everything.take();
  // Nobody answers the probes: helpers testify, connections end in every way.
  for (uint8_t reach = 0; reach < 4; ++reach) {
    Script script;
    script.add(kDatagram, known);
    for (int i = 0; i < 12; ++i) {
      script.add(kPass, Bytes{3});
      script.add(kDatagram, packet_of(head_of("peer"), {}));
      Bytes end = {reach};
      const Bytes answer = packet_of(head_of("peer"), {Ack{static_cast<uint32_t>(i)}});
      end.insert(end.end(), answer.begin(), answer.end());
      script.add(kProbed, end);
    }
    corpus["gossip_core/probed_" + std::to_string(reach)] = script.take();
  }
}

// A real core that talks to the target's.
class Talk {
 public:
  explicit Talk(size_t budget) : peer_(config(budget), rng_, harness_.now()) {
    peer_.join_network(kNet, harness_.now());
  }
  Core& peer() { return peer_; }
  Instant now() const { return harness_.now(); }
  Bytes record() {
    peer_.set_seeds({kSelfAddress}, now());
    while (script_.size() < kMaxInput) {
      say_all();
      feed(kPass, Bytes{1});
    }
    return script_.take();
  }

 private:
  static CoreConfig config(size_t budget) {
    CoreConfig config;
    config.self = named<NodeId>("peer");
    config.address = kPeerAddress;
    config.epoch = kEpoch;
    config.packet_budget = budget;
    return config;
  }
  void say_all() {
    for (int turns = 0; turns < 4; ++turns) {
      peer_.tick(now());
      const Effects said = peer_.take_effects(now());
      for (const Effects::Datagram& datagram : said.datagrams) {
        if (datagram.to == kSelfAddress) {
          feed(datagram.peer.id.empty() ? kOpen : kDatagram, datagram.plain);
        }
      }
      for (const Effects::Exchange& exchange : said.exchanges) {
        feed(kQuestion, exchange.plain);
        finish(exchange.id);
      }
    }
  }
  void finish(uint64_t id) {
    const std::vector<Bytes> answers = harness_.answers();
    if (answers.empty() || answers.front().empty()) {
      peer_.finish_exchange(id, std::nullopt, now());
    } else {
      peer_.finish_exchange(id, answers.front(), now());
    }
  }
  void feed(uint8_t how, ByteView packet) {
    script_.add(how, packet);
    harness_.feed(how, packet);
    const Effects said = harness_.said();
    for (const Effects::Datagram& datagram : said.datagrams) {
      if (datagram.to != kPeerAddress) continue;
      if (datagram.peer.id.empty()) {
        peer_.receive_open(kSelfAddress, datagram.plain, now());
      } else {
        peer_.receive_packet(kSelfAddress, datagram.plain, now());
      }
    }
    for (const Effects::Exchange& exchange : said.exchanges) {
      const Bytes answer = peer_.answer_exchange(exchange.plain, now());
      if (!answer.empty()) feed(kAnswer, answer);
    }
  }

  SeededRng rng_{2};
  CoreHarness harness_;
  Script script_;
  Core peer_;
};

void talks(Corpus& corpus) {
  for (const size_t entries : {1, 7, 20}) {
    for (const bool churn : {false, true}) {
      if (churn && entries == 1) continue;
      Talk talk(1472);
      for (size_t i = 0; i < entries; ++i) {
        const std::string key = "key" + std::to_string(i);
        SHOAL_CHECK(talk.peer().upsert(kNet, key, Bytes(20, 'v')).ok(), "an entry");
        if (churn && i % 2 == 1) talk.peer().remove(kNet, key);
      }
      corpus["gossip_core/talk_" + std::to_string(entries) + (churn ? "_churn" : "")] =
          talk.record();
    }
  }
}

void ranges(Corpus& corpus) {
  ByteWriter out;
  write_ranges(out, ranges_of_all_kinds());
  ByteReader in(out.view());
  read_ranges(in);
  SHOAL_CHECK(in.done(), "what is begun with is well formed");
  for (const uint8_t how : {0, 1}) {
    Script script;
    script.add(2, {});
    script.add(how, out.view());
    corpus[std::string("gossip_ranges/") + (how == 0 ? "question" : "answer") + "_all_kinds"] =
        script.take();
  }
}

// What gossip_guard_fuzz.cc does: see there.
class GuardScript {
 public:
  GuardScript& act(uint8_t what, uint8_t who, uint8_t which) {
    out_.u8(what);
    out_.u8(who);
    out_.u8(which);
    return *this;
  }
  // Says something, and it arrives; `times`: its length.
  GuardScript& say(uint8_t what, uint8_t who, uint8_t which, uint8_t times = 0) {
    act(what, static_cast<uint8_t>(who + 3 * times), which);
    out_.text("thirty bytes of what is said..");
    return *this;
  }
  GuardScript& arrive() { return act(10, 0, 0); }
  Bytes take() { return out_.take(); }

 private:
  ByteWriter out_;
};

void guards(Corpus& corpus) {
  GuardScript meeting;
  meeting.say(1, 0, 0).arrive();
  for (const uint8_t who : {1, 0, 1, 0, 1, 2, 0}) meeting.say(0, who, who == 0 ? 0 : 1).arrive();
  meeting.say(0, 0, 0, 30).arrive().say(2, 0, 0, 39).arrive().say(3, 1, 0, 39).arrive();
  for (uint8_t i = 0; i < 12; ++i) meeting.act(4, 0, i).act(5, i, i);
  meeting.act(11, 0, 10);
  corpus["gossip_guard/meeting"] = meeting.take();

  GuardScript rotation;
  for (uint8_t step = 0; step < 7; ++step) {
    for (uint8_t who = 0; who < 3; ++who) {
      rotation.act(8, who, 0).say(0, who, 0).arrive().say(0, who, 1).say(2, who, 0).act(4, 0, who);
    }
  }
  for (uint8_t i = 0; i < 60; ++i) rotation.act(4, 0, i);
  corpus["gossip_guard/rotation"] = rotation.take();

  GuardScript restarts;
  for (uint8_t i = 0; i < 12; ++i) {
    restarts.say(0, 0, 0).say(0, 0, 0).arrive().say(0, 1, 1).arrive().say(2, 1, 1).arrive();
    restarts.say(3, 0, 0).act(9, i, i).say(0, i, i).arrive().say(1, i, i);
    if (i % 3 == 2) restarts.act(7, i, 0);
    for (uint8_t which = 0; which < 7 * i; which += 3) restarts.act(4, 0, which);
  }
  corpus["gossip_guard/restarts"] = restarts.take();

  GuardScript disorder;
  for (uint8_t i = 0; i < 60; ++i) disorder.say(i % 3, i, i / 2, i % 40).act(4, i, i * 7 % 61);
  for (uint8_t i = 0; i < 120; ++i) disorder.act(4, 0, i % 60);
  corpus["gossip_guard/disorder"] = disorder.take();

  Bytes damaged = GuardScript().say(0, 0, 0).say(2, 0, 0).say(1, 0, 0).take();
  for (uint8_t i = 0; i < 60; ++i) {
    const Bytes one = {6, 1, static_cast<uint8_t>(i % 3), 0, static_cast<uint8_t>(2 * i), i};
    damaged.insert(damaged.end(), one.begin(), one.end());
  }
  for (uint8_t which = 0; which < 3; ++which) {
    const Bytes one = GuardScript().act(4, 0, which).take();
    damaged.insert(damaged.end(), one.begin(), one.end());
  }
  corpus["gossip_guard/damaged"] = damaged;
}

// What gossip_streams_fuzz.cc does: each way, with bytes that need no frame and that have one.
void streams(Corpus& corpus) {
  const Bytes packet = text(1, encode_head(head_of("there")), encode_message(Ack{1}), {});
  Bytes claims = {0, 64, 0, 0};  // four MiB, which do not come
  claims.resize(60, 'S');
  for (uint8_t how = 0; how < 16; ++how) {
    const std::string name = "gossip_streams/" + std::to_string(how);
    for (const auto& [kind, bytes] : std::map<std::string, Bytes>{
             {"packet", packet}, {"claims", claims}, {"nothing", {}}, {"long", Bytes(3900, 'x')}}) {
      Bytes input = {how};
      input.insert(input.end(), bytes.begin(), bytes.end());
      corpus[name + "_" + kind] = input;
    }
  }
  // Whole frames, to be damaged.
  KeyRing ring;
  ring.keys.push_back({1, {}});
  SeededRng rng(3);
  Guard member(named<ClusterId>("c"), named<NodeId>("there"), 3, ring, rng);
  for (const uint8_t how : {16, 17, 20, 21}) {
    Bytes input(1 + kSealHeaderSize + packet.size() + crypto::kTagSize, how);
    member.seal_text(std::span(input).subspan(1),
                     how % 2 == 0 ? PacketKind::kQuestion : PacketKind::kAnswer,
                     {named<NodeId>("here"), 5}, packet, {});
    corpus["gossip_streams/" + std::to_string(how) + "_frame"] = input;
  }
}

// What gossip_cluster_fuzz.cc does: random acts, changes more often than faults.
void clusters(Corpus& corpus) {
  for (uint64_t seed = 1; seed <= 24; ++seed) {
    SeededRng rng(seed);
    Bytes acts = {static_cast<uint8_t>(seed)};
    for (uint64_t i = 20 + rng.below(60); i > 0; --i) {
      acts.push_back(static_cast<uint8_t>(rng.below(3) == 0 ? rng.below(5) : rng.below(18)));
      acts.push_back(static_cast<uint8_t>(rng.next()));
    }
    corpus["gossip_cluster/random_" + std::to_string(seed)] = acts;
  }
}

int run(const std::filesystem::path& directory) {
  Corpus corpus;
  wire(corpus);
  single_talks(corpus);
  talks(corpus);
  ranges(corpus);
  guards(corpus);
  streams(corpus);
  clusters(corpus);
  for (const auto& [name, input] : corpus) {
    std::filesystem::create_directories((directory / name).parent_path());
    std::ofstream file(directory / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
    if (!file.flush()) {
      std::cerr << "cannot write " << (directory / name) << "\n";
      return 1;
    }
  }
  std::cout << corpus.size() << " inputs\n";
  return 0;
}

}  // namespace
}  // namespace shoal::gossip

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: gossip_corpus DIRECTORY\n";
    return 2;
  }
  return shoal::gossip::run(argv[1]);
}
