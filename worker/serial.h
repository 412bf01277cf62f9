// Serial: runs jobs of one key one after the other, jobs of different keys side by side. A job is
// asynchronous and says when it is over. Used on the strand only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace shoal::worker {

class Serial {
 public:
  using Job = std::function<void(std::function<void()> over)>;
  using Post = std::function<void(std::function<void()>)>;

  // `post` defers the next job to a fresh turn of the strand.
  explicit Serial(Post post) : post_(std::move(post)) {}

  void run(const std::string& key, Job job) {
    auto& queue = queues_[key];
    queue.push_back(std::move(job));
    if (queue.size() == 1) start(key);
  }
  bool idle() const { return queues_.empty(); }

 private:
  void start(const std::string& key) {
    const Job job = queues_[key].front();
    job([this, key] { post_([this, key] { finish(key); }); });
  }
  void finish(const std::string& key) {
    auto& queue = queues_[key];
    queue.pop_front();
    if (queue.empty()) {
      queues_.erase(key);
    } else {
      start(key);
    }
  }

  Post post_;
  std::map<std::string, std::deque<Job>> queues_;
};

}  // namespace shoal::worker
