#include "manager/allocator/vni_pool.h"

#include <gtest/gtest.h>

namespace shoal::manager {
namespace {

TEST(VniPoolTest, DrawsSeriallyFromTheGivenPlace) {
  VniPool pool;
  EXPECT_EQ(pool.draw(Vni{4096})->value, 4096U);
  pool.take(Vni{4096}, "a");
  pool.take(Vni{4097}, "b");
  EXPECT_EQ(pool.draw(Vni{4096})->value, 4098U);
  pool.release(Vni{4096});
  EXPECT_EQ(pool.draw(Vni{4097})->value, 4098U);
  EXPECT_EQ(pool.draw(Vni{4096})->value, 4096U);
}

TEST(VniPoolTest, GoesAroundAtTheEndAndNeverBelowTheFirst) {
  VniPool pool;
  pool.take(Vni{Vni::kMax}, "last");
  EXPECT_EQ(pool.draw(Vni{Vni::kMax})->value, 4096U);
  EXPECT_EQ(pool.draw(Vni{7})->value, 4096U);
  EXPECT_EQ(VniPool::after(Vni{Vni::kMax}).value, 4096U);
  EXPECT_EQ(VniPool::after(Vni{5000}).value, 5001U);
}

TEST(VniPoolTest, StepsOverARunOfTakenOnes) {
  VniPool pool;
  for (uint32_t vni = kFirstDrawnVni; vni < kFirstDrawnVni + 100; ++vni) {
    pool.take(Vni{vni}, std::to_string(vni));
  }
  EXPECT_EQ(pool.draw(Vni{4096})->value, kFirstDrawnVni + 100);
}

TEST(VniPoolTest, NamesTheOwnerOfATakenOne) {
  VniPool pool;
  pool.take(Vni{300}, "shop");
  EXPECT_EQ(pool.check(Vni{300}).error(),
            conflict("VXLAN id 300 is taken by network \"shop\": name another, or none to have one "
                     "drawn"));
  EXPECT_TRUE(pool.check(Vni{301}).ok());
  EXPECT_EQ(pool.check(Vni{0}).error().code, ErrorClass::kInvalidArgument);
  EXPECT_EQ(pool.check(Vni{Vni::kMax + 1}).error().code, ErrorClass::kInvalidArgument);
  EXPECT_TRUE(pool.check(Vni{Vni::kMax}).ok());
}

}  // namespace
}  // namespace shoal::manager
