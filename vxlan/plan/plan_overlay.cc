#include <algorithm>
#include <map>
#include <set>

#include "base/types/check.h"
#include "vxlan/plan/link_change.h"
#include "vxlan/plan/plan.h"

namespace shoal::vxlan {
namespace {

using FdbKey = std::pair<std::string, Mac>;
using NeighKey = std::pair<std::string, Ip>;

class OverlayPlanner {
 public:
  OverlayPlanner(const DesiredOverlay& desired, const NamespaceState& observed, Prune prune)
      : desired_(desired), observed_(observed), prune_(prune == Prune::kYes) {}

  Plan run() {
    if (prune_) remove_links();
    for (const Link& link : desired_.space.links) make_link(link);
    plan_fdb();
    plan_neighs();
    append(raise_);
    append(forget_);
    return std::move(plan_);
  }

 private:
  template <typename Action>
  static Op overlay_op(Action action) {
    return {Place::kOverlay, std::move(action)};
  }
  template <typename Action>
  void add(Action action) {
    plan_.push_back(overlay_op(std::move(action)));
  }
  void append(Plan& more) { std::move(more.begin(), more.end(), std::back_inserter(plan_)); }

  void remove_links() {
    std::set<std::string> wanted;
    for (const Link& link : desired_.space.links) wanted.insert(link.name);
    for (const DesiredEndpoint& endpoint : desired_.endpoints) {
      wanted.insert(port_name(endpoint.id));
    }
    for (const Link& link : observed_.links) {
      if (!carries_mark(link) || wanted.contains(link.name)) continue;
      add(DeleteLink{link.name, link.index});
      emptied_.insert(link.name);
    }
  }

  // A VXLAN device cannot be given another VNI or address: it is made anew.
  static bool can_become(const Link& observed, const Link& desired) {
    return observed.kind == desired.kind && observed.vxlan == desired.vxlan;
  }

  void make_link(const Link& desired) {
    const Link* const found = observed_.find(desired.name);
    if (found != nullptr && can_become(*found, desired)) {
      SetLink change = link_change(desired, *found);
      if (!change.empty()) add(std::move(change));
      if (!found->up) raise_.push_back(overlay_op(raise(desired)));
      return;
    }
    // A link of ours that has become something else. One that is not ours is left: making ours is
    // then refused by the kernel, and the refusal told.
    if (found != nullptr && carries_mark(*found)) add(DeleteLink{found->name, found->index});
    if (desired.kind == LinkKind::kBridge) {
      add(CreateBridge{desired});
    } else {
      SHOAL_CHECK(desired.vxlan.has_value(), "an overlay holds a bridge and a VXLAN device");
      add(CreateVxlan{desired});
    }
    add(whole_change(desired));
    raise_.push_back(overlay_op(raise(desired)));
    emptied_.insert(desired.name);
  }

  static SetLink raise(const Link& link) { return {.name = link.name, .up = true}; }

  // A new link has an empty table, whatever was seen of the old one; a removed one takes it along.
  bool counts(const std::string& link) const { return !emptied_.contains(link); }

  void plan_fdb() {
    std::map<FdbKey, const Fdb*> seen;
    for (const Fdb& fdb : observed_.fdb) {
      if (counts(fdb.link) && fdb.vtep) seen[{fdb.link, fdb.mac}] = &fdb;
    }
    std::set<FdbKey> wanted;
    for (const Fdb& fdb : desired_.space.fdb) {
      wanted.insert({fdb.link, fdb.mac});
      const auto found = seen.find({fdb.link, fdb.mac});
      if (found == seen.end() || *found->second != fdb) add(PutFdb{fdb});
    }
    if (!prune_) return;
    for (const DesiredEndpoint& endpoint : desired_.endpoints) {
      wanted.insert({port_name(endpoint.id), endpoint.mac});
    }
    for (const Fdb& fdb : observed_.fdb) {
      const Link* const link = observed_.find(fdb.link);
      const bool on_ours = link != nullptr && carries_mark(*link) && counts(fdb.link);
      const bool right_table = fdb.vtep.has_value() == (fdb.link == kVxlanName);
      if (!on_ours || (right_table && wanted.contains({fdb.link, fdb.mac}))) continue;
      forget_.push_back(overlay_op(DeleteFdb{fdb}));
    }
  }

  void plan_neighs() {
    std::map<NeighKey, const Neigh*> seen;
    for (const Neigh& neigh : observed_.neighs) {
      if (counts(neigh.link)) seen[{neigh.link, neigh.ip}] = &neigh;
    }
    Plan forget;
    for (const Neigh& neigh : desired_.space.neighs) {
      const auto found = seen.find({neigh.link, neigh.ip});
      if (found == seen.end() || *found->second != neigh) add(PutNeigh{neigh});
      if (found != seen.end()) seen.erase(found);
    }
    if (!prune_) return;
    for (const auto& [key, neigh] : seen) {
      const Link* const link = observed_.find(neigh->link);
      if (link == nullptr || !carries_mark(*link)) continue;
      forget.push_back(overlay_op(DeleteNeigh{*neigh}));
    }
    // Before the FDB entries they point at.
    forget_.insert(forget_.begin(), forget.begin(), forget.end());
  }

  const DesiredOverlay& desired_;
  const NamespaceState& observed_;
  const bool prune_;
  Plan plan_;
  Plan raise_;
  Plan forget_;
  std::set<std::string> emptied_;
};

}  // namespace

Plan plan_overlay(const DesiredOverlay& desired, const NamespaceState& observed, Prune prune) {
  return OverlayPlanner(desired, observed, prune).run();
}

}  // namespace shoal::vxlan
