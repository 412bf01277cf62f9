// Any bytes as a DNS query, as an upstream's answer and as a name.
#include "base/types/check.h"
#include "worker/dns/codec/build.h"
#include "worker/dns/policy/cache.h"

namespace shoal::worker::dns {
namespace {

// Whatever a packet says, what we reply to it is well formed and answers the same question.
void as_query(ByteView packet) {
  Query query;
  const QueryVerdict verdict = parse_query(packet, query);
  if (verdict == QueryVerdict::kNotAQuery) return;
  Bytes out(ReplyWriter::kMinReplyBuffer);
  const size_t size = build_empty_reply(out, query, Rcode::kFormErr);
  SHOAL_CHECK(size <= out.size(), "an empty reply fits its buffer");
  if (!query.has_question || (query.flags & flag::kOpcodeMask) != 0) return;

  Response response;
  Bytes full(kMaxMessageSize);
  const size_t limit = reply_limit(query, Transport::kUdp);
  ReplyWriter writer(full, limit, query);
  for (uint32_t i = 0; i < 40; ++i) {
    writer.add_address(Ip::v4(i), i);
    writer.add_name(rr::kPtr, query.question.name, i);
  }
  full.resize(writer.finish(Rcode::kNoError));
  SHOAL_CHECK(full.size() <= limit, "a reply keeps its limit");
  SHOAL_CHECK(parse_response(full, response), "our reply is well formed");
  SHOAL_CHECK(response.question == query.question, "our reply echoes the question");

  Bytes upstream(ReplyWriter::kMinReplyBuffer);
  upstream.resize(build_upstream_query(upstream, query, 7, true));
  Query sent;
  const QueryVerdict again = parse_query(upstream, sent);
  SHOAL_CHECK(query.question.type == rr::kOpt || again == QueryVerdict::kOk,
              "our query is well formed");
}

void as_response(ByteView packet) {
  Response response;
  if (!parse_response(packet, response)) return;
  Query client;
  client.has_question = true;
  client.question = response.question;
  for (const bool edns : {false, true}) {
    if (edns) client.edns = Edns{.udp_size = 1232};
    for (const size_t limit : {size_t{512}, kMaxMessageSize}) {
      const Bytes reply = build_relayed_reply(packet, response, client, limit, 0);
      Response relayed;
      SHOAL_CHECK(reply.size() <= limit, "a relayed reply keeps its limit");
      SHOAL_CHECK(parse_response(reply, relayed), "a relayed reply is well formed");
      SHOAL_CHECK(relayed.records.size() <= response.records.size() + 1, "nothing is added");
    }
  }
  build_relayed_reply(packet, response, client, 512, 1000);
  Cache cache;
  cache.put(client, packet, response, Instant{});
  const Cache::Hit hit = cache.find(client, Instant{});
  SHOAL_CHECK(hit.response == nullptr || hit.packet.size() == packet.size(), "kept whole");
}

void as_names(ByteView packet) {
  for (size_t at = 0; at < packet.size(); ++at) {
    Name name;
    const size_t end = name.read(packet, at, Compression::kAllowed);
    if (end == 0) continue;
    SHOAL_CHECK(end <= packet.size(), "a name ends inside its message");
    Name again;
    SHOAL_CHECK(again.read(name.wire(), 0, Compression::kForbidden) == name.size(),
                "wire form is a name");
    std::array<char, kMaxNameSize> buffer;
    const std::string_view key = name.key(buffer);
    if (!key.empty()) SHOAL_CHECK(Name::from_text(key) == name, "a key is the name");
    if (const auto ip = name.reversed()) {
      SHOAL_CHECK(Name::reverse_of(*ip) == name, "reverse names have one form");
    }
    SHOAL_CHECK(!name.text().empty(), "every name can be shown");
  }
}

}  // namespace
}  // namespace shoal::worker::dns

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal::worker::dns;
  const shoal::ByteView packet(data, std::min(size, kMaxMessageSize));
  as_query(packet);
  as_response(packet);
  as_names(packet.first(std::min<size_t>(packet.size(), 600)));
  return 0;
}
