#include "gossip/merkle/pool.h"

#include <algorithm>
#include <new>

#include "base/types/check.h"

namespace shoal::gossip::merkle {

static_assert(sizeof(Blob) == 16 && sizeof(Item) == 40 && sizeof(Node) == 40 - 8);
static_assert(alignof(Item) <= sizeof(uint64_t) && alignof(Path) <= sizeof(uint64_t));

Blob::Blob(std::string_view id, ByteView value, uint8_t flags, uint64_t fingerprint)
    : id_size_(static_cast<uint8_t>(id.size())),
      flags_(flags),
      value_size_(static_cast<uint16_t>(value.size())),
      fingerprint_(fingerprint) {
  auto* bytes = reinterpret_cast<uint8_t*>(this + 1);
  std::copy(id.begin(), id.end(), bytes);
  std::copy(value.begin(), value.end(), bytes + id.size());
}

void Blob::drop(const Blob* blob) { ::operator delete(const_cast<Blob*>(blob)); }

size_t Node::bytes() const {
  if (leaf_) return sizeof(Node) + sizeof(Item) * summary_.count;
  return sizeof(Node) + sizeof(Path) + sizeof(Ref<Node>) * children().size();
}

bool Node::same(const Node& other) const {
  if (leaf_ != other.leaf_ || summary_ != other.summary_) return false;
  if (leaf_) return std::ranges::equal(items(), other.items());
  return depth_ == other.depth_ && present_ == other.present_ && path() == other.path() &&
         std::ranges::equal(children(), other.children());
}

void Node::drop(const Node* node) { node->pool_->end(node); }

void SharedNodes::place(const Cell& cell) {
  size_t i = cell.hash & mask();
  while (cells_[i].node != nullptr) i = (i + 1) & mask();
  cells_[i] = cell;
}

void SharedNodes::insert(const Node* node) {
  if (2 * (used_ + 1) > cells_.size()) {
    const std::vector<Cell> old =
        std::exchange(cells_, std::vector<Cell>(std::max<size_t>(1024, 2 * cells_.size())));
    for (const Cell& cell : old) {
      if (cell.node != nullptr) place(cell);
    }
  }
  place({node->summary_.hash, node});
  ++used_;
}

const Node* SharedNodes::find(const Node& like) const {
  if (cells_.empty()) return nullptr;
  const uint64_t hash = like.summary_.hash;
  for (size_t i = hash & mask(); cells_[i].node != nullptr; i = (i + 1) & mask()) {
    if (cells_[i].hash == hash && cells_[i].node->same(like)) return cells_[i].node;
  }
  return nullptr;
}

// It need not be there. What was put beyond it for want of its place moves up, so that a free cell
// ends every search.
void SharedNodes::erase(const Node* node) {
  if (cells_.empty()) return;
  size_t gap = node->summary_.hash & mask();
  while (cells_[gap].node != node) {
    if (cells_[gap].node == nullptr) return;
    gap = (gap + 1) & mask();
  }
  for (size_t i = (gap + 1) & mask(); cells_[i].node != nullptr; i = (i + 1) & mask()) {
    const size_t home = cells_[i].hash & mask();
    if (((i - home) & mask()) < ((i - gap) & mask())) continue;
    cells_[gap] = cells_[i];
    gap = i;
  }
  cells_[gap] = {};
  --used_;
}

Pool::~Pool() { SHOAL_CHECK(nodes_ == 0, "a pool outlives its maps"); }

Ref<Blob> Pool::blob(std::string_view id, ByteView value, uint8_t flags, uint64_t content) {
  SHOAL_CHECK(id.size() <= kMaxBlobId && value.size() <= kMaxBlobValue, "a blob is bounded");
  const uint64_t fingerprint = hash_of(id, mix(content) + flags);
  uint64_t whole = 0;
  if (share_) {
    whole = hash_of(as_text(value), fingerprint);
    const auto [begin, end] = shared_blobs_.equal_range(whole);
    for (auto it = begin; it != end; ++it) {
      const Blob& known = *it->second;
      if (known.fingerprint_ == fingerprint && known.flags_ == flags && known.id() == id &&
          std::ranges::equal(known.value(), value)) {
        return it->second;
      }
    }
  }
  void* memory = ::operator new(sizeof(Blob) + id.size() + value.size());
  Ref<Blob> made(new (memory) Blob(id, value, flags, fingerprint));
  if (share_) {
    if (shared_blobs_.size() >= sweep_at_) sweep_blobs();
    shared_blobs_.emplace(whole, made);
  }
  return made;
}

void Pool::sweep_blobs() {
  std::erase_if(shared_blobs_, [](const auto& entry) { return entry.second->refs() == 1; });
  sweep_at_ = std::max<size_t>(1024, shared_blobs_.size() * 2);
}

Ref<Node> Pool::leaf(std::span<const Item* const> items) {
  void* memory = ::operator new(sizeof(Node) + sizeof(Item) * items.size());
  Node* node = new (memory) Node(*this, true);
  auto* place = reinterpret_cast<Item*>(node + 1);
  for (const Item* item : items) {
    new (place++) Item(*item);
    node->summary_.add(*item);
  }
  return adopt(node);
}

Ref<Node> Pool::inner(unsigned depth, const Path& path, std::span<const Ref<Node>> children) {
  const auto count = std::ranges::count_if(children, [](const Ref<Node>& c) { return bool(c); });
  void* memory =
      ::operator new(sizeof(Node) + sizeof(Path) + sizeof(Ref<Node>) * static_cast<size_t>(count));
  Node* node = new (memory) Node(*this, false);
  node->depth_ = static_cast<uint8_t>(depth);
  auto* place = new (node + 1) Path(Prefix::of(path, depth).path);
  auto* next = reinterpret_cast<Ref<Node>*>(place + 1);
  for (size_t digit = 0; digit < children.size(); ++digit) {
    if (!children[digit]) continue;
    node->present_ |= static_cast<uint16_t>(1U << digit);
    node->summary_.add(children[digit]->summary_);
    new (next++) Ref<Node>(children[digit]);
  }
  return adopt(node);
}

Ref<Node> Pool::adopt(Node* made) {
  ++nodes_;
  node_bytes_ += made->bytes();
  Ref<Node> result(made);
  if (!share_) return result;
  // `result` goes then, with what was made in vain; it is not in the table.
  if (const Node* known = shared_nodes_.find(*made)) return Ref<Node>(known);
  shared_nodes_.insert(made);
  return result;
}

void Pool::end(const Node* node) {
  --nodes_;
  node_bytes_ -= node->bytes();
  if (share_) shared_nodes_.erase(node);
  if (node->leaf_) {
    for (const Item& item : node->items()) item.~Item();
  } else {
    for (const Ref<Node>& child : node->children()) child.~Ref();
  }
  ::operator delete(const_cast<Node*>(node));
}

}  // namespace shoal::gossip::merkle
