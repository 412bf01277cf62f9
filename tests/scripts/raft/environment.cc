#include "tests/scripts/raft/environment.h"

#include <algorithm>
#include <iterator>

#include "tests/scripts/raft/describe.h"

namespace shoal::raft::script {
namespace {

std::vector<std::string> lines_of(const std::string& block) {
  std::vector<std::string> out;
  size_t from = 0;
  while (from < block.size()) {
    const size_t end = std::min(block.find('\n', from), block.size());
    out.push_back(block.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

}  // namespace

std::string Environment::run(const std::string& block) {
  out_.clear();
  std::vector<std::string> lines = lines_of(block);
  if (lines.empty()) return "a block needs a directive\n";
  Status done = ok_status();
  const auto first = parse_directive(lines.front());
  if (first && first->name == "propose-conf-change") {
    done = propose_conf_change(*first, {lines.begin() + 1, lines.end()});
  } else {
    done = play(lines.front());
    for (size_t i = 1; i < lines.size() && done; ++i) {
      const Status next = play(lines[i]);
      if (!next) say(next.error().message + "\n");
      if (!next && quiet()) return next.error().message + "\n";
    }
  }
  if (!done && quiet()) return done.error().message + "\n";
  if (!done) say(done.error().message + "\n");
  if (out_.empty()) return "ok\n";
  if (!out_.ends_with('\n')) out_ += '\n';
  return std::move(out_);
}

void Environment::say(const std::string& text) {
  if (!quiet() && out_.size() + text.size() <= kMaxOutputBytes) out_ += text;
}

void Environment::say_under(const std::string& title, const std::string& text) {
  say("> " + title + "\n" + indent(text));
}

Status Environment::play(const std::string& line) {
  return dispatch(SHOAL_TRY(parse_directive(line)));
}

Status Environment::dispatch(const Directive& directive) {
  const Arguments& arguments = directive.arguments;
  const std::string& name = directive.name;
  if (name == "add-nodes") return add_nodes(arguments);
  if (name == "deliver-msgs") return deliver(arguments);
  if (name == "process-ready") {
    return process(arguments, "handling Ready", [this](Node& at) {
      const std::string text = ready(at);
      return text.empty() ? "<empty Ready>\n" : text;
    });
  }
  if (name == "process-append-thread") {
    return process(arguments, "processing append thread",
                   [this](Node& at) { return append_thread(at); });
  }
  if (name == "process-apply-thread") {
    return process(arguments, "processing apply thread",
                   [this](Node& at) { return apply_thread(at); });
  }
  if (name == "stabilize") return stabilize(arguments);
  if (name == "propose") return propose(arguments);
  if (name == "tick-election") return tick(arguments, true);
  if (name == "tick-heartbeat") return tick(arguments, false);
  if (name == "transfer-leadership") return transfer(arguments);
  if (name == "send-snapshot") return send_snapshot(arguments);
  if (name == "compact") return compact(arguments);
  if (name == "set-randomized-election-timeout") return set_election_timeout(arguments);
  if (name == "raft-state") return raft_state(), ok_status();
  if (name == "log-level") {
    if (arguments.size() != 1) return invalid_argument("log-level needs one level");
    return set_log_level(arguments.front().key);
  }
  return dispatch_more(directive);
}

// Those that are about one node, the first argument.
Status Environment::dispatch_more(const Directive& directive) {
  const Arguments& arguments = directive.arguments;
  const std::string& name = directive.name;
  const auto known = {"campaign",           "status",    "raft-log", "forget-leader", "restart",
                      "report-unreachable", "read-index"};
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    return invalid_argument("unknown command");
  }
  Node& at = *SHOAL_TRY(node(arguments, 0));
  if (name == "campaign") at.core().campaign(at.now());
  if (name == "status") status(at);
  if (name == "raft-log") return raft_log(at);
  if (name == "forget-leader") at.core().forget_leader();
  if (name == "restart") at.restart();
  if (name == "report-unreachable") {
    at.core().report_unreachable(SHOAL_TRY(node(arguments, 1))->id());
  }
  if (name == "read-index") {
    if (arguments.size() < 2) return invalid_argument("read-index needs a node and a context");
    return at.core().read_index(SHOAL_TRY(parse_number(arguments[1].key, kMaxNumber)), at.now());
  }
  return ok_status();
}

Result<Node*> Environment::node(const Arguments& arguments, size_t place) {
  if (place >= arguments.size()) return invalid_argument("which node? a number is missing");
  const uint64_t id = SHOAL_TRY(parse_number(arguments[place].key, kMaxNumber));
  if (id == 0 || id > nodes_.size()) {
    return invalid_argument("there is no node " + std::to_string(id));
  }
  return nodes_[id - 1].get();
}

Result<std::vector<RaftId>> Environment::ids(const Arguments& arguments) const {
  std::vector<RaftId> out;
  for (const Argument& argument : arguments) {
    if (!argument.values.empty()) continue;
    const uint64_t id = SHOAL_TRY(parse_number(argument.key, kMaxNumber));
    if (id == 0 || id > nodes_.size()) {
      return invalid_argument("there is no node " + std::to_string(id));
    }
    out.push_back(id);
  }
  return out;
}

void Environment::put(std::vector<Parcel> parcels) {
  for (Parcel& parcel : parcels) {
    if (parcel.local() || wire_.size() < kMaxMessages) wire_.push_back(std::move(parcel));
  }
}

std::string Environment::ready(Node& at) {
  std::vector<Parcel> sent;
  std::string text = at.process_ready(sent);
  put(std::move(sent));
  return text;
}

std::string Environment::append_thread(Node& at) {
  std::vector<Parcel> sent;
  std::string text = at.process_append(sent);
  put(std::move(sent));
  return text;
}

std::string Environment::apply_thread(Node& at) {
  std::vector<Parcel> sent;
  std::string text = at.process_apply(sent);
  put(std::move(sent));
  return text;
}

Status Environment::process(const Arguments& arguments, const std::string& title,
                            const std::function<std::string(Node&)>& work) {
  const std::vector<RaftId> at = SHOAL_TRY(ids(arguments));
  for (const RaftId id : at) {
    const std::string text = work(*nodes_[id - 1]);
    if (at.size() > 1) {
      say_under(std::to_string(id) + " " + title, text);
    } else {
      say(text);
    }
  }
  return ok_status();
}

bool Environment::has_parcels(RaftId id) const {
  return std::any_of(wire_.begin(), wire_.end(),
                     [id](const Parcel& parcel) { return parcel.to() == id; });
}

size_t Environment::deliver_to(RaftId id, const std::string& type, bool drop) {
  std::vector<Parcel> taken;
  std::deque<Parcel> rest;
  for (Parcel& parcel : wire_) {
    const bool fits = parcel.to() == id && !(drop && parcel.local()) &&
                      (type.empty() || (parcel.kind == Parcel::Kind::kMessage &&
                                        message_name(parcel.message.type) == type));
    if (fits) {
      taken.push_back(std::move(parcel));
    } else {
      rest.push_back(std::move(parcel));
    }
  }
  wire_ = std::move(rest);
  for (Parcel& parcel : taken) {
    say((drop ? "dropped: " : "") + parcel.describe() + "\n");
    if (drop) continue;
    const Status done = nodes_[id - 1]->deliver(std::move(parcel));
    if (!done) say(done.error().message + "\n");
  }
  return taken.size();
}

Status Environment::deliver(const Arguments& arguments) {
  std::vector<std::pair<RaftId, bool>> to;  // and whether to drop
  std::string type;
  for (const Argument& argument : arguments) {
    if (argument.values.empty()) {
      to.emplace_back(SHOAL_TRY(ids({argument})).front(), false);
    } else if (argument.key == "drop") {
      for (const std::string& value : argument.values) {
        to.emplace_back(SHOAL_TRY(parse_number(value, kMaxNumber)), true);
      }
    } else if (argument.key == "type") {
      type = argument.values.front();
    } else {
      return invalid_argument("unknown argument " + argument.key);
    }
  }
  size_t count = 0;
  for (const auto& [id, drop] : to) {
    if (drop && std::find(to.begin(), to.end(), std::pair(id, false)) != to.end()) {
      return invalid_argument("messages to " + std::to_string(id) + " are delivered or dropped");
    }
  }
  for (const auto& [id, drop] : to) count += deliver_to(id, type, drop);
  if (count == 0) say("no messages\n");
  return ok_status();
}

Status Environment::stabilize(const Arguments& arguments) {
  std::vector<RaftId> at = SHOAL_TRY(ids(arguments));
  if (at.empty()) {
    for (const auto& each : nodes_) at.push_back(each->id());
  }
  const size_t level = level_;
  for (const Argument& argument : arguments) {
    if (argument.values.empty()) continue;
    if (argument.key != "log-level") return invalid_argument("unknown argument " + argument.key);
    const Status set = set_log_level(argument.values.front());
    if (!set) return set;
  }
  Status done = stabilize(at);
  level_ = level;
  return done;
}

Status Environment::stabilize(const std::vector<RaftId>& at) {
  for (size_t round = 0; round < kMaxRounds; ++round) {
    bool idle = true;
    const auto told = [&](RaftId id, const std::string& title, const std::string& text) {
      idle = false;
      say_under(std::to_string(id) + " " + title, text);
    };
    for (const RaftId id : at) {
      const std::string text = ready(*nodes_[id - 1]);
      if (!text.empty()) told(id, "handling Ready", text);
    }
    for (const RaftId id : at) {
      if (!has_parcels(id)) continue;
      std::string outer = std::exchange(out_, {});
      deliver_to(id, "", false);
      const std::string text = std::exchange(out_, std::move(outer));
      told(id, "receiving messages", text);
    }
    for (const RaftId id : at) {
      std::string text;
      while (nodes_[id - 1]->has_append_work()) text += append_thread(*nodes_[id - 1]);
      if (!text.empty()) told(id, "processing append thread", text);
    }
    for (const RaftId id : at) {
      std::string text;
      while (nodes_[id - 1]->has_apply_work()) text += apply_thread(*nodes_[id - 1]);
      if (!text.empty()) told(id, "processing apply thread", text);
    }
    if (idle) return ok_status();
  }
  return resource_exhausted("not stable after " + std::to_string(kMaxRounds) + " rounds");
}

}  // namespace shoal::raft::script
