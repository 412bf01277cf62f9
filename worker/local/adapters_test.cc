#include "worker/local/adapters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

namespace shoal::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LocalDirectoryTest : public testing::Test {
 protected:
  LocalDirectoryTest() {
    std::string name = testing::TempDir() + "/shoal-local-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
    strand_.start("test");
    EXPECT_TRUE(LocalDirectory::prepare(path_).ok());
    disk_ = std::make_unique<LocalDirectory>(path_, strand_);
  }
  ~LocalDirectoryTest() override {
    strand_.call([this] { disk_.reset(); });
    strand_.stop();
    std::filesystem::remove_all(path_);
  }
  static Attachment some(char fill, Attachment::Phase phase) {
    Attachment out;
    out.endpoint.id = EndpointId(std::string(kIdLength, fill));
    out.endpoint.spec.name = "web";
    out.space.path = "/run/netns/x";
    out.phase = phase;
    return out;
  }
  template <typename F>
  Status wait(F start) {
    std::promise<Status> promise;
    strand_.post([&] { start([&](const Status& status) { promise.set_value(status); }); });
    return promise.get_future().get();
  }
  Status save(const Attachment& attachment) {
    return wait([&](auto done) { disk_->save_endpoint(attachment, done); });
  }
  Status forget(const EndpointId& id) {
    return wait([&](auto done) { disk_->forget_endpoint(id, done); });
  }
  std::string file_of(const Attachment& attachment) const {
    return path_ + "/local_endpoints/" + attachment.endpoint.id.str();
  }

  std::string path_;
  Strand strand_;
  std::unique_ptr<LocalDirectory> disk_;
};

TEST_F(LocalDirectoryTest, EachEndpointIsAsItWasWrittenLast) {
  const Attachment a = some('a', Attachment::Phase::kAttached);
  const Attachment b = some('b', Attachment::Phase::kIntent);
  ASSERT_TRUE(save(some('a', Attachment::Phase::kIntent)).ok());
  ASSERT_TRUE(save(a).ok());
  ASSERT_TRUE(save(b).ok());
  EXPECT_EQ(LocalDirectory::load(path_)->endpoints,
            (LocalAttachments{{a.endpoint.id, a}, {b.endpoint.id, b}}));
  ASSERT_TRUE(forget(a.endpoint.id).ok());
  EXPECT_TRUE(forget(a.endpoint.id).ok()) << "twice";
  EXPECT_EQ(LocalDirectory::load(path_)->endpoints, (LocalAttachments{{b.endpoint.id, b}}));
}

TEST_F(LocalDirectoryTest, WhatIsAbsentIsNothing) {
  const auto loaded = LocalDirectory::load(path_ + "/nosuch");
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_THAT(loaded->endpoints, IsEmpty());
  EXPECT_THAT(loaded->networks.networks, IsEmpty());
}

// Its writer was killed, at every byte.
TEST_F(LocalDirectoryTest, AFileThatWasBeingWrittenIsNoEndpointsYet) {
  const Attachment a = some('a', Attachment::Phase::kAttached);
  ASSERT_TRUE(save(a).ok());
  const Bytes next = encode_attachment(some('a', Attachment::Phase::kIntent));
  for (size_t size = 0; size <= next.size(); ++size) {
    const std::string part(as_text(ByteView(next).first(size)));
    ASSERT_TRUE(write_file_atomic(file_of(a) + ".new", part).ok());
    EXPECT_EQ(LocalDirectory::load(path_)->endpoints, (LocalAttachments{{a.endpoint.id, a}}));
  }
  EXPECT_TRUE(save(a).ok()) << "and what is left of it is in nobody's way";
}

TEST_F(LocalDirectoryTest, DamageIsRefusedNamingTheFile) {
  const Attachment a = some('a', Attachment::Phase::kAttached);
  const Bytes whole = encode_attachment(a);
  for (size_t size = 1; size < whole.size(); ++size) {
    const std::string part(as_text(ByteView(whole).first(size)));
    ASSERT_TRUE(write_file_atomic(file_of(a), part).ok());
    const auto loaded = LocalDirectory::load(path_);
    ASSERT_FALSE(loaded.ok()) << size;
    EXPECT_EQ(loaded.error().code, ErrorClass::kDataLoss);
    EXPECT_THAT(loaded.error().message, HasSubstr(file_of(a)));
  }
  const Bytes other = encode_attachment(some('b', Attachment::Phase::kAttached));
  ASSERT_TRUE(write_file_atomic(file_of(a), as_text(other)).ok());
  EXPECT_THAT(LocalDirectory::load(path_).error().message, HasSubstr("another endpoint's"));
  // As a power loss leaves what was not synced.
  ASSERT_TRUE(write_file_atomic(file_of(a), "").ok());
  EXPECT_THAT(LocalDirectory::load(path_)->emptied, ElementsAre(a.endpoint.id));
}

}  // namespace
}  // namespace shoal::worker
