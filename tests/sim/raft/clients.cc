#include "tests/sim/raft/clients.h"

#include "manager/wire/store_wire.h"
#include "tests/sim/raft/cluster.h"

namespace shoal::sim {

using manager::Operation;

namespace {

constexpr uint64_t kEndpoints = 8;
constexpr uint64_t kNetworks = 5;
constexpr uint64_t kNodes = 3;
const std::string kLabel = "seen";

template <typename Id>
Id id_of(std::string text) {
  text.resize(kIdLength, 'q');
  return Id(text);
}

const NetworkId kHome = id_of<NetworkId>("home");

Prefix prefix(std::string_view text) { return *Prefix::parse(text); }

manager::Node worker(const std::string& name) {
  manager::Node node;
  node.id = id_of<NodeId>(name);
  node.description.hostname = name;
  return node;
}

}  // namespace

std::vector<Operation> Clients::first_commands() {
  manager::Cluster cluster;
  cluster.id = id_of<ClusterId>("c");
  cluster.worker_secret = std::string(16, 'w');
  cluster.manager_secret = std::string(16, 'm');
  cluster.gossip_keys.keys = {{1, std::string(32, 'k')}};
  // Little room, so that addresses, subnets and network numbers are given again and again.
  cluster.address_pools = {prefix("10.0.0.0/24"), prefix("fd00::/120")};
  cluster.mask_length_v4 = 27;
  cluster.mask_length_v6 = 124;
  manager::Node first = worker("first");
  first.spec.role = manager::Role::kManager;
  std::vector<Operation> out = {manager::InitCluster{cluster, first}};
  for (uint64_t i = 0; i < kNodes; ++i) {
    out.emplace_back(manager::CreateNode{worker("w" + std::to_string(i))});
  }
  manager::NetworkSpec home;
  home.name = "home";
  home.attachable = true;
  home.ipv6 = rng_.below(4) == 0;
  home.subnets.push_back({.subnet = prefix("10.1.0.0/25")});
  out.emplace_back(manager::CreateNetwork{kHome, home, {}});
  return out;
}

std::string Clients::fresh(const std::string& prefix) {
  return prefix + std::to_string(++next_id_) + "x";
}

Clients::Drawn Clients::draw() {
  const uint64_t dice = rng_.below(100);
  if (dice < 55) return draw_endpoint();
  if (dice < 80) return draw_network();
  if (dice < 97) return draw_node();
  if (dice < 99) return {manager::RotateGossipKey{{++next_id_ + 1, std::string(32, 'k')}}, {}};
  return {manager::RotateJoinToken{manager::Role::kWorker, std::string(16, 'r')}, {}};
}

Clients::Drawn Clients::draw_endpoint() {
  const std::string name = "e" + std::to_string(rng_.below(kEndpoints));
  lin::Operation seen;
  seen.key = "endpoint " + name;
  if (rng_.below(2) == 0) {
    manager::AttachEndpoint op;
    op.id = id_of<EndpointId>(fresh("p"));
    op.network_id = kHome;
    op.node_id = id_of<NodeId>("w" + std::to_string(rng_.below(kNodes)));
    op.spec.name = name;
    if (rng_.below(4) == 0) op.spec.aliases = {std::string(1 + rng_.below(60), 'a')};
    seen.kind = lin::Kind::kCreate;
    seen.in = op.id.str();
    newest_ids_[name] = op.id.str();
    return {op, seen};
  }
  seen.kind = lin::Kind::kCas;
  seen.expect = newest_ids_.contains(name) ? newest_ids_[name] : id_of<EndpointId>("none").str();
  return {manager::DetachEndpoint{EndpointId(*seen.expect), {}}, seen};
}

Clients::Drawn Clients::draw_network() {
  const std::string name = "n" + std::to_string(rng_.below(kNetworks));
  lin::Operation seen;
  seen.key = "network " + name;
  const bool once = rng_.below(2) == 0;
  if (rng_.below(2) == 0) {
    manager::CreateNetwork op;
    op.id = id_of<NetworkId>(fresh("k"));
    op.spec.name = name;
    op.spec.ipv6 = rng_.below(4) == 0;
    seen.kind = lin::Kind::kCreate;
    seen.in = op.id.str();
    newest_ids_[name] = op.id.str();
    return {op, seen, once ? op.id.str() : ""};
  }
  if (once) {
    seen.kind = lin::Kind::kRemove;
    return {manager::RemoveNetwork{}, seen, id_of<NetworkId>(fresh("r")).str()};
  }
  seen.kind = lin::Kind::kCas;
  seen.expect = newest_ids_.contains(name) ? newest_ids_[name] : id_of<NetworkId>("none").str();
  return {manager::RemoveNetwork{NetworkId(*seen.expect)}, seen, ""};
}

Clients::Drawn Clients::draw_node() {
  const std::string name = "w" + std::to_string(rng_.below(kNodes));
  lin::Operation seen;
  seen.key = "node " + name;
  seen.kind = lin::Kind::kWrite;
  seen.in = fresh("v");
  manager::UpdateNode op;
  op.id = id_of<NodeId>(name);
  op.spec = manager::NodeSpec{};
  op.spec->labels[kLabel] = *seen.in;
  return {op, seen};
}

size_t Clients::propose(Node& node) {
  Drawn drawn = draw();
  if (drawn.request.empty()) {
    return propose(node, std::move(drawn.operation), std::move(drawn.seen));
  }
  Request request;
  request.command.operation = std::move(drawn.operation);
  request.command.request = std::move(drawn.request);
  request.since = node.store().applied_index();
  request.seen = note_seen(*std::move(drawn.seen), asked_.size());
  requests_.push_back(std::move(request));
  ask(node, requests_.size() - 1, 0);
  return asked_.size() - 1;
}

size_t Clients::propose(Node& node, Operation operation, std::optional<lin::Operation> seen) {
  const size_t place = asked_.size();
  manager::Command command;
  command.operation = std::move(operation);
  Asked asked;
  if (seen) asked.seen = note_seen(*std::move(seen), place);
  send(node, command, std::move(asked));
  return place;
}

size_t Clients::note_seen(lin::Operation seen, size_t client) {
  seen.client = client;
  seen.call = ++moment_;
  history_.push_back(std::move(seen));
  dropped_.push_back(false);
  return history_.size() - 1;
}

void Clients::send(Node& node, const manager::Command& command, Asked asked) {
  manager::Command now = command;
  now.proposed_at = node.clock().wall();
  now.seed = rng_.next();
  const size_t place = asked_.size();
  asked.command = manager::wire::encode_command(now);
  asked_.push_back(std::move(asked));
  node.enter([&] {
    node.driver().propose(asked_[place].command, [this, place](const Result<std::string>& result) {
      answered(place, result);
    });
    if (place % 2 == 0) node.driver().flush();
  });
  // Else with whatever the driver does next, which a leader that is alone may not do for long.
  if (place % 2 != 0) node.flush_later();
}

// What is to be removed is looked up by its name where it is asked for, with every try.
void Clients::ask(Node& node, size_t request, uint64_t since) {
  manager::Command command = requests_[request].command;
  command.since = since;
  if (auto* const remove = std::get_if<manager::RemoveNetwork>(&command.operation)) {
    const lin::Value found = look(node.store(), history_[requests_[request].seen].key);
    remove->id = found ? NetworkId(*found) : id_of<NetworkId>("none");
  }
  send(node, command, {.seen = requests_[request].seen, .request = request});
}

void Clients::again(Node& node) {
  const size_t at = rng_.below(again_.size());
  const size_t request = again_[at];
  again_.erase(again_.begin() + static_cast<ptrdiff_t>(at));
  ++cluster_.totals_.tried_again;
  ask(node, request, requests_[request].since);
}

// What was refused had no effect; of a request that may have had one already, only that it has not
// had it now.
void Clients::unanswered(Asked& asked, const Error& error) {
  const bool unknown = error.code == ErrorClass::kDeadlineExceeded;
  asked.outcome = unknown ? Outcome::kUnknown : Outcome::kRefused;
  cluster_.totals_.commands_unknown += unknown ? 1 : 0;
  if (asked.request) {
    Request& request = requests_[*asked.request];
    request.unsure = request.unsure || unknown;
    if (request.unsure) return again_.push_back(*asked.request);
  }
  if (asked.seen && !unknown) forget(*asked.seen);
}

void Clients::answered(size_t command, const Result<std::string>& result) {
  Asked& asked = asked_[command];
  if (asked.outcome != Outcome::kPending) {
    return cluster_.violate("two answers for command " + std::to_string(command));
  }
  if (!result) return unanswered(asked, result.error());
  asked.outcome = Outcome::kDone;
  ++cluster_.totals_.commands_done;
  const size_t space = result->find(' ');
  if (space == std::string::npos) {
    return cluster_.violate("the answer of something else for command " + std::to_string(command));
  }
  acknowledged_ = std::max<uint64_t>(acknowledged_, std::stoull(*result));
  if (!asked.seen) return;
  history_[*asked.seen].given = ++moment_;
  judge(history_[*asked.seen], result->substr(space + 1));
}

// What the answer means to the model.
void Clients::judge(lin::Operation& seen, const std::string& word) {
  // A removal that an earlier try did has nothing to show any more.
  seen.ok = word == "ok" || (seen.kind == lin::Kind::kRemove && word == "nothing");
  // An endpoint that is gone is gone; a network that is gone is not found.
  const char* const differs = seen.key.starts_with("endpoint") ? "nothing" : "not_found";
  if (seen.ok || (seen.kind == lin::Kind::kCreate && word == "already_exists") ||
      (seen.kind == lin::Kind::kCas && word == differs)) {
    return;
  }
  // No room, or no more the one that had the name where it was looked up: neither says anything of
  // the key. Nor did an earlier try have an effect, for that would be remembered: it comes before
  // this one in the log, or never.
  if ((seen.kind == lin::Kind::kCreate && word == "resource_exhausted") ||
      (seen.kind == lin::Kind::kRemove && word == "not_found")) {
    return forget(static_cast<size_t>(&seen - history_.data()));
  }
  cluster_.violate("\"" + to_string(seen) + "\" is answered by " + word);
}

lin::Value Clients::look(const manager::Store& store, const std::string& key) {
  const std::string name = key.substr(key.find(' ') + 1);
  if (key.starts_with("endpoint")) {
    const auto found = store.find_endpoint(kHome, name);
    return found ? lin::Value((*found)->id.str()) : std::nullopt;
  }
  if (key.starts_with("network")) {
    const auto found = store.find_network(name);
    return found ? lin::Value((*found)->id.str()) : std::nullopt;
  }
  const manager::Node* const node = store.node(id_of<NodeId>(name));
  if (node == nullptr || !node->spec.labels.contains(kLabel)) return std::nullopt;
  return node->spec.labels.at(kLabel);
}

void Clients::read(Node& node) {
  lin::Operation seen;
  seen.kind = lin::Kind::kRead;
  const uint64_t dice = rng_.below(4);
  seen.key = dice < 2    ? "endpoint e" + std::to_string(rng_.below(kEndpoints))
             : dice == 2 ? "network n" + std::to_string(rng_.below(kNetworks))
                         : "node w" + std::to_string(rng_.below(kNodes));
  seen.client = 1'000'000 + history_.size();
  seen.call = ++moment_;
  node.enter([&] {
    node.driver().read_index(
        [this, &node, seen, before = acknowledged_](const Status& status) mutable {
          if (!status) return;
          ++cluster_.totals_.reads_done;
          if (node.core()->log().applied() < before) {
            cluster_.violate("a read on node " + std::to_string(node.id()) + " sees entry " +
                             std::to_string(node.core()->log().applied()) + ", not entry " +
                             std::to_string(before) + ", acknowledged before");
          }
          seen.given = ++moment_;
          seen.out = look(node.store(), seen.key);
          history_.push_back(std::move(seen));
          dropped_.push_back(false);
        });
  });
}

void Clients::some() {
  Node* at = cluster_.leader();
  if (at == nullptr || rng_.below(10) == 0) at = &cluster_.any();
  if (at->up()) {
    for (uint64_t burst = rng_.below(rng_.below(3) == 0 ? 8 : 3); burst > 0 && at->up(); --burst) {
      propose(*at);
    }
  }
  // After a while: others have done more by then.
  if (!again_.empty() && at->up() && rng_.below(3) == 0) again(*at);
  // A leader that is none any more is the one whose answers may be old.
  for (auto& node : cluster_.nodes_) {
    if (node->up() && node->driver().is_leader() && node.get() != cluster_.leader()) read(*node);
  }
  Node& reader = cluster_.any();
  if (reader.up() && rng_.below(3) == 0) read(reader);
}

void Clients::check_outcomes() {
  for (const Asked& asked : asked_) {
    const std::string what = "command " + std::to_string(&asked - asked_.data());
    const int count = cluster_.safety_.times(asked.command);
    if (asked.outcome == Outcome::kPending) cluster_.violate("no answer for " + what);
    if (count > 1) cluster_.violate(what + " was carried out twice");
    if (asked.outcome == Outcome::kDone && count != 1) cluster_.violate("lost: " + what);
    if (asked.outcome == Outcome::kRefused && count != 0)
      cluster_.violate("refused, yet done: " + what);
  }
}

void Clients::check_history() {
  lin::History history;
  for (size_t i = 0; i < history_.size(); ++i) {
    if (!dropped_[i]) history.push_back(history_[i]);
  }
  cluster_.totals_.judged += history.size();
  const lin::Verdict verdict = lin::check(history);
  if (verdict.judgement == lin::Judgement::kLinearizable) return;
  const std::string words = lin::explain(history, verdict, 40);
  cluster_.note(words);
  cluster_.violate("what the clients saw is " + words.substr(0, words.find('\n')));
}

}  // namespace shoal::sim
