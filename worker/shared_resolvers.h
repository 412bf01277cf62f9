// SharedResolvers: one resolver for each namespace, whoever put it on networks: the cluster's
// worker and the host's own networks each see a Resolvers of their own; what is served is the
// union, names of overlays first.
//
// Used on the strand only, but for served().
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/ports.h"

namespace shoal::worker {

class SharedResolvers {
 public:
  enum class Part : size_t { kOverlays, kLocal };

  // `server` outlives this.
  explicit SharedResolvers(Resolvers& server)
      : server_(server), parts_{View(*this, Part::kOverlays), View(*this, Part::kLocal)} {}

  Resolvers& part(Part part) { return parts_[static_cast<size_t>(part)]; }
  // Whether `part` has networks in that namespace. From any thread.
  bool served(Part part, const NamespaceRef& space) const;

 private:
  struct Networks {
    std::vector<NetworkId> networks;
    bool may_forward = false;
  };
  struct Sandbox {
    std::array<std::optional<Networks>, 2> parts;
    uint16_t port = 0;
  };
  class View final : public Resolvers {
   public:
    View(SharedResolvers& owner, Part part) : owner_(owner), part_(part) {}
    Result<uint16_t> serve(const std::string& sandbox, const NamespaceRef& space,
                           std::vector<NetworkId> networks, bool may_forward) override;
    Status update(const std::string& sandbox, std::vector<NetworkId> networks,
                  bool may_forward) override;
    void stop(const std::string& sandbox) override;
    dns::NameTable& names() override { return owner_.server_.names(); }

   private:
    SharedResolvers& owner_;
    const Part part_;
  };

  static Networks all_of(const Sandbox& sandbox);
  void note(Part part, const std::string& sandbox, bool served);

  Resolvers& server_;
  std::map<std::string, Sandbox> sandboxes_;
  mutable std::mutex mutex_;  // guards served_
  std::set<std::pair<Part, std::string>> served_;
  std::array<View, 2> parts_;
};

}  // namespace shoal::worker
