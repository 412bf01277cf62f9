#include "manager/api/ca_service.h"

#include <sodium.h>

#include "manager/api/call_context.h"
#include "manager/control/commands.h"
#include "manager/security/token.h"
#include "manager/wire/common_wire.h"

namespace shoal::manager {
namespace {

void finish(grpc::ServerUnaryReactor* reactor, const Status& status) {
  reactor->Finish(status ? grpc::Status::OK : to_grpc(status.error()));
}

bool same_secret(const std::string& a, const std::string& b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

void CaService::post(grpc::ServerUnaryReactor* reactor, std::function<void()> work) {
  strand_.post([alive = std::weak_ptr(alive_), reactor, work = std::move(work)] {
    if (alive.expired()) return finish(reactor, unavailable("this manager is stopping"));
    work();
  });
}

std::map<std::string, uint64_t> CaService::counters() const {
  return {{"ca_requests_flooded_total", flooded_},
          {"ca_requests_ill_formed_total", ill_formed_},
          {"ca_bad_tokens_total", bad_tokens_}};
}

grpc::ServerUnaryReactor* CaService::GetRootCertificate(grpc::CallbackServerContext* context,
                                                        const ca::GetRootCertificateRequest*,
                                                        ca::GetRootCertificateResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  post(reactor, [this, reactor, response] {
    const Cluster* cluster = replica_.store().cluster();
    if (cluster == nullptr) {
      return finish(reactor, unavailable("this manager is still joining: try again"));
    }
    response->set_root_certificate(cluster->root_certificate);
    finish(reactor, ok_status());
  });
  return reactor;
}

// Issuing.

grpc::ServerUnaryReactor* CaService::IssueCertificate(grpc::CallbackServerContext* context,
                                                      const ca::IssueCertificateRequest* request,
                                                      ca::IssueCertificateResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const Caller caller = caller_of(*context);
  LeaderCalls::Call call;
  call.deadline = call_deadline(*context);
  call.forwarded = caller.authenticated && caller.role == Role::kManager;
  if (call.forwarded) call.request_id = request_id_of(*context);
  call.remote = remote_try<ca::Ca>(
      [](auto* async, auto... arguments) { async->IssueCertificate(std::move(arguments)...); },
      request, response);
  call.local = [this, request, response](const LeaderCalls::Call& now, const StatusDone& done) {
    issue(*request, response, now.request_id, done);
  };
  call.done = [reactor](const Status& status) { finish(reactor, status); };
  post(reactor, [this, reactor, request, call = std::move(call)] {
    // A forwarded call was counted where it came in.
    if (!call.forwarded && !allow_issue(request->token())) {
      ++flooded_;
      return finish(reactor, resource_exhausted("too many hosts are joining at once: try again"));
    }
    if (const Status well_formed = check_issue(*request); !well_formed) {
      ++ill_formed_;
      return finish(reactor, well_formed);
    }
    calls_.start(call);
  });
  return reactor;
}

// Who guesses does not hold up who knows. A follower may not know yet that the token was rotated:
// then the joiner counts among the guesses, and the leader decides.
bool CaService::allow_issue(const std::string& token) {
  const bool known = token.size() <= kMaxTokenBytes && role_of_token(token).ok();
  return (known ? issues_ : guesses_).allow(clock_.now());
}

Status CaService::check_issue(const ca::IssueCertificateRequest& request) {
  if (request.csr().size() > kMaxCsrBytes) {
    return invalid_argument("the certificate request is longer than 16 KiB");
  }
  if (request.token().size() > kMaxTokenBytes) {
    return invalid_argument("a join token is not that long");
  }
  SHOAL_TRY(parse_token(request.token()));
  SHOAL_TRY(wire::from_wire(request.description()));
  SHOAL_TRY(wire::from_wire(request.availability()));
  return ok_status();
}

Result<Role> CaService::role_of_token(const std::string& text) const {
  const JoinToken token = SHOAL_TRY(parse_token(text));
  const Cluster* cluster = replica_.store().cluster();
  if (cluster == nullptr) return unavailable("the cluster is being made: try again");
  if (!token_names_root(token, cluster->root_certificate)) {
    return unauthenticated(
        "invalid join token: it is of another cluster; get this one's with `shoal join-token` on a "
        "manager");
  }
  // Both comparisons always, so that the time tells nothing.
  const bool worker = same_secret(token.secret, cluster->worker_secret);
  const bool manager = same_secret(token.secret, cluster->manager_secret);
  if (manager) return Role::kManager;
  if (worker) return Role::kWorker;
  return unauthenticated(
      "invalid join token: it was rotated or mistyped; get the present one with `shoal join-token` "
      "on a manager");
}

void CaService::issue(const ca::IssueCertificateRequest& request,
                      ca::IssueCertificateResponse* response, const std::string& request_id,
                      const StatusDone& done) {
  const NodeId id(request_id);
  const auto build = [this, id, &request]() -> Result<Command> {
    const Role role = SHOAL_TRY(role_of_token(request.token()));
    Node node;
    node.id = id;
    node.spec.role = role;
    node.spec.availability = SHOAL_TRY(wire::from_wire(request.availability()));
    node.description = SHOAL_TRY(wire::from_wire(request.description()));
    node.certified_role = role;
    // A node object for a request that cannot be signed would stay behind.
    SHOAL_TRY(sign(request.csr(), id, role));
    return control::create_node(replica_.store(), std::move(node),
                                {replica_.wall(), replica_.rng()});
  };
  replica_.read([this, id, build, &request, response, done](const Status& status) {
    if (!status) return done(status);
    // An earlier try of this very call made the node.
    if (replica_.store().node(id) != nullptr) {
      const auto role = role_of_token(request.token());
      return done(role ? sign_joiner(request.csr(), id, *response) : Status(role.error()));
    }
    change(replica_, build, [this, id, &request, response, done](const Result<Answer>& answer) {
      if (!answer && answer.error().code == ErrorClass::kUnauthenticated) ++bad_tokens_;
      done(answer ? sign_joiner(request.csr(), id, *response) : Status(answer.error()));
    });
  });
}

Status CaService::sign_joiner(const std::string& csr, const NodeId& id,
                              ca::IssueCertificateResponse& response) const {
  const Store& store = replica_.store();
  const Node* node = store.node(id);
  if (node == nullptr) return not_found("the node was removed while it joined: join again");
  response.set_certificate(SHOAL_TRY(sign(csr, id, node->spec.role)));
  response.set_node_id(id.str());
  response.set_cluster_id(store.cluster()->id.str());
  response.set_role(wire::to_wire(node->spec.role));
  response.set_root_certificate(store.cluster()->root_certificate);
  response.set_data_path_port(store.cluster()->data_path_port);
  for (const Node* other : store.nodes()) {
    if (other->spec.role == Role::kManager && other->addresses.control) {
      response.add_managers(other->addresses.control->str());
    }
  }
  return ok_status();
}

Result<std::string> CaService::sign(const std::string& csr, const NodeId& node, Role role) const {
  const Cluster* cluster = replica_.store().cluster();
  if (cluster == nullptr) return unavailable("the cluster is being made: try again");
  return sign_node_certificate({cluster->root_certificate, cluster->root_key}, csr,
                               {node, cluster->id, role}, cluster->node_certificate_validity,
                               replica_.wall());
}

// Renewal.

grpc::ServerUnaryReactor* CaService::RenewCertificate(grpc::CallbackServerContext* context,
                                                      const ca::RenewCertificateRequest* request,
                                                      ca::RenewCertificateResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const Caller caller = caller_of(*context);
  const std::string behalf = metadata_of(*context, kOnBehalfOfMetadata);
  LeaderCalls::Call call;
  call.deadline = call_deadline(*context);
  call.forwarded = caller.authenticated && caller.role == Role::kManager && is_id(behalf);
  const NodeId node = call.forwarded ? NodeId(behalf) : caller.node;
  call.metadata[kOnBehalfOfMetadata] = node.str();
  call.remote = remote_try<ca::Ca>(
      [](auto* async, auto... arguments) { async->RenewCertificate(std::move(arguments)...); },
      request, response);
  call.local = [this, node, request, response](const LeaderCalls::Call&, const StatusDone& done) {
    renew(*request, response, node, done);
  };
  call.done = [reactor](const Status& status) { finish(reactor, status); };
  post(reactor, [this, reactor, caller, request, call = std::move(call)] {
    const Status allowed = admit(replica_.store(), caller, Method::kRenewCertificate);
    if (!allowed) return finish(reactor, allowed);
    if (request->csr().size() > kMaxCsrBytes) {
      return finish(reactor, invalid_argument("the certificate request is longer than 16 KiB"));
    }
    calls_.start(call);
  });
  return reactor;
}

void CaService::renew(const ca::RenewCertificateRequest& request,
                      ca::RenewCertificateResponse* response, const NodeId& id,
                      const StatusDone& done) {
  replica_.read([this, &request, response, id, done](const Status& status) {
    if (!status) return done(status);
    const Node* node = replica_.store().node(id);
    if (node == nullptr) {
      return done(permission_denied("node " + id.str() +
                                    " was removed from the cluster: its certificate is not "
                                    "renewed"));
    }
    const Role role = node->spec.role;
    auto certificate = sign(request.csr(), id, role);
    if (!certificate) return done(certificate.error());
    response->set_certificate(*certificate);
    response->set_root_certificate(replica_.store().cluster()->root_certificate);
    response->set_role(wire::to_wire(role));
    if (node->certified_role == role) return done(ok_status());
    replica_.propose(
        {replica_.wall(), replica_.rng().next(), UpdateNode{.id = id, .certified_role = role}},
        [done](const Result<Answer>& answer) {
          done(answer ? ok_status() : Status(answer.error()));
        });
  });
}

}  // namespace shoal::manager
