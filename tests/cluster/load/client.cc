#include "tests/cluster/load/client.h"

#include <grpcpp/grpcpp.h>

#include <chrono>

#include "base/rpc/status.h"

namespace shoal::load {
namespace {

constexpr char kLabel[] = "value";

Answer answer_of(const grpc::Status& status) {
  if (status.ok()) return {Outcome::kDone, {}, {}};
  const Error error = from_grpc(status);
  switch (error.code) {
    case ErrorClass::kAlreadyExists:
      return {Outcome::kPresent, {}, error.message};
    case ErrorClass::kNotFound:
      return {Outcome::kAbsent, {}, error.message};
    case ErrorClass::kDeadlineExceeded:
    case ErrorClass::kInternal:
      return {Outcome::kUnknown, {}, error.message};
    default:
      return {Outcome::kRefused, {}, error.message};
  }
}

}  // namespace

Client::Client(const std::string& socket, int deadline_seconds)
    : deadline_seconds_(deadline_seconds) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // A daemon that was started again is reached soon.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 300);
  // One connection for each client, as separate programs have.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto channel =
      grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
  cluster_ = control::Cluster::NewStub(channel);
  local_ = control::Local::NewStub(channel);
}

void Client::prepare(grpc::ClientContext& context) const {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(deadline_seconds_));
}

Answer Client::create(const std::string& name, const std::string& value) {
  control::CreateNetworkRequest request;
  request.mutable_spec()->set_name(name);
  request.mutable_spec()->set_driver("overlay");
  (*request.mutable_spec()->mutable_labels())[kLabel] = value;
  control::CreateNetworkResponse response;
  grpc::ClientContext context;
  prepare(context);
  return answer_of(cluster_->CreateNetwork(&context, request, &response));
}

Answer Client::remove(const std::string& name) {
  control::RemoveNetworkRequest request;
  request.set_network(name);
  control::RemoveNetworkResponse response;
  grpc::ClientContext context;
  prepare(context);
  return answer_of(cluster_->RemoveNetwork(&context, request, &response));
}

Answer Client::read(const std::string& name) {
  control::InspectNetworkRequest request;
  request.set_network(name);
  control::InspectNetworkResponse response;
  grpc::ClientContext context;
  prepare(context);
  Answer answer = answer_of(cluster_->InspectNetwork(&context, request, &response));
  // Answered without a quorum: said to lack what came last, so it is no linearizable read.
  if (context.GetServerTrailingMetadata().count("shoal-notice") != 0) return {Outcome::kUnknown};
  if (answer.outcome != Outcome::kDone) return answer;
  answer.value = response.network().spec().labels().at(kLabel);
  return answer;
}

Answer Client::attach(const std::string& network, const std::string& netns, const std::string& name,
                      const std::string& value) {
  control::AttachRequest request;
  request.set_network(network);
  request.set_netns(netns);
  request.mutable_spec()->set_name(name);
  request.mutable_spec()->add_aliases(value);
  control::AttachResponse response;
  grpc::ClientContext context;
  prepare(context);
  return answer_of(local_->Attach(&context, request, &response));
}

Answer Client::detach(const std::string& network, const std::string& name) {
  control::DetachRequest request;
  request.set_network(network);
  request.set_endpoint(name);
  control::DetachResponse response;
  grpc::ClientContext context;
  prepare(context);
  return answer_of(local_->Detach(&context, request, &response));
}

Answer Client::read_endpoint(const std::string& network, const std::string& name) {
  control::InspectEndpointRequest request;
  request.set_network(network);
  request.set_endpoint(name);
  control::InspectEndpointResponse response;
  grpc::ClientContext context;
  prepare(context);
  Answer answer = answer_of(cluster_->InspectEndpoint(&context, request, &response));
  if (answer.outcome != Outcome::kDone) return answer;
  answer.value = response.endpoint().spec().aliases(0);
  return answer;
}

}  // namespace shoal::load
