#include "manager/manager.h"

#include <filesystem>

#include "base/runtime/files.h"
#include "base/runtime/log.h"
#include "manager/manager_impl.h"
#include "manager/raft_member_file.h"
#include "manager/state_layout.h"

namespace shoal::manager {
namespace {

// There while a state is being forgotten.
std::string forgotten_path(const std::string& state_dir) { return state_dir + "/forgotten"; }

// A member has applied something only after its raft_member was written.
Status check_not_lost(const std::string& state_dir) {
  std::error_code error;
  const std::string tables = tables_path(state_dir);
  const bool forgotten = std::filesystem::exists(forgotten_path(state_dir), error);
  if (forgotten || !std::filesystem::exists(tables, error)) return ok_status();
  const auto lock = SHOAL_TRY(DataKey::lock_of(key_path(state_dir)));
  if (lock == DataKey::Lock::kOpen) {
    const auto key = SHOAL_TRY(DataKey::load(key_path(state_dir), ""));
    const auto found = SHOAL_TRY(Tables::open(tables, key.for_store(kTablesKey)));
    if (SHOAL_TRY(found->load()).applied_index == 0) return ok_status();
  }
  return data_loss("the file " + raft_member_path(state_dir) +
                   " is lost and this manager's state beside it is not: restore the file from a "
                   "backup, or remove " +
                   state_dir + " to join the managers anew");
}

Status remove_databases(const std::string& state_dir) {
  for (const std::string& path : {raft_path(state_dir), tables_path(state_dir)}) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return internal_error("cannot remove " + path + ": " + error.message());
  }
  return ok_status();
}

// A member had both before its raft_member was written. Without them it would forget its votes.
Status check_whole(const std::string& state_dir) {
  for (const std::string& path : {key_path(state_dir), raft_path(state_dir) + "/CURRENT"}) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) continue;
    return data_loss("the file " + path +
                     " is lost, or was never there (no earlier shoald encrypted its state): "
                     "restore it from a backup, or remove this manager from the cluster, delete " +
                     state_dir + " and join it again");
  }
  return ok_status();
}

Result<DataKey> open_key(const std::string& path, const std::string& unlock_key) {
  auto key = DataKey::load(path, unlock_key);
  if (key || key.error().code != ErrorClass::kNotFound) return key;
  return DataKey::make(path);
}

// Of a large state the log has no copy of what it has let go of.
Status check_state_in_log(raft::RocksLogStore& log) {
  const auto loaded = SHOAL_TRY(log.load());
  if (loaded.snapshot.index == 0) return ok_status();
  SHOAL_TRY(log.load_snapshot());
  return ok_status();
}

// The tables follow from the raft log: damaged, they are made anew, if it holds the whole state.
Result<std::unique_ptr<StateMachine>> open_machine(const std::string& state_dir,
                                                   const crypto::Key& key,
                                                   raft::RocksLogStore& log) {
  const std::string path = tables_path(state_dir);
  const auto open = [&]() -> Result<std::unique_ptr<StateMachine>> {
    return StateMachine::open(SHOAL_TRY(Tables::open(path, key)));
  };
  auto machine = open();
  if (machine || machine.error().code != ErrorClass::kDataLoss) return machine;
  if (!check_state_in_log(log)) {
    return data_loss(machine.error().message +
                     ", and the raft log holds no copy of what is in them. Remove this manager "
                     "from the cluster, delete " +
                     state_dir + " and join it again, or restore a backup");
  }
  log::warn("manager", "{}: they are made anew from the raft log", machine.error().message);
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return internal_error("cannot remove " + path + ": " + error.message());
  return open();
}

}  // namespace

bool Manager::is_locked(const std::string& state_dir) {
  const auto lock = DataKey::lock_of(key_path(state_dir));
  return lock && *lock == DataKey::Lock::kLocked;
}

bool Manager::has_state(const std::string& state_dir) {
  std::error_code error;
  return std::filesystem::exists(raft_member_path(state_dir), error);
}

Result<std::unique_ptr<Manager>> Manager::open(ManagerConfig config, Strand& strand, Clock& clock,
                                               Rng& rng) {
  SHOAL_TRY(make_directories(config.state_dir));
  if (has_state(config.state_dir)) {
    SHOAL_TRY(check_whole(config.state_dir));
  } else {
    SHOAL_TRY(check_not_lost(config.state_dir));
    // What an interrupted join left: its raft id is never used again, so nobody misses it.
    SHOAL_TRY(remove_databases(config.state_dir));
    SHOAL_TRY(remove_file(key_path(config.state_dir)));
    SHOAL_TRY(remove_file(forgotten_path(config.state_dir)));
  }
  DataKey key = SHOAL_TRY(open_key(key_path(config.state_dir), config.unlock_key));
  config.unlock_key.clear();  // the data key has it now, and follows the cluster's
  auto log = SHOAL_TRY(
      raft::RocksLogStore::open(raft_path(config.state_dir), key.for_store(kRaftKey), strand));
  auto machine = SHOAL_TRY(open_machine(config.state_dir, key.for_store(kTablesKey), *log));
  return std::unique_ptr<Manager>(std::make_unique<ManagerImpl>(
      std::move(config), strand, clock, rng, std::move(key), std::move(log), std::move(machine)));
}

Status Manager::forget(const std::string& state_dir) {
  std::error_code error;
  if (!std::filesystem::exists(state_dir, error)) return ok_status();
  // First of all it is written down that the rest does not count any more.
  SHOAL_TRY(write_file_atomic(forgotten_path(state_dir), ""));
  SHOAL_TRY(remove_file(raft_member_path(state_dir)));
  SHOAL_TRY(remove_databases(state_dir));
  SHOAL_TRY(remove_file(key_path(state_dir)));
  return remove_file(forgotten_path(state_dir));
}

}  // namespace shoal::manager
