// The directives that say something to a core or ask it something.
#include <algorithm>

#include "tests/scripts/raft/describe.h"
#include "tests/scripts/raft/environment.h"

namespace shoal::raft::script {
namespace {

using std::chrono::milliseconds;

constexpr auto kTick = milliseconds(100);
constexpr uint64_t kElectionTicks = 3;
constexpr uint64_t kMaxTicks = 1000;

// No bound of its own, as in published scripts, unless a script sets one.
NodeConfig config_stub() {
  NodeConfig config;
  CoreConfig& core = config.core;
  core.heartbeat_interval = kTick;
  core.election_timeout_min = kTick * kElectionTicks;
  core.election_timeout_max = kTick * kElectionTicks * 2;
  core.max_append_bytes = kMaxEntryBytes * 16;
  core.max_inflight = kMaxNumber;
  core.max_inflight_bytes = kMaxNumber;
  core.max_apply_bytes = kMaxEntryBytes * 16;
  core.pre_vote = false;
  core.check_quorum = false;
  core.on_removal = OnRemoval::kStay;
  core.confirm_changes = false;
  return config;
}

Member member(RaftId id, bool learner) { return {id, "n" + std::to_string(id), learner}; }

Result<ConfChange> parse_change(const std::string& word) {
  ConfChange change;
  const char letter = word.front();
  if (letter != 'v' && letter != 'l' && letter != 'r') {
    return invalid_argument("unknown change " + word + ": v, l or r and a node are known");
  }
  const RaftId id = SHOAL_TRY(parse_number(word.substr(1), kMaxNumber));
  change.kind = letter == 'v'   ? ConfChangeKind::kAddVoter
                : letter == 'l' ? ConfChangeKind::kAddLearner
                                : ConfChangeKind::kRemove;
  change.member = member(id, letter == 'l');
  return change;
}

}  // namespace

Status Environment::configure(const Argument& argument, NodeConfig& config, Snapshot& initial) {
  const std::string& key = argument.key;
  if (argument.values.empty()) return invalid_argument("unknown argument " + key);
  if (key == "voters" || key == "learners") {
    for (const std::string& value : argument.values) {
      initial.meta.members.push_back(
          member(SHOAL_TRY(parse_number(value, kMaxNumber)), key == "learners"));
    }
    return ok_status();
  }
  const std::string& value = argument.values.front();
  if (key == "index") {
    initial.meta.index = SHOAL_TRY(parse_number(value, kMaxNumber));
  } else if (key == "content") {
    initial.data = snapshot_text(value);
  } else if (key == "inflight") {
    config.core.max_inflight = SHOAL_TRY(parse_number(value, kMaxNumber));
  } else if (key == "max-inflight-bytes") {
    config.core.max_inflight_bytes = SHOAL_TRY(parse_number(value, kMaxNumber));
  } else if (key == "max-size-per-msg") {
    config.core.max_append_bytes = SHOAL_TRY(parse_number(value, kMaxNumber));
  } else if (key == "max-committed-size-per-ready") {
    config.core.max_apply_bytes = SHOAL_TRY(parse_number(value, kMaxNumber));
  } else if (key == "async-storage-writes") {
    config.async_storage = SHOAL_TRY(parse_bool(value));
  } else if (key == "prevote") {
    config.core.pre_vote = SHOAL_TRY(parse_bool(value));
  } else if (key == "checkquorum") {
    config.core.check_quorum = SHOAL_TRY(parse_bool(value));
  } else if (key == "step-down-on-removal") {
    const bool down = SHOAL_TRY(parse_bool(value));
    config.core.on_removal = down ? OnRemoval::kStepDown : OnRemoval::kStay;
  } else if (key == "hand-over-on-removal") {
    if (SHOAL_TRY(parse_bool(value))) config.core.on_removal = OnRemoval::kHandOver;
  } else if (key == "read-only") {
    if (value != "safe" && value != "lease-based") {
      return invalid_argument("invalid read-only option \"" + value + "\"");
    }
    config.core.lease_reads = value == "lease-based";
  } else if (key == "disable-conf-change-validation") {
    if (SHOAL_TRY(parse_bool(value))) {
      return unimplemented("membership changes are always checked here");
    }
  } else {
    return invalid_argument("unknown argument " + key);
  }
  return ok_status();
}

Status Environment::add_nodes(const Arguments& arguments) {
  if (arguments.empty()) return invalid_argument("add-nodes needs a number");
  const uint64_t count = SHOAL_TRY(parse_number(arguments.front().key, kMaxNodes));
  if (nodes_.size() + count > kMaxNodes) {
    return resource_exhausted("there are at most " + std::to_string(kMaxNodes) + " nodes");
  }
  NodeConfig config = config_stub();
  Snapshot initial;
  for (size_t i = 1; i < arguments.size(); ++i) {
    const Status fits = configure(arguments[i], config, initial);
    if (!fits) return fits;
  }
  if (initial.meta.members.size() > kMaxMembers) {
    return resource_exhausted("there are at most " + std::to_string(kMaxMembers) + " members");
  }
  if (config.core.lease_reads && !config.core.check_quorum) {
    return invalid_argument("lease-based reads need checkquorum=true");
  }
  const bool starts_full =
      initial.meta.index != 0 || !initial.meta.members.empty() || initial.data != nullptr;
  if (starts_full && initial.meta.index <= 1) {
    return invalid_argument("index must be specified as > 1 due to bootstrap");
  }
  if (starts_full) initial.meta.term = 1;
  for (uint64_t i = 0; i < count; ++i) {
    config.core.id = nodes_.size() + 1;
    nodes_.push_back(std::make_unique<Node>(config, initial));
  }
  return ok_status();
}

Status Environment::propose(const Arguments& arguments) {
  Node& at = *SHOAL_TRY(node(arguments, 0));
  if (arguments.size() != 2) return invalid_argument("propose needs a node and a text");
  const Argument& text = arguments[1];
  Parcel proposal;
  proposal.data = text.key + (text.values.empty() ? "" : "=" + text.values.front());
  std::string none;
  return at.propose(std::move(proposal), none);
}

Status Environment::propose_conf_change(const Directive& directive,
                                        const std::vector<std::string>& lines) {
  Node& at = *SHOAL_TRY(node(directive.arguments, 0));
  ConfChangeSet set;
  for (const Argument& argument : directive.arguments) {
    if (argument.values.empty()) continue;
    const std::string& value = argument.values.front();
    if (argument.key == "v1") {
      set.single = SHOAL_TRY(parse_bool(value));
    } else if (argument.key == "transition" && value == "auto") {
      set.transition = Transition::kAuto;
    } else if (argument.key == "transition" && value == "implicit") {
      set.transition = Transition::kJointImplicit;
    } else if (argument.key == "transition" && value == "explicit") {
      set.transition = Transition::kJointExplicit;
    } else {
      return invalid_argument("unknown argument " + argument.key + "=" + value);
    }
  }
  for (const std::string& line : lines) {
    size_t from = line.find_first_not_of(" \t\r");
    while (from != std::string::npos) {
      const size_t end = std::min(line.find_first_of(" \t\r", from), line.size());
      set.changes.push_back(SHOAL_TRY(parse_change(line.substr(from, end - from))));
      if (set.changes.size() > kMaxMembers) return resource_exhausted("too many changes");
      from = line.find_first_not_of(" \t\r", end);
    }
  }
  if (set.single && (set.changes.size() != 1 || set.transition != Transition::kAuto)) {
    return invalid_argument("v1 conf change can only have one operation and no transition");
  }
  Parcel proposal;
  proposal.change = std::move(set);
  std::string note;
  Status done = at.propose(std::move(proposal), note);
  say(note);
  return done;
}

Status Environment::tick(const Arguments& arguments, bool election) {
  Node& at = *SHOAL_TRY(node(arguments, 0));
  for (uint64_t i = election ? kElectionTicks : 1; i > 0; --i) at.tick();
  return ok_status();
}

Status Environment::transfer(const Arguments& arguments) {
  Node* from = nullptr;
  RaftId to = 0;
  for (const Argument& argument : arguments) {
    if (argument.values.size() != 1) return invalid_argument("transfer-leadership from=1 to=2");
    if (argument.key == "from") from = SHOAL_TRY(node({{argument.values.front(), {}}}, 0));
    if (argument.key == "to") to = SHOAL_TRY(parse_number(argument.values.front(), kMaxNumber));
  }
  if (from == nullptr || to == 0) return invalid_argument("transfer-leadership from=1 to=2");
  return from->core().transfer(to, from->now());
}

Status Environment::send_snapshot(const Arguments& arguments) {
  Node& from = *SHOAL_TRY(node(arguments, 0));
  Node& to = *SHOAL_TRY(node(arguments, 1));
  Parcel parcel;
  parcel.message.type = MessageType::kSnapshot;
  parcel.message.from = from.id();
  parcel.message.to = to.id();
  parcel.message.term = from.core().term();
  parcel.message.snapshot = from.snapshot();
  say(parcel.describe() + "\n");
  put({std::move(parcel)});
  return ok_status();
}

Status Environment::compact(const Arguments& arguments) {
  Node& at = *SHOAL_TRY(node(arguments, 0));
  if (arguments.size() != 2) return invalid_argument("compact needs a node and an index");
  const Status done = at.compact(SHOAL_TRY(parse_number(arguments[1].key, kMaxNumber)));
  if (!done) return done;
  return raft_log(at);
}

Status Environment::set_election_timeout(const Arguments& arguments) {
  Node& at = *SHOAL_TRY(node(arguments, 0));
  if (arguments.size() != 2 || arguments[1].key != "timeout" || arguments[1].values.size() != 1) {
    return invalid_argument("set-randomized-election-timeout 1 timeout=5");
  }
  const uint64_t ticks = SHOAL_TRY(parse_number(arguments[1].values.front(), kMaxTicks));
  at.core().set_election_timeout(kTick * ticks);
  return ok_status();
}

Status Environment::set_log_level(const std::string& name) {
  const std::vector<std::string> names{"debug", "info", "warn", "error", "fatal", "none"};
  std::string lower = name;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const auto found = std::find(names.begin(), names.end(), lower);
  if (found == names.end()) {
    return invalid_argument("log levels must be either of debug, info, warn, error, fatal, none");
  }
  level_ = static_cast<size_t>(found - names.begin());
  return ok_status();
}

Status Environment::raft_log(const Node& at) {
  if (at.stored().empty()) {
    say("log is empty: first index=" + std::to_string(at.first_stored()) +
        ", last index=" + std::to_string(at.first_stored() - 1) + "\n");
  } else {
    say(describe_entries(at.stored()));
  }
  return ok_status();
}

void Environment::status(const Node& at) {
  for (const auto& [id, progress] : at.core().progress()) {
    const auto found = at.core().configuration().members().find(id);
    const bool learner =
        found != at.core().configuration().members().end() && found->second.learner;
    say(std::to_string(id) + ": " + describe(progress, learner, at.core().recently_heard(id)) +
        "\n");
  }
}

void Environment::raft_state() {
  for (const auto& each : nodes_) {
    const Core& core = each->core();
    say(std::to_string(each->id()) + ": " + std::string(role_name(core.role())) +
        (core.configuration().is_voter(each->id()) ? " (Voter)" : " (Non-Voter)") +
        " Term:" + std::to_string(core.term()) + " Lead:" + std::to_string(core.leader()) + "\n");
  }
}

}  // namespace shoal::raft::script
