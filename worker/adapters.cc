#include "worker/adapters.h"

#include "base/runtime/files.h"
#include "base/runtime/log.h"
#include "base/runtime/pace.h"
#include "worker/attach/namespace_check.h"

namespace shoal::worker {
namespace {

constexpr size_t kMaxStateFile = 64U << 20;
constexpr int kCacheNice = 10;

std::string attachments_file(const std::string& directory) { return directory + "/attachments"; }
std::string cache_file(const std::string& directory) {
  return directory + "/" + std::string(kCacheFile);
}

}  // namespace

void KernelAdapter::set_state(WorkerState state, std::function<void(PassResult)> done) {
  data_plane_->set_state(std::move(state), [this, done = std::move(done)](PassResult result) {
    strand_.post([done, result = std::move(result)]() mutable { done(std::move(result)); });
  });
}

void KernelAdapter::check_namespace(NamespaceRef ref, std::string ifname,
                                    std::function<void(Result<NamespaceRef>)> done) {
  data_plane_->check_namespace(std::move(ref), std::move(ifname),
                               [this, done = std::move(done)](Result<NamespaceRef> space) {
                                 strand_.post([done, space = std::move(space)] { done(space); });
                               });
}

void KernelAdapter::remove_all(std::function<void(Status)> done) {
  data_plane_->remove_all([this, done = std::move(done)](Status status) {
    strand_.post([done, status = std::move(status)] { done(status); });
  });
}

Result<uint16_t> ResolversAdapter::serve(const std::string& sandbox, const NamespaceRef& space,
                                         std::vector<NetworkId> networks, bool may_forward) {
  const OpenedNamespace opened = SHOAL_TRY(open_namespace(space));
  return server_.serve(sandbox, opened.fd.get(), std::move(networks), may_forward);
}

Status ResolversAdapter::update(const std::string& sandbox, std::vector<NetworkId> networks,
                                bool may_forward) {
  return server_.update(sandbox, std::move(networks), may_forward);
}

void ResolversAdapter::stop(const std::string& sandbox) { server_.stop(sandbox); }

StateDirectory::StateDirectory(std::string directory, Strand& strand)
    : directory_(std::move(directory)),
      strand_(strand),
      cache_thread_("shoal-cache", kCacheNice),
      thread_("shoal-disk") {}

StateDirectory::~StateDirectory() { alive_.reset(); }

Result<StateDirectory::Loaded> StateDirectory::load(const std::string& directory) {
  Loaded out;
  const std::string attachments = attachments_file(directory);
  const Result<std::string> state = read_file(attachments, kMaxStateFile);
  if (state && state->empty()) {
    log::warn("state", "{} is empty after a power loss: the managers name what to give back",
              attachments);
  } else if (state) {
    out.state = SHOAL_TRY(decode_state(as_bytes(*state), attachments));
  } else if (state.error().code != ErrorClass::kNotFound) {
    return state.error();
  }
  const std::string cache = cache_file(directory);
  const Result<std::string> cluster = read_file(cache, kMaxCacheFile);
  if (cluster) {
    auto decoded = decode_cache(as_bytes(*cluster), cache);
    // The managers say it again; until then what is attached stays as it is.
    if (!decoded) {
      log::warn("state", "{} is damaged and not used: waiting for the managers", cache);
    } else {
      out.cluster = std::move(*decoded);
    }
  } else if (cluster.error().code != ErrorClass::kNotFound) {
    return cluster.error();
  }
  return out;
}

void StateDirectory::remove(const std::string& directory) {
  for (const std::string& file : {attachments_file(directory), cache_file(directory)}) {
    const Status removed = remove_file(file);
    if (!removed) log::error("state", "{}", removed.error().message);
  }
}

void StateDirectory::save(PersistedState state, std::function<void(Status)> done) {
  waiting_ = std::move(state);
  waiting_dones_.push_back(std::move(done));
  if (!writing_) write_next();
}

void StateDirectory::write_next() {
  if (!waiting_) return;
  writing_ = true;
  auto state = std::make_shared<PersistedState>(std::move(*waiting_));
  waiting_.reset();
  auto dones = std::make_shared<Dones>(std::exchange(waiting_dones_, {}));
  thread_.post([this, state, dones, alive = std::weak_ptr<int>(alive_)] {
    const Bytes file = encode_state(*state);
    const Status written =
        write_file_atomic(attachments_file(directory_), as_text(file), 0600, Outlives::kProcess);
    strand_.post([this, dones, alive, written] {
      if (alive.expired()) return;
      writing_ = false;
      write_next();
      for (const auto& done : *dones) done(written);
    });
  });
}

void StateDirectory::save_cluster(ClusterInfo cluster, Catalogue::Content content) {
  cache_thread_.post([path = cache_file(directory_), cluster = std::move(cluster),
                      content = std::make_shared<const Catalogue::Content>(std::move(content))] {
    Pace pace;
    const Bytes file = encode_cache(cluster, *content, [&pace] { pace.rest_when_due(); });
    const Status written = write_file_atomic(path, as_text(file));
    if (!written) log::warn("state", "{}", written.error().message);
  });
}

}  // namespace shoal::worker
