#include "cli/client/client.h"

#include <grpcpp/grpcpp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/rpc/status.h"

namespace shoal::cli {
namespace {

// For room in the queue of a daemon that more connect to than it can take.
constexpr time_t kQueuePatienceSeconds = 5;
constexpr size_t kChunkBytes = 1U << 20;  // below the message bound of the local socket

}  // namespace

Client::Client(std::string socket, uint32_t timeout_seconds)
    : socket_(std::move(socket)), timeout_seconds_(timeout_seconds) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Every call is sent once: done twice, "create" would answer that it exists already.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetMaxReceiveMessageSize(-1);  // our own daemon: it bounds what it sends
  const auto channel =
      grpc::CreateCustomChannel("unix:" + socket_, grpc::InsecureChannelCredentials(), arguments);
  local_ = control::Local::NewStub(channel);
  cluster_ = control::Cluster::NewStub(channel);
}

Status Client::check_socket() const {
  if (access(socket_.c_str(), R_OK | W_OK) == 0) return ok_status();
  if (errno == EACCES) {
    return permission_denied("no permission to use " + socket_ + ": run as root");
  }
  if (errno == ENOENT || errno == ENOTDIR) {
    return unavailable(
        "no daemon at " + socket_ +
        ": start one with `systemctl start shoald`, or name its socket with --socket");
  }
  return unavailable("cannot use " + socket_ + ": " + std::strerror(errno));
}

void Client::set_deadline(grpc::ClientContext& context) const {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(timeout_seconds_));
}

bool Client::never_left(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         status.error_message().starts_with("failed to connect to all addresses");
}

// gRPC does not wait: to it, a full queue of connections is a refusal.
bool Client::somebody_listens() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof address.sun_path) return false;
  std::copy(socket_.begin(), socket_.end(), address.sun_path);
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return false;
  const timeval patience{.tv_sec = kQueuePatienceSeconds, .tv_usec = 0};
  (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const bool connected =
      connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(descriptor);
  return connected;
}

Error Client::explain(const grpc::Status& status) const {
  Error error = from_grpc(status);
  if (never_left(status)) {
    error.message = "nothing answers at " + socket_ + ": the daemon is not running";
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
      status.error_message() == "Deadline Exceeded") {
    error.message = "no answer within " + std::to_string(timeout_seconds_) +
                    " s: look at `shoal status`, or wait longer with --timeout";
  }
  return error;
}

void Client::keep_notice(const grpc::ClientContext& context) {
  const auto& trailing = context.GetServerTrailingMetadata();
  const auto found = trailing.find("shoal-notice");
  if (found == trailing.end()) return;
  notice_ = std::string(found->second.data(), found->second.size());
}

Result<Client::Backup> Client::backup() {
  SHOAL_TRY(check_socket());
  grpc::ClientContext context;
  set_deadline(context);
  const auto reader = local_->Backup(&context, control::BackupRequest());
  Backup out;
  control::BackupChunk chunk;
  while (reader->Read(&chunk)) {
    if (!chunk.notice().empty()) notice_ = chunk.notice();
    out.locked = out.locked || chunk.locked();
    out.file += chunk.data();
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return explain(status);
  return out;
}

Result<control::RestoreResponse> Client::restore(const control::InitRequest& settings,
                                                 const std::string& file,
                                                 const std::string& unlock_key) {
  SHOAL_TRY(check_socket());
  grpc::ClientContext context;
  set_deadline(context);
  control::RestoreResponse response;
  const auto writer = local_->Restore(&context, &response);
  control::RestoreChunk chunk;
  *chunk.mutable_settings() = settings;
  chunk.set_unlock_key(unlock_key);
  size_t sent = 0;
  do {
    const size_t size = std::min(kChunkBytes, file.size() - sent);
    chunk.set_data(file.data() + sent, size);
    sent += size;
    if (!writer->Write(chunk)) break;  // the status says why
    chunk.Clear();
  } while (sent < file.size());
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (!status.ok()) return explain(status);
  return response;
}

}  // namespace shoal::cli
