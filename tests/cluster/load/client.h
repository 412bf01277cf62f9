// Client: one caller of one host's daemon, over its local socket, one call at a time.
//
// What became of a call is told apart as docs/NOMENCLATURE.md's classes do: done, refused (it did
// not happen), or unknown (it may have happened, or may yet).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proto/control.grpc.pb.h"

namespace shoal::load {

enum class Outcome {
  kDone,
  kPresent,  // refused: what should be made is there
  kAbsent,   // refused: what should be removed or read is not there
  kRefused,  // for another reason; it did not happen
  kUnknown,
};

struct Answer {
  Outcome outcome = Outcome::kUnknown;
  std::string value;  // what was read
  std::string why;    // the sentence of a refusal
};

class Client {
 public:
  // `deadline_seconds` is each call's.
  Client(const std::string& socket, int deadline_seconds);

  // A network of that name, carrying `value` as a label.
  Answer create(const std::string& name, const std::string& value);
  Answer remove(const std::string& name);
  Answer read(const std::string& name);

  // An endpoint of this host, carrying `value` as an alias.
  Answer attach(const std::string& network, const std::string& netns, const std::string& name,
                const std::string& value);
  Answer detach(const std::string& network, const std::string& name);
  // Of any host, as the managers know it.
  Answer read_endpoint(const std::string& network, const std::string& name);

 private:
  void prepare(grpc::ClientContext& context) const;

  const int deadline_seconds_;
  std::unique_ptr<control::Cluster::Stub> cluster_;
  std::unique_ptr<control::Local::Stub> local_;
};

}  // namespace shoal::load
