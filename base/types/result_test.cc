#include "base/types/result.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/types/time.h"

namespace shoal {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return invalid_argument("odd");
  return value / 2;
}

Result<int> quarter(int value) {
  const int once = SHOAL_TRY(half(value));
  return SHOAL_TRY(half(once));
}

TEST(Result, TryPassesValueOrReturnsError) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error(), invalid_argument("odd"));
}

TEST(Result, HoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(Result, ErrorValueOfSuccessIsABug) {
  EXPECT_DEATH((void)half(2).error(), "error\\(\\) of a successful Result");
}

TEST(ErrorList, JoinKeepsFirstClassAndAllMessages) {
  ErrorList errors;
  errors.add(not_found("no link a"));
  errors.add(internal_error("busy b"));
  EXPECT_EQ(errors.join(), not_found("no link a; busy b"));
}

TEST(Time, NeverStaysNever) { EXPECT_EQ(Instant::max() + std::chrono::seconds(5), Instant::max()); }

TEST(Time, PrintsRfc3339) {
  EXPECT_EQ(to_rfc3339({1'000'000'000LL * 1'767'323'045 + 6}), "2026-01-02T03:04:05.000000006Z");
  EXPECT_EQ(to_rfc3339({-1}), "1969-12-31T23:59:59.999999999Z");
}

}  // namespace
}  // namespace shoal
