#include "manager/tables/tables_writer.h"

#include <algorithm>
#include <utility>

namespace shoal::manager {

void TablesWriter::write(std::vector<Change> changes, uint64_t applied_index) {
  {
    const std::lock_guard lock(mutex_);
    if (behind_) return;
    if (jobs_.size() >= kMaxQueuedWrites) {
      error_ = "the disk is slower than the changes; the tables are written whole when it is free";
      return fall_behind();
    }
    Job job;
    job.changes = std::move(changes);
    job.applied_index = applied_index;
    jobs_.push_back(std::move(job));
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

void TablesWriter::replace(Tables::Objects objects, uint64_t applied_index, bool at_once) {
  {
    const std::lock_guard lock(mutex_);
    fall_behind();
    behind_ = false;
    Job job;
    job.objects = std::move(objects);
    job.at_once = at_once;
    job.applied_index = applied_index;
    jobs_.push_back(std::move(job));
  }
  schedule(true);
}

// mutex_ is held. What waits is dropped, and who waits for it is told.
void TablesWriter::fall_behind() {
  behind_ = true;
  for (const Job& job : jobs_) {
    if (job.mark) job.mark(false);
  }
  jobs_.clear();
}

template <typename T>
std::future<Result<T>> TablesWriter::after_all(std::function<Result<T>()> work) {
  const auto promise = std::make_shared<std::promise<Result<T>>>();
  auto result = promise->get_future();
  Job job;
  job.mark = [promise, work = std::move(work)](bool reached) {
    if (reached) return promise->set_value(work());
    promise->set_value(unavailable("the tables are behind what was applied"));
  };
  {
    const std::lock_guard lock(mutex_);
    if (behind_) {
      job.mark(false);
      return result;
    }
    jobs_.push_back(std::move(job));
  }
  schedule(true);
  return result;
}

std::future<Result<std::unique_ptr<Tables::Reader>>> TablesWriter::reader() {
  return after_all<std::unique_ptr<Tables::Reader>>([this] { return tables_->reader(); });
}

std::future<Status> TablesWriter::sync(uint64_t applied_index) {
  return after_all<void>([this, applied_index] { return tables_->sync(applied_index); });
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
  {
    std::unique_lock lock(mutex_);
    gathered_.wait_for(lock, kGatherFor,
                       [this] { return at_once_ || jobs_.size() >= kGatherMost; });
    scheduled_ = at_once_ = false;
  }
  while (run_to_mark()) {
  }
}

// What is queued up to the next mark. False when nothing was.
bool TablesWriter::run_to_mark() {
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    auto end = std::find_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return !!job.mark; });
    if (end != jobs_.end()) ++end;
    jobs.assign(std::make_move_iterator(jobs_.begin()), std::make_move_iterator(end));
    jobs_.erase(jobs_.begin(), end);
  }
  if (jobs.empty()) return false;
  const std::function<void(bool)> mark = std::move(jobs.back().mark);
  if (mark) jobs.pop_back();
  const Status status = jobs.empty() ? ok_status() : perform(jobs);
  if (mark) mark(status.ok());
  const std::lock_guard lock(mutex_);
  if (status) {
    if (!behind_) error_.clear();
    return true;
  }
  error_ = status.error().message;
  // A replace that came meanwhile does not build on what failed.
  if (jobs_.empty() || !jobs_.front().objects) fall_behind();
  return true;
}

Status TablesWriter::perform(std::span<Job> jobs) {
  const uint64_t applied_index = jobs.back().applied_index;
  if (const Job& first = jobs.front(); first.objects) {
    SHOAL_TRY(tables_->replace(first.objects, first.applied_index, first.at_once));
    if (jobs.size() == 1) return ok_status();
  }
  std::vector<Change> changes;
  for (Job& job : jobs) {
    std::move(job.changes.begin(), job.changes.end(), std::back_inserter(changes));
  }
  return tables_->write(changes, applied_index);
}

}  // namespace shoal::manager
