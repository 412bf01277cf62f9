#include "base/rpc/poll_pulse.h"

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace shoal {
namespace {

std::string line_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

struct Pollers {
  int threads = 0;
  int asleep = 0;
};

// Those of gRPC, and how many of them sleep on a clock and not in a poll.
Pollers look() {
  Pollers out;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (line_of(task.path() / "comm") != "nexting_thread") continue;
    ++out.threads;
    const std::string call = line_of(task.path() / "syscall");
    const std::string number = call.substr(0, call.find(' '));
    if (number == std::to_string(SYS_clock_nanosleep) || number == std::to_string(SYS_nanosleep)) {
      ++out.asleep;
    }
  }
  return out;
}

// A thread names itself when it first runs: a moment after the call that started it.
bool both_run() {
  for (int i = 0; i < 6000; ++i) {
    if (look().threads >= 2) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

int times_all_slept() {
  int count = 0;
  for (int i = 0; i < 500; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const Pollers pollers = look();
    if (pollers.asleep == pollers.threads) ++count;
  }
  return count;
}

// A machine too busy to run the pulse for most of a second lets the pollers sleep: one stretch in
// which they never did is enough, as without a pulse each has dozens of looks at them asleep.
int times_all_slept_at_best() {
  int least = times_all_slept();
  for (int i = 0; i < 4 && least > 0; ++i) least = std::min(least, times_all_slept());
  return least;
}

TEST(PollPulse, OneOfTheThreadsPollsAlways) {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  grpc::GenericStub stub(grpc::CreateChannel("", nullptr));
  grpc::ClientContext context;
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  stub.UnaryCall(&context, "/a/b", grpc::StubOptions(), &request, &response,
                 [&](const grpc::Status& status) {
                   EXPECT_FALSE(status.ok());
                   const std::lock_guard lock(mutex);
                   done = true;
                   changed.notify_all();
                 });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
  }
  ASSERT_TRUE(both_run());
  EXPECT_GT(times_all_slept(), 0) << "gRPC is cured: PollPulse is not needed";
  PollPulse pulse;
  pulse.wait_for_beats(3);
  EXPECT_EQ(times_all_slept_at_best(), 0);
}

}  // namespace
}  // namespace shoal
