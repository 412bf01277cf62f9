#include "manager/manager.h"

#include <filesystem>

#include "base/runtime/files.h"
#include "manager/manager_impl.h"
#include "manager/raft_member_file.h"

namespace shoal::manager {
namespace {

std::string raft_path(const std::string& state_dir) { return state_dir + "/raft"; }
std::string tables_path(const std::string& state_dir) { return state_dir + "/tables"; }

// There while a state is being forgotten.
std::string forgotten_path(const std::string& state_dir) { return state_dir + "/forgotten"; }

// A member has applied something only after its raft_member was written.
Status check_not_lost(const std::string& state_dir) {
  std::error_code error;
  const std::string tables = tables_path(state_dir);
  const bool forgotten = std::filesystem::exists(forgotten_path(state_dir), error);
  if (forgotten || !std::filesystem::exists(tables, error)) return ok_status();
  const auto content = SHOAL_TRY(SHOAL_TRY(Tables::open(tables))->load());
  if (content.applied_index == 0) return ok_status();
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

}  // namespace

bool Manager::has_state(const std::string& state_dir) {
  std::error_code error;
  return std::filesystem::exists(raft_member_path(state_dir), error);
}

Result<std::unique_ptr<Manager>> Manager::open(ManagerConfig config, Strand& strand, Clock& clock,
                                               Rng& rng) {
  SHOAL_TRY(make_directories(config.state_dir));
  if (!has_state(config.state_dir)) {
    SHOAL_TRY(check_not_lost(config.state_dir));
    // What an interrupted join left: its raft id is never used again, so nobody misses it.
    SHOAL_TRY(remove_databases(config.state_dir));
    SHOAL_TRY(remove_file(forgotten_path(config.state_dir)));
  }
  auto log = SHOAL_TRY(raft::RocksLogStore::open(raft_path(config.state_dir), strand));
  auto tables = SHOAL_TRY(Tables::open(tables_path(config.state_dir)));
  auto machine = SHOAL_TRY(StateMachine::open(std::move(tables)));
  return std::unique_ptr<Manager>(std::make_unique<ManagerImpl>(
      std::move(config), strand, clock, rng, std::move(log), std::move(machine)));
}

Status Manager::forget(const std::string& state_dir) {
  std::error_code error;
  if (!std::filesystem::exists(state_dir, error)) return ok_status();
  // First of all it is written down that the rest does not count any more.
  SHOAL_TRY(write_file_atomic(forgotten_path(state_dir), ""));
  SHOAL_TRY(remove_file(raft_member_path(state_dir)));
  SHOAL_TRY(remove_databases(state_dir));
  return remove_file(forgotten_path(state_dir));
}

}  // namespace shoal::manager
