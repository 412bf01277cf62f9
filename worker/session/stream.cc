#include "worker/session/stream.h"

#include "base/rpc/status.h"
#include "worker/session/wire.h"

namespace shoal::worker {

std::optional<HostPort> leader_of(const grpc::ClientContext& context) {
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto named = metadata.find("shoal-leader");
  if (named == metadata.end()) return std::nullopt;
  const Result<HostPort> leader =
      HostPort::parse(std::string_view(named->second.data(), named->second.size()));
  if (!leader) return std::nullopt;
  return *leader;
}

Error error_of(const grpc::Status& status) {
  constexpr std::string_view kReason = "last error: ";
  Error error = from_grpc(status);
  const size_t reason = error.message.find(kReason);
  if (reason != std::string::npos) error.message.erase(0, reason + kReason.size());
  return error;
}

Stream::Stream(std::shared_ptr<grpc::Channel> channel, Strand& strand,
               std::function<void(Session::Input)> on_input)
    : strand_(strand),
      stub_(dispatch::Dispatcher::NewStub(channel)),
      on_input_(std::move(on_input)) {}

std::shared_ptr<Stream> Stream::open(std::shared_ptr<grpc::Channel> channel, Strand& strand,
                                     dispatch::Register registration,
                                     std::function<void(Session::Input)> on_input) {
  std::shared_ptr<Stream> stream(new Stream(std::move(channel), strand, std::move(on_input)));
  stream->self_ = stream;
  *stream->out_.mutable_register_() = std::move(registration);
  stream->stub_->async()->Session(&stream->context_, stream.get());
  stream->AddHold();
  stream->StartRead(&stream->in_);
  stream->StartWrite(&stream->out_);
  stream->StartCall();
  return stream;
}

void Stream::deliver(Session::Input input) {
  strand_.post([self = self_, input = std::move(input)]() mutable {
    if (self->on_input_) self->on_input_(std::move(input));
  });
}

void Stream::send_heartbeat(bool quiet) {
  heartbeat_due_ = quiet && heartbeat_due_.value_or(true);
  write_due();
}

void Stream::send_description(common::NodeDescription description) {
  description_due_ = std::move(description);
  write_due();
}

void Stream::write_due() {
  if (!holds_ || writing_ || (!heartbeat_due_ && !description_due_)) return;
  writing_ = true;
  out_.Clear();
  if (description_due_) {
    *out_.mutable_description() = *std::exchange(description_due_, std::nullopt);
  } else {
    out_.mutable_heartbeat()->set_quiet(*std::exchange(heartbeat_due_, std::nullopt));
  }
  StartWrite(&out_);
}

void Stream::end_writing() {
  if (!holds_) return;
  holds_ = false;
  RemoveHold();
}

void Stream::close() {
  on_input_ = nullptr;
  context_.TryCancel();
  end_writing();
}

void Stream::OnReadDone(bool ok) {
  if (!ok) {
    strand_.post([self = self_] { self->end_writing(); });
    return;
  }
  Result<std::optional<Session::Input>> input = from_wire(in_);
  if (!input) {
    deliver(Session::Closed{input.error().wrap("a message of the manager cannot be read"), {}});
    context_.TryCancel();
    return;
  }
  if (*input) deliver(std::move(**input));
  in_.Clear();
  StartRead(&in_);
}

void Stream::OnWriteDone(bool ok) {
  if (!ok) return;  // the read side ends too and tells
  strand_.post([self = self_] {
    self->writing_ = false;
    self->write_due();
  });
}

void Stream::OnDone(const grpc::Status& status) {
  const Error error = status.ok() ? unavailable("the manager ended the session") : error_of(status);
  Session::Closed closed{error, leader_of(context_)};
  closed.quorum_lost = status.error_details() == kQuorumLostDetails;
  deliver(std::move(closed));
  self_.reset();
}

}  // namespace shoal::worker
