// Cache: answers of upstreams, kept no longer than their TTL says.
//
// Positive answers live for the least TTL of their records, negative ones (NXDOMAIN and "nothing of
// that type") for the SOA's (RFC 2308); truncated ones and failures are not kept. The least
// recently used goes first when either bound is reached.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "base/types/time.h"
#include "worker/dns/codec/message.h"

namespace shoal::worker::dns {

class Cache {
 public:
  static constexpr size_t kMaxEntries = 8192;
  static constexpr size_t kMaxEntrySize = 4096;         // larger answers are rare and not worth it
  static constexpr size_t kMaxBytes = size_t{4} << 20;  // of answers and their parsed form
  // An upstream's mistake should not outlive a coffee.
  static constexpr uint32_t kMaxTtl = 3600;         // seconds
  static constexpr uint32_t kMaxNegativeTtl = 300;  // seconds

  struct Hit {
    ByteView packet;  // valid until the cache changes
    const Response* response = nullptr;
    uint32_t age = 0;  // seconds
  };

  // A hit has response == non-null. Names are compared without case; DO and CD are part of the key.
  Hit find(const Query& query, Instant now);
  // `packet` and `response` answer `query`. Not kept when its TTL or size does not allow.
  void put(const Query& query, ByteView packet, const Response& response, Instant now);
  void clear();

  size_t size() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string key;
    Bytes packet;
    Response response;
    Instant stored;
    Instant expires;

    size_t cost() const { return packet.size() + response.records.size() * sizeof(Record); }
  };
  using List = std::list<Entry>;  // the most recently used first

  void erase(List::iterator entry);

  List entries_;
  std::unordered_map<std::string_view, List::iterator> index_;  // keys point into the entries
  size_t bytes_ = 0;
};

}  // namespace shoal::worker::dns
