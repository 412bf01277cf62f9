#include "manager/security/token.h"

#include <gtest/gtest.h>

#include "manager/security/policy.h"

namespace shoal::manager {
namespace {

const std::string kRoot = "-----BEGIN CERTIFICATE-----\n...";
const std::string kSecret = "0123456789abcdef";

TEST(Token, RoundTrip) {
  const std::string text = format_token(kRoot, kSecret);
  EXPECT_EQ(text.size(), 9U + 50 + 1 + 25);
  const auto token = parse_token(text);
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(token->secret, kSecret);
  EXPECT_TRUE(token_names_root(*token, kRoot));
  EXPECT_FALSE(token_names_root(*token, kRoot + "x"));
}

TEST(Token, SaysWhatIsWrong) {
  const std::string good = format_token(kRoot, kSecret);
  const auto expect = [](const std::string& text, std::string_view why) {
    const auto token = parse_token(text);
    ASSERT_FALSE(token.ok()) << text;
    EXPECT_EQ(token.error().code, ErrorClass::kInvalidArgument);
    EXPECT_NE(token.error().message.find(why), std::string::npos) << token.error().message;
  };
  expect("", "does not begin with SWMTKN-1-");
  expect("SWMTKN-2-0-" + good, "does not begin with SWMTKN-1-");
  expect(good.substr(0, good.size() - 1), "cut off");
  expect(good + "0", "86 characters");
  std::string dash = good;
  dash[9 + 50] = '0';
  expect(dash, "not separated");
  std::string upper = good;
  upper[20] = 'A';
  expect(upper, "other than 0-9 and a-z");
  std::string huge = good;
  huge.replace(9, 50, std::string(50, 'z'));
  expect(huge, "altered");
}

TEST(Policy, Table) {
  const Caller stranger;
  Caller worker;
  worker.authenticated = true;
  Caller manager = worker;
  manager.role = Role::kManager;
  const auto code = [](const Caller& caller, Method method) {
    const Status status = authorize(caller, method);
    return status.ok() ? std::string("ok") : std::string(to_string(status.error().code));
  };
  for (Method method : {Method::kGetRootCertificate, Method::kIssueCertificate}) {
    EXPECT_EQ(code(stranger, method), "ok");
  }
  for (Method method : {Method::kRenewCertificate, Method::kDispatch}) {
    EXPECT_EQ(code(stranger, method), "unauthenticated");
    EXPECT_EQ(code(worker, method), "ok");
    EXPECT_EQ(code(manager, method), "ok");
  }
  for (Method method : {Method::kRaft, Method::kCluster}) {
    EXPECT_EQ(code(stranger, method), "unauthenticated");
    EXPECT_EQ(code(worker, method), "permission_denied");
    EXPECT_EQ(code(manager, method), "ok");
  }
}

}  // namespace
}  // namespace shoal::manager
