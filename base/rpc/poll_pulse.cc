#include "base/rpc/poll_pulse.h"

#include <grpcpp/create_channel.h>
#include <pthread.h>

#include <chrono>

namespace shoal {
namespace {

constexpr std::chrono::milliseconds kPeriod{400};

struct Beat {
  grpc::ClientContext context;
  grpc::Slice nothing;
  grpc::ByteBuffer request{&nothing, 1};
  grpc::ByteBuffer response;
};

}  // namespace

PollPulse::PollPulse() : stub_(grpc::CreateChannel("", nullptr)), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "poll-pulse");
}

PollPulse::~PollPulse() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void PollPulse::wait_for_beats(uint64_t count) {
  std::unique_lock lock(mutex_);
  ++waiting_;
  changed_.wait(lock, [&] { return beats_ >= count; });
  --waiting_;
}

void PollPulse::run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kPeriod, [this] { return stopping_; })) {
    if (!beating_) beat();
  }
  changed_.wait(lock, [this] { return !beating_; });
}

void PollPulse::beat() {
  beating_ = true;
  const auto beat = std::make_shared<Beat>();
  stub_.UnaryCall(&beat->context, "/shoal.PollPulse/Beat", grpc::StubOptions(), &beat->request,
                  &beat->response, [this, beat](const grpc::Status&) {
                    const std::lock_guard lock(mutex_);
                    beating_ = false;
                    ++beats_;
                    if (stopping_ || waiting_ > 0) changed_.notify_all();
                  });
}

}  // namespace shoal
