// Api: how one system is asked for the benchmark's operations: the method's name and its request,
// as bytes. What is sent and how answers are awaited is then the same for all (load.h).
//
//   kCreate  a new object with a value of `value_bytes`: etcd a Put of a new key, Shoal a network
//            with a label of that size (a VXLAN id and a subnet are allocated with it)
//   kUpdate  an object gets a new value: etcd a Put of a known key, Shoal a node's label
//   kRead    one object, linearizable: etcd a Range of one key, Shoal an inspection of a network
//
// From any thread.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace shoal::bench {

enum class Op { kCreate, kUpdate, kRead };

struct Workload {
  std::string prefix;  // of the names: no two runs may create the same
  size_t value_bytes = 256;
  uint64_t objects = 1;            // kRead: "<prefix><0 .. objects - 1>" are there
  std::vector<std::string> nodes;  // Shoal's kUpdate: their ids
};

class Api {
 public:
  virtual ~Api() = default;
  virtual std::string method(Op op) const = 0;
  virtual grpc::ByteBuffer request(Op op, uint64_t number) const = 0;
  // Whether an answer with status OK is what was asked for.
  virtual bool accept(Op op, const grpc::ByteBuffer& answer) const = 0;
};

std::unique_ptr<Api> etcd_api(Workload workload);
std::unique_ptr<Api> shoal_api(Workload workload);

}  // namespace shoal::bench
