#include "worker/hostnet/host_plane.h"

#include "base/runtime/log.h"
#include "vxlan/netlink/dump.h"
#include "worker/attach/plane_loop.h"
#include "worker/hostnet/host_engine.h"

namespace shoal::worker {

struct HostPlane::Impl {
  std::unique_ptr<PlaneLoop<HostEngine>> loop;
};

HostPlane::HostPlane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HostPlane::~HostPlane() = default;

Result<std::unique_ptr<HostPlane>> HostPlane::start(HostPlaneOptions options) {
  PlaneLoopOptions loop{
      .thread = "shoal-host",
      .component = "host_plane",
      .full_pass_interval = options.full_pass_interval,
      .on_repair =
          [](size_t repairs) {
            log::warn("host_plane", "repaired {} differences: something else changes what is ours",
                      repairs);
          },
      .on_problems = options.on_problems};
  auto engine = SHOAL_TRY(HostEngine::open(options));
  auto impl = std::make_unique<Impl>();
  impl->loop = SHOAL_TRY(PlaneLoop<HostEngine>::start(std::move(loop), std::move(engine)));
  return std::unique_ptr<HostPlane>(new HostPlane(std::move(impl)));
}

void HostPlane::set_state(HostState state, std::function<void(HostPass)> done) {
  impl_->loop->set_state(std::move(state), std::move(done));
}

void HostPlane::check_namespace(NamespaceRef ref, std::string ifname,
                                std::function<void(Result<NamespaceRef>)> done) {
  impl_->loop->post([ref = std::move(ref), ifname = std::move(ifname), done = std::move(done)](
                        HostEngine& engine) { done(engine.check_namespace(ref, ifname)); });
}

void HostPlane::host_routes(std::function<void(Result<std::vector<Prefix>>)> done) {
  impl_->loop->post([done = std::move(done)](HostEngine& engine) {
    done(vxlan::dump_destinations(engine.socket()));
  });
}

}  // namespace shoal::worker
