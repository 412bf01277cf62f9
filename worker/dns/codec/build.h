// Building of DNS messages: replies to our clients (own answers and relayed ones) and queries to
// upstreams, into buffers of the caller.
//
// A reply that does not fit keeps the records that do and sets TC: some stub resolvers (musl before
// 1.2.4) never ask again by TCP and use what they got.
#pragma once

#include <span>

#include "worker/dns/codec/message.h"

namespace shoal::worker::dns {

class ReplyWriter {
 public:
  // Writes header and question of a reply to `query` into `out`, which holds at least
  // kMinReplyBuffer bytes. At most `limit` bytes are used (but never less than header, question and
  // OPT need).
  ReplyWriter(std::span<uint8_t> out, size_t limit, const Query& query);
  static constexpr size_t kMinReplyBuffer = kHeaderSize + kMaxNameSize + 4 + kOptSize;

  // Answer records of class IN. The owner of an address is the question's name. False, and nothing
  // written but TC, when there is no room left.
  bool add_address(const Ip& ip, uint32_t ttl);
  bool add_name(uint16_t type, const Name& target, uint32_t ttl);  // PTR, CNAME

  // Completes the reply (OPT when the query had one) and returns its size. `authoritative` for what
  // we know ourselves.
  size_t finish(Rcode rcode, bool authoritative = false);

 private:
  void u8(uint8_t value) { out_[at_++] = value; }
  void u16(uint16_t value);
  void u32(uint32_t value);
  // Compressed against the names written before.
  void name(const Name& name);
  bool reserve(size_t size);

  // Suffixes remembered for compression: enough for a question and a handful of names.
  static constexpr size_t kMaxSuffixes = 64;

  std::span<uint8_t> out_;
  size_t limit_;  // for records: room for OPT is taken off
  const Query& query_;
  size_t at_ = 0;
  uint16_t answers_ = 0;
  bool truncated_ = false;
  std::array<uint16_t, kMaxSuffixes> suffixes_;
  size_t suffix_count_ = 0;
};

// A reply with no records: an error, or "exists but has nothing of that type".
size_t build_empty_reply(std::span<uint8_t> out, const Query& query, Rcode rcode,
                         bool authoritative = false);

// A query to an upstream for the question of `client`, with the client's RD, AD, CD and DO.
// `out` holds at least ReplyWriter::kMinReplyBuffer bytes.
size_t build_upstream_query(std::span<uint8_t> out, const Query& client, uint16_t id,
                            bool with_edns);

// An upstream's answer as a reply to `client`: its id, its spelling of the question, TTLs lessened
// by `age` seconds, the additional section dropped (no stub needs it) and OPT ours. Truncated at a
// record when larger than `limit`. `response` must be the parse of `packet`, for the same question.
Bytes build_relayed_reply(ByteView packet, const Response& response, const Query& client,
                          size_t limit, uint32_t age);

}  // namespace shoal::worker::dns
