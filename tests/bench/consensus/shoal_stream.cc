#include "tests/bench/consensus/shoal_stream.h"

#include <mutex>
#include <set>

namespace shoal::bench {
namespace {

constexpr int kMostCallsInBatch = 1024;  // of the system's (manager/api/call_stream.h)

class StreamConnection final : public Connection {
 public:
  StreamConnection(const StreamMessages& messages, const std::shared_ptr<grpc::Channel>& channel,
                   grpc::CompletionQueue& queue)
      : messages_(messages), stub_(control::Cluster::NewStub(channel)) {
    stream_ = stub_->AsyncCalls(&context_, &queue, static_cast<Event*>(&written_));
    stream_->Read(&answers_, static_cast<Event*>(&read_));
  }

  void send(Op op, uint64_t number, uint64_t token) override {
    const std::lock_guard lock(mutex_);
    control::Call& call = *waiting_.add_calls();
    call.set_number(token);
    messages_.fill(op, number, call);
    open_.insert(token);
    if (waiting_.calls_size() == kMostCallsInBatch) flush_locked();
  }
  void flush() override {
    const std::lock_guard lock(mutex_);
    flush_locked();
  }
  void close() override { context_.TryCancel(); }

 private:
  struct Written final : Event {
    explicit Written(StreamConnection& owner) : owner(owner) {}
    void happened(bool ok, std::vector<Answered>& out) override { owner.written(ok, out); }
    StreamConnection& owner;
  };
  struct Read final : Event {
    explicit Read(StreamConnection& owner) : owner(owner) {}
    void happened(bool ok, std::vector<Answered>& out) override { owner.read(ok, out); }
    StreamConnection& owner;
  };

  void flush_locked() {
    if (writing_ || broken_ || waiting_.calls_size() == 0) return;
    writing_ = true;
    batch_.Clear();
    batch_.Swap(&waiting_);
    stream_->Write(batch_, static_cast<Event*>(&written_));
  }

  void written(bool ok, std::vector<Answered>& out) {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) return broke(out);
    flush_locked();
  }

  void read(bool ok, std::vector<Answered>& out) {
    const std::lock_guard lock(mutex_);
    if (!ok) return broke(out);
    for (const control::Answer& answer : answers_.answers()) {
      if (open_.erase(answer.number()) == 0) continue;
      out.push_back({answer.number(), answer.code() == 0 ? "" : answer.message()});
      if (answer.code() == 0 && !messages_.accept(answer)) {
        out.back().error = "an answer that is none";
      }
    }
    stream_->Read(&answers_, static_cast<Event*>(&read_));
  }

  void broke(std::vector<Answered>& out) {
    broken_ = true;
    for (const uint64_t token : open_) out.push_back({token, "the stream broke"});
    open_.clear();
  }

  const StreamMessages& messages_;
  const std::unique_ptr<control::Cluster::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<control::CallBatch, control::AnswerBatch>> stream_;
  Written written_{*this};
  Read read_{*this};
  control::AnswerBatch answers_;

  std::mutex mutex_;  // guards what follows
  control::CallBatch waiting_;
  control::CallBatch batch_;  // being written
  std::set<uint64_t> open_;
  bool writing_ = true;  // the stream is being opened
  bool broken_ = false;
};

}  // namespace

std::unique_ptr<Connection> stream_connection(const StreamMessages& messages,
                                              const std::shared_ptr<grpc::Channel>& channel,
                                              grpc::CompletionQueue& queue) {
  return std::make_unique<StreamConnection>(messages, channel, queue);
}

}  // namespace shoal::bench
