#include "cli/client/raft_view.h"

#include <cstdio>

#include "cli/render/render.h"

namespace shoal::cli {
namespace {

std::string size_text(uint64_t bytes) {
  char text[32];
  if (bytes < 1024) {
    std::snprintf(text, sizeof text, "%llu B", static_cast<unsigned long long>(bytes));
  } else if (bytes < 1024 * 1024) {
    std::snprintf(text, sizeof text, "%.1f KiB", static_cast<double>(bytes) / 1024);
  } else {
    std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1024 * 1024));
  }
  return text;
}

std::string milliseconds(uint64_t us) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", static_cast<double>(us) / 1000);
  return text;
}

std::string name_of(const control::RaftMemberStatus& member) {
  return member.hostname().empty() ? member.node_id().substr(0, 12) : member.hostname();
}

std::string leader_name(const control::GetRaftStatusResponse& status) {
  for (const auto& member : status.members()) {
    if (member.raft_id() == status.leader_id() && status.leader_id() != 0) return name_of(member);
  }
  return "none";
}

Value row(const control::RaftMemberStatus& member) {
  const bool knows = member.answers();
  const auto if_known = [&](uint64_t value) { return knows ? std::to_string(value) : "-"; };
  std::string peer = "-";
  if (member.leader_view()) {
    peer = "match " + std::to_string(member.match_index()) + ", " + member.progress() +
           (member.heard() ? "" : ", silent");
  }
  return Value::object(
      {{"Name", name_of(member)},
       {"Address", member.address()},
       {"Role", knows ? member.role() : (member.voter() ? "voter" : "learner")},
       {"Term", if_known(member.term())},
       {"Commit", if_known(member.commit_index())},
       {"Applied", if_known(member.applied_index())},
       {"Log", knows ? std::to_string(member.first_index()) + ".." +
                           std::to_string(member.last_index()) + " (" +
                           size_text(member.log_bytes()) + ")"
                     : "-"},
       {"Snapshot", if_known(member.snapshot_index())},
       {"Fsync", knows && member.fsyncs() > 0 ? milliseconds(member.fsync_p50_us()) + " / " +
                                                    milliseconds(member.fsync_p99_us())
                                              : "-"},
       {"Leader", peer},
       {"State", knows && member.error().empty() ? "ok" : member.error()}});
}

}  // namespace

Value raft_document(const control::GetRaftStatusResponse& status) {
  Value members = Value::array();
  for (const auto& member : status.members()) {
    Value item = Value::object({{"ID", member.raft_id()},
                                {"NodeID", member.node_id()},
                                {"Hostname", member.hostname()},
                                {"Address", member.address()},
                                {"Voter", member.voter()},
                                {"Answers", member.answers()},
                                {"Heard", member.heard()},
                                {"Error", member.error()}});
    if (member.answers()) {
      item.set("Role", member.role());
      item.set("Term", member.term());
      item.set("LeaderID", member.leader_id());
      item.set("CommitIndex", member.commit_index());
      item.set("AppliedIndex", member.applied_index());
      item.set("Log", Value::object({{"FirstIndex", member.first_index()},
                                     {"LastIndex", member.last_index()},
                                     {"Bytes", member.log_bytes()}}));
      item.set("SnapshotIndex", member.snapshot_index());
      item.set("Fsync", Value::object({{"Count", member.fsyncs()},
                                       {"P50Microseconds", member.fsync_p50_us()},
                                       {"P99Microseconds", member.fsync_p99_us()},
                                       {"LastMicroseconds", member.fsync_last_us()}}));
    }
    if (member.leader_view()) {
      item.set("MatchIndex", member.match_index());
      item.set("Progress", member.progress());
    }
    members.push(item);
  }
  Value missing = Value::array();
  for (const auto& name : status.missing()) missing.push(name);
  return Value::object({{"LeaderID", status.leader_id()},
                        {"Leader", leader_name(status)},
                        {"Term", status.term()},
                        {"Voters", status.voters()},
                        {"Quorum", status.quorum()},
                        {"Missing", missing},
                        {"QuorumLost", status.lost()},
                        {"Members", members}});
}

Result<std::string> raft_text(const control::GetRaftStatusResponse& status) {
  static const std::vector<Column> kColumns = {{"MEMBER", "{{.Name}}"},
                                               {"ADDRESS", "{{.Address}}"},
                                               {"ROLE", "{{.Role}}"},
                                               {"TERM", "{{.Term}}"},
                                               {"COMMIT", "{{.Commit}}"},
                                               {"APPLIED", "{{.Applied}}"},
                                               {"LOG", "{{.Log}}"},
                                               {"SNAPSHOT", "{{.Snapshot}}"},
                                               {"FSYNC P50/P99 MS", "{{.Fsync}}"},
                                               {"LEADER'S VIEW", "{{.Leader}}"},
                                               {"STATE", "{{.State}}"}};
  Value::Array rows;
  for (const auto& member : status.members()) rows.push_back(row(member));
  std::string missing;
  for (const auto& name : status.missing()) missing += (missing.empty() ? "" : ", ") + name;
  std::string out = "Leader:   " + leader_name(status) + ", term " + std::to_string(status.term()) +
                    "\nQuorum:   " + std::to_string(status.quorum()) + " of " +
                    std::to_string(status.voters()) + " managers" +
                    (missing.empty() ? ", all answer" : "; missing: " + missing) + "\n\n";
  out += SHOAL_TRY(render_table(kColumns, rows));
  if (!status.lost().empty()) out += "\nWARNING: " + status.lost() + "\n";
  return out;
}

}  // namespace shoal::cli
