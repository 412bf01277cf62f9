// The daemon's local socket, one call at a time, errors made ready for a person.
#pragma once

#include <memory>
#include <string>

#include "base/types/result.h"
#include "proto/control.grpc.pb.h"

namespace shoal::cli {

class Client {
 public:
  Client(std::string socket, uint32_t timeout_seconds);

  // `method` is a member of Local::Stub or Cluster::Stub, for example &control::Local::Stub::Init.
  template <typename Service, typename Request, typename Response>
  Result<Response> call(grpc::Status (Service::*method)(grpc::ClientContext*, const Request&,
                                                        Response*),
                        const Request& request) {
    SHOAL_TRY(check_socket());
    Response response;
    grpc::ClientContext context;
    set_deadline(context);
    grpc::Status status = (stub<Service>().*method)(&context, request, &response);
    keep_notice(context);
    if (never_left(status) && somebody_listens()) {
      grpc::ClientContext again;
      set_deadline(again);
      again.set_wait_for_ready(true);
      status = (stub<Service>().*method)(&again, request, &response);
      keep_notice(again);
    }
    if (!status.ok()) return explain(status);
    return response;
  }

  struct Backup {
    std::string file;
    bool locked = false;  // it opens with the cluster's unlock key only
  };
  Result<Backup> backup();
  // kUnauthenticated: `file` is locked and `unlock_key` empty.
  Result<control::RestoreResponse> restore(const control::InitRequest& settings,
                                           const std::string& file, const std::string& unlock_key);

  // A sentence for the person, beside the answers so far; empty: none.
  const std::string& notice() const { return notice_; }

 private:
  template <typename Service>
  Service& stub();
  void keep_notice(const grpc::ClientContext& context);
  Status check_socket() const;
  static bool never_left(const grpc::Status& status);
  // Waits a little while more connections come to the daemon than it has taken.
  bool somebody_listens() const;
  void set_deadline(grpc::ClientContext& context) const;
  Error explain(const grpc::Status& status) const;

  std::string socket_;
  uint32_t timeout_seconds_;
  std::string notice_;
  std::unique_ptr<control::Local::Stub> local_;
  std::unique_ptr<control::Cluster::Stub> cluster_;
};

template <>
inline control::Local::Stub& Client::stub<control::Local::Stub>() {
  return *local_;
}
template <>
inline control::Cluster::Stub& Client::stub<control::Cluster::Stub>() {
  return *cluster_;
}

}  // namespace shoal::cli
