#include "manager/api/cluster_service.h"

#include <algorithm>

#include "manager/api/call_context.h"

namespace shoal::manager {
namespace {

// A gRPC header holds printable ASCII only.
std::string header_text(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

}  // namespace

grpc::ServerUnaryReactor* ClusterService::start(grpc::CallbackServerContext* context,
                                                ClusterMethod method,
                                                const google::protobuf::Message* request,
                                                google::protobuf::Message* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto call = std::make_shared<ClusterCall>();
  call->method = method;
  call->request = request;
  call->response = response;
  call->deadline = call_deadline(*context);
  call->done = [reactor, context, weak = std::weak_ptr(call)](const Status& status) {
    const auto answered = weak.lock();  // whoever calls done holds it
    if (answered && !answered->notice.empty()) {
      context->AddTrailingMetadata(kNoticeMetadata, header_text(answered->notice));
    }
    reactor->Finish(status ? grpc::Status::OK : to_grpc(status.error()));
  };
  if (door_ == Door::kClusterPort) {
    const Caller caller = caller_of(*context);
    if (const Status allowed = authorize(caller, Method::kCluster); !allowed) {
      call->done(allowed);
      return reactor;
    }
    call->caller = caller.node;
    call->forwarded = true;
    call->request_id = request_id_of(*context);
    call->retried_since = retried_since(*context);
  }
  handler_.handle(std::move(call));
  return reactor;
}

#define SHOAL_CLUSTER_METHOD(name)                                                             \
  grpc::ServerUnaryReactor* ClusterService::name(grpc::CallbackServerContext* context,         \
                                                 const shoal::control::name##Request* request, \
                                                 shoal::control::name##Response* response) {   \
    return start(context, ClusterMethod::k##name, request, response);                          \
  }
SHOAL_CLUSTER_METHOD(GetJoinToken)
SHOAL_CLUSTER_METHOD(GetUnlockKey)
SHOAL_CLUSTER_METHOD(UpdateCluster)
SHOAL_CLUSTER_METHOD(ListNodes)
SHOAL_CLUSTER_METHOD(InspectNode)
SHOAL_CLUSTER_METHOD(UpdateNode)
SHOAL_CLUSTER_METHOD(RemoveNode)
SHOAL_CLUSTER_METHOD(CreateNetwork)
SHOAL_CLUSTER_METHOD(ListNetworks)
SHOAL_CLUSTER_METHOD(InspectNetwork)
SHOAL_CLUSTER_METHOD(RemoveNetwork)
SHOAL_CLUSTER_METHOD(ListEndpoints)
SHOAL_CLUSTER_METHOD(InspectEndpoint)
SHOAL_CLUSTER_METHOD(GetRaftStatus)
#undef SHOAL_CLUSTER_METHOD

}  // namespace shoal::manager
