// attach and detach: to whom a call goes, and its translation; see node.h.
#include <algorithm>

#include "manager/security/data_key.h"
#include "manager/wire/common_wire.h"
#include "node/node.h"
#include "worker/sandboxes.h"

namespace shoal::node {
namespace {

// What an attach that fails needs before its caller stops waiting: it is undone, then answered.
constexpr Duration kUndoTime = std::chrono::milliseconds(500);
constexpr Duration kMostPatience = std::chrono::hours(1);  // of a caller without a deadline

Duration patience_until(std::chrono::system_clock::time_point deadline) {
  const auto now = std::chrono::system_clock::now();
  if (deadline >= now + kMostPatience) return kMostPatience;
  return std::chrono::duration_cast<Duration>(deadline - now) - kUndoTime;
}

// The second is Docker's word for it.
constexpr std::string_view kEndpointReferences[] = {"endpoint:", "container:"};
constexpr size_t kToldText = 64;  // of what came from outside, in a message

// Those that a reference means: by name; else by id or the beginning of one.
std::vector<worker::Attachment> named(const std::vector<worker::Attachment>& all,
                                      std::string_view reference) {
  std::vector<worker::Attachment> by_name;
  std::vector<worker::Attachment> by_id;
  for (const worker::Attachment& each : all) {
    if (each.endpoint.spec.name == reference) by_name.push_back(each);
    if (each.endpoint.id.view().starts_with(reference)) by_id.push_back(each);
  }
  return by_name.empty() ? by_id : by_name;
}

Result<worker::AttachRequest> from_wire(const control::AttachRequest& request) {
  worker::AttachRequest out;
  out.network = request.network();
  out.ifname = request.ifname();
  if (request.netns().empty() == (request.pid() == 0)) {
    return invalid_argument("name the namespace either by its path or by a process in it");
  }
  if (request.pid() < 0 || request.pid() > INT32_MAX) {
    return invalid_argument(std::to_string(request.pid()) + " is not a process id");
  }
  out.space.path = request.netns();
  out.space.pid = static_cast<int32_t>(request.pid());
  out.spec = SHOAL_TRY(manager::wire::from_wire(request.spec()));
  return out;
}

Result<control::AttachResponse> to_wire(const Result<worker::Attached>& attached) {
  if (!attached) return attached.error();
  control::AttachResponse response;
  *response.mutable_endpoint() = manager::wire::to_wire(attached->endpoint);
  response.set_ifname(attached->ifname);
  response.set_mtu(attached->mtu);
  return response;
}

}  // namespace

Status Node::require_cluster() const {
  if (worker_view_ == nullptr) {
    return conflict("this node is not part of a cluster: use `shoal init` or `shoal join` first");
  }
  return locked_view_ ? Status(manager::locked_error()) : ok_status();
}

// This host's own networks come first: their names are found as long as the host knows them.
void Node::attach(control::AttachRequest request, std::chrono::system_clock::time_point deadline,
                  Done<control::AttachResponse> done) {
  strand_.post([this, request = std::move(request), deadline, done = std::move(done)] {
    const bool local = local_view_ != nullptr && is_local(request.network());
    if (const Status possible = local ? ok_status() : require_cluster(); !possible) {
      return done(possible.error());
    }
    Result<worker::AttachRequest> out = from_wire(request);
    if (!out) return done(out.error());
    if (const Status found = resolve_endpoint(*out); !found) return done(found.error());
    out->deadline = clock_.now() + patience_until(deadline);
    const auto answer = [done](const Result<worker::Attached>& attached) {
      done(to_wire(attached));
    };
    if (local) return local_view_->attach(std::move(*out), answer);
    worker_view_->worker().attach(std::move(*out), answer);
  });
}

Status Node::resolve_endpoint(worker::AttachRequest& request) const {
  std::string_view reference = request.space.path;
  const auto* prefix =
      std::find_if(std::begin(kEndpointReferences), std::end(kEndpointReferences),
                   [&](std::string_view each) { return reference.starts_with(each); });
  if (prefix == std::end(kEndpointReferences)) return ok_status();
  reference.remove_prefix(prefix->size());
  std::vector<worker::Attachment> all;
  if (local_view_ != nullptr) all = local_view_->attachments();
  if (worker_view_ != nullptr) {
    const auto overlays = worker_view_->worker().attachments();
    all.insert(all.end(), overlays.begin(), overlays.end());
  }
  const std::string what = "\"" + std::string(reference.substr(0, kToldText)) + "\"";
  const auto found = reference.empty() ? std::vector<worker::Attachment>() : named(all, reference);
  if (found.empty()) {
    return not_found("this host has no endpoint " + what + ": see `shoal endpoint ls`");
  }
  const worker::Attachment& first = found.front();
  for (const worker::Attachment& each : found) {
    if (worker::space_key(each.space) == worker::space_key(first.space)) continue;
    return invalid_argument("endpoints " + what + " are in several namespaces: give an id");
  }
  request.space = first.space;
  if (request.spec.name.empty()) request.spec.name = first.endpoint.spec.name;
  return ok_status();
}

bool Node::is_local(const std::string& network) const {
  const auto found = local_view_->book().find_network(network);
  return found.ok() || found.error().code != ErrorClass::kNotFound;
}

void Node::detach(control::DetachRequest request, Done<control::DetachResponse> done) {
  strand_.post([this, request = std::move(request), done = std::move(done)] {
    const auto answer = [done](const Status& detached) {
      if (!detached) return done(detached.error());
      done(control::DetachResponse());
    };
    const bool local = local_view_ != nullptr &&
                       (request.network().empty()
                            ? local_view_->find_endpoint(request.network(), request.endpoint()).ok()
                            : is_local(request.network()));
    if (local) return local_view_->detach(request.network(), request.endpoint(), answer);
    if (const Status possible = require_cluster(); !possible) return done(possible.error());
    worker_view_->worker().detach(request.network(), request.endpoint(), request.force(), answer);
  });
}

}  // namespace shoal::node
