#include "base/rpc/status.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

using grpc::StatusCode;

TEST(RpcStatus, EveryClassComesBackAsItWent) {
  for (int code = 0; code <= static_cast<int>(ErrorClass::kInternal); ++code) {
    const Error error{static_cast<ErrorClass>(code), "a sentence"};
    EXPECT_EQ(from_grpc(to_grpc(error)), error) << to_string(error.code);
  }
}

TEST(RpcStatus, AConnectionLostUnderACallIsNotARefusal) {
  for (const StatusCode code : {StatusCode::UNAVAILABLE, StatusCode::CANCELLED, StatusCode::UNKNOWN,
                                StatusCode::INTERNAL}) {
    EXPECT_EQ(from_grpc({code, "Socket closed"}).code, ErrorClass::kDeadlineExceeded) << code;
  }
  EXPECT_EQ(
      from_grpc({StatusCode::UNAVAILABLE, "failed to connect to all addresses; last error: x"})
          .code,
      ErrorClass::kUnavailable)
      << "it never left";
  EXPECT_EQ(
      from_grpc({StatusCode::UNAVAILABLE, "said by us", std::string(kOurStatus) + " and more"})
          .code,
      ErrorClass::kUnavailable);
  EXPECT_EQ(from_grpc({StatusCode::PERMISSION_DENIED, "by gRPC"}).code,
            ErrorClass::kPermissionDenied);
}

}  // namespace
}  // namespace shoal
