// tools/wireshark/shoal_gossip.lua reads packets that a Guard sealed: written to a capture, shown
// by tshark. Skipped where tshark is not installed (deploy/packages).
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/codec/text.h"
#include "gossip/wire/codec.h"
#include "gossip/wire/guard.h"

namespace shoal::gossip {
namespace {

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}

// A capture of raw IPv4 packets (link type 101).
class Capture {
 public:
  Capture() {
    little(0xa1b2c3d4, 4);
    little(2, 2);
    little(4, 2);
    little(0, 8);
    little(65535, 4);
    little(101, 4);
  }
  void datagram(ByteView payload) {
    ByteWriter udp;
    udp.u16(7946);
    udp.u16(7946);
    udp.u16(static_cast<uint16_t>(8 + payload.size()));
    udp.u16(0);
    udp.raw(payload);
    packet(17, udp.view());
  }
  // The next segment of one connection.
  void frame(ByteView sealed) {
    ByteWriter tcp;
    tcp.u16(40000);
    tcp.u16(7946);
    tcp.u32(next_);
    tcp.u32(1);
    tcp.u16(0x5018);
    tcp.u16(65535);
    tcp.u32(0);
    tcp.u32(static_cast<uint32_t>(sealed.size()));
    tcp.raw(sealed);
    packet(6, tcp.view());
    next_ += static_cast<uint32_t>(4 + sealed.size());
  }
  ByteView view() const { return bytes_; }

 private:
  void packet(uint8_t protocol, ByteView payload) {
    ByteWriter ip;
    ip.u16(0x4500);
    ip.u16(static_cast<uint16_t>(20 + payload.size()));
    ip.u32(0);
    ip.u8(64);
    ip.u8(protocol);
    ip.u16(0);
    ip.u32(0xc0000201);
    ip.u32(0xc0000202);
    ip.raw(payload);
    little(0, 8);
    little(ip.size(), 4);
    little(ip.size(), 4);
    bytes_.insert(bytes_.end(), ip.view().begin(), ip.view().end());
  }
  void little(uint64_t number, int size) {
    for (int i = 0; i < size; ++i) bytes_.push_back(static_cast<uint8_t>(number >> (8 * i)));
  }

  Bytes bytes_;
  uint32_t next_ = 1;
};

class DissectorTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v tshark >/dev/null 2>&1") != 0) {
      FAIL() << "tshark is not installed: run deploy/install-packages";
    }
    directory_ =
        std::filesystem::temp_directory_path() / ("shoal-dissector-" + std::to_string(getpid()));
    std::filesystem::create_directory(directory_);
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  static KeyRing ring() {
    KeyRing ring;
    for (const uint8_t id : {5, 6}) {
      crypto::Key key;
      for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<uint8_t>(id * 37 + i * 11);
      ring.keys.push_back({0x10000U + id, key});
    }
    ring.primary = 1;
    return ring;
  }
  static Bytes plain(const Head& head, const std::vector<Message>& messages) {
    Packer packer(head, kMaxDatagram);
    for (const Message& message : messages) packer.add(encode_message(message));
    return packer.take(true).front();
  }
  void write(const std::string& name, ByteView bytes) {
    std::ofstream(directory_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  std::string show(const Capture& capture, bool with_keys) {
    std::string keys = "# cluster\n";
    for (const KeyRing::Entry& entry : ring().keys) {
      keys += std::to_string(entry.id) + " " + to_hex(entry.key) + "\n";
    }
    write("keys", as_bytes(keys));
    write("capture", capture.view());
    std::string command = "tshark -r " + (directory_ / "capture").string() +
                          " -X lua_script:" SHOAL_SOURCE_DIR
                          "/tools/wireshark/shoal_gossip.lua -V -O shoal_gossip";
    if (with_keys) command += " -o shoal_gossip.keys:" + (directory_ / "keys").string();
    std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    std::string out;
    std::array<char, 4096> buffer;
    while (const size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
      out.append(buffer.data(), size);
    }
    EXPECT_EQ(pclose(pipe), 0) << out;
    return out;
  }

  std::filesystem::path directory_;
  const ClusterId cluster_ = named<ClusterId>("cluster");
  const Head a_{named<NodeId>("alice"), first_incarnation(1'700'000'000'123) + 4,
                HostPort::parse("192.0.2.1:7946").value()};
  const Head b_{named<NodeId>("zz9"), first_incarnation(7),
                HostPort::parse("[2001:db8::2]:7946").value()};
  SeededRng rng_{1};
  Guard guard_a_{cluster_, a_.sender, epoch_of(a_.incarnation), ring(), rng_};
  Guard guard_b_{cluster_, b_.sender, epoch_of(b_.incarnation), ring(), rng_};
};

TEST_F(DissectorTest, ShowsWhatWasSealed) {
  Capture capture;
  const Peer to_a{a_.sender, epoch_of(a_.incarnation)};
  const Peer to_b{b_.sender, epoch_of(b_.incarnation)};
  capture.datagram(guard_a_.seal(PacketKind::kDatagram, {}, plain(a_, {Ping{77, NodeId()}})));
  const EntryEvent event{named<NetworkId>("net"), a_.sender, 9, 12, false, "web", Bytes(40, 'x')};
  Bytes first = guard_a_.seal(
      PacketKind::kDatagram, to_b,
      plain(a_, {Ping{78, b_.sender},
                 Claim{ClaimKind::kLeft, b_.sender, b_.incarnation, b_.address, {}}, event}));
  capture.datagram(first);
  ASSERT_EQ(guard_b_.open(PacketKind::kDatagram, first).drop, DropReason::kNone);
  Bytes back = guard_b_.seal(PacketKind::kDatagram, to_a, plain(b_, {Ack{78}}));
  capture.datagram(back);
  ASSERT_EQ(guard_a_.open(PacketKind::kDatagram, back).drop, DropReason::kNone);
  // The heads are known now.
  capture.datagram(guard_a_.seal(PacketKind::kDatagram, to_b,
                                 plain(a_, {Ack{79}, Testimony{81, Reach::kSilent}})));
  capture.frame(guard_a_.seal(PacketKind::kQuestion, to_b, plain(a_, {Ping{80, b_.sender}})));
  EntryEvent large = event;
  large.value = Bytes(1000, 'x');
  capture.frame(guard_a_.seal(PacketKind::kQuestion, to_b, plain(a_, {large})));

  const std::string text = show(capture, true);
  for (const std::string& expected :
       {std::string("Shoal gossip, open datagram"),
        std::string("Message: Ping: number 77 to whoever listens"), "Sender: " + a_.sender.str(),
        std::string("Epoch: 1700000000123.4"), std::string("Address: 192.0.2.1:7946"),
        "Message: Ping: number 78 to " + b_.sender.str(),
        "Message: Claim: " + b_.sender.str() + " is left, epoch 7.0, at [2001:db8::2]:7946",
        "Message: EntryEvent: put web of " + a_.sender.str() + " in " + event.network.str() +
            ", epoch 9 event 12",
        "Sender: " + b_.sender.str(), std::string("Message: Ack: number 78"),
        std::string("Message: Ack: number 79"), std::string("Head is in it: False"),
        std::string("Shoal gossip, question"), "Message: Ping: number 80 to " + b_.sender.str(),
        std::string("Compressed: True")}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\nis not in\n" << text;
  }
  EXPECT_EQ(text.find("Lua Error"), std::string::npos) << text;
}

TEST_F(DissectorTest, ShowsTheHeaderWithoutKeysAndSurvivesGarbage) {
  Capture capture;
  const Bytes sealed = guard_a_.seal(PacketKind::kDatagram, {}, plain(a_, {Ping{77, NodeId()}}));
  capture.datagram(sealed);
  std::string text = show(capture, false);
  EXPECT_NE(text.find("Key (low 16 bits of its id): 6"), std::string::npos) << text;
  EXPECT_EQ(text.find("Ping"), std::string::npos) << text;

  for (size_t i = 0; i < 300; ++i) {
    Bytes damaged = sealed;
    if (i % 3 == 0) damaged.resize(rng_.below(damaged.size()));
    for (size_t flips = 0; flips < i % 7 && damaged.size() > 4; ++flips) {
      damaged[4 + rng_.below(damaged.size() - 4)] ^= static_cast<uint8_t>(1U << rng_.below(8));
    }
    capture.datagram(damaged);
  }
  text = show(capture, true);
  EXPECT_EQ(text.find("Lua Error"), std::string::npos) << text.substr(0, 4000);
}

}  // namespace
}  // namespace shoal::gossip
