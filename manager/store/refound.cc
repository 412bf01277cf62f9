#include "manager/store/refound.h"

namespace shoal::manager {
namespace {

void make_manager(Node& node, const Refounding& how) {
  node.spec.role = node.certified_role = Role::kManager;
  node.raft_id = how.raft_id;
  node.addresses.control = how.control;
  node.version = how.index;
}

void make_worker(Node& node, uint64_t index) {
  if (node.spec.role == Role::kWorker && node.raft_id == 0) return;
  node.spec.role = Role::kWorker;
  node.raft_id = 0;
  node.version = index;
}

}  // namespace

Result<std::vector<Object>> refounded(std::vector<Object> objects, const Refounding& how) {
  bool has_cluster = false;
  bool has_self = false;
  for (Object& object : objects) {
    if (auto* cluster = std::get_if<Cluster>(&object)) {
      has_cluster = true;
      ++cluster->generation;
      cluster->version = how.index;
    } else if (auto* node = std::get_if<Node>(&object)) {
      if (node->id == how.self.id) {
        has_self = true;
        make_manager(*node, how);
      } else {
        make_worker(*node, how.index);
      }
    }
  }
  if (!has_cluster) return data_loss("there is no cluster in this state: nothing to go on with");
  if (!has_self) {
    Node self = how.self;
    self.created_at = how.now;
    make_manager(self, how);
    objects.emplace_back(std::move(self));
  }
  return objects;
}

}  // namespace shoal::manager
