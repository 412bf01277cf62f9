#include "worker/attach/data_plane.h"

#include "worker/attach/engine.h"
#include "worker/attach/plane_loop.h"

namespace shoal::worker {

struct DataPlane::Impl {
  std::unique_ptr<PlaneLoop<Engine>> loop;
};

bool PassResult::failed() const { return !endpoint_errors.empty(); }

std::set<std::string> PassResult::failures() const {
  std::set<std::string> out;
  for (const Error& error : problems) out.insert(error.message);
  for (const auto& [id, error] : endpoint_errors) {
    out.insert("endpoint " + id.str() + ": " + error.message);
  }
  return out;
}

DataPlane::DataPlane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DataPlane::~DataPlane() = default;

Result<std::unique_ptr<DataPlane>> DataPlane::start(DataPlaneOptions options) {
  PlaneLoopOptions loop{.thread = "shoal-data",
                        .component = "data_plane",
                        .full_pass_interval = options.full_pass_interval,
                        .on_repair = options.on_repair,
                        .on_problems = options.on_problems};
  auto engine = SHOAL_TRY(Engine::open(options));
  auto impl = std::make_unique<Impl>();
  impl->loop = SHOAL_TRY(PlaneLoop<Engine>::start(std::move(loop), std::move(engine)));
  return std::unique_ptr<DataPlane>(new DataPlane(std::move(impl)));
}

void DataPlane::set_state(WorkerState state, std::function<void(PassResult)> done) {
  impl_->loop->set_state(std::move(state), std::move(done));
}

void DataPlane::check_namespace(NamespaceRef ref, std::string ifname,
                                std::function<void(Result<NamespaceRef>)> done) {
  impl_->loop->post(
      [ref = std::move(ref), ifname = std::move(ifname), done = std::move(done)](Engine& engine) {
        Result<NamespaceRef> checked = worker::check_namespace(engine.host(), ref, ifname);
        if (checked.ok() && engine.is_overlay({checked->device, checked->inode})) {
          checked = invalid_argument("that is the namespace of one of Shoal's own overlays");
        }
        done(std::move(checked));
      });
}

void DataPlane::remove_all(std::function<void(Status)> done) {
  impl_->loop->post([done = std::move(done)](Engine& engine) { done(engine.remove_all()); });
}

}  // namespace shoal::worker
