// Clients of the simulated managers: they attach and detach endpoints, make and remove networks,
// label nodes, and read, anywhere; and remember what they saw, as a history for tests/lin.
//
//   key "endpoint e3"   create: attach under a name; cas to nothing: detach one by its id
//   key "network n1"    create; cas to nothing: remove one by its id; remove: by its name
//   key "node w2"       write: its label
// Half of what they do to networks carries a request id, as the production API gives it, and is
// tried again, with the same id and at whoever leads then, until there is an answer. To the history
// all tries are one operation.
// The time of the history counts the calls and answers, so that no two are at the same moment.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ports/ports.h"
#include "manager/model/command.h"
#include "manager/store/store.h"
#include "tests/lin/checker.h"

namespace shoal::sim {

class Cluster;
class Node;

class Clients {
 public:
  Clients(Cluster& cluster, uint64_t seed) : cluster_(cluster), rng_(seed) {}

  // Makes the cluster, its nodes and the network that endpoints are attached to.
  std::vector<manager::Operation> first_commands();

  // Some commands and reads, mostly at the leader, sometimes at somebody who refuses.
  void some();
  // These answer with the place of the command: is_pending() and is_done() tell of it.
  size_t propose(Node& node);
  size_t propose(Node& node, manager::Operation operation, std::optional<lin::Operation> seen);
  void read(Node& node);
  bool is_pending(size_t command) const { return asked_[command].outcome == Outcome::kPending; }
  bool is_done(size_t command) const { return asked_[command].outcome == Outcome::kDone; }
  bool any_done() const { return acknowledged_ > 0; }

  // When no answer is out any more.
  void check_outcomes();
  void check_history();

 private:
  enum class Outcome { kPending, kDone, kRefused, kUnknown };
  struct Asked {
    std::string command;
    std::optional<size_t> seen;     // in history_
    std::optional<size_t> request;  // in requests_
    Outcome outcome = Outcome::kPending;
  };
  struct Drawn {
    manager::Operation operation;
    std::optional<lin::Operation> seen;
    std::string request;
  };
  struct Request {
    manager::Command command;  // the first try
    uint64_t since = 0;        // an index applied before it
    size_t seen = 0;           // in history_
    bool unsure = false;       // a try has an unknown outcome
  };

  Drawn draw();
  Drawn draw_endpoint();
  Drawn draw_network();
  Drawn draw_node();
  std::string fresh(const std::string& prefix);
  size_t note_seen(lin::Operation seen, size_t client);
  void send(Node& node, const manager::Command& command, Asked asked);
  void ask(Node& node, size_t request, uint64_t since);
  void again(Node& node);
  void unanswered(Asked& asked, const Error& error);
  void answered(size_t command, const Result<std::string>& result);
  void judge(lin::Operation& seen, const std::string& word);
  void forget(size_t seen) { dropped_[seen] = true; }
  static lin::Value look(const manager::Store& store, const std::string& key);

  Cluster& cluster_;
  SeededRng rng_;
  int64_t moment_ = 0;
  uint64_t next_id_ = 0;
  uint64_t acknowledged_ = 0;  // the index of the newest command that was
  std::vector<Asked> asked_;
  std::vector<Request> requests_;
  std::vector<size_t> again_;  // of requests_: to be tried again
  lin::History history_;
  std::vector<bool> dropped_;                      // of history_: they say nothing
  std::map<std::string, std::string> newest_ids_;  // of endpoints, by key
};

}  // namespace shoal::sim
