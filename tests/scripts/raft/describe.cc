#include "tests/scripts/raft/describe.h"

namespace shoal::raft::script {
namespace {

std::string quoted(std::string_view data) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : data) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string list(const std::vector<RaftId>& ids) {
  std::string out = "[";
  for (const RaftId id : ids) out += (out.size() > 1 ? " " : "") + std::to_string(id);
  return out + "]";
}

// v2 l3 r4
std::string describe(const ConfChangeSet& set) {
  std::string out;
  for (const ConfChange& change : set.changes) {
    const char letter = change.kind == ConfChangeKind::kAddVoter     ? 'v'
                        : change.kind == ConfChangeKind::kAddLearner ? 'l'
                                                                     : 'r';
    out += std::string(" ") + letter + std::to_string(change.member.id);
  }
  return out;
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kFollower:
      return "StateFollower";
    case Role::kPreCandidate:
      return "StatePreCandidate";
    case Role::kCandidate:
      return "StateCandidate";
    case Role::kLeader:
      return "StateLeader";
  }
  return "unknown";
}

std::string_view message_name(MessageType type) {
  switch (type) {
    case MessageType::kVote:
      return "MsgVote";
    case MessageType::kVoteResp:
      return "MsgVoteResp";
    case MessageType::kPreVote:
      return "MsgPreVote";
    case MessageType::kPreVoteResp:
      return "MsgPreVoteResp";
    case MessageType::kAppend:
      return "MsgApp";
    case MessageType::kAppendResp:
      return "MsgAppResp";
    case MessageType::kHeartbeat:
      return "MsgHeartbeat";
    case MessageType::kHeartbeatResp:
      return "MsgHeartbeatResp";
    case MessageType::kSnapshot:
      return "MsgSnap";
    case MessageType::kTimeoutNow:
      return "MsgTimeoutNow";
    case MessageType::kReadIndex:
      return "MsgReadIndex";
    case MessageType::kReadIndexResp:
      return "MsgReadIndexResp";
  }
  return "unknown";
}

std::string describe(const Entry& entry) {
  const std::string place = std::to_string(entry.term) + "/" + std::to_string(entry.index);
  if (entry.type != EntryType::kConfChange) return place + " EntryNormal " + quoted(entry.data);
  const auto set = decode_conf_changes(entry.data);
  if (!set) return place + " EntryConfChangeV2 malformed";
  return place + (set->single ? " EntryConfChange" : " EntryConfChangeV2") + describe(*set);
}

std::string describe_entries(const std::vector<Entry>& entries) {
  std::string out;
  for (const Entry& entry : entries) out += describe(entry) + "\n";
  return out;
}

std::string describe(const HardState& hard) {
  return "Term:" + std::to_string(hard.term) +
         (hard.vote == 0 ? "" : " Vote:" + std::to_string(hard.vote)) +
         " Commit:" + std::to_string(hard.commit);
}

std::string describe(const SnapshotMeta& meta) {
  const Configuration configuration(meta.members);
  std::vector<RaftId> learners;
  std::vector<RaftId> next;
  for (const Member& member : meta.members) {
    if (member.learner) learners.push_back(member.id);
    if ((member.joint & kDemoted) != 0) next.push_back(member.id);
  }
  return "Index:" + std::to_string(meta.index) + " Term:" + std::to_string(meta.term) +
         " ConfState:Voters:" + list(configuration.voters().incoming().voters()) +
         " VotersOutgoing:" + list(configuration.voters().outgoing().voters()) +
         " Learners:" + list(learners) + " LearnersNext:" + list(next) +
         " AutoLeave:" + (configuration.leaves_joint_itself() ? "true" : "false");
}

std::string describe(const Message& message) {
  std::string out =
      std::to_string(message.from) + "->" + std::to_string(message.to) + " " +
      std::string(message_name(message.type)) + " Term:" + std::to_string(message.term) +
      " Log:" + std::to_string(message.log_term) + "/" + std::to_string(message.index);
  if (message.reject) out += " Rejected (Hint: " + std::to_string(message.reject_hint) + ")";
  if (message.commit != 0) out += " Commit:" + std::to_string(message.commit);
  if (message.entries.size() == 1) {
    out += " Entries:[" + describe(message.entries.front()) + "]";
  } else if (!message.entries.empty()) {
    out += " Entries:[";
    for (const Entry& entry : message.entries) out += "\n  " + describe(entry);
    out += "\n]";
  }
  if (message.snapshot) out += "\n  Snapshot: " + describe(message.snapshot->meta);
  return out;
}

std::string describe(const Progress& progress, bool learner, bool active) {
  const char* const states[] = {"StateProbe", "StateReplicate", "StateSnapshot"};
  std::string out = states[static_cast<size_t>(progress.state)];
  out += " match=" + std::to_string(progress.match) + " next=" + std::to_string(progress.next);
  if (learner) out += " learner";
  if (progress.paused()) out += " paused";
  if (progress.snapshot_index != 0) {
    out += " pendingSnap=" + std::to_string(progress.snapshot_index);
  }
  if (!active) out += " inactive";
  if (progress.inflights.count() != 0) {
    out += " inflight=" + std::to_string(progress.inflights.count());
    if (progress.inflights.full()) out += "[full]";
  }
  return out;
}

std::string indent(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    out += "  " + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace shoal::raft::script
