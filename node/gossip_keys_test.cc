#include "node/gossip_keys.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/runtime/files.h"
#include "node/identity.h"
#include "worker/session/wire.h"

namespace shoal::node {
namespace {

class GossipKeys : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "/gossip-keys-" + std::to_string(getpid());
    ASSERT_TRUE(make_directories(directory_).ok());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void be_a_node() {
    Identity identity;
    identity.node = NodeId(std::string(kIdLength, 'n'));
    identity.cluster = ClusterId(std::string(kIdLength, 'c'));
    identity.role = manager::Role::kWorker;
    identity.advertise = *HostPort::parse("192.0.2.1:2377");
    identity.listen = identity.advertise;
    identity.data_path = identity.advertise.ip;
    identity.certificate = identity.private_key = identity.root_certificate = "pem";
    ASSERT_TRUE(save_identity(directory_, identity).ok());
  }
  Bytes cache(const std::vector<manager::GossipKey>& keys) {
    worker::ClusterInfo cluster;
    cluster.cluster_id = ClusterId(std::string(kIdLength, 'c'));
    cluster.node.id = NodeId(std::string(kIdLength, 'n'));
    cluster.data_path_port = 4789;
    cluster.gossip_keys.keys = keys;
    return worker::encode_cache(cluster, {}, [] {});
  }
  std::string cache_path() const { return directory_ + "/" + std::string(worker::kCacheFile); }
  void keep(const Bytes& file) { ASSERT_TRUE(write_file_atomic(cache_path(), as_text(file)).ok()); }

  std::string directory_;
};

// As tools/wireshark/shoal_gossip.lua reads them: in order, what opens and what seals.
TEST_F(GossipKeys, AreListedALineEach) {
  be_a_node();
  keep(cache({{7, std::string(32, '\x01')}, {8, std::string(31, '\0') + "\xff"}}));
  const auto listed = list_gossip_keys(directory_);
  ASSERT_TRUE(listed.ok()) << listed.error().message;
  std::string first, second = std::string(62, '0') + "ff";
  for (int i = 0; i < 32; ++i) first += "01";
  EXPECT_EQ(*listed,
            "# cluster " + std::string(kIdLength, 'c') + "\n7 " + first + "\n8 " + second + "\n");
}

TEST_F(GossipKeys, AreNotThereBeforeTheNodeIsToldThem) {
  const auto nobody = list_gossip_keys(directory_);
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(nobody.error().code, ErrorClass::kNotFound);
  be_a_node();
  const auto none = list_gossip_keys(directory_);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, ErrorClass::kNotFound);
  EXPECT_NE(none.error().message.find("has not been given gossip keys"), std::string::npos);
}

TEST_F(GossipKeys, OfADamagedFileAreRefused) {
  be_a_node();
  Bytes file = cache({{7, std::string(32, '\x01')}});
  for (size_t at = 0; at < file.size(); ++at) {
    file[at] ^= 0x10;
    keep(file);
    const auto listed = list_gossip_keys(directory_);
    ASSERT_FALSE(listed.ok()) << "byte " << at;
    EXPECT_EQ(listed.error().code, ErrorClass::kDataLoss);
    EXPECT_NE(listed.error().message.find(cache_path()), std::string::npos);
    file[at] ^= 0x10;
  }
}

}  // namespace
}  // namespace shoal::node
