#include "worker/dns/policy/cache.h"

#include <algorithm>

namespace shoal::worker::dns {
namespace {

std::string key_of(const Query& query) {
  std::string key;
  const ByteView wire = query.question.name.wire();
  key.reserve(wire.size() + 5);
  for (const uint8_t c : wire) key += static_cast<char>(ascii_lower(c));
  for (const uint16_t number : {query.question.type, query.question.klass}) {
    key += static_cast<char>(number >> 8);
    key += static_cast<char>(number);
  }
  const bool dnssec_ok = query.edns && query.edns->dnssec_ok;
  const bool wants_ad = (query.flags & flag::kAd) != 0;
  key += static_cast<char>((dnssec_ok ? 1 : 0) | ((query.flags & flag::kCd) != 0 ? 2 : 0) |
                           ((query.flags & flag::kRd) != 0 ? 4 : 0) | (wants_ad ? 8 : 0));
  return key;
}

// Seconds an answer may be kept; 0: not at all.
uint32_t lifetime(const Response& response) {
  if ((response.flags & flag::kTc) != 0) return 0;
  const bool name_error = response.rcode == static_cast<uint16_t>(Rcode::kNxDomain);
  if (!name_error && response.rcode != static_cast<uint16_t>(Rcode::kNoError)) return 0;
  bool has_answer = false;
  uint32_t least = Cache::kMaxTtl;
  for (const Record& record : response.records) {
    if (record.section == Section::kAdditional) break;
    // RFC 2181 section 8: a TTL with the top bit set is zero.
    least = std::min(least, record.ttl > INT32_MAX ? 0 : record.ttl);
    // A chain of CNAMEs that ends in nothing is a negative answer too.
    has_answer = has_answer || (record.section == Section::kAnswer && record.type != rr::kCname &&
                                record.type != rr::kDname);
  }
  const bool asked_for_alias = response.question.type == rr::kCname;
  if (!name_error && (has_answer || (asked_for_alias && !response.records.empty()))) return least;
  if (!response.negative_ttl) return 0;
  return std::min({least, *response.negative_ttl, Cache::kMaxNegativeTtl});
}

}  // namespace

Cache::Hit Cache::find(const Query& query, Instant now) {
  const auto found = index_.find(key_of(query));
  if (found == index_.end()) return {};
  const auto entry = found->second;
  if (entry->expires <= now) {
    erase(entry);
    return {};
  }
  entries_.splice(entries_.begin(), entries_, entry);
  const auto age = std::chrono::floor<std::chrono::seconds>(now - entry->stored).count();
  return {entry->packet, &entry->response, static_cast<uint32_t>(age)};
}

void Cache::put(const Query& query, ByteView packet, const Response& response, Instant now) {
  const uint32_t seconds = lifetime(response);
  if (seconds == 0 || packet.size() > kMaxEntrySize) return;
  std::string key = key_of(query);
  if (const auto old = index_.find(key); old != index_.end()) erase(old->second);
  entries_.push_front({std::move(key), Bytes(packet.begin(), packet.end()), response, now,
                       now + std::chrono::seconds(seconds)});
  index_.emplace(entries_.front().key, entries_.begin());
  bytes_ += entries_.front().cost();
  while (entries_.size() > kMaxEntries || bytes_ > kMaxBytes) erase(std::prev(entries_.end()));
}

void Cache::clear() {
  index_.clear();
  entries_.clear();
  bytes_ = 0;
}

void Cache::erase(List::iterator entry) {
  bytes_ -= entry->cost();
  index_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace shoal::worker::dns
