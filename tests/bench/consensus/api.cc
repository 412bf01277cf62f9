#include "tests/bench/consensus/api.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include "proto/control.pb.h"
#include "tests/bench/consensus/etcd.pb.h"

namespace shoal::bench {
namespace {

// A number that walks all over the objects.
uint64_t scattered(uint64_t number, uint64_t objects) {
  return number * 0x9e3779b97f4a7c15ULL % objects;
}

grpc::ByteBuffer bytes_of(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

template <typename T>
bool parse(const grpc::ByteBuffer& bytes, T& out) {
  grpc::ByteBuffer copy(bytes);
  grpc::ProtoBufferReader reader(&copy);
  return out.ParseFromZeroCopyStream(&reader);
}

class Etcd final : public Api {
 public:
  explicit Etcd(Workload workload)
      : workload_(std::move(workload)), value_(workload_.value_bytes, 'v') {}

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

class Shoal final : public Api {
 public:
  explicit Shoal(Workload workload)
      : workload_(std::move(workload)), value_(workload_.value_bytes, 'v') {}

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
    if (op == Op::kRead) {
      control::InspectNetworkRequest inspect;
      inspect.set_network(workload_.prefix + std::to_string(scattered(number, workload_.objects)));
      return bytes_of(inspect);
    }
    if (op == Op::kUpdate) {
      control::UpdateNodeRequest update;
      update.set_node(workload_.nodes.at(number % workload_.nodes.size()));
      update.add_fields("labels");
      // A label that stays as it is would be no change.
      std::string value = std::to_string(number) + value_;
      value.resize(workload_.value_bytes);
      (*update.mutable_spec()->mutable_labels())["bench"] = std::move(value);
      return bytes_of(update);
    }
    control::CreateNetworkRequest create;
    create.mutable_spec()->set_name(workload_.prefix + std::to_string(number));
    (*create.mutable_spec()->mutable_labels())["bench"] = value_;
    // The smallest, so that the pool lasts.
    create.mutable_spec()->add_subnets()->set_subnet("0.0.0.0/30");
    return bytes_of(create);
  }
  bool accept(Op op, const grpc::ByteBuffer& answer) const override {
    if (op == Op::kUpdate) {
      control::UpdateNodeResponse update;
      return parse(answer, update) && !update.node().id().empty();
    }
    if (op == Op::kCreate) {
      control::CreateNetworkResponse create;
      return parse(answer, create) && create.network().vni() != 0;
    }
    control::InspectNetworkResponse inspect;
    if (!parse(answer, inspect)) return false;
    const auto& labels = inspect.network().spec().labels();
    const auto label = labels.find("bench");
    return label != labels.end() && label->second.size() == workload_.value_bytes;
  }

 private:
  const Workload workload_;
  const std::string value_;
};

}  // namespace

std::unique_ptr<Api> etcd_api(Workload workload) {
  return std::make_unique<Etcd>(std::move(workload));
}

std::unique_ptr<Api> shoal_api(Workload workload) {
  return std::make_unique<Shoal>(std::move(workload));
}

}  // namespace shoal::bench
