#include "tests/bench/consensus/api.h"

#include "proto/control.grpc.pb.h"
#include "tests/bench/consensus/etcd.pb.h"
#include "tests/bench/consensus/shoal_stream.h"
#include "tests/bench/consensus/unary.h"

namespace shoal::bench {
namespace {

// A number that walks all over the objects.
uint64_t scattered(uint64_t number, uint64_t objects) {
  return number * 0x9e3779b97f4a7c15ULL % objects;
}

class Etcd final : public Api, UnaryMethods {
 public:
  explicit Etcd(Workload workload)
      : workload_(std::move(workload)), value_(workload_.value_bytes, 'v') {}

  std::unique_ptr<Connection> connect(const std::shared_ptr<grpc::Channel>& channel,
                                      grpc::CompletionQueue& queue) const override {
    return unary_connection(*this, channel, queue);
  }

  std::string method(Op op) const override {
    return op == Op::kRead ? "/etcdserverpb.KV/Range" : "/etcdserverpb.KV/Put";
  }
  grpc::ByteBuffer request(Op op, uint64_t number) const override {
    if (op == Op::kRead) {
      etcdserverpb::RangeRequest range;
      range.set_key(workload_.prefix + std::to_string(scattered(number, workload_.objects)));
      return bytes_of(range);
    }
    etcdserverpb::PutRequest put;
    put.set_key(op == Op::kCreate ? workload_.prefix + std::to_string(number) : "updated");
    put.set_value(value_);
    return bytes_of(put);
  }
  bool accept(Op op, const grpc::ByteBuffer& answer) const override {
    if (op != Op::kRead) {
      etcdserverpb::PutResponse put;
      return parse(answer, put) && put.header().revision() > 0;
    }
    etcdserverpb::RangeResponse range;
    return parse(answer, range) && range.kvs_size() == 1 &&
           range.kvs(0).value().size() == workload_.value_bytes;
  }

 private:
  const Workload workload_;
  const std::string value_;
};

// The messages, however they travel.
class ShoalMessages {
 public:
  explicit ShoalMessages(Workload workload)
      : workload_(std::move(workload)), value_(workload_.value_bytes, 'v') {}

  void fill(uint64_t number, control::InspectNetworkRequest& inspect) const {
    inspect.set_network(workload_.prefix + std::to_string(scattered(number, workload_.objects)));
  }
  void fill(uint64_t number, control::UpdateNodeRequest& update) const {
    update.set_node(workload_.nodes.at(number % workload_.nodes.size()));
    update.add_fields("labels");
    // A label that stays as it is would be no change.
    std::string value = std::to_string(number) + value_;
    value.resize(workload_.value_bytes);
    (*update.mutable_spec()->mutable_labels())["bench"] = std::move(value);
  }
  void fill(uint64_t number, control::CreateNetworkRequest& create) const {
    create.mutable_spec()->set_name(workload_.prefix + std::to_string(number));
    (*create.mutable_spec()->mutable_labels())["bench"] = value_;
    // The smallest, so that the pool lasts.
    create.mutable_spec()->add_subnets()->set_subnet("0.0.0.0/30");
  }

  bool accept(const control::UpdateNodeResponse& update) const {
    return !update.node().id().empty();
  }
  bool accept(const control::CreateNetworkResponse& create) const {
    return create.network().vni() != 0;
  }
  bool accept(const control::InspectNetworkResponse& inspect) const {
    const auto& labels = inspect.network().spec().labels();
    const auto label = labels.find("bench");
    return label != labels.end() && label->second.size() == workload_.value_bytes;
  }

 private:
  const Workload workload_;
  const std::string value_;
};

class ShoalUnary final : public Api, UnaryMethods {
 public:
  explicit ShoalUnary(Workload workload) : messages_(std::move(workload)) {}

  std::unique_ptr<Connection> connect(const std::shared_ptr<grpc::Channel>& channel,
                                      grpc::CompletionQueue& queue) const override {
    return unary_connection(*this, channel, queue);
  }

  std::string method(Op op) const override {
    switch (op) {
      case Op::kCreate:
        return "/shoal.control.Cluster/CreateNetwork";
      case Op::kUpdate:
        return "/shoal.control.Cluster/UpdateNode";
      case Op::kRead:
        return "/shoal.control.Cluster/InspectNetwork";
    }
    return {};
  }
  grpc::ByteBuffer request(Op op, uint64_t number) const override {
    switch (op) {
      case Op::kCreate:
        return request<control::CreateNetworkRequest>(number);
      case Op::kUpdate:
        return request<control::UpdateNodeRequest>(number);
      case Op::kRead:
        return request<control::InspectNetworkRequest>(number);
    }
    return {};
  }
  bool accept(Op op, const grpc::ByteBuffer& answer) const override {
    switch (op) {
      case Op::kCreate:
        return accept<control::CreateNetworkResponse>(answer);
      case Op::kUpdate:
        return accept<control::UpdateNodeResponse>(answer);
      case Op::kRead:
        return accept<control::InspectNetworkResponse>(answer);
    }
    return false;
  }

 private:
  template <typename T>
  grpc::ByteBuffer request(uint64_t number) const {
    T message;
    messages_.fill(number, message);
    return bytes_of(message);
  }
  template <typename T>
  bool accept(const grpc::ByteBuffer& answer) const {
    T message;
    return parse(answer, message) && messages_.accept(message);
  }

  const ShoalMessages messages_;
};

class ShoalStreams final : public Api, StreamMessages {
 public:
  explicit ShoalStreams(Workload workload) : messages_(std::move(workload)) {}

  std::unique_ptr<Connection> connect(const std::shared_ptr<grpc::Channel>& channel,
                                      grpc::CompletionQueue& queue) const override {
    return stream_connection(*this, channel, queue);
  }
  void fill(Op op, uint64_t number, control::Call& call) const override {
    switch (op) {
      case Op::kCreate:
        return messages_.fill(number, *call.mutable_create_network());
      case Op::kUpdate:
        return messages_.fill(number, *call.mutable_update_node());
      case Op::kRead:
        return messages_.fill(number, *call.mutable_inspect_network());
    }
  }
  bool accept(const control::Answer& answer) const override {
    switch (answer.response_case()) {
      case control::Answer::kCreateNetwork:
        return messages_.accept(answer.create_network());
      case control::Answer::kUpdateNode:
        return messages_.accept(answer.update_node());
      case control::Answer::kInspectNetwork:
        return messages_.accept(answer.inspect_network());
      default:
        return false;
    }
  }

 private:
  const ShoalMessages messages_;
};

}  // namespace

std::unique_ptr<Api> etcd_api(Workload workload) {
  return std::make_unique<Etcd>(std::move(workload));
}

std::unique_ptr<Api> shoal_api(Workload workload, bool streams) {
  if (streams) return std::make_unique<ShoalStreams>(std::move(workload));
  return std::make_unique<ShoalUnary>(std::move(workload));
}

}  // namespace shoal::bench
