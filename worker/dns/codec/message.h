// Parsing of DNS messages (RFC 1035, 3596, 6891), hostile-safe: every read is bounded by the input,
// work is linear in it, and nothing allocates but the record list of a response.
//
//   header 12 | question (name, type, class) | answer | authority | additional
//   header: id 16 | QR 1 opcode 4 AA TC RD | RA Z AD CD rcode 4 | QD AN NS AR counts, 16 each
//
// A query has exactly one question (RFC 9619), no answer and no authority records.
#pragma once

#include <optional>
#include <vector>

#include "worker/dns/codec/name.h"

namespace shoal::worker::dns {

inline constexpr size_t kHeaderSize = 12;
inline constexpr size_t kMaxMessageSize = 65535;  // what a TCP length prefix can say
// Payload without EDNS (RFC 1035 section 4.2.1), and what we advertise: the DNS flag day 2020
// value, which no IPv6 path fragments.
inline constexpr uint16_t kClassicUdpSize = 512;
inline constexpr uint16_t kAdvertisedUdpSize = 1232;
inline constexpr size_t kOptSize = 11;  // an OPT record without options

enum class Transport : uint8_t { kUdp, kTcp };

namespace rr {  // record types
inline constexpr uint16_t kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kMx = 15, kTxt = 16,
                          kAaaa = 28, kSrv = 33, kDname = 39, kOpt = 41, kTkey = 249, kMailA = 254,
                          kAny = 255;
}
inline constexpr uint16_t kClassIn = 1;

enum class Rcode : uint16_t {
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
  kBadVers = 16,
};

namespace flag {  // of the second 16 bits of the header
inline constexpr uint16_t kQr = 0x8000, kAa = 0x0400, kTc = 0x0200, kRd = 0x0100, kRa = 0x0080,
                          kAd = 0x0020, kCd = 0x0010, kOpcodeMask = 0x7800, kRcodeMask = 0x000f;
}

struct Edns {
  uint16_t udp_size = 0;  // bytes the sender can take
  uint8_t version = 0;
  bool dnssec_ok = false;
};

struct Question {
  Name name;
  uint16_t type = 0;
  uint16_t klass = 0;

  friend bool operator==(const Question&, const Question&) = default;
};

struct Query {
  uint16_t id = 0;
  uint16_t flags = 0;
  bool has_question = false;  // `question` was read, also when the rest is malformed
  Question question;
  std::optional<Edns> edns;
};

enum class QueryVerdict : uint8_t {
  kOk,
  kNotAQuery,  // shorter than a header, or a response: never answered, or two servers could loop
  kFormErr,
  kNotImp,
  kBadVers,
};

// Fills `out` as far as the packet can be understood, so that an error reply can echo it.
QueryVerdict parse_query(ByteView packet, Query& out);

// Bytes a reply to `query` may have.
size_t reply_limit(const Query& query, Transport transport);

enum class Section : uint8_t { kAnswer, kAuthority, kAdditional };

struct Record {
  Section section = Section::kAnswer;
  uint16_t type = 0;
  uint16_t klass = 0;
  uint32_t ttl = 0;       // seconds; of an OPT record its extended flags
  size_t start = 0;       // offset of the owner name
  size_t ttl_offset = 0;  // of the TTL field
  size_t rdata_offset = 0;
  size_t end = 0;
};

struct Response {
  uint16_t id = 0;
  uint16_t flags = 0;
  uint16_t rcode = 0;  // 12 bits with EDNS
  Question question;
  size_t question_end = 0;
  size_t additional_start = 0;
  std::vector<Record> records;
  std::optional<Edns> edns;
  // Seconds a negative answer may be kept: the lesser of the TTL and the minimum of the SOA record
  // in the authority section (RFC 2308 section 5).
  std::optional<uint32_t> negative_ttl;
};

// False when malformed: wrong counts, bad names (also inside the data of the types that may be
// compressed), addresses of a wrong size, trailing bytes, more than one question or OPT.
bool parse_response(ByteView packet, Response& out);

}  // namespace shoal::worker::dns
