// UpstreamClient: the sockets of the forwarder's attempts, in the namespace of the process. Each
// attempt has a connected socket of its own, so the kernel draws a fresh source port and lets only
// the upstream's answers in.
//
// Thread rule: the strand. No callback runs from inside send() or close().
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <unordered_map>

#include "worker/dns/policy/forwarder.h"

namespace shoal::worker::dns {

class UpstreamClient {
 public:
  using OnAnswer = std::function<void(uint64_t attempt, const HostPort& from, ByteView packet)>;
  using OnFailure = std::function<void(uint64_t attempt)>;

  UpstreamClient(boost::asio::io_context& context, OnAnswer on_answer, OnFailure on_failure);
  ~UpstreamClient();

  void send(SendToUpstream request);
  // Its callbacks will not be called any more. Unknown attempts are ignored.
  void close(uint64_t attempt);

 private:
  class Attempt;
  class UdpAttempt;
  class TcpAttempt;

  boost::asio::io_context& context_;
  OnAnswer on_answer_;
  OnFailure on_failure_;
  std::unordered_map<uint64_t, std::shared_ptr<Attempt>> attempts_;
};

}  // namespace shoal::worker::dns
