#include "gossip/merkle/map.h"

#include <algorithm>
#include <vector>

#include "base/types/check.h"

namespace shoal::gossip::merkle {
namespace {

static_assert(64 % kDigitBits == 0, "digits do not straddle the halves of a path");

using Children = std::array<Ref<Node>, kDigits>;
using Items = std::vector<const Item*>;

// Where the item is, or would be.
size_t place_of(std::span<const Item> items, const Path& path, std::string_view id) {
  const auto it = std::lower_bound(items.begin(), items.end(), 0, [&](const Item& item, int) {
    return compare_place(item, path, id) < 0;
  });
  return static_cast<size_t>(it - items.begin());
}

bool is_at(std::span<const Item> items, size_t place, const Path& path, std::string_view id) {
  return place < items.size() && compare_place(items[place], path, id) == 0;
}

unsigned whole_digits(unsigned bits) { return bits - bits % kDigitBits; }

Children children_of(const Node& node) {
  Children children;
  size_t next = 0;
  for (unsigned digit = 0; digit < kDigits; ++digit) {
    if ((node.present() >> digit & 1) != 0) children[digit] = node.children()[next++];
  }
  return children;
}

void gather(const Node& node, Items& out) {
  if (node.is_leaf()) {
    for (const Item& item : node.items()) out.push_back(&item);
    return;
  }
  for (const Ref<Node>& child : node.children()) gather(*child, out);
}

// The canonical tree of items in order; at least one.
Ref<Node> build(Pool& pool, std::span<const Item* const> items) {
  const Path& first = items.front()->path;
  const unsigned common = common_bits(first, items.back()->path);
  if (items.size() <= kLeafItems || common == kPathBits) return pool.leaf(items);
  const unsigned depth = whole_digits(common);
  Children children;
  while (!items.empty()) {
    const unsigned digit = bits_at(items.front()->path, depth, kDigitBits);
    size_t count = 1;
    while (count < items.size() && bits_at(items[count]->path, depth, kDigitBits) == digit) ++count;
    children[digit] = build(pool, items.first(count));
    items = items.subspan(count);
  }
  return pool.inner(depth, first, children);
}

// The canonical tree of what is left of an inner node's children.
Ref<Node> rebuild(Pool& pool, const Node& node, const Children& children) {
  size_t items = 0, present = 0;
  const Ref<Node>* last = nullptr;
  for (const Ref<Node>& child : children) {
    if (!child) continue;
    items += child->summary().count;
    ++present;
    last = &child;
  }
  if (present == 0) return {};
  if (present == 1) return *last;
  if (items > kLeafItems) return pool.inner(node.depth(), node.path(), children);
  Items all;
  all.reserve(items);
  for (const Ref<Node>& child : children) {
    if (child) gather(*child, all);
  }
  return pool.leaf(all);
}

Ref<Node> insert_in_leaf(Pool& pool, const Node& leaf, const Item& item) {
  const auto items = leaf.items();
  const size_t place = place_of(items, item.path, item.id());
  const bool replaces = is_at(items, place, item.path, item.id());
  if (replaces && items[place] == item) return Ref<Node>(&leaf);
  Items all;
  all.reserve(items.size() + 1);
  for (size_t i = 0; i < place; ++i) all.push_back(&items[i]);
  all.push_back(&item);
  for (size_t i = place + (replaces ? 1 : 0); i < items.size(); ++i) all.push_back(&items[i]);
  return build(pool, all);
}

Ref<Node> insert(Pool& pool, const Node* node, const Item& item) {
  const Item* const alone[] = {&item};
  if (node == nullptr) return pool.leaf(alone);
  if (node->is_leaf()) return insert_in_leaf(pool, *node, item);
  const unsigned common = common_bits(node->path(), item.path);
  if (common < node->depth()) {
    const unsigned depth = whole_digits(common);
    Children children;
    children[bits_at(node->path(), depth, kDigitBits)] = Ref<Node>(node);
    children[bits_at(item.path, depth, kDigitBits)] = pool.leaf(alone);
    return pool.inner(depth, item.path, children);
  }
  const unsigned digit = bits_at(item.path, node->depth(), kDigitBits);
  const Node* old = node->child(digit);
  Ref<Node> changed = insert(pool, old, item);
  if (changed.get() == old) return Ref<Node>(node);
  Children children = children_of(*node);
  children[digit] = std::move(changed);
  return pool.inner(node->depth(), node->path(), children);
}

// `items` in order, at least one, each at a place of its own.
Ref<Node> insert_all(Pool& pool, const Node* node, std::span<const Item> items) {
  if (items.size() == 1) return insert(pool, node, items.front());
  const bool apart =
      node != nullptr && !node->is_leaf() && std::ranges::all_of(items, [node](const Item& item) {
        return common_bits(node->path(), item.path) >= node->depth();
      });
  if (!apart) {
    Ref<Node> changed(node);
    for (const Item& item : items) changed = insert(pool, changed.get(), item);
    return changed;
  }
  Children children = children_of(*node);
  bool any = false;
  while (!items.empty()) {
    const unsigned digit = bits_at(items.front().path, node->depth(), kDigitBits);
    size_t count = 1;
    while (count < items.size() && bits_at(items[count].path, node->depth(), kDigitBits) == digit) {
      ++count;
    }
    Ref<Node> changed = insert_all(pool, children[digit].get(), items.first(count));
    any = any || !(changed == children[digit]);
    children[digit] = std::move(changed);
    items = items.subspan(count);
  }
  return any ? pool.inner(node->depth(), node->path(), children) : Ref<Node>(node);
}

Ref<Node> remove(Pool& pool, const Node& node, const Path& path, std::string_view id) {
  if (node.is_leaf()) {
    const auto items = node.items();
    const size_t place = place_of(items, path, id);
    if (!is_at(items, place, path, id)) return Ref<Node>(&node);
    Items rest;
    rest.reserve(items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      if (i != place) rest.push_back(&items[i]);
    }
    return rest.empty() ? Ref<Node>() : build(pool, rest);
  }
  if (common_bits(node.path(), path) < node.depth()) return Ref<Node>(&node);
  const unsigned digit = bits_at(path, node.depth(), kDigitBits);
  const Node* old = node.child(digit);
  if (old == nullptr) return Ref<Node>(&node);
  Ref<Node> changed = remove(pool, *old, path, id);
  if (changed.get() == old) return Ref<Node>(&node);
  Children children = children_of(node);
  children[digit] = std::move(changed);
  return rebuild(pool, node, children);
}

// Whether all below an inner node, nothing of it, or some digits are below the prefix.
enum class Cover : uint8_t { kAll, kNone, kSome };

Cover cover(const Node& inner, const Prefix& prefix) {
  if (common_bits(inner.path(), prefix.path) < std::min<unsigned>(inner.depth(), prefix.bits)) {
    return Cover::kNone;
  }
  return prefix.bits <= inner.depth() ? Cover::kAll : Cover::kSome;
}

bool covers_digit(const Node& inner, unsigned digit, const Prefix& prefix) {
  const unsigned width = std::min(prefix.bits - inner.depth(), kDigitBits);
  return digit >> (kDigitBits - width) == bits_at(prefix.path, inner.depth(), width);
}

Ref<Node> remove_below(Pool& pool, const Node& node, const Prefix& prefix) {
  if (node.is_leaf()) {
    Items rest;
    for (const Item& item : node.items()) {
      if (!prefix.contains(item.path)) rest.push_back(&item);
    }
    if (rest.size() == node.items().size()) return Ref<Node>(&node);
    return rest.empty() ? Ref<Node>() : build(pool, rest);
  }
  const Cover covered = cover(node, prefix);
  if (covered == Cover::kNone) return Ref<Node>(&node);
  if (covered == Cover::kAll) return {};
  Children children = children_of(node);
  bool changed = false;
  for (unsigned digit = 0; digit < kDigits; ++digit) {
    if (!children[digit] || !covers_digit(node, digit, prefix)) continue;
    Ref<Node> rest = remove_below(pool, *children[digit], prefix);
    changed = changed || !(rest == children[digit]);
    children[digit] = std::move(rest);
  }
  return changed ? rebuild(pool, node, children) : Ref<Node>(&node);
}

Summary sum_below(const Node* node, const Prefix& prefix) {
  Summary sum;
  if (node == nullptr) return sum;
  if (node->is_leaf()) {
    for (const Item& item : node->items()) {
      if (prefix.contains(item.path)) sum.add(item);
    }
    return sum;
  }
  const Cover covered = cover(*node, prefix);
  if (covered == Cover::kNone) return sum;
  if (covered == Cover::kAll) return node->summary();
  for (unsigned digit = 0; digit < kDigits; ++digit) {
    if (covers_digit(*node, digit, prefix)) sum.add(sum_below(node->child(digit), prefix));
  }
  return sum;
}

// The deepest node that holds all that the prefix holds; a null pointer when it holds nothing.
const Node* holder(const Node* node, const Prefix& prefix) {
  while (node != nullptr && !node->is_leaf()) {
    const Cover covered = cover(*node, prefix);
    if (covered == Cover::kNone) return nullptr;
    if (covered == Cover::kAll || prefix.bits < node->depth() + kDigitBits) return node;
    node = node->child(bits_at(prefix.path, node->depth(), kDigitBits));
  }
  return node;
}

}  // namespace

const Item* Map::find(const Path& path, std::string_view id) const {
  const Node* node = holder(root_.get(), Prefix::of(path, kPathBits));
  if (node == nullptr) return nullptr;
  const size_t place = place_of(node->items(), path, id);
  return is_at(node->items(), place, path, id) ? &node->items()[place] : nullptr;
}

bool Map::put(Item item) {
  SHOAL_CHECK(item.blob, "an item has an identity");
  Ref<Node> changed = insert(*pool_, root_.get(), item);
  if (changed == root_) return false;
  root_ = std::move(changed);
  return true;
}

void Map::put_all(std::span<Item> items) {
  if (items.empty()) return;
  std::ranges::sort(
      items, [](const Item& a, const Item& b) { return compare_place(a, b.path, b.id()) < 0; });
  root_ = insert_all(*pool_, root_.get(), items);
}

bool Map::erase(const Path& path, std::string_view id) {
  if (!root_) return false;
  Ref<Node> changed = remove(*pool_, *root_, path, id);
  if (changed == root_) return false;
  root_ = std::move(changed);
  return true;
}

uint32_t Map::erase_prefix(const Prefix& prefix) {
  if (!root_) return 0;
  const uint32_t before = size();
  root_ = remove_below(*pool_, *root_, prefix);
  return before - size();
}

Summary Map::below(const Prefix& prefix) const { return sum_below(root_.get(), prefix); }

std::array<Summary, 16> Map::children(const Prefix& prefix) const {
  SHOAL_CHECK(prefix.bits % 4 == 0 && prefix.bits < kPathBits, "parts are of half-bytes");
  std::array<Summary, 16> parts;
  const Node* node = holder(root_.get(), prefix);
  if (node == nullptr) return parts;
  if (node->is_leaf()) {
    for (const Item& item : node->items()) {
      if (prefix.contains(item.path)) parts[bits_at(item.path, prefix.bits, 4)].add(item);
    }
    return parts;
  }
  for (unsigned digit = 0; digit < 16; ++digit) {
    parts[digit] = sum_below(node, prefix.child(digit));
  }
  return parts;
}

Prefix Map::tighten(const Prefix& prefix) const {
  SHOAL_CHECK(prefix.bits % 4 == 0, "ranges are of whole half-bytes");
  const Node* node = holder(root_.get(), prefix);
  if (node == nullptr) return prefix;
  Path path;
  unsigned bits = kPathBits;
  if (node->is_leaf()) {
    bool first = true;
    for (const Item& item : node->items()) {
      if (!prefix.contains(item.path)) continue;
      if (first) path = item.path;
      first = false;
      bits = std::min(bits, common_bits(path, item.path));
    }
    if (first) return prefix;
  } else {
    path = node->path();
    bits = node->depth();
  }
  bits = std::min(bits - bits % 4, kPathBits - 4);
  return bits <= prefix.bits ? prefix : Prefix::of(path, bits);
}

const Item& Map::nth_marked(const Prefix& prefix, uint32_t n) const {
  const Node* node = holder(root_.get(), prefix);
  SHOAL_CHECK(node != nullptr, "n is less than the number of marked items");
  while (!node->is_leaf()) {
    const Node* next = nullptr;
    for (const Ref<Node>& child : node->children()) {
      const uint32_t marked = sum_below(child.get(), prefix).marked;
      if (n < marked) {
        next = child.get();
        break;
      }
      n -= marked;
    }
    SHOAL_CHECK(next != nullptr, "n is less than the number of marked items");
    node = next;
  }
  for (const Item& item : node->items()) {
    if (item.marked() && prefix.contains(item.path) && n-- == 0) return item;
  }
  SHOAL_CHECK(false, "n is less than the number of marked items");
  __builtin_unreachable();
}

bool operator==(const Map& a, const Map& b) {
  if (a.summary() != b.summary()) return false;
  if (a.root_ == b.root_) return true;
  Items left, right;
  gather(*a.root_, left);
  gather(*b.root_, right);
  return std::ranges::equal(left, right, [](const Item* x, const Item* y) {
    return x->path == y->path && x->epoch == y->epoch && x->stamp == y->stamp &&
           x->blob->fingerprint() == y->blob->fingerprint() && x->id() == y->id();
  });
}

}  // namespace shoal::gossip::merkle
