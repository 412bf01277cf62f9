#include "tests/bench/consensus/unary.h"

#include <grpcpp/support/proto_buffer_reader.h>

namespace shoal::bench {
namespace {

constexpr std::chrono::seconds kCallDeadline{20};

class UnaryCall final : public Event {
 public:
  UnaryCall(const UnaryMethods& methods, Op op, uint64_t token)
      : methods_(methods), op_(op), token_(token) {}

  void start(grpc::GenericStub& stub, grpc::CompletionQueue& queue, uint64_t number) {
    context_.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
    reader_ = stub.PrepareUnaryCall(&context_, methods_.method(op_), methods_.request(op_, number),
                                    &queue);
    reader_->StartCall();
    reader_->Finish(&answer_, &status_, static_cast<Event*>(this));
  }

  void happened(bool /*ok*/, std::vector<Answered>& out) override {
    const std::unique_ptr<UnaryCall> self(this);
    out.push_back({token_, status_.error_message()});
    if (!status_.ok()) {
      if (out.back().error.empty()) out.back().error = "refused without a reason";
    } else if (!methods_.accept(op_, answer_)) {
      out.back().error = "an answer that is none";
    }
  }

 private:
  const UnaryMethods& methods_;
  const Op op_;
  const uint64_t token_;
  grpc::ClientContext context_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader_;
};

class UnaryConnection final : public Connection {
 public:
  UnaryConnection(const UnaryMethods& methods, const std::shared_ptr<grpc::Channel>& channel,
                  grpc::CompletionQueue& queue)
      : methods_(methods), stub_(channel), queue_(queue) {}

  void send(Op op, uint64_t number, uint64_t token) override {
    (new UnaryCall(methods_, op, token))->start(stub_, queue_, number);  // deletes itself
  }
  void flush() override {}
  void close() override {}

 private:
  const UnaryMethods& methods_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue& queue_;
};

}  // namespace

std::unique_ptr<Connection> unary_connection(const UnaryMethods& methods,
                                             const std::shared_ptr<grpc::Channel>& channel,
                                             grpc::CompletionQueue& queue) {
  return std::make_unique<UnaryConnection>(methods, channel, queue);
}

grpc::ByteBuffer bytes_of(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

bool parse(const grpc::ByteBuffer& bytes, google::protobuf::Message& out) {
  grpc::ByteBuffer copy(bytes);
  grpc::ProtoBufferReader reader(&copy);
  return out.ParseFromZeroCopyStream(&reader);
}

}  // namespace shoal::bench
