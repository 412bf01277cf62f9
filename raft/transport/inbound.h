// Inbound: the link of another member to us: who it is by its certificate, a hello, then its
// messages, each of which is read when the strand has taken the last, so a peer cannot fill memory.
// What is refused gets a frame that says why, and the end.
//
// Thread rule: the strand.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/types/id.h"
#include "proto/raft.pb.h"
#include "raft/transport/link.h"
#include "raft/types.h"

namespace shoal::raft {

class RaftService;

class Inbound : public std::enable_shared_from_this<Inbound> {
 public:
  explicit Inbound(RaftService& service) : service_(service) {}

  // `ended`: by the other side, or because it was refused.
  void start(boost::asio::io_context& context, UniqueFd socket, TlsContext tls,
             std::function<void()> ended);
  // Nothing is called any more.
  void close();

 private:
  Status secured(SSL& tls);
  Status take(std::string_view frame);
  Status begin(const wire::Hello& hello);
  Status deliver(wire::Message&& message);
  void refuse(const Error& why);

  RaftService& service_;
  std::shared_ptr<Link> link_;
  NodeId node_;
  RaftId from_ = 0;  // 0 before the hello
};

}  // namespace shoal::raft
