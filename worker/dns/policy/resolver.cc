#include "worker/dns/policy/resolver.h"

#include "worker/dns/codec/build.h"

namespace shoal::worker::dns {
namespace {

// Zone transfers and other questions that only make sense to an authority.
bool is_meta_type(uint16_t type) { return type >= rr::kTkey && type <= rr::kMailA; }

Rcode rcode_of(QueryVerdict verdict) {
  switch (verdict) {
    case QueryVerdict::kNotImp:
      return Rcode::kNotImp;
    case QueryVerdict::kBadVers:
      return Rcode::kBadVers;
    default:
      return Rcode::kFormErr;
  }
}

}  // namespace

Found Resolver::local(const Query& query, const View& view) {
  const uint16_t type = query.question.type;
  if (type == rr::kPtr || type == rr::kAny) {
    if (const auto ip = query.question.name.reversed()) {
      return names_.reverse(view.networks, *ip, answer_);
    }
  }
  const bool any = type == rr::kAny;
  return names_.lookup(view.networks, query.question.name, any || type == rr::kA,
                       any || type == rr::kAaaa, order_.next(), answer_);
}

Disposition Resolver::handle(ByteView packet, Transport transport, const View& view,
                             std::span<uint8_t> out, Query& query, size_t& size) {
  ++counters_.queries;
  const QueryVerdict verdict = parse_query(packet, query);
  if (verdict == QueryVerdict::kNotAQuery) {
    ++counters_.dropped_not_a_query;
    return Disposition::kDrop;
  }
  const auto refuse = [&](Rcode rcode) {
    ++counters_.refused;
    size = build_empty_reply(out, query, rcode);
    return Disposition::kReply;
  };
  if (verdict != QueryVerdict::kOk) return refuse(rcode_of(verdict));
  if (query.question.klass != kClassIn) return refuse(Rcode::kRefused);
  if (is_meta_type(query.question.type)) return refuse(Rcode::kNotImp);

  if (local(query, view) == Found::kUnknown) {
    if (view.may_forward) return Disposition::kForward;
    ++counters_.internal;
    size = build_empty_reply(out, query, Rcode::kServFail);
    return Disposition::kReply;
  }
  ++counters_.local;
  ReplyWriter writer(out, reply_limit(query, transport), query);
  for (const Ip& ip : answer_.addresses) {
    if (!writer.add_address(ip, kLocalTtl)) break;
  }
  for (const Name& name : answer_.names) {
    if (!writer.add_name(rr::kPtr, name, kLocalTtl)) break;
  }
  size = writer.finish(Rcode::kNoError, true);
  return Disposition::kReply;
}

}  // namespace shoal::worker::dns
