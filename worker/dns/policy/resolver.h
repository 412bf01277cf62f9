// Resolver: what is answered at once, without asking anybody: names of the asker's networks and
// refusals. It says kForward for everything else that may be forwarded.
#pragma once

#include <span>
#include <vector>

#include "base/ports/ports.h"
#include "worker/dns/codec/message.h"
#include "worker/dns/names/name_table.h"

namespace shoal::worker::dns {

// TTL in seconds of local answers. Docker's 600 s keep clients on endpoints long gone; 5 s spare a
// busy client most of its questions and are over before a failed node is noticed by hand.
inline constexpr uint32_t kLocalTtl = 5;

// What an asking namespace sees.
struct View {
  std::vector<NetworkId> networks;  // in attach order
  bool may_forward = false;         // false: foreign names are answered SERVFAIL
};

struct ResolverCounters {
  uint64_t queries = 0;   // all packets received
  uint64_t local = 0;     // answered from the name table
  uint64_t refused = 0;   // error replies: malformed, not implemented, refused class or type
  uint64_t internal = 0;  // foreign names asked where nothing may be forwarded
  uint64_t dropped_not_a_query = 0;
};

enum class Disposition : uint8_t { kReply, kForward, kDrop };

class Resolver {
 public:
  // `names` outlives this; `rng` gives a seed. The order of addresses needs no secrecy, and a
  // strong source would cost every query a system call.
  Resolver(const NameTable& names, Rng& rng) : names_(names), order_(rng.next()) {}

  // Parses `packet` into `query`. kReply: `out` holds a reply of `size` bytes. `out` holds at least
  // ReplyWriter::kMinReplyBuffer bytes; replies are truncated to what fits it, `query` and
  // `transport`.
  Disposition handle(ByteView packet, Transport transport, const View& view, std::span<uint8_t> out,
                     Query& query, size_t& size);

  const ResolverCounters& counters() const { return counters_; }

 private:
  Found local(const Query& query, const View& view);

  const NameTable& names_;
  SeededRng order_;  // of the addresses in an answer
  Answer answer_;    // kept for its capacity
  ResolverCounters counters_;
};

}  // namespace shoal::worker::dns
