// Calls on one stream, through gRPC.
#include "manager/api/call_stream.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <thread>

#include "manager/api/cluster_service.h"

namespace shoal::manager {
namespace {

using Batch = control::CallBatch;
using Stream = grpc::ClientReaderWriter<Batch, control::AnswerBatch>;

// Holds calls until it is told to end them.
class HoldingHandler final : public ClusterHandler {
 public:
  ~HoldingHandler() override {
    for (std::thread& thread : threads_) thread.join();
  }
  void handle(std::shared_ptr<ClusterCall> call) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    came_.notify_all();
  }
  void after(std::function<void()> work) override {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back(std::move(work));
  }
  // The next call, in the order in which they came.
  std::shared_ptr<ClusterCall> next() {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [this] { return !calls_.empty(); });
    auto call = std::move(calls_.front());
    calls_.pop_front();
    return call;
  }
  size_t waiting() {
    const std::lock_guard lock(mutex_);
    return calls_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<std::shared_ptr<ClusterCall>> calls_;
  std::vector<std::thread> threads_;
};

class CallStreamTest : public ::testing::Test {
 protected:
  CallStreamTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = control::Cluster::NewStub(server_->InProcessChannel({}));
    stream_ = stub_->Calls(&context_);
  }
  ~CallStreamTest() override {
    context_.TryCancel();
    server_->Shutdown(std::chrono::system_clock::now());
  }

  static Batch inspections(uint64_t first, int count) {
    Batch out;
    for (int i = 0; i < count; ++i) {
      control::Call& call = *out.add_calls();
      call.set_number(first + static_cast<uint64_t>(i));
      call.mutable_inspect_network()->set_network("n" + std::to_string(call.number()));
    }
    return out;
  }
  // Reads until so many answers are there, by number.
  std::map<uint64_t, control::Answer> answers(size_t count) {
    std::map<uint64_t, control::Answer> out;
    control::AnswerBatch batch;
    while (out.size() < count && stream_->Read(&batch)) {
      for (const control::Answer& answer : batch.answers()) {
        EXPECT_TRUE(out.emplace(answer.number(), answer).second) << "answered twice";
      }
    }
    EXPECT_EQ(out.size(), count);
    return out;
  }
  static void answer(ClusterCall& call) {
    const auto& request = static_cast<const control::InspectNetworkRequest&>(*call.request);
    static_cast<control::InspectNetworkResponse&>(*call.response)
        .mutable_network()
        ->set_id(request.network());
    call.done(ok_status());
  }

  HoldingHandler handler_;
  ClusterService service_{handler_, Door::kLocal};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<control::Cluster::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(CallStreamTest, EachCallIsAnsweredUnderItsNumberInTheOrderInWhichTheyEnd) {
  ASSERT_TRUE(stream_->Write(inspections(7, 2)));
  const auto first = handler_.next();
  const auto second = handler_.next();
  answer(*second);
  EXPECT_EQ(answers(1).at(8).inspect_network().network().id(), "n8");
  answer(*first);
  EXPECT_EQ(answers(1).at(7).inspect_network().network().id(), "n7");
  stream_->WritesDone();
  control::AnswerBatch none;
  EXPECT_FALSE(stream_->Read(&none));
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(CallStreamTest, TheEndWaitsForWhatIsUnderWay) {
  ASSERT_TRUE(stream_->Write(inspections(1, 3)));
  stream_->WritesDone();
  for (int i = 0; i < 3; ++i) answer(*handler_.next());
  EXPECT_EQ(answers(3).size(), 3U);
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(CallStreamTest, ARefusalIsTheStatusThatTheCallWouldEndWith) {
  ASSERT_TRUE(stream_->Write(inspections(1, 1)));
  const auto call = handler_.next();
  call->done(not_found("no such network: n1"));
  const control::Answer refused = answers(1).at(1);
  EXPECT_EQ(refused.code(), static_cast<uint32_t>(grpc::StatusCode::NOT_FOUND));
  EXPECT_EQ(refused.message(), "no such network: n1");
  EXPECT_EQ(refused.details(), "shoal");
  EXPECT_FALSE(refused.has_inspect_network());
}

TEST_F(CallStreamTest, WhatIsSaidBesideAnAnswerComesAlong) {
  ASSERT_TRUE(stream_->Write(inspections(1, 1)));
  const auto call = handler_.next();
  call->notice = "this may lack the last changes";
  answer(*call);
  EXPECT_EQ(answers(1).at(1).notice(), "this may lack the last changes");
}

TEST_F(CallStreamTest, AnUnknownCallIsRefusedAndTheOthersGoOn) {
  Batch batch = inspections(1, 1);
  batch.add_calls()->set_number(2);
  ASSERT_TRUE(stream_->Write(batch));
  EXPECT_EQ(answers(1).at(2).code(), static_cast<uint32_t>(grpc::StatusCode::UNIMPLEMENTED));
  answer(*handler_.next());
  EXPECT_TRUE(answers(1).at(1).has_inspect_network());
}

TEST_F(CallStreamTest, ABatchThatIsTooLargeEndsTheStream) {
  ASSERT_TRUE(stream_->Write(inspections(1, kMaxCallsInBatch + 1)));
  control::AnswerBatch none;
  EXPECT_FALSE(stream_->Read(&none));
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(handler_.waiting(), 0U);
}

// The second batch is read only when answers to the first were written.
TEST_F(CallStreamTest, ACallerThatSendsMoreThanIsAnsweredWaits) {
  ASSERT_TRUE(stream_->Write(inspections(1, kMaxCallsInBatch)));
  std::thread more([this] { stream_->Write(inspections(kMaxCallsInBatch + 1, 1)); });
  std::vector<std::shared_ptr<ClusterCall>> first;
  for (int i = 0; i < kMaxCallsInBatch; ++i) first.push_back(handler_.next());
  EXPECT_EQ(handler_.waiting(), 0U);
  for (const auto& call : first) answer(*call);
  EXPECT_EQ(answers(static_cast<size_t>(kMaxCallsInBatch)).size(), kMaxCallsInBatch);
  answer(*handler_.next());
  EXPECT_TRUE(answers(1).contains(kMaxCallsInBatch + 1));
  more.join();
}

TEST_F(CallStreamTest, ACallerThatGoesAwayLeavesNothingBehind) {
  ASSERT_TRUE(stream_->Write(inspections(1, 2)));
  const auto first = handler_.next();
  const auto second = handler_.next();
  answer(*first);
  context_.TryCancel();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  answer(*second);  // its request is still there, and nobody takes the answer
}

// The second answer alone is larger than a message shall be.
TEST_F(CallStreamTest, LargeAnswersAreWrittenApart) {
  ASSERT_TRUE(stream_->Write(inspections(1, 3)));
  for (int i = 0; i < 3; ++i) {
    const auto call = handler_.next();
    static_cast<control::InspectNetworkResponse&>(*call->response)
        .mutable_network()
        ->set_id(std::string(kAnswerBatchBytes + 1, 'x'));
    call->done(ok_status());
  }
  control::AnswerBatch batch;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream_->Read(&batch));
    EXPECT_EQ(batch.answers_size(), 1);
  }
}

TEST(CallStreamOnTheClusterPort, OnlyManagersMayCall) {
  HoldingHandler handler;
  ClusterService service(handler, Door::kClusterPort);
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  const auto stub = control::Cluster::NewStub(server->InProcessChannel({}));
  grpc::ClientContext context;
  const auto stream = stub->Calls(&context);
  control::AnswerBatch none;
  EXPECT_FALSE(stream->Read(&none));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

}  // namespace
}  // namespace shoal::manager
