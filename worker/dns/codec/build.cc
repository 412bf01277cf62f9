#include "worker/dns/codec/build.h"

#include <algorithm>
#include <cstring>

#include "base/types/check.h"

namespace shoal::worker::dns {
namespace {

constexpr size_t kQuestionOffset = kHeaderSize;
constexpr uint16_t kPointer = 0xc000;
constexpr uint16_t kMaxPointerTarget = 0x3fff;
constexpr size_t kRecordHeadSize = 12;  // pointer, type, class, TTL, data length

void put_u16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
void put_u32(uint8_t* at, uint32_t value) {
  put_u16(at, static_cast<uint16_t>(value >> 16));
  put_u16(at + 2, static_cast<uint16_t>(value));
}

void put_opt(uint8_t* at, uint16_t rcode, bool dnssec_ok) {
  at[0] = 0;
  put_u16(at + 1, rr::kOpt);
  put_u16(at + 3, kAdvertisedUdpSize);
  put_u32(at + 5, static_cast<uint32_t>(rcode >> 4) << 24 | (dnssec_ok ? 0x8000U : 0U));
  put_u16(at + 9, 0);
}

// True when the (possibly compressed) name at `at` of our own output equals `suffix`.
bool suffix_matches(std::span<const uint8_t> out, size_t at, ByteView suffix) {
  size_t done = 0;
  while (true) {
    while (out[at] >= 0xc0) at = static_cast<size_t>(out[at] & 0x3f) << 8 | out[at + 1];
    const size_t size = out[at] + 1U;
    for (size_t i = 0; i < size; ++i) {
      if (ascii_lower(out[at + i]) != ascii_lower(suffix[done + i])) return false;
    }
    if (size == 1) return true;
    at += size;
    done += size;
  }
}

}  // namespace

ReplyWriter::ReplyWriter(std::span<uint8_t> out, size_t limit, const Query& query)
    : out_(out), limit_(std::min(limit, out.size())), query_(query) {
  SHOAL_CHECK(out.size() >= kMinReplyBuffer, "reply buffer too small");
  if (query.edns) limit_ -= std::min(limit_, kOptSize);
  at_ = kHeaderSize;
  if (!query.has_question) return;
  name(query.question.name);
  u16(query.question.type);
  u16(query.question.klass);
}

void ReplyWriter::u16(uint16_t value) {
  put_u16(&out_[at_], value);
  at_ += 2;
}

void ReplyWriter::u32(uint32_t value) {
  put_u32(&out_[at_], value);
  at_ += 4;
}

void ReplyWriter::name(const Name& name) {
  const ByteView wire = name.wire();
  // Only names written before: the suffixes of this one ("web.web") have no end yet.
  const size_t known = suffix_count_;
  size_t done = 0;
  while (wire[done] != 0) {
    for (size_t i = 0; i < known; ++i) {
      if (suffix_matches(out_, suffixes_[i], wire.subspan(done))) {
        u16(kPointer | suffixes_[i]);
        return;
      }
    }
    if (suffix_count_ < kMaxSuffixes && at_ <= kMaxPointerTarget) {
      suffixes_[suffix_count_++] = static_cast<uint16_t>(at_);
    }
    const size_t size = wire[done] + 1U;
    std::memcpy(&out_[at_], &wire[done], size);
    at_ += size;
    done += size;
  }
  u8(0);
}

bool ReplyWriter::reserve(size_t size) {
  if (truncated_ || at_ + size > limit_ || answers_ == UINT16_MAX) truncated_ = true;
  return !truncated_;
}

bool ReplyWriter::add_address(const Ip& ip, uint32_t ttl) {
  const auto bytes = ip.bytes();
  if (!reserve(kRecordHeadSize + bytes.size())) return false;
  u16(kPointer | kQuestionOffset);
  u16(ip.is_v4() ? rr::kA : rr::kAaaa);
  u16(kClassIn);
  u32(ttl);
  u16(static_cast<uint16_t>(bytes.size()));
  std::memcpy(&out_[at_], bytes.data(), bytes.size());
  at_ += bytes.size();
  ++answers_;
  return true;
}

bool ReplyWriter::add_name(uint16_t type, const Name& target, uint32_t ttl) {
  // The uncompressed size is asked for: what compression saves is not worth writing twice.
  if (!reserve(kRecordHeadSize + target.size())) return false;
  u16(kPointer | kQuestionOffset);
  u16(type);
  u16(kClassIn);
  u32(ttl);
  const size_t length_at = at_;
  at_ += 2;
  name(target);
  put_u16(&out_[length_at], static_cast<uint16_t>(at_ - length_at - 2));
  ++answers_;
  return true;
}

size_t ReplyWriter::finish(Rcode rcode, bool authoritative) {
  const auto code = static_cast<uint16_t>(rcode);
  put_u16(&out_[0], query_.id);
  put_u16(&out_[2], static_cast<uint16_t>(
                        flag::kQr | (query_.flags & (flag::kOpcodeMask | flag::kRd | flag::kCd)) |
                        flag::kRa | (authoritative ? flag::kAa : 0) | (truncated_ ? flag::kTc : 0) |
                        (code & flag::kRcodeMask)));
  put_u16(&out_[4], query_.has_question ? 1 : 0);
  put_u16(&out_[6], answers_);
  put_u16(&out_[8], 0);
  put_u16(&out_[10], query_.edns ? 1 : 0);
  if (query_.edns) {
    put_opt(&out_[at_], code, query_.edns->dnssec_ok);
    at_ += kOptSize;
  }
  return at_;
}

size_t build_empty_reply(std::span<uint8_t> out, const Query& query, Rcode rcode,
                         bool authoritative) {
  return ReplyWriter(out, out.size(), query).finish(rcode, authoritative);
}

size_t build_upstream_query(std::span<uint8_t> out, const Query& client, uint16_t id,
                            bool with_edns) {
  SHOAL_CHECK(out.size() >= ReplyWriter::kMinReplyBuffer, "query buffer too small");
  put_u16(&out[0], id);
  put_u16(&out[2], client.flags & (flag::kRd | flag::kAd | flag::kCd));
  put_u16(&out[4], 1);
  put_u16(&out[6], 0);
  put_u16(&out[8], 0);
  put_u16(&out[10], with_edns ? 1 : 0);
  const ByteView wire = client.question.name.wire();
  std::memcpy(&out[kHeaderSize], wire.data(), wire.size());
  size_t at = kHeaderSize + wire.size();
  put_u16(&out[at], client.question.type);
  put_u16(&out[at + 2], client.question.klass);
  at += 4;
  if (with_edns) {
    put_opt(&out[at], 0, client.edns && client.edns->dnssec_ok);
    at += kOptSize;
  }
  return at;
}

Bytes build_relayed_reply(ByteView packet, const Response& response, const Query& client,
                          size_t limit, uint32_t age) {
  const size_t opt_size = client.edns ? kOptSize : 0;
  std::array<uint16_t, 2> counts{};  // answer, authority
  size_t end = response.question_end;
  bool truncated = (response.flags & flag::kTc) != 0;
  for (const Record& record : response.records) {
    if (record.section == Section::kAdditional) break;
    if (record.end + opt_size > limit) {
      // An authority section that does not fit is simply left out (RFC 2181 section 9).
      truncated = truncated || record.section == Section::kAnswer;
      break;
    }
    ++counts[static_cast<size_t>(record.section)];
    end = record.end;
  }
  Bytes reply(end + opt_size);
  std::memcpy(reply.data(), packet.data(), end);
  // The names are equal but for case, so pointers into the question stay right.
  const ByteView wire = client.question.name.wire();
  std::memcpy(&reply[kHeaderSize], wire.data(), wire.size());
  for (const Record& record : response.records) {
    if (record.end > end) break;
    put_u32(&reply[record.ttl_offset], record.ttl - std::min(record.ttl, age));
  }
  // AD tells only a client that asked for it (RFC 6840 section 5.7).
  const bool wants_ad = (client.flags & flag::kAd) != 0 || (client.edns && client.edns->dnssec_ok);
  const auto kept = static_cast<uint16_t>(
      response.flags & (flag::kAa | (wants_ad ? flag::kAd : 0) | flag::kRcodeMask));
  put_u16(&reply[0], client.id);
  put_u16(&reply[2], static_cast<uint16_t>(flag::kQr | flag::kRa | kept |
                                           (client.flags & (flag::kRd | flag::kCd)) |
                                           (truncated ? flag::kTc : 0)));
  put_u16(&reply[6], counts[0]);
  put_u16(&reply[8], counts[1]);
  put_u16(&reply[10], client.edns ? 1 : 0);
  if (client.edns) put_opt(&reply[end], response.rcode, client.edns->dnssec_ok);
  return reply;
}

}  // namespace shoal::worker::dns
