#include "node/certificates.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "manager/security/token.h"
#include "manager/security/x509.h"
#include "manager/wire/common_wire.h"
#include "proto/ca.grpc.pb.h"
#include "worker/session/stream.h"

namespace shoal::node {
namespace {

constexpr std::chrono::milliseconds kTryAgain{200};
constexpr int kMaxManagers = 64;

void set_deadline(grpc::ClientContext& context) {
  context.set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(kCaTryDeadline));
}

Error stopping() { return unavailable("shoald is stopping: try again when it runs"); }

// Not when it is time to stop.
void pause(const std::stop_token& stop) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any never;
  never.wait_for(lock, stop, kTryAgain, [] { return false; });
}

bool worth_repeating(const Error& error) {
  return error.code == ErrorClass::kUnavailable || error.code == ErrorClass::kDeadlineExceeded;
}

// Calls managers in turn, the leader that one names first, until one answers something else than
// "try again". `call(address, context)` makes one try.
template <typename Call>
Status ask_managers(std::vector<HostPort> managers, Clock& clock, const std::stop_token& stop,
                    Call call) {
  if (managers.empty()) return unavailable("no manager is known");
  const Instant deadline = clock.now() + kCertificateDeadline;
  std::deque<HostPort> queue(managers.begin(), managers.end());
  while (true) {
    const HostPort next = queue.front();
    queue.pop_front();
    grpc::ClientContext context;
    set_deadline(context);
    const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
    const grpc::Status status = call(next, context);
    if (status.ok()) return ok_status();
    if (stop.stop_requested()) return stopping();
    const Error error = worker::error_of(status);
    if (!worth_repeating(error)) return error;
    const auto leader = worker::leader_of(context);
    if (clock.now() >= deadline) {
      return unavailable("no manager answers at " + next.str() + ": " + error.message);
    }
    if (leader && *leader != next) queue.push_front(*leader);
    if (queue.empty()) queue.assign(managers.begin(), managers.end());
    pause(stop);
  }
}

// What gRPC says of a failed connection, in few words.
std::string reason_of(const grpc::Status& status) {
  const std::string& text = status.error_message();
  const auto says = [&text](const char* words) { return text.find(words) != std::string::npos; };
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return "no answer in time";
  if (says("Connection refused")) return "connection refused";
  if (says("unreachable")) return "the host cannot be reached";
  if (says("handshake") || says("SSL") || says("Socket closed")) {
    return "what listens there is not a manager of Shoal";
  }
  return text;
}

Result<std::string> fetch_root(const std::vector<HostPort>& remotes, const std::stop_token& stop) {
  ErrorList errors;
  for (const HostPort& remote : remotes) {
    const auto stub = ca::Ca::NewStub(manager::unverified_channel(remote.str()));
    grpc::ClientContext context;
    set_deadline(context);
    const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
    ca::GetRootCertificateResponse response;
    const grpc::Status status = stub->GetRootCertificate(&context, {}, &response);
    if (status.ok()) return response.root_certificate();
    if (stop.stop_requested()) return stopping();
    errors.add(unavailable(
        "no manager answers at " + remote.str() + " (" + reason_of(status) +
        "): is shoald running there as a manager, and does no firewall drop the port?"));
  }
  if (errors.empty()) return invalid_argument("name a manager to join: HOST:PORT");
  return errors.join();
}

}  // namespace

Result<Issued> request_certificate(const std::string& token, const std::vector<HostPort>& remotes,
                                   const manager::NodeDescription& description,
                                   manager::Availability availability, Clock& clock,
                                   const std::stop_token& stop) {
  const manager::JoinToken parsed = SHOAL_TRY(manager::parse_token(token));
  Issued out;
  out.root_certificate = SHOAL_TRY(fetch_root(remotes, stop));
  if (!manager::token_names_root(parsed, out.root_certificate)) {
    return unauthenticated("the manager at " + remotes.front().str() +
                           " belongs to another cluster than this token, or somebody answers in "
                           "its place");
  }
  manager::SigningRequest signing = SHOAL_TRY(manager::make_signing_request());
  out.private_key = signing.private_key;
  ca::IssueCertificateRequest request;
  request.set_csr(signing.csr);
  request.set_token(token);
  *request.mutable_description() = manager::wire::to_wire(description);
  request.set_availability(manager::wire::to_wire(availability));
  ca::IssueCertificateResponse response;
  SHOAL_TRY(ask_managers(
      remotes, clock, stop, [&](const HostPort& manager, grpc::ClientContext& context) {
        const auto stub =
            ca::Ca::NewStub(manager::joining_channel(out.root_certificate, manager.str()));
        return stub->IssueCertificate(&context, request, &response);
      }));
  out.certificate = response.certificate();
  SHOAL_TRY(manager::verify_certificate(out.certificate, out.root_certificate, clock.wall()));
  const manager::CertificateInfo info = SHOAL_TRY(manager::read_certificate(out.certificate));
  out.node = info.claims.node;
  out.cluster = info.claims.cluster;
  out.role = info.claims.role;
  for (const std::string& text : response.managers()) {
    const Result<HostPort> manager = HostPort::parse(text);
    if (manager && out.managers.size() < kMaxManagers) out.managers.push_back(*manager);
  }
  for (const HostPort& remote : remotes) {
    if (std::find(out.managers.begin(), out.managers.end(), remote) == out.managers.end()) {
      out.managers.push_back(remote);
    }
  }
  if (response.data_path_port() == 0 || response.data_path_port() > UINT16_MAX) {
    return data_loss("the manager named no data path port");
  }
  out.data_path_port = static_cast<uint16_t>(response.data_path_port());
  return out;
}

Result<Renewed> renew_certificate(const manager::IdentityFiles& files,
                                  std::vector<HostPort> managers, Clock& clock,
                                  const std::stop_token& stop) {
  manager::SigningRequest signing = SHOAL_TRY(manager::make_signing_request());
  ca::RenewCertificateRequest request;
  request.set_csr(signing.csr);
  ca::RenewCertificateResponse response;
  SHOAL_TRY(ask_managers(
      std::move(managers), clock, stop, [&](const HostPort& manager, grpc::ClientContext& context) {
        const auto stub = ca::Ca::NewStub(manager::manager_channel(files, manager.str()));
        return stub->RenewCertificate(&context, request, &response);
      }));
  SHOAL_TRY(manager::verify_certificate(response.certificate(), response.root_certificate(),
                                        clock.wall()));
  const manager::CertificateInfo info =
      SHOAL_TRY(manager::read_certificate(response.certificate()));
  Renewed out;
  out.certificate = response.certificate();
  out.private_key = signing.private_key;
  out.root_certificate = response.root_certificate();
  out.role = info.claims.role;
  return out;
}

}  // namespace shoal::node
