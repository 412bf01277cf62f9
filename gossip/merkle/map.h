// Map: a persistent Merkle map from (path, id) to items. A Map is a value: copying it is O(1) and
// gives a snapshot that later changes of the original do not touch.
//
// Fingerprint of any range: the XOR of the hashes of its items, with their number and the number of
// marked ones, kept in every node. So it depends on the items alone, whatever the order in which
// they came, and any prefix is summed up in O(depth).
//
// The tree is canonical as well: below a prefix there is a leaf if there are at most kLeafItems
// items or all have one path, else an inner node at the longest prefix (of whole digits) that all
// share. Therefore a sharing pool turns equal maps into one tree. Different ids at one path (a
// collision of hashes) are different items, and live side by side.
//
// Costs: put, erase and find O(log n); memory of about two words and the item's 40 bytes each. One
// thread; the pool outlives the map. Pointers to items hold until the next change of this map.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "gossip/merkle/pool.h"

namespace shoal::gossip::merkle {

// Digits of the tree. Ranges split sixteen ways (four bits) whatever this is; the tree itself
// splits in four: copying a node counts its children anew, each a line of the cache, and a full
// leaf split in sixteen would leave one item in each.
inline constexpr unsigned kDigitBits = 2;
inline constexpr unsigned kDigits = 1U << kDigitBits;
inline constexpr size_t kLeafItems = 16;

class Map {
 public:
  explicit Map(Pool& pool) : pool_(&pool) {}

  Pool& pool() const { return *pool_; }
  Summary summary() const { return root_ ? root_->summary() : Summary{}; }
  uint32_t size() const { return summary().count; }
  bool empty() const { return !root_; }

  const Item* find(const Path& path, std::string_view id) const;
  // False when exactly this was there (path, id, epoch, stamp and blob). It replaces what has the
  // same path and id.
  bool put(Item item);
  // The same of a few at different places, copying what their paths share but once. They are put in
  // order.
  void put_all(std::span<Item> items);
  // False when there was none.
  bool erase(const Path& path, std::string_view id);
  // The number of items it removed.
  uint32_t erase_prefix(const Prefix& prefix);

  Summary below(const Prefix& prefix) const;
  // The sixteen parts of a prefix of whole half-bytes, of at most 124 bits.
  std::array<Summary, 16> children(const Prefix& prefix) const;
  // The longest prefix of whole half-bytes that holds all that `prefix` holds; of at most 124 bits
  // unless `prefix` has more. `prefix` itself when it holds nothing.
  Prefix tighten(const Prefix& prefix) const;
  // The nth marked item below a prefix, in order; n is less than below(prefix).marked.
  const Item& nth_marked(const Prefix& prefix, uint32_t n) const;
  // In the order of path and id.
  template <typename Visit>
  void each(const Prefix& prefix, Visit&& visit) const {
    // What is visited must not go when the visitor changes this map.
    const Ref<Node> root = root_;
    each_in(root.get(), prefix, visit);
  }

  // One tree in memory, which a sharing pool makes of equal ones.
  bool same_tree(const Map& other) const { return root_ == other.root_; }
  // Equal contents, blobs compared by identity and fingerprint.
  friend bool operator==(const Map& a, const Map& b);

 private:
  template <typename Visit>
  static void each_in(const Node* node, const Prefix& prefix, Visit& visit) {
    if (node == nullptr) return;
    if (node->is_leaf()) {
      for (const Item& item : node->items()) {
        if (prefix.contains(item.path)) visit(item);
      }
      return;
    }
    if (common_bits(node->path(), prefix.path) < std::min<unsigned>(node->depth(), prefix.bits)) {
      return;
    }
    if (prefix.bits >= node->depth() + kDigitBits) {
      return each_in(node->child(bits_at(prefix.path, node->depth(), kDigitBits)), prefix, visit);
    }
    for (const Ref<Node>& child : node->children()) each_in(child.get(), prefix, visit);
  }

  Pool* pool_;
  Ref<Node> root_;
};

}  // namespace shoal::gossip::merkle
