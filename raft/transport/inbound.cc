#include "raft/transport/inbound.h"

#include "raft/transport/service.h"
#include "raft/transport/wire.h"

namespace shoal::raft {

void Inbound::start(boost::asio::io_context& context, UniqueFd socket, TlsContext tls,
                    std::function<void()> ended) {
  // The link holds this until it ends.
  link_ = Link::take(
      context, std::move(socket), std::move(tls),
      {.secured = [self = shared_from_this()](SSL& ssl) { return self->secured(ssl); },
       .frame = [self = shared_from_this()](std::string_view frame) { return self->take(frame); },
       .written = nullptr,
       .ended = [ended = std::move(ended)](const Error&) { ended(); }});
}

void Inbound::close() { link_->close(); }

// Sends the reason and ends: the link goes on only to see the other side go.
void Inbound::refuse(const Error& why) { link_->finish(service_.refusal_frame(why)); }

Status Inbound::secured(SSL& tls) {
  auto node = service_.identify(tls);
  if (node) {
    node_ = std::move(*node);
  } else {
    refuse(node.error());
  }
  return ok_status();
}

Status Inbound::take(std::string_view frame) {
  wire::Envelope envelope;
  Status status = ok_status();
  if (!envelope.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) {
    status = invalid_argument("not an envelope");
  } else if (from_ == 0) {
    status = envelope.has_hello() ? begin(envelope.hello())
                                  : invalid_argument("a raft link begins with a hello");
  } else if (envelope.has_message()) {
    status = deliver(std::move(*envelope.mutable_message()));
  } else {
    status = invalid_argument("an envelope with nothing in it");
  }
  if (!status) refuse(status.error());
  return ok_status();
}

Status Inbound::begin(const wire::Hello& hello) {
  const RaftId from = SHOAL_TRY(service_.check_hello(hello));
  SHOAL_TRY(service_.admit(node_, from));
  from_ = from;
  link_->settle();
  service_.greet(from, hello.address());
  return ok_status();
}

Status Inbound::deliver(wire::Message&& in) {
  SHOAL_TRY(service_.admit(node_, from_));
  Message message = SHOAL_TRY(from_wire(std::move(in)));
  if (message.from != from_ || message.to != service_.self()) {
    return invalid_argument("a message in somebody else's name");
  }
  service_.deliver(std::move(message));
  return ok_status();
}

}  // namespace shoal::raft
