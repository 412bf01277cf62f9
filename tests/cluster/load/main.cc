// cluster_load: clients of every host of a lab at once, and the history of what they were told.
//
//   cluster_load --history FILE --seed N --network NAME --netns PATH [options] HOST=ROLE=SOCKET...
//
// Each manager host has some clients that make, remove and read networks under a small set of
// names, through the daemon's local socket; the names change every --names-seconds, so that no name
// gathers too many unknown outcomes for a checker. Each host, a worker too, has one client more
// that attaches its namespace PATH to the network NAME and detaches it, each time as an endpoint of
// another name; the managers' clients read these endpoints. Workers answer reads from what they
// were told, which may be late by design: they are not asked.
//
// Runs until its standard input ends, waits for the calls under way, and prints a JSON object with
// the numbers of outcomes.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "tests/cluster/load/client.h"
#include "tests/cluster/load/history.h"

namespace shoal::load {
namespace {

struct Host {
  std::string name;
  bool manager = false;
  std::string socket;
};

struct Options {
  std::string history;
  std::string network;
  std::string netns;
  unsigned seed = 1;
  int clients = 3;         // of each manager host, beside the one that attaches
  int names = 8;           // at a time
  int names_seconds = 30;  // then others
  int pause_ms = 20;       // of a client, between two calls
  int deadline_seconds = 20;
  std::vector<Host> hosts;
};

// After a refusal that another moment may end: the daemon is down, or starts.
constexpr std::chrono::milliseconds kRefusedPause{50};

// Endpoints of late, to be read by others. Any thread.
class Recent {
 public:
  void add(const std::string& name) {
    const std::lock_guard lock(mutex_);
    names_.push_back(name);
    if (names_.size() > kMost) names_.pop_front();
  }
  std::string pick(std::mt19937& random) {
    const std::lock_guard lock(mutex_);
    return names_.empty() ? std::string() : names_[random() % names_.size()];
  }

 private:
  static constexpr size_t kMost = 16;
  std::mutex mutex_;
  std::deque<std::string> names_;
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options), history_(options.history) {}

  void run() {
    int client = 0;
    for (const Host& host : options_.hosts) {
      threads_.emplace_back([this, &host, id = client++] { attach_and_detach(host, id); });
      for (int i = 0; host.manager && i < options_.clients; ++i) {
        threads_.emplace_back([this, &host, id = client++] { change_and_read(host, id); });
      }
    }
    wait_for_end_of_input();
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
    print();
  }

 private:
  static void wait_for_end_of_input() {
    char buffer[64];
    while (read(STDIN_FILENO, buffer, sizeof buffer) > 0) {
    }
  }

  std::string name_now(std::mt19937& random) const {
    const int64_t period = int64_t{options_.names_seconds} * 1'000'000'000;
    return "k" + std::to_string((now_ns() - started_) / period) + "-" +
           std::to_string(random() % static_cast<unsigned>(options_.names));
  }

  void count(const std::string& op, Outcome outcome) {
    static const char* const kWords[] = {"done", "present", "absent", "refused", "unknown"};
    const std::lock_guard lock(mutex_);
    ++counts_[op + " " + kWords[static_cast<int>(outcome)]];
  }

  // Writes down what the answer says of `operation`; false when it was refused for now.
  bool record(Operation operation, const Answer& answer) {
    const int64_t returned = now_ns();
    count(operation.op, answer.outcome);
    const bool is_read = operation.op == "read";
    switch (answer.outcome) {
      case Outcome::kDone:
        if (is_read) operation.out = answer.value;
        operation.ok = true;
        operation.returned = returned;
        break;
      case Outcome::kPresent:
      case Outcome::kAbsent:
        operation.ok = is_read;  // to read that nothing is there is to read
        operation.returned = returned;
        break;
      case Outcome::kUnknown:
        if (is_read) return true;  // it changes nothing
        break;
      case Outcome::kRefused:
        note(answer.why);
        return false;
    }
    history_.add(operation);
    return true;
  }

  void note(const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (whys_.size() < kMostWhys) ++whys_[why];
  }

  void rest(bool refused) const {
    std::this_thread::sleep_for(refused ? kRefusedPause
                                        : std::chrono::milliseconds(options_.pause_ms));
  }

  void change_and_read(const Host& host, int id) {
    Client client(host.socket, options_.deadline_seconds);
    std::mt19937 random(options_.seed * 1000 + static_cast<unsigned>(id));
    for (int64_t number = 0; !stopping_; ++number) {
      Operation operation{.client = id, .op = "read", .key = name_now(random)};
      const unsigned dice = random() % 100;
      Answer answer;
      if (dice < 40) {
        operation.op = "create";
        operation.in = "v" + std::to_string(id) + "-" + std::to_string(number);
        operation.called = now_ns();
        answer = client.create(operation.key, *operation.in);
      } else if (dice < 65) {
        operation.op = "remove";
        operation.called = now_ns();
        answer = client.remove(operation.key);
      } else if (const std::string endpoint = recent_.pick(random);
                 dice < 75 && !endpoint.empty()) {
        operation.key = endpoint;
        operation.called = now_ns();
        answer = client.read_endpoint(options_.network, endpoint);
      } else {
        operation.called = now_ns();
        answer = client.read(operation.key);
      }
      rest(!record(operation, answer));
    }
  }

  void attach_and_detach(const Host& host, int id) {
    Client client(host.socket, options_.deadline_seconds);
    for (int64_t number = 0; !stopping_; ++number) {
      const std::string name = "e" + host.name + "-" + std::to_string(number);
      Operation operation{.client = id, .op = "create", .key = name, .in = "v" + name};
      operation.called = now_ns();
      const Answer answer = client.attach(options_.network, options_.netns, name, *operation.in);
      operation.ok = answer.outcome == Outcome::kDone;
      if (operation.ok) {
        operation.returned = now_ns();
      } else {
        // Of no other kind, as the name is new: what a daemon did not finish it takes back by
        // itself.
        note("attach: " + answer.why);
      }
      count("attach", answer.outcome);
      history_.add(operation);
      recent_.add(name);
      rest(!operation.ok);
      detach(client, id, name);
      rest(false);
    }
  }

  // Until it is off: the next attach needs the namespace.
  void detach(Client& client, int id, const std::string& name) {
    // The lease is given back in the background when the managers do not answer meanwhile.
    Operation operation{.client = id, .op = "remove", .key = name, .called = now_ns()};
    history_.add(operation);
    while (!stopping_) {
      const Answer answer = client.detach(options_.network, name);
      count("detach", answer.outcome);
      if (answer.outcome == Outcome::kDone || answer.outcome == Outcome::kAbsent) return;
      note("detach: " + answer.why);
      rest(true);
    }
  }

  void print() const {
    std::string text;
    for (const auto* words : {&counts_, &whys_}) {
      for (const auto& [word, number] : *words) {
        std::string line = word;
        std::replace(line.begin(), line.end(), '"', '\'');
        std::replace(line.begin(), line.end(), '\\', '/');
        text += (text.empty() ? "" : ",") + ('"' + line + "\":") + std::to_string(number);
      }
    }
    std::printf("{%s}\n", text.c_str());
  }

  static constexpr size_t kMostWhys = 50;
  const Options& options_;
  History history_;
  Recent recent_;
  const int64_t started_ = now_ns();
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::map<std::string, int64_t> counts_;
  std::map<std::string, int64_t> whys_;  // refusals and unknown outcomes, by sentence
};

int usage() {
  std::fprintf(stderr,
               "usage: cluster_load --history FILE --network NAME --netns PATH [--seed N]\n"
               "  [--clients N] [--names N] [--names-seconds N] [--pause-ms N]\n"
               "  [--deadline-seconds N] HOST=manager|worker=SOCKET...\n");
  return 2;
}

bool parse_host(const std::string& text, Options& out) {
  const size_t first = text.find('=');
  const size_t second = text.find('=', first + 1);
  if (first == std::string::npos || second == std::string::npos) return false;
  const std::string role = text.substr(first + 1, second - first - 1);
  if (role != "manager" && role != "worker") return false;
  out.hosts.push_back({text.substr(0, first), role == "manager", text.substr(second + 1)});
  return true;
}

bool parse(int count, char** arguments, Options& out) {
  const std::map<std::string, std::string*> texts = {
      {"--history", &out.history}, {"--network", &out.network}, {"--netns", &out.netns}};
  const std::map<std::string, int*> numbers = {{"--clients", &out.clients},
                                               {"--names", &out.names},
                                               {"--names-seconds", &out.names_seconds},
                                               {"--pause-ms", &out.pause_ms},
                                               {"--deadline-seconds", &out.deadline_seconds}};
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (!word.starts_with("--")) {
      if (!parse_host(word, out)) return false;
      continue;
    }
    if (++i == count) return false;
    if (const auto text = texts.find(word); text != texts.end()) {
      *text->second = arguments[i];
    } else if (const auto number = numbers.find(word); number != numbers.end()) {
      *number->second = std::max(1, std::atoi(arguments[i]));
    } else if (word == "--seed") {
      out.seed = static_cast<unsigned>(std::strtoul(arguments[i], nullptr, 10));
    } else {
      return false;
    }
  }
  return !out.history.empty() && !out.network.empty() && !out.netns.empty() && !out.hosts.empty();
}

}  // namespace
}  // namespace shoal::load

int main(int count, char** arguments) {
  shoal::load::Options options;
  if (!shoal::load::parse(count, arguments, options)) return shoal::load::usage();
  shoal::load::Load(options).run();
  return 0;
}
