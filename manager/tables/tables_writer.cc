#include "manager/tables/tables_writer.h"

#include <algorithm>
#include <future>

namespace shoal::manager {

void TablesWriter::write(std::vector<Change> changes, uint64_t applied_index) {
  {
    const std::lock_guard lock(mutex_);
    if (behind_) return;
    if (jobs_.size() >= kMaxQueuedWrites) {
      behind_ = true;
      error_ = "the disk is slower than the changes; the tables are written whole when it is free";
      jobs_.clear();
      return;
    }
    jobs_.push_back({std::nullopt, std::move(changes), applied_index});
  }
  thread_.post([this] { run(); });
}

void TablesWriter::replace(std::vector<Object> objects, uint64_t applied_index) {
  {
    const std::lock_guard lock(mutex_);
    behind_ = false;
    jobs_.clear();
    jobs_.push_back({std::move(objects), {}, applied_index});
  }
  thread_.post([this] { run(); });
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
  std::promise<void> drained;
  thread_.post([&drained] { drained.set_value(); });
  drained.get_future().wait();
}

void TablesWriter::run() {
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(jobs_);
  }
  if (jobs.empty()) return;  // an earlier run took them along
  const Status status = perform(std::move(jobs));
  const std::lock_guard lock(mutex_);
  if (status) {
    if (!behind_) error_.clear();
    return;
  }
  error_ = status.error().message;
  // A replace that came meanwhile does not build on what failed.
  if (!jobs_.empty() && jobs_.front().objects) return;
  behind_ = true;
  jobs_.clear();
}

Status TablesWriter::perform(std::vector<Job> jobs) {
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
