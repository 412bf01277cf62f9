#include "worker/attach/removals.h"

#include <pthread.h>

#include <algorithm>
#include <vector>

namespace shoal::worker {

Removals::Removals(const char* thread) : thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), thread);
}

Removals::~Removals() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Removals::add(Removal removal) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(removal));
  }
  changed_.notify_all();
}

bool Removals::pending(const EndpointId& endpoint) const {
  const std::lock_guard lock(mutex_);
  if (under_way_ && under_way_for_ == endpoint) return true;
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const Removal& each) { return each.endpoint == endpoint; });
}

void Removals::settle(const vxlan::NamespaceIdentity& space) {
  std::vector<Removal> given_up;
  {
    std::unique_lock lock(mutex_);
    std::erase_if(waiting_, [&](Removal& each) {
      if (each.space != space) return false;
      given_up.push_back(std::move(each));
      return true;
    });
    changed_.wait(lock, [&] { return under_way_ != space; });
  }
  for (const Removal& each : given_up) each.done(ok_status());
}

void Removals::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    {
      // Its end may take its time too.
      const Removal removal = std::move(waiting_.front());
      waiting_.pop_front();
      under_way_ = removal.space;
      under_way_for_ = removal.endpoint;
      lock.unlock();
      removal.done(removal.work());
    }
    lock.lock();
    under_way_.reset();
    changed_.notify_all();
  }
}

}  // namespace shoal::worker
