#include "worker/local/adapters.h"

#include "base/runtime/log.h"

namespace shoal::worker {
namespace {

constexpr size_t kMaxFile = 64U << 20;

std::string networks_file(const std::string& directory) { return directory + "/local_networks"; }
std::string endpoints_file(const std::string& directory) { return directory + "/local_endpoints"; }

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
      endpoints_(endpoints_file(directory), Outlives::kProcess, "shoal-localend", strand) {}

Result<LocalDirectory::Loaded> LocalDirectory::load(const std::string& directory) {
  Loaded out;
  const std::string networks = networks_file(directory);
  const Result<std::string> records = read_file(networks, kMaxFile);
  if (records) {
    out.networks = SHOAL_TRY(decode_local(as_bytes(*records), networks));
  } else if (records.error().code != ErrorClass::kNotFound) {
    return records.error();
  }
  const std::string endpoints = endpoints_file(directory);
  const Result<std::string> state = read_file(endpoints, kMaxFile);
  if (state && state->empty()) {
    log::warn("local", "{} is empty after a power loss, and so are the namespaces it was about",
              endpoints);
  } else if (state) {
    out.endpoints = SHOAL_TRY(decode_state(as_bytes(*state), endpoints));
  } else if (state.error().code != ErrorClass::kNotFound) {
    return state.error();
  }
  return out;
}

void LocalDirectory::save_networks(LocalRecords records, std::function<void(Status)> done) {
  networks_.write([records = std::move(records)] { return encode_local(records); },
                  std::move(done));
}

void LocalDirectory::save_endpoints(PersistedState state, std::function<void(Status)> done) {
  endpoints_.write([state = std::move(state)] { return encode_state(state); }, std::move(done));
}

}  // namespace shoal::worker
