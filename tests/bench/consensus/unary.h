// UnaryConnection: a gRPC call of its own for each operation.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>

#include "tests/bench/consensus/api.h"

namespace shoal::bench {

// The method's name and its messages, as bytes.
class UnaryMethods {
 public:
  virtual ~UnaryMethods() = default;
  virtual std::string method(Op op) const = 0;
  virtual grpc::ByteBuffer request(Op op, uint64_t number) const = 0;
  // Whether an answer with status OK is what was asked for.
  virtual bool accept(Op op, const grpc::ByteBuffer& answer) const = 0;
};

// `methods` outlives it and its calls.
std::unique_ptr<Connection> unary_connection(const UnaryMethods& methods,
                                             const std::shared_ptr<grpc::Channel>& channel,
                                             grpc::CompletionQueue& queue);

grpc::ByteBuffer bytes_of(const google::protobuf::Message& message);
bool parse(const grpc::ByteBuffer& bytes, google::protobuf::Message& out);

}  // namespace shoal::bench
