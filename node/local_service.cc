#include "node/local_service.h"

#include "base/rpc/status.h"
#include "node/local_streams.h"

namespace shoal::node {
namespace {

// Finishes the call with a Result: the response or the error's status.
template <typename Response>
Node::Done<Response> finish(grpc::ServerUnaryReactor* reactor, Response* response) {
  return [reactor, response](Result<Response> result) {
    if (!result) {
      reactor->Finish(to_grpc(result.error()));
      return;
    }
    *response = std::move(*result);
    reactor->Finish(grpc::Status::OK);
  };
}

}  // namespace

grpc::ServerUnaryReactor* LocalService::Init(grpc::CallbackServerContext* context,
                                             const control::InitRequest* request,
                                             control::InitResponse* response) {
  auto* reactor = context->DefaultReactor();
  node_.init(*request, finish(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* LocalService::Join(grpc::CallbackServerContext* context,
                                             const control::JoinRequest* request,
                                             control::JoinResponse* response) {
  auto* reactor = context->DefaultReactor();
  node_.join(*request, finish(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* LocalService::Leave(grpc::CallbackServerContext* context,
                                              const control::LeaveRequest* request,
                                              control::LeaveResponse* response) {
  auto* reactor = context->DefaultReactor();
  node_.leave(request->force(), finish(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* LocalService::Status(grpc::CallbackServerContext* context,
                                               const control::StatusRequest*,
                                               control::StatusResponse* response) {
  auto* reactor = context->DefaultReactor();
  node_.status(finish(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* LocalService::Unlock(grpc::CallbackServerContext* context,
                                               const control::UnlockRequest* request,
                                               control::UnlockResponse* response) {
  auto* reactor = context->DefaultReactor();
  node_.unlock(request->unlock_key(), finish(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* LocalService::Attach(grpc::CallbackServerContext* context,
                                               const control::AttachRequest* request,
                                               control::AttachResponse* response) {
  auto* reactor = context->DefaultReactor();
  node_.attach(*request, context->deadline(), finish(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* LocalService::Detach(grpc::CallbackServerContext* context,
                                               const control::DetachRequest* request,
                                               control::DetachResponse* response) {
  auto* reactor = context->DefaultReactor();
  node_.detach(*request, finish(reactor, response));
  return reactor;
}

grpc::ServerWriteReactor<control::BackupChunk>* LocalService::Backup(
    grpc::CallbackServerContext*, const control::BackupRequest*) {
  return new BackupStream(node_);
}

grpc::ServerReadReactor<control::RestoreChunk>* LocalService::Restore(
    grpc::CallbackServerContext*, control::RestoreResponse* response) {
  return new RestoreStream(node_, response);
}

}  // namespace shoal::node
