#include "manager/manager.h"

#include <filesystem>

#include "base/runtime/files.h"
#include "manager/manager_impl.h"
#include "manager/raft_member_file.h"

namespace shoal::manager {
namespace {

std::string raft_path(const std::string& state_dir) { return state_dir + "/raft"; }
std::string tables_path(const std::string& state_dir) { return state_dir + "/tables"; }

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
  // What an interrupted bootstrap left: its raft id is never used again, so nobody misses it.
  if (!has_state(config.state_dir)) SHOAL_TRY(remove_databases(config.state_dir));
  auto log = SHOAL_TRY(raft::RocksLogStore::open(raft_path(config.state_dir), strand));
  auto tables = SHOAL_TRY(Tables::open(tables_path(config.state_dir)));
  auto machine = SHOAL_TRY(StateMachine::open(std::move(tables)));
  return std::unique_ptr<Manager>(std::make_unique<ManagerImpl>(
      std::move(config), strand, clock, rng, std::move(log), std::move(machine)));
}

Status Manager::forget(const std::string& state_dir) {
  // The file first: without it the rest does not count.
  SHOAL_TRY(remove_file(raft_member_path(state_dir)));
  return remove_databases(state_dir);
}

}  // namespace shoal::manager
