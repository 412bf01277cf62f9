#include "base/crypto/sealer.h"

#include <gtest/gtest.h>

#include <set>

namespace shoal::crypto {
namespace {

const Key kKey{1, 2, 3};

TEST(Sealer, OpensWhatWasSealedInItsPlace) {
  Sealer sealer(kKey, {7});
  for (const std::string& record : {std::string(), std::string("x"), std::string(5000, 'r')}) {
    const std::string sealed = sealer.seal("place", record);
    EXPECT_EQ(sealed.size(), record.size() + kSealOverhead);
    const auto opened = Sealer(kKey, {8}).open("place", sealed);
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, record);
    EXPECT_FALSE(sealer.open("elsewhere", sealed));
    EXPECT_FALSE(Sealer(Key{9}, {7}).open("place", sealed)) << "another node's key";
  }
}

TEST(Sealer, EveryChangedByteAndEveryCutIsFound) {
  Sealer sealer(kKey, {7});
  const std::string sealed = sealer.seal("p", "a record");
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string bad = sealed;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(sealer.open("p", bad)) << i;
    EXPECT_FALSE(sealer.open("p", sealed.substr(0, i))) << i;
  }
}

TEST(Sealer, NothingRepeats) {
  Sealer first(kKey, {1});
  Sealer second(kKey, {2});
  std::set<std::string> nonces;
  std::set<Tag> tags;
  for (int i = 0; i < 100; ++i) {
    for (Sealer* sealer : {&first, &second}) {
      const std::string sealed = sealer->seal("p", "the same");
      nonces.insert(sealed.substr(0, 24));
      tags.insert(tag_of(sealed));
    }
  }
  EXPECT_EQ(nonces.size(), 200U);
  EXPECT_EQ(tags.size(), 200U);
}

TEST(Sealer, HiddenNamesAreStableAndTheirKeysOwn) {
  const Sealer sealer(kKey, {1});
  EXPECT_EQ(sealer.hide("network/web"), Sealer(kKey, {2}).hide("network/web"));
  EXPECT_NE(sealer.hide("network/web"), sealer.hide("network/wec"));
  EXPECT_NE(sealer.hide("network/web"), Sealer(Key{5}, {1}).hide("network/web"));
  EXPECT_EQ(sealer.hide("network/web").size(), 16U);
}

}  // namespace
}  // namespace shoal::crypto
