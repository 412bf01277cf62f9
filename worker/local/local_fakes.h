// Fakes of LocalNetworks' ports; the loop and the resolvers are worker_fakes.h's. For tests.
#pragma once

#include "worker/local/local_networks.h"
#include "worker/worker_fakes.h"

namespace shoal::worker::fakes {

class FakeHostKernel final : public HostKernel {
 public:
  explicit FakeHostKernel(FakeLoop& loop) : loop_(loop) {}

  void set_state(HostState next, std::function<void(HostPass)> done) override {
    state = std::move(next);
    HostPass result;
    for (const auto& network : *state.networks) {
      if (network_error) result.network_errors.emplace(network.network, *network_error);
    }
    for (const auto& endpoint : state.endpoints) {
      const EndpointId& id = endpoint->desired.id;
      if (endpoint_error) {
        result.endpoint_errors.emplace(id, *endpoint_error);
      } else {
        result.attached[id] = {"eth0", endpoint->desired.mtu};
      }
    }
    loop_.post([done, result] { done(result); });
    if (departs) tell_departed();
  }
  void check_namespace(NamespaceRef ref, std::string,
                       std::function<void(Result<NamespaceRef>)> done) override {
    Result<NamespaceRef> answer = not_found("there is no namespace " + ref.path);
    if (!ref.path.empty() && ref.path != "/gone") {
      ref.device = 4;
      ref.inode = std::hash<std::string>{}(ref.path) | 1;
      answer = ref;
    }
    loop_.post([done, answer] { done(answer); });
  }
  void host_routes(std::function<void(Result<std::vector<Prefix>>)> done) override {
    loop_.post([done, answer = routes] { done(answer); });
  }

  void tell_departed() {
    for (const DepartedEndpoint& departed : state.departed) {
      loop_.post([this, id = departed.id] { on_departed(id); });
    }
  }

  HostState state;
  std::function<void(const EndpointId&)> on_departed = [](const EndpointId&) {};
  bool departs = true;  // at once; else when told to
  std::vector<Prefix> routes;
  std::optional<Error> network_error;
  std::optional<Error> endpoint_error;

 private:
  FakeLoop& loop_;
};

class FakeHostPorts final : public HostPorts {
 public:
  explicit FakeHostPorts(FakeLoop& loop) : loop_(loop) {}

  void take(const EndpointId& id, std::string, std::vector<PortRequest> requests, const Ip&,
            std::function<void(Result<std::vector<PortBinding>>)> done) override {
    Result<std::vector<PortBinding>> answer = std::vector<PortBinding>();
    for (const PortRequest& request : requests) {
      for (const Ip& ip : request.host_ips) {
        const PortRange host = request.host.value_or(PortRange{49153, 49153});
        answer->push_back({request.protocol, ip, host, request.port});
      }
    }
    if (error) {
      answer = *error;
    } else {
      held[id] = *answer;
    }
    loop_.post([done, answer] { done(answer); });
  }
  void take_again(const EndpointId& id, std::string, std::vector<PortBinding> bindings, const Ip&,
                  std::function<void(Status)> done) override {
    held[id] = std::move(bindings);
    const Status answer = error ? Status(*error) : ok_status();
    loop_.post([done, answer] { done(answer); });
  }
  void release(const EndpointId& id) override { held.erase(id); }

  std::map<EndpointId, std::vector<PortBinding>> held;
  std::optional<Error> error;

 private:
  FakeLoop& loop_;
};

class FakeLocalDisk final : public LocalDisk {
 public:
  explicit FakeLocalDisk(FakeLoop& loop) : loop_(loop) {}

  void save_networks(LocalRecords next, std::function<void(Status)> done) override {
    if (!error) networks = std::move(next);
    answer(std::move(done));
  }
  void save_endpoint(Attachment attachment, std::function<void(Status)> done) override {
    if (!error) {
      history.push_back(attachment);
      endpoints[attachment.endpoint.id] = std::move(attachment);
    }
    answer(std::move(done));
  }
  void forget_endpoint(const EndpointId& id, std::function<void(Status)> done) override {
    if (!error) endpoints.erase(id);
    answer(std::move(done));
  }

  LocalRecords networks;
  LocalAttachments endpoints;
  std::vector<Attachment> history;
  std::optional<Error> error;

 private:
  void answer(std::function<void(Status)> done) {
    const Status status = error ? Status(*error) : ok_status();
    loop_.post([done = std::move(done), status] { done(status); });
  }

  FakeLoop& loop_;
};

}  // namespace shoal::worker::fakes
