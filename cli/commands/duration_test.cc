#include "cli/commands/duration.h"

#include <gtest/gtest.h>

namespace shoal::cli {
namespace {

TEST(Duration, GosForms) {
  using namespace std::chrono_literals;
  const std::pair<const char*, std::chrono::nanoseconds> cases[] = {
      {"2160h0m0s", 2160h}, {"90m", 90min}, {"1.5h", 90min}, {"1h30m", 90min}, {"0", 0ns},
      {"250ms", 250ms},     {".5s", 500ms}, {"3us", 3us},    {"7ns", 7ns},     {"2\u00b5s", 2us}};
  for (const auto& [text, expected] : cases) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(Duration, NothingElse) {
  for (const char* text : {"", "60", "h", "-1h", "+1h", "1 h", "1h ", "1d", "inf", "nan", "1e9h",
                           "99999999999999h", "0x10h", "1h30", "1hh"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, ErrorClass::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace shoal::cli
