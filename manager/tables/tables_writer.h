// TablesWriter: writes what was applied to the tables, in order, on a thread of its own, so that
// applying costs the strand no disk. What comes within kGatherFor becomes one write: it is in no
// hurry, since the raft log brings again what a crash took.
//
// A failed write leaves the tables behind: further changes are not written, since they would not
// fit, until replace() brings the whole.
//
// Thread rule: from any thread; one caller decides the order.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/runtime/strand.h"
#include "manager/tables/tables.h"

namespace shoal::manager {

// Applied entries that wait for the disk; beyond them the tables are left behind and written whole
// when the disk is free again.
inline constexpr size_t kMaxQueuedWrites = 65536;
// How long applied entries wait for others, and how many do not.
inline constexpr std::chrono::milliseconds kGatherFor{20};
inline constexpr size_t kGatherMost = 1024;

class TablesWriter {
 public:
  explicit TablesWriter(std::unique_ptr<Tables> tables)
      : tables_(std::move(tables)), thread_("tables") {}

  void write(std::vector<Change> changes, uint64_t applied_index);
  // As Tables::replace(); `objects` is called on the thread.
  void replace(Tables::Objects objects, uint64_t applied_index, bool at_once);
  // The objects as of everything given so far; waits for that, and is for another thread than the
  // caller's. kUnavailable: the tables are behind.
  std::future<Result<std::unique_ptr<Tables::Reader>>> reader();
  // Everything given so far, and that nothing is missing up to `applied_index`, outlives a loss of
  // power.
  std::future<Status> sync(uint64_t applied_index);

  // Whether replace() is due: what was given to write() was dropped.
  bool behind() const;
  // Why the tables are behind; empty when they are not, and before replace() has succeeded.
  std::string error() const;
  // Waits until everything given so far is written or refused.
  void drain();

 private:
  struct Job {
    Tables::Objects objects;  // replace
    bool at_once = false;
    std::vector<Change> changes;
    uint64_t applied_index = 0;
    std::function<void(bool reached)> mark;  // instead: called in its turn, on the thread
  };

  template <typename T>
  std::future<Result<T>> after_all(std::function<Result<T>()> work);
  void fall_behind();
  void schedule(bool at_once);
  void run();
  bool run_to_mark();
  Status perform(std::span<Job> jobs);

  const std::unique_ptr<Tables> tables_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Job> jobs_;
  bool scheduled_ = false;  // run() comes
  bool at_once_ = false;    // without waiting for more
  std::condition_variable gathered_;
  bool behind_ = false;
  std::string error_;

  WorkThread thread_;  // last: its jobs use what is above
};

}  // namespace shoal::manager
