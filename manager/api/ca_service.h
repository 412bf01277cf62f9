// CaService: ca.Ca: the root certificate, certificates for joiners and renewals.
//
// Issuing takes a join token: its secret decides the role. Compared with both secrets in constant
// time; neither it nor the token is ever logged or answered. Open to anyone who reaches the port,
// so it is bounded: requests by size, and issuing by a token bucket that refuses floods before it
// computes anything.
//
// Issuing and renewing happen on the leader; other managers pass the call on, a renewal with the
// node's id (believed from managers only).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/runtime/strand.h"
#include "base/types/rate_limit.h"
#include "manager/api/leader_calls.h"
#include "manager/api/replica.h"
#include "manager/security/x509.h"
#include "proto/ca.grpc.pb.h"

namespace shoal::manager {

inline constexpr size_t kMaxCsrBytes = 16U << 10;  // an RSA 8192 request has 3 KiB
inline constexpr size_t kMaxTokenBytes = 256;      // a token has 85
// With a good token: a thousand hosts may join within a minute.
inline constexpr double kIssuesPerSecond = 20;
inline constexpr double kIssueBurst = 200;
// With another, which costs the leader a read: people mistype now and then, and guessing 128 bits
// gains nothing.
inline constexpr double kGuessesPerSecond = 5;
inline constexpr double kGuessBurst = 50;

class CaService final : public ca::Ca::CallbackService {
 public:
  CaService(Strand& strand, Clock& clock, Replica& replica, LeaderCalls& calls)
      : strand_(strand),
        clock_(clock),
        replica_(replica),
        calls_(calls),
        issues_(kIssuesPerSecond, kIssueBurst),
        guesses_(kGuessesPerSecond, kGuessBurst) {}

  // What was refused, by the names of the metrics. On the strand.
  std::map<std::string, uint64_t> counters() const;

  grpc::ServerUnaryReactor* GetRootCertificate(grpc::CallbackServerContext* context,
                                               const ca::GetRootCertificateRequest* request,
                                               ca::GetRootCertificateResponse* response) override;
  grpc::ServerUnaryReactor* IssueCertificate(grpc::CallbackServerContext* context,
                                             const ca::IssueCertificateRequest* request,
                                             ca::IssueCertificateResponse* response) override;
  grpc::ServerUnaryReactor* RenewCertificate(grpc::CallbackServerContext* context,
                                             const ca::RenewCertificateRequest* request,
                                             ca::RenewCertificateResponse* response) override;

 private:
  void post(grpc::ServerUnaryReactor* reactor, std::function<void()> work);
  bool allow_issue(const std::string& token);
  Status check_issue(const ca::IssueCertificateRequest& request);
  Result<Role> role_of_token(const std::string& token) const;
  void issue(const ca::IssueCertificateRequest& request, ca::IssueCertificateResponse* response,
             const std::string& request_id, const StatusDone& done);
  Status sign_joiner(const std::string& csr, const NodeId& id,
                     ca::IssueCertificateResponse& response) const;
  void renew(const ca::RenewCertificateRequest& request, ca::RenewCertificateResponse* response,
             const NodeId& node, const StatusDone& done);
  Result<std::string> sign(const std::string& csr, const NodeId& node, Role role) const;

  Strand& strand_;
  Clock& clock_;
  Replica& replica_;
  LeaderCalls& calls_;
  RateLimit issues_;
  RateLimit guesses_;
  uint64_t flooded_ = 0;     // refused before anything was computed
  uint64_t ill_formed_ = 0;  // not a request at all
  uint64_t bad_tokens_ = 0;  // well-formed and not of this cluster, or void
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace shoal::manager
