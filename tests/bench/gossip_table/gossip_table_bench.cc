// Memory, speed and bytes on the wire of the tables' Merkle maps. See README.md.
#include <jemalloc/jemalloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/ports/ports.h"
#include "gossip/merkle/reconcile.h"
#include "gossip/wire/codec.h"

namespace shoal::gossip::merkle {
namespace {

constexpr size_t kOwnerSize = kIdLength;
constexpr size_t kKeySize = kIdLength;
constexpr size_t kValueSize = 60;  // an endpoint record
constexpr uint64_t kKeysPerOwner = 100;
constexpr size_t kMaxBytesPerEntry = 200;
constexpr size_t kBudget = 1000;  // of a datagram, for what is little
constexpr size_t kStreamBudget = 128U << 10;
constexpr size_t kDatagramRounds = 8;
constexpr uint64_t kEpoch = uint64_t{1'700'000'000'000} << 20;
// Of each packet of at most kPacket bytes: UDP and IP, the seal, the head of the packet.
constexpr size_t kPacketOverhead = 28 + 52 + kIdLength + 6 + 7;
constexpr size_t kPacket = 1280;

// As the daemon sends it.
size_t wire_bytes(const Message& message) {
  const Sync sync{
      SyncKind::kQuestion, 1, {{NetworkId(std::string(kIdLength, 'n')), true, message}}};
  const size_t bytes = encode_message(sync).size();
  return bytes + kPacketOverhead * (1 + bytes / kPacket);
}

Entry event(uint64_t owner, uint64_t stamp, uint64_t key, bool deleted = false) {
  Entry entry{std::to_string(owner), kEpoch, stamp, deleted};
  entry.owner.resize(kOwnerSize, 'o');
  entry.key = std::to_string(key);
  entry.key.resize(kKeySize, 'k');
  if (!deleted) entry.value = Bytes(kValueSize, static_cast<uint8_t>(stamp));
  return entry;
}

OwnedMap filled(Pool& pool, uint64_t entries) {
  OwnedMap map(pool, kOwnerSize, {.items = entries * 2 + 2});
  for (uint64_t i = 0; i < entries; ++i) {
    map.apply(event(i / kKeysPerOwner, i % kKeysPerOwner + 1, i % kKeysPerOwner));
  }
  return map;
}

// Of the daemon's allocator, in its size classes.
size_t allocated() {
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  size_t bytes = 0;
  mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
  mallctl("epoch", &epoch, &size, &epoch, size);
  size = sizeof bytes;
  if (mallctl("stats.allocated", &bytes, &size, nullptr, 0) != 0) std::abort();
  return bytes;
}

bool memory() {
  bool within = true;
  for (const uint64_t n :
       {1000, 2000, 5000, 10'000, 20'000, 50'000, 100'000, 200'000, 500'000, 1'000'000}) {
    Pool pool;
    const size_t before = allocated();
    const OwnedMap map = filled(pool, n);
    const size_t used = allocated() - before;
    const double each = static_cast<double>(used) / static_cast<double>(n);
    within = within && each <= kMaxBytesPerEntry;
    std::printf(
        "{\"bench\":\"memory\",\"entries\":%lu,\"bytes_per_entry\":%.1f,\"nodes\":%zu,"
        "\"node_bytes_per_entry\":%.1f}\n",
        n, each, pool.nodes(), static_cast<double>(pool.node_bytes()) / static_cast<double>(n));
  }
  return within;
}

template <typename Step>
double nanoseconds(uint64_t count, Step&& step) {
  const auto begun = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < count; ++i) step(i);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begun;
  return took.count() / static_cast<double>(count);
}

void speed() {
  constexpr uint64_t kOperations = 100'000;
  for (const uint64_t n : {1000, 10'000, 100'000}) {
    for (const bool share : {false, true}) {
      SeededRng rng(n);
      Pool pool(share);
      OwnedMap owned = filled(pool, n);
      Map map = owned.map();
      std::vector<Item> items;
      map.each({}, [&](const Item& item) { items.push_back(item); });
      const auto any = [&]() -> Item& { return items[rng.below(items.size())]; };
      size_t found = 0;
      const double find = nanoseconds(kOperations, [&](uint64_t) {
        const Item& item = any();
        found += map.find(item.path, item.id()) != nullptr;
      });
      const double put = nanoseconds(kOperations, [&](uint64_t i) {
        Item& item = any();
        item.stamp += i + 1;
        map.put(item);
      });
      const double erase_put = nanoseconds(kOperations, [&](uint64_t) {
        const Item& item = any();
        map.erase(item.path, item.id());
        map.put(item);
      });
      const double below = nanoseconds(
          kOperations, [&](uint64_t) { found += map.below(Prefix::of(any().path, 64)).count; });
      const double snapshot_put = nanoseconds(kOperations, [&](uint64_t i) {
        const Map snapshot = map;
        Item& item = any();
        item.stamp += i + 1;
        map.put(item);
      });
      std::vector<uint64_t> stamps(n / kKeysPerOwner, kKeysPerOwner);
      const double apply = nanoseconds(kOperations, [&](uint64_t) {
        const uint64_t owner = rng.below(stamps.size());
        owned.apply(event(owner, ++stamps[owner], rng.below(kKeysPerOwner)));
      });
      std::printf(
          "{\"bench\":\"speed\",\"entries\":%lu,\"share\":%s,\"find_ns\":%.0f,\"put_ns\":%.0f,"
          "\"erase_and_put_ns\":%.0f,\"below_ns\":%.0f,\"snapshot_and_put_ns\":%.0f,"
          "\"apply_event_ns\":%.0f,\"checked\":%s}\n",
          n, share ? "true" : "false", find, put, erase_put, below, snapshot_put, apply,
          found >= kOperations ? "true" : "false");
    }
  }
}

// For plots: every n with every d.
bool bytes() {
  bool within = true;
  for (const uint64_t n : {1000, 10'000, 100'000}) {
    Pool pool;
    const OwnedMap before = filled(pool, n);
    for (const uint64_t d : {1, 3, 10, 30, 100, 300, 1000}) {
      SeededRng rng(d);
      OwnedMap left = before, right = before;
      std::vector<uint64_t> stamps(n / kKeysPerOwner, kKeysPerOwner);
      for (uint64_t i = 0; i < d; ++i) {
        const uint64_t owner = rng.below(stamps.size());
        const uint64_t key = rng.below(kKeysPerOwner);
        // An owner's events are all missing on the same side.
        (owner % 2 == 0 ? left : right).apply(event(owner, ++stamps[owner], key, i % 4 == 0));
      }
      size_t sent = 0, messages = 0;
      const auto count = [&](const Message& message) {
        sent += wire_bytes(message);
        ++messages;
      };
      Editor mine(left), theirs(right);
      Session session(left, false);
      const auto begun = std::chrono::steady_clock::now();
      for (size_t round = 0;; ++round) {
        const size_t budget = round < kDatagramRounds ? kBudget : kStreamBudget;
        const std::optional<Message> question = session.next(mine, budget);
        if (!question) break;
        count(*question);
        const Message answer = respond(theirs, *question, budget);
        if (!session.expects_answer()) break;
        count(answer);
        session.receive(mine, answer);
      }
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - begun;
      const double levels = std::log(static_cast<double>(n)) / std::log(16);
      const double bound = 1500 + 500 * static_cast<double>(d) * levels;
      within = within && left.map() == right.map() && static_cast<double>(sent) <= bound;
      std::printf(
          "{\"bench\":\"bytes\",\"entries\":%lu,\"differing\":%lu,\"bytes\":%zu,\"messages\":%zu,"
          "\"bound\":%.0f,\"whole_table\":%lu,\"cpu_ms\":%.2f,\"equal\":%s}\n",
          n, d, sent, messages, bound, n * (kOwnerSize + kKeySize + kValueSize), took.count(),
          left.map() == right.map() ? "true" : "false");
    }
  }
  return within;
}

}  // namespace
}  // namespace shoal::gossip::merkle

int main(int argc, char** argv) {
  using namespace shoal::gossip::merkle;
  const auto asked = [&](const char* name) { return argc < 2 || std::strcmp(argv[1], name) == 0; };
  bool within = true;
  if (asked("memory")) within = memory();
  if (asked("speed")) speed();
  if (asked("bytes")) within = bytes() && within;
  return within ? 0 : 1;
}
