#include "worker/local/adapters.h"

#include <filesystem>

#include "base/runtime/log.h"

namespace shoal::worker {
namespace {

constexpr size_t kMaxFile = 64U << 20;

std::string networks_file(const std::string& directory) { return directory + "/local_networks"; }
std::string endpoints_directory(const std::string& directory) {
  return directory + "/local_endpoints";
}

Result<LocalRecords> load_networks(const std::string& path) {
  const Result<std::string> records = read_file(path, kMaxFile);
  if (records) return decode_local(as_bytes(*records), path);
  if (records.error().code == ErrorClass::kNotFound) return LocalRecords();
  return records.error();
}

Status load_endpoint(const std::string& path, const EndpointId& id, LocalDirectory::Loaded& out) {
  const std::string file = SHOAL_TRY(read_file(path, kMaxFile));
  if (file.empty()) {
    out.emptied.push_back(id);
    return ok_status();
  }
  Attachment attachment = SHOAL_TRY(decode_attachment(as_bytes(file), path));
  if (attachment.endpoint.id != id) return data_loss(path + " is another endpoint's");
  out.endpoints.emplace(id, std::move(attachment));
  return ok_status();
}

}  // namespace

void HostKernelAdapter::set_state(HostState state, std::function<void(HostPass)> done) {
  plane_->set_state(std::move(state), [this, done = std::move(done)](HostPass result) {
    strand_.post([done, result = std::move(result)]() mutable { done(std::move(result)); });
  });
}

void HostKernelAdapter::check_namespace(NamespaceRef ref, std::string ifname,
                                        std::function<void(Result<NamespaceRef>)> done) {
  plane_->check_namespace(std::move(ref), std::move(ifname),
                          [this, done = std::move(done)](Result<NamespaceRef> space) {
                            strand_.post([done, space = std::move(space)] { done(space); });
                          });
}

void HostKernelAdapter::host_routes(std::function<void(Result<std::vector<Prefix>>)> done) {
  plane_->host_routes([this, done = std::move(done)](Result<std::vector<Prefix>> routes) {
    strand_.post([done, routes = std::move(routes)] { done(routes); });
  });
}

void HostPortsAdapter::take(const EndpointId& id, std::string owner,
                            std::vector<PortRequest> requests, const Ip& to,
                            std::function<void(Result<std::vector<PortBinding>>)> done) {
  thread_.post([this, id, to, owner = std::move(owner), requests = std::move(requests),
                done = std::move(done)] {
    auto taken = reservations_.take(id, owner, requests);
    relay(id, to);
    strand_.post([done, taken = std::move(taken)] { done(taken); });
  });
}

void HostPortsAdapter::take_again(const EndpointId& id, std::string owner,
                                  std::vector<PortBinding> bindings, const Ip& to,
                                  std::function<void(Status)> done) {
  thread_.post([this, id, to, owner = std::move(owner), bindings = std::move(bindings),
                done = std::move(done)] {
    const Status taken = reservations_.take_again(id, owner, bindings);
    relay(id, to);
    strand_.post([done, taken] { done(taken); });
  });
}

void HostPortsAdapter::relay(const EndpointId& id, const Ip& to) {
  if (!to.is_v6()) return;
  std::vector<LoopbackRelay::Listener> listeners;
  for (auto& [socket, port] : reservations_.loopback_sockets(id)) {
    listeners.push_back({std::move(socket), to, port});
  }
  if (!listeners.empty()) relay_->serve(id, std::move(listeners));
}

void HostPortsAdapter::release(const EndpointId& id) {
  thread_.post([this, id] {
    relay_->drop(id);
    reservations_.release(id);
  });
}

PiledFile::PiledFile(std::string path, Outlives outlives, const char* thread, Strand& strand)
    : path_(std::move(path)), outlives_(outlives), strand_(strand), thread_(thread) {}

PiledFile::~PiledFile() {
  alive_.reset();
  if (!waiting_) return;
  thread_.post([path = path_, outlives = outlives_, encode = std::move(waiting_)] {
    const Status written = write_file_atomic(path, as_text(encode()), 0600, outlives);
    if (!written) log::error("local", "{}", written.error().message);
  });
}

void PiledFile::write(std::function<Bytes()> encode, std::function<void(Status)> done) {
  waiting_ = std::move(encode);
  dones_.push_back(std::move(done));
  if (!writing_) write_next();
}

void PiledFile::write_next() {
  if (!waiting_) return;
  writing_ = true;
  auto dones =
      std::make_shared<std::vector<std::function<void(Status)>>>(std::exchange(dones_, {}));
  thread_.post(
      [this, dones, encode = std::exchange(waiting_, nullptr), alive = std::weak_ptr<int>(alive_)] {
        const Bytes file = encode();
        const Status written = write_file_atomic(path_, as_text(file), 0600, outlives_);
        strand_.post([this, dones, alive, written] {
          if (alive.expired()) return;
          writing_ = false;
          write_next();
          for (const auto& done : *dones) done(written);
        });
      });
}

LocalDirectory::LocalDirectory(const std::string& directory, Strand& strand)
    : networks_(networks_file(directory), Outlives::kPower, "shoal-localnet", strand),
      endpoints_(endpoints_directory(directory)),
      strand_(strand),
      thread_("shoal-localend") {}

Status LocalDirectory::prepare(const std::string& directory) {
  return make_directories(endpoints_directory(directory));
}

Result<LocalDirectory::Loaded> LocalDirectory::load(const std::string& directory) {
  Loaded out;
  out.networks = SHOAL_TRY(load_networks(networks_file(directory)));
  const std::string endpoints = endpoints_directory(directory);
  std::error_code error;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(endpoints, error)) {
    const std::string name = entry.path().filename().string();
    // A file that was being written when its writer died is under another name.
    if (is_id(name)) names.push_back(name);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return internal_error("cannot list " + endpoints + ": " + error.message());
  }
  for (const std::string& name : names) {
    SHOAL_TRY(load_endpoint(endpoints + "/" + name, EndpointId(name), out));
  }
  return out;
}

void LocalDirectory::save_networks(LocalRecords records, std::function<void(Status)> done) {
  networks_.write([records = std::move(records)] { return encode_local(records); },
                  std::move(done));
}

void LocalDirectory::run(std::function<Status()> work, std::function<void(Status)> done) {
  thread_.post([strand = &strand_, work = std::move(work), done = std::move(done)] {
    strand->post([done, status = work()] { done(status); });
  });
}

void LocalDirectory::save_endpoint(Attachment attachment, std::function<void(Status)> done) {
  run(
      [path = endpoints_ + "/" + attachment.endpoint.id.str(), attachment = std::move(attachment)] {
        const Bytes file = encode_attachment(attachment);
        return write_file_atomic(path, as_text(file), 0600, Outlives::kProcess);
      },
      std::move(done));
}

void LocalDirectory::forget_endpoint(const EndpointId& id, std::function<void(Status)> done) {
  run([path = endpoints_ + "/" + id.str()] { return remove_file(path); }, std::move(done));
}

}  // namespace shoal::worker
