#include "manager/tables/tables_writer.h"

#include <algorithm>
#include <future>
#include <utility>

namespace shoal::manager {

void TablesWriter::write(std::vector<Change> changes, uint64_t applied_index) {
  {
    const std::lock_guard lock(mutex_);
    if (behind_) return;
    if (jobs_.size() >= kMaxQueuedWrites) {
      behind_ = true;
      error_ = "the disk is slower than the changes; the tables are written whole when it is free";
      return give_up(std::exchange(jobs_, {}));
    }
    jobs_.push_back({std::nullopt, std::move(changes), applied_index, nullptr});
    if (scheduled_ && jobs_.size() != kGatherMost) return;
  }
  schedule(false);
}

void TablesWriter::schedule(bool at_once) {
  {
    const std::lock_guard lock(mutex_);
    if (at_once) at_once_ = true;
    if (scheduled_) return gathered_.notify_one();
    scheduled_ = true;
  }
  thread_.post([this] { run(); });
}

void TablesWriter::replace(std::vector<Object> objects, uint64_t applied_index) {
  {
    const std::lock_guard lock(mutex_);
    behind_ = false;
    give_up(std::exchange(jobs_, {}));
    jobs_.push_back({std::move(objects), {}, applied_index, nullptr});
  }
  schedule(true);
}

void TablesWriter::snapshot(std::function<void(std::optional<std::string>)> done) {
  {
    const std::lock_guard lock(mutex_);
    std::vector<Job> job;
    job.push_back({std::nullopt, {}, 0, std::move(done)});
    if (behind_) return give_up(std::move(job));
    jobs_.push_back(std::move(job.front()));
  }
  schedule(true);
}

// Who waits for a snapshot learns that there is none.
void TablesWriter::give_up(std::vector<Job> jobs) {
  for (Job& job : jobs) {
    if (job.snapshot) thread_.post([done = std::move(job.snapshot)] { done(std::nullopt); });
  }
}

bool TablesWriter::behind() const {
  const std::lock_guard lock(mutex_);
  return behind_;
}

std::string TablesWriter::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

void TablesWriter::drain() {
  schedule(true);
  std::promise<void> drained;
  thread_.post([&drained] { drained.set_value(); });
  drained.get_future().wait();
}

void TablesWriter::run() {
  std::vector<Job> jobs;
  {
    std::unique_lock lock(mutex_);
    gathered_.wait_for(lock, kGatherFor,
                       [this] { return at_once_ || jobs_.size() >= kGatherMost; });
    scheduled_ = at_once_ = false;
    jobs.swap(jobs_);
  }
  Status status = ok_status();
  for (size_t first = 0; first < jobs.size();) {
    const auto taken = std::find_if(jobs.begin() + static_cast<ptrdiff_t>(first), jobs.end(),
                                    [](const Job& job) { return job.snapshot != nullptr; });
    const auto end = static_cast<size_t>(taken - jobs.begin());
    if (status && end > first) status = perform(std::span(jobs).subspan(first, end - first));
    if (taken != jobs.end()) {
      auto found = status ? tables_->snapshot() : Result<std::string>(status.error());
      taken->snapshot(found ? std::optional(std::move(*found)) : std::nullopt);
    }
    first = end + 1;
  }
  if (jobs.empty()) return;
  const std::lock_guard lock(mutex_);
  if (status) {
    if (!behind_) error_.clear();
    return;
  }
  error_ = status.error().message;
  // A replace that came meanwhile does not build on what failed.
  if (!jobs_.empty() && jobs_.front().objects) return;
  behind_ = true;
  give_up(std::exchange(jobs_, {}));
}

Status TablesWriter::perform(std::span<Job> jobs) {
  const uint64_t applied_index = jobs.back().applied_index;
  if (jobs.front().objects) {
    SHOAL_TRY(tables_->replace(*jobs.front().objects, jobs.front().applied_index));
    if (jobs.size() == 1) return ok_status();
  }
  std::vector<Change> changes;
  for (Job& job : jobs) {
    std::move(job.changes.begin(), job.changes.end(), std::back_inserter(changes));
  }
  return tables_->write(changes, applied_index);
}

}  // namespace shoal::manager
