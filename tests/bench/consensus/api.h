// Api: how one system is asked for the benchmark's operations. How the load is made and measured is
// the same for all (load.h).
//
// A system is asked by a call of its own for each operation or, where it has a stream for many
// calls (Shoal's Calls), on one stream for each connection.
//
//   kCreate  a new object with a value of `value_bytes`: etcd a Put of a new key, Shoal a network
//            with a label of that size (a VXLAN id and a subnet are allocated with it)
//   kUpdate  an object gets a new value: etcd a Put of a known key, Shoal a node's label
//   kRead    one object, linearizable: etcd a Range of one key, Shoal an inspection of a network
//
// From any thread.
#pragma once

#include <grpcpp/grpcpp.h>

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

// What became of one call; of every one that was sent.
struct Answered {
  uint64_t token = 0;  // as given to send()
  std::string error;   // empty: it succeeded, and the answer was what was asked for
};

// What the threads get from a completion queue.
class Event {
 public:
  virtual ~Event() = default;
  // Adds the calls that this answers. An event that comes once deletes itself.
  virtual void happened(bool ok, std::vector<Answered>& out) = 0;
};

// One connection with its system. From any thread.
class Connection {
 public:
  virtual ~Connection() = default;
  // Asks for operation `number`; it leaves with the next flush() at the latest. An Event of `queue`
  // answers it.
  virtual void send(Op op, uint64_t number, uint64_t token) = 0;
  virtual void flush() = 0;
  // After the last answer: no event comes later than those that this brings about.
  virtual void close() = 0;
};

class Api {
 public:
  virtual ~Api() = default;
  virtual std::unique_ptr<Connection> connect(const std::shared_ptr<grpc::Channel>& channel,
                                              grpc::CompletionQueue& queue) const = 0;
};

std::unique_ptr<Api> etcd_api(Workload workload);
// `streams`: by Calls.
std::unique_ptr<Api> shoal_api(Workload workload, bool streams);

}  // namespace shoal::bench
