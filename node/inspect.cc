#include "node/inspect.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>

#include "manager/raft_member_file.h"
#include "manager/security/data_key.h"
#include "manager/security/x509.h"
#include "manager/state_layout.h"
#include "manager/store/store.h"
#include "manager/tables/tables.h"
#include "manager/wire/store_wire.h"
#include "node/identity.h"
#include "node/inspect_local.h"
#include "node/paths.h"
#include "raft/core/configuration.h"
#include "raft/storage/inspect.h"

namespace shoal::node {
namespace {

constexpr size_t kSnapshotPiece = 1U << 20;

// Shared, so that two may look at once; a daemon holds it alone.
class SharedLock {
 public:
  static Result<SharedLock> acquire(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return SharedLock(-1);
    if (fd < 0) return permission_denied("cannot open " + path + ": " + std::strerror(errno));
    SharedLock lock(fd);
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) return lock;
    return conflict("shoald runs on this state directory (it holds " + path +
                    "): stop it first, or look at a copy");
  }
  SharedLock(SharedLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  SharedLock& operator=(SharedLock&&) = delete;
  ~SharedLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  explicit SharedLock(int fd) : fd_(fd) {}
  int fd_;
};

const char* role_text(manager::Role role) {
  return role == manager::Role::kManager ? "manager" : "worker";
}

// What each command does, without its secrets.
struct CommandText {
  std::string operator()(const manager::InitCluster& op) const {
    return "init cluster " + op.cluster.id.str() + ", node " + op.node.id.str();
  }
  std::string operator()(const manager::CreateNetwork& op) const {
    return "create network " + op.id.str() + " \"" + op.spec.name + "\"";
  }
  std::string operator()(const manager::RemoveNetwork& op) const {
    return "remove network " + op.id.str();
  }
  std::string operator()(const manager::AttachEndpoint& op) const {
    return "attach endpoint " + op.id.str() + " \"" + op.spec.name + "\" to network " +
           op.network_id.str() + " on node " + op.node_id.str();
  }
  std::string operator()(const manager::DetachEndpoint& op) const {
    return "detach endpoint " + op.id.str();
  }
  std::string operator()(const manager::CreateNode& op) const {
    return "create node " + op.node.id.str() + " \"" + op.node.description.hostname + "\" (" +
           role_text(op.node.spec.role) + ")";
  }
  std::string operator()(const manager::UpdateNode& op) const {
    std::string parts;
    const auto part = [&parts](bool has, const std::string& text) {
      if (has) parts += (parts.empty() ? ": " : ", ") + text;
    };
    part(op.spec.has_value(), op.spec ? std::string("role ") + role_text(op.spec->role) : "");
    part(op.raft_id.has_value(), "raft id " + std::to_string(op.raft_id.value_or(0)));
    part(op.description.has_value(), "description");
    part(op.addresses.has_value(), "addresses");
    part(op.status.has_value(), "status");
    part(op.certified_role.has_value(), "certified role");
    return "update node " + op.id.str() + parts;
  }
  std::string operator()(const manager::RemoveNode& op) const {
    return "remove node " + op.id.str();
  }
  std::string operator()(const manager::RotateJoinToken& op) const {
    return std::string("rotate the join token of ") + role_text(op.role) + "s";
  }
  std::string operator()(const manager::RotateGossipKey& op) const {
    return "rotate the gossip key: id " + std::to_string(op.key.id);
  }
  std::string operator()(const manager::SetUnlockKey& op) const {
    return op.key.empty() ? "turn autolock off" : "lock with an unlock key";
  }
};

std::string member_text(const raft::Member& member) {
  return std::to_string(member.id) + " at " + member.address +
         (member.learner ? " (learner)" : "") + (member.joint != 0 ? " (joint)" : "");
}

std::string change_text(const raft::Entry& entry) {
  const auto set = raft::decode_conf_changes(entry.data);
  if (!set) return "unreadable membership change: " + set.error().message;
  if (set->leaves_joint()) return "leave the joint configuration";
  std::string out = set->enters_joint() ? "in a joint configuration " : "";
  for (size_t i = 0; i < set->changes.size(); ++i) {
    const raft::ConfChange& change = set->changes[i];
    if (i > 0) out += ", ";
    if (change.kind == raft::ConfChangeKind::kRemove) {
      out += "remove member " + std::to_string(change.member.id);
      continue;
    }
    out += change.kind == raft::ConfChangeKind::kAddLearner ? "add learner " : "add voter ";
    out += member_text(change.member);
  }
  return out;
}

struct ObjectName {
  std::pair<std::string, std::string> operator()(const manager::Cluster& cluster) const {
    return {"cluster", cluster.id.str() + ", generation " + std::to_string(cluster.generation)};
  }
  std::pair<std::string, std::string> operator()(const manager::Network& network) const {
    std::string subnets;
    for (const auto& subnet : network.subnets) subnets += " " + subnet.prefix.str();
    return {"networks", network.id.str() + " \"" + network.spec.name + "\", VNI " +
                            std::to_string(network.vni.value) + "," + subnets};
  }
  std::pair<std::string, std::string> operator()(const manager::Endpoint& endpoint) const {
    std::string addresses;
    for (const Prefix& address : endpoint.addresses) addresses += " " + address.str();
    return {"endpoints", endpoint.id.str() + " \"" + endpoint.spec.name + "\" of network " +
                             endpoint.network_id.str() + " on node " + endpoint.node_id.str() +
                             "," + addresses};
  }
  std::pair<std::string, std::string> operator()(const manager::Node& node) const {
    return {"nodes", node.id.str() + " \"" + node.description.hostname + "\", " +
                         role_text(node.spec.role) +
                         (node.raft_id != 0 ? ", raft id " + std::to_string(node.raft_id) : "")};
  }
  std::pair<std::string, std::string> operator()(const manager::Quarantined& rest) const {
    return {"quarantined addresses", rest.address.str() + " of network " + rest.network_id.str()};
  }
  std::pair<std::string, std::string> operator()(const manager::AddressCursor& cursor) const {
    return {"address cursors", cursor.subnet.str() + " goes on at " + cursor.next.str()};
  }
  std::pair<std::string, std::string> operator()(const manager::HandledRequest& request) const {
    return {"requests carried out", request.id + " on network " + request.network.str() +
                                        ", entry " + std::to_string(request.index)};
  }
};

class Inspector {
 public:
  Inspector(std::string state_dir, bool dump, const AskKey& ask)
      : paths_{.state_dir = std::move(state_dir)}, dump_(dump), ask_(ask) {}

  Result<Inspection> run() {
    std::error_code error;
    const bool node = std::filesystem::exists(paths_.state_dir + "/node.state", error);
    const bool manager = std::filesystem::exists(paths_.manager_dir(), error);
    const bool local = has_local_state(paths_.state_dir);
    if (!node && !manager && !local) {
      return not_found("there is no state of a node in " + paths_.state_dir);
    }
    const SharedLock lock = SHOAL_TRY(SharedLock::acquire(paths_.lock()));
    if (node || manager) identity();
    if (manager) {
      raft_member();
      if (const auto key = SHOAL_TRY(data_key())) {
        raft_log(key->for_store(manager::kRaftKey));
        tables(key->for_store(manager::kTablesKey));
      }
    } else if (node) {
      line("manager: no, this node is a worker");
    }
    if (local) inspect_local(paths_.state_dir, dump_, out_);
    return std::move(out_);
  }

 private:
  void line(const std::string& text) { out_.text += text + "\n"; }
  void problem(const std::string& text) { out_.problems.push_back(text); }

  void identity() {
    const Result<Identity> found = load_identity(paths_.state_dir);
    if (!found) return problem(found.error().message);
    line("node: " + found->node.str() + " of cluster " + found->cluster.str() + ", " +
         role_text(found->role) + ", advertises " + found->advertise.str());
    const Status key = manager::check_key_matches(found->certificate, found->private_key);
    if (!key) problem("the identity of this node: " + key.error().message);
  }

  void raft_member() {
    const auto member = manager::read_raft_member(paths_.manager_dir());
    if (!member) return problem(member.error().message);
    line("raft member: " + std::to_string(member->raft_id));
  }

  // Nothing, and a problem, when it is lost or damaged: the rest is sealed under it.
  Result<std::optional<manager::DataKey>> data_key() {
    const std::string path = manager::key_path(paths_.manager_dir());
    const auto lock = manager::DataKey::lock_of(path);
    if (!lock) {
      problem(lock.error().message);
      return std::optional<manager::DataKey>();
    }
    if (*lock == manager::DataKey::Lock::kAbsent) {
      problem(
          "the file " + path +
          " (the key of this manager's state) is lost: without it the raft log and the tables say "
          "nothing");
      return std::optional<manager::DataKey>();
    }
    std::string unlock_key;
    if (*lock == manager::DataKey::Lock::kLocked) {
      unlock_key = SHOAL_TRY(manager::parse_unlock_key(SHOAL_TRY(ask_())));
    }
    line(std::string("state: encrypted, ") + (unlock_key.empty() ? "not locked" : "locked"));
    return std::optional(SHOAL_TRY(manager::DataKey::load(path, unlock_key)));
  }

  void raft_log(const crypto::Key& key) {
    std::string entries;
    const auto visit = [&](const raft::Entry& entry) {
      std::string text;
      if (entry.type == raft::EntryType::kCommand) {
        const auto command = manager::wire::decode_command(entry.data);
        if (!command) {
          problem("entry " + std::to_string(entry.index) + ": " + command.error().message);
        }
        text = command ? std::visit(CommandText{}, command->operation) : "unreadable command";
      } else if (entry.type == raft::EntryType::kConfChange) {
        text = change_text(entry);
      } else {
        text = "no-op of a new leader";
      }
      if (dump_) {
        entries += "  " + std::to_string(entry.index) + " term " + std::to_string(entry.term) +
                   ", " + std::to_string(entry.data.size()) + " B: " + text + "\n";
      }
    };
    const auto report = raft::inspect_log(manager::raft_path(paths_.manager_dir()), key, visit);
    if (!report) return problem(report.error().message);
    line("raft hard state: term " + std::to_string(report->hard_state.term) + ", vote " +
         std::to_string(report->hard_state.vote) + ", commit at least " +
         std::to_string(report->hard_state.commit));
    const raft::SnapshotMeta& meta = report->snapshot;
    if (meta.index != 0) {
      const auto& data = report->snapshot_data;
      line("raft snapshot: index " + std::to_string(meta.index) + ", term " +
           std::to_string(meta.term) + ", " +
           (data ? std::to_string(data->size()) + " B" : "the tables hold it"));
      for (const raft::Member& member : meta.members) line("  member " + member_text(member));
      if (data) check_snapshot(*data, meta.index);
      if (!data) needed_ = meta.index;
    } else {
      line("raft snapshot: none");
    }
    line("raft log: " + std::to_string(report->entries) + " entries after " +
         std::to_string(report->offset) + " to " + std::to_string(report->last) + ", " +
         std::to_string(report->bytes) + " B");
    out_.text += entries;
    for (const std::string& text : report->problems) problem(text);
    last_ = std::max(report->last, meta.index);
  }

  void check_snapshot(const raft::SnapshotData& data, uint64_t index) {
    uint64_t offset = 0;
    const auto next = [&]() -> Result<std::string> {
      auto piece = data.read(offset, kSnapshotPiece);
      if (piece) offset += piece->size();
      return piece;
    };
    manager::Store store;
    Status whole = manager::wire::decode_snapshot(
        next, [&store](manager::Object object) { store.load(std::move(object)); });
    if (whole) whole = store.finish_load(index);
    if (!whole) problem("the raft snapshot: " + whole.error().message);
  }

  void tables(const crypto::Key& key) {
    const auto opened =
        manager::Tables::open_read_only(manager::tables_path(paths_.manager_dir()), key);
    if (!opened) return problem(opened.error().message);
    auto content = (*opened)->load();
    if (!content) return problem(content.error().message);
    std::map<std::string, std::vector<std::string>> kinds;
    for (const manager::Object& object : content->objects) {
      auto [kind, text] = std::visit(ObjectName{}, object);
      kinds[kind].push_back(std::move(text));
    }
    line("tables: applied to entry " + std::to_string(content->applied_index));
    for (const auto& [kind, texts] : kinds) {
      line("  " + kind + ": " + std::to_string(texts.size()));
      for (size_t i = 0; dump_ && i < texts.size(); ++i) line("    " + texts[i]);
    }
    if (last_ && content->applied_index > *last_) {
      problem("the tables hold entry " + std::to_string(content->applied_index) +
              " and the raft log ends at " + std::to_string(*last_));
    }
    if (content->applied_index < needed_) {
      problem("the tables hold entry " + std::to_string(content->applied_index) +
              " and the raft log has let go of what was before " + std::to_string(needed_));
    }
    manager::Store store;
    for (manager::Object& object : content->objects) store.load(std::move(object));
    const Status whole = store.finish_load(content->applied_index);
    if (!whole) problem("the tables: " + whole.error().message);
  }

  const Paths paths_;
  const bool dump_;
  const AskKey& ask_;
  Inspection out_;
  std::optional<uint64_t> last_;
  uint64_t needed_ = 0;  // of the tables: no file holds what was applied up to here
};

}  // namespace

Result<Inspection> inspect_state(const std::string& state_dir, bool dump, const AskKey& ask) {
  return Inspector(state_dir, dump, ask).run();
}

}  // namespace shoal::node
