#include "node/identity.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/runtime/files.h"

namespace shoal::node {
namespace {

Identity example() {
  Identity out;
  out.node = NodeId(std::string(kIdLength, 'n'));
  out.cluster = ClusterId(std::string(kIdLength, 'c'));
  out.role = manager::Role::kManager;
  out.advertise = *HostPort::parse("192.168.90.11:2377");
  out.listen = *HostPort::parse("[::]:2377");
  out.data_path = *Ip::parse("fd90::11");
  out.data_path_port = 4790;
  out.gossip_port = 7000;
  out.certificate = "cert";
  out.private_key = "key";
  out.root_certificate = "root";
  out.managers = {*HostPort::parse("192.168.90.12:2377")};
  return out;
}

class IdentityFile : public ::testing::Test {
 protected:
  void SetUp() override {
    directory = ::testing::TempDir() + "/identity-" + std::to_string(getpid());
    ASSERT_TRUE(make_directories(directory).ok());
  }
  void TearDown() override { std::filesystem::remove_all(directory); }
  std::string directory;
};

TEST_F(IdentityFile, SavesLoadsAndRemoves) {
  EXPECT_EQ(load_identity(directory).error().code, ErrorClass::kNotFound);
  ASSERT_TRUE(save_identity(directory, example()).ok());
  const auto loaded = load_identity(directory);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(*loaded, example());
  EXPECT_EQ(*read_file(identity_files(directory).private_key), "key");
  remove_identity(directory);
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST_F(IdentityFile, ADamagedOneIsRefusedWithItsPath) {
  const Bytes good = encode_identity(example());
  for (size_t size = 0; size < good.size(); ++size) {
    const auto decoded = decode_identity(ByteView(good).first(size), "/s/node.state");
    ASSERT_FALSE(decoded.ok());
    EXPECT_EQ(decoded.error().code, ErrorClass::kDataLoss);
    EXPECT_NE(decoded.error().message.find("/s/node.state"), std::string::npos);
  }
}

}  // namespace
}  // namespace shoal::node
