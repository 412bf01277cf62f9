#include "manager/security/x509.h"

#include <gtest/gtest.h>

namespace shoal::manager {
namespace {

using std::chrono::hours;

const WallTime kNow{1'790'000'000LL * 1'000'000'000};
const NodeCertificateClaims kClaims{NodeId("f5lxx1zz5pnorynqglhzmsp33"),
                                    ClusterId("00000000000000000000000a1"), Role::kManager};

class X509 : public ::testing::Test {
 protected:
  KeyPair root_ = make_root_ca(kNow).value();
  SigningRequest request_ = make_signing_request().value();
  std::string sign(const NodeCertificateClaims& claims = kClaims) {
    return sign_node_certificate(root_, request_.csr, claims, hours(24), kNow).value();
  }
};

TEST_F(X509, CertificateSaysWhoAndUntilWhen) {
  const auto info = read_certificate(sign());
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->claims.node, kClaims.node);
  EXPECT_EQ(info->claims.cluster, kClaims.cluster);
  EXPECT_EQ(info->claims.role, Role::kManager);
  EXPECT_EQ(info->not_before, kNow + hours(-1));
  EXPECT_EQ(info->not_after, kNow + hours(24));
  NodeCertificateClaims worker = kClaims;
  worker.role = Role::kWorker;
  EXPECT_EQ(read_certificate(sign(worker))->claims.role, Role::kWorker);
}

TEST_F(X509, VerifiesOnlyOwnChainInTime) {
  const std::string certificate = sign();
  EXPECT_TRUE(verify_certificate(certificate, root_.certificate, kNow).ok());
  const auto expired = verify_certificate(certificate, root_.certificate, kNow + hours(25));
  ASSERT_FALSE(expired.ok());
  EXPECT_NE(expired.error().message.find("expired"), std::string::npos);
  EXPECT_FALSE(verify_certificate(certificate, root_.certificate, kNow + hours(-2)).ok());
  const KeyPair other = make_root_ca(kNow).value();
  EXPECT_FALSE(verify_certificate(certificate, other.certificate, kNow).ok());
}

TEST_F(X509, KeyBelongsToCertificate) {
  EXPECT_TRUE(check_key_matches(sign(), request_.private_key).ok());
  EXPECT_FALSE(check_key_matches(sign(), make_signing_request()->private_key).ok());
}

TEST_F(X509, RefusesGarbage) {
  EXPECT_FALSE(read_certificate("").ok());
  EXPECT_FALSE(read_certificate(root_.certificate).ok()) << "the root is not a node";
  std::string damaged = request_.csr;
  damaged[damaged.size() / 2] ^= 1;
  for (const std::string& csr :
       {std::string(), damaged, root_.certificate, std::string(100'000, 'x')}) {
    const auto signed_certificate = sign_node_certificate(root_, csr, kClaims, hours(1), kNow);
    ASSERT_FALSE(signed_certificate.ok());
    EXPECT_EQ(signed_certificate.error().code, ErrorClass::kInvalidArgument);
  }
}

}  // namespace
}  // namespace shoal::manager
