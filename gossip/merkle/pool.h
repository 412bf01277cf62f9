// What a Merkle map is made of: blobs, items and nodes, counted by reference without atomics (all
// that share a pool live on one thread), and the Pool that makes them.
//
//   Blob   identity and value of an item, immutable: header 16 bytes, the id, the value.
//   Item   where (path), what (blob), how new (epoch, stamp): 40 bytes.
//   Node   of the tree, immutable once another may see it. Its shape follows from the items below
//          it and from nothing else (map.h), so equal contents are equal trees.
//
// A sharing pool makes one node of all equal ones and one blob of all equal blobs (hash-consing):
// ten thousand simulated replicas that agree are one tree. It costs a look-up for each node made;
// a daemon has one replica and does not share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/codec/bytes.h"
#include "gossip/merkle/path.h"

namespace shoal::gossip::merkle {

// A counted pointer to a T that has `refs()`; T::drop(pointer) ends it.
template <typename T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(const T* pointer) : pointer_(pointer) {
    if (pointer_ != nullptr) ++pointer_->refs();
  }
  Ref(const Ref& other) : Ref(other.pointer_) {}
  Ref(Ref&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(pointer_, other.pointer_);
    return *this;
  }
  ~Ref() {
    if (pointer_ != nullptr && --pointer_->refs() == 0) T::drop(pointer_);
  }

  const T* get() const { return pointer_; }
  const T* operator->() const { return pointer_; }
  const T& operator*() const { return *pointer_; }
  explicit operator bool() const { return pointer_ != nullptr; }
  friend bool operator==(const Ref&, const Ref&) = default;

 private:
  const T* pointer_ = nullptr;
};

// Identity and value are at most this long.
inline constexpr size_t kMaxBlobId = 255;
inline constexpr size_t kMaxBlobValue = 65535;
// Of the eight flags of an item: it counts as marked. The others are the user's.
inline constexpr uint8_t kMarked = 0x80;

class Blob {
 public:
  std::string_view id() const { return {reinterpret_cast<const char*>(this + 1), id_size_}; }
  ByteView value() const {
    return {reinterpret_cast<const uint8_t*>(this + 1) + id_size_, value_size_};
  }
  uint8_t flags() const { return flags_; }
  // Of the id, the flags and `content`, as given to Pool::blob.
  uint64_t fingerprint() const { return fingerprint_; }

  uint32_t& refs() const { return refs_; }
  static void drop(const Blob* blob);

 private:
  friend class Pool;
  Blob(std::string_view id, ByteView value, uint8_t flags, uint64_t fingerprint);

  mutable uint32_t refs_ = 0;
  uint8_t id_size_;
  uint8_t flags_;
  uint16_t value_size_;
  uint64_t fingerprint_;
};

// `epoch` and `stamp` order versions of an item; the map itself only compares them for equality.
struct Item {
  Path path;
  uint64_t epoch = 0;
  uint64_t stamp = 0;
  Ref<Blob> blob;

  std::string_view id() const { return blob->id(); }
  uint8_t flags() const { return blob->flags(); }
  bool marked() const { return (blob->flags() & kMarked) != 0; }
  // What the fingerprints of ranges are the XOR of.
  uint64_t hash() const {
    return mix(mix(mix(blob->fingerprint() ^ path.high) + path.low) + mix(epoch) + stamp);
  }
  // By path and id: the order of a map.
  friend std::strong_ordering compare_place(const Item& a, const Path& path, std::string_view id) {
    const auto order = a.path <=> path;
    return order != 0 ? order : a.id() <=> id;
  }
  friend bool operator==(const Item&, const Item&) = default;
};

// Of the items below a prefix.
struct Summary {
  uint64_t hash = 0;  // XOR of Item::hash()
  uint32_t count = 0;
  uint32_t marked = 0;

  void add(const Item& item) {
    hash ^= item.hash();
    ++count;
    marked += item.marked() ? 1 : 0;
  }
  void add(const Summary& other) {
    hash ^= other.hash;
    count += other.count;
    marked += other.marked;
  }
  friend bool operator==(const Summary&, const Summary&) = default;
};

class Pool;

// A leaf holds its items in order, an inner node its depth, its path and its children, each in the
// same block of memory behind the header. Only map.cc looks inside.
class Node {
 public:
  const Summary& summary() const { return summary_; }
  bool is_leaf() const { return leaf_; }
  // Leaf.
  std::span<const Item> items() const {
    return {reinterpret_cast<const Item*>(this + 1), summary_.count};
  }
  // Inner: all below agree on the first `depth` bits of `path`, and no more of whole digits.
  unsigned depth() const { return depth_; }
  const Path& path() const { return *reinterpret_cast<const Path*>(this + 1); }
  uint16_t present() const { return present_; }  // digits that have a child
  std::span<const Ref<Node>> children() const {
    return {reinterpret_cast<const Ref<Node>*>(reinterpret_cast<const Path*>(this + 1) + 1),
            static_cast<size_t>(std::popcount(present_))};
  }
  const Node* child(unsigned digit) const {
    const uint16_t bit = static_cast<uint16_t>(1U << digit);
    if ((present_ & bit) == 0) return nullptr;
    return children()[static_cast<size_t>(std::popcount<uint16_t>(present_ & (bit - 1)))].get();
  }

  uint32_t& refs() const { return refs_; }
  static void drop(const Node* node);

 private:
  friend class Pool;
  friend class SharedNodes;
  Node(Pool& pool, bool leaf) : leaf_(leaf), pool_(&pool) {}
  size_t bytes() const;
  // The same contents, when it has the same kind and fingerprint.
  bool same(const Node& other) const;

  mutable uint32_t refs_ = 0;
  bool leaf_;
  uint8_t depth_ = 0;
  uint16_t present_ = 0;
  Summary summary_;
  Pool* pool_;
};

// By fingerprint, of which several nodes may have one: open addressing, at most half full.
class SharedNodes {
 public:
  void insert(const Node* node);
  void erase(const Node* node);
  // One that has the same contents; null when there is none.
  const Node* find(const Node& like) const;

 private:
  struct Cell {
    uint64_t hash = 0;
    const Node* node = nullptr;
  };
  size_t mask() const { return cells_.size() - 1; }
  void place(const Cell& cell);

  std::vector<Cell> cells_;  // a power of two, or none
  size_t used_ = 0;
};

// Outlives all that it made.
class Pool {
 public:
  explicit Pool(bool share = false) : share_(share) {}
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // `content`: what else than id, flags, path, epoch and stamp fingerprints shall depend on; a
  // value that its stamp determines need not be hashed. Sizes as kMaxBlobId and kMaxBlobValue.
  Ref<Blob> blob(std::string_view id, ByteView value, uint8_t flags = 0, uint64_t content = 0);
  // In order, at least one.
  Ref<Node> leaf(std::span<const Item* const> items);
  // `children` by digit, at least two of them.
  Ref<Node> inner(unsigned depth, const Path& path, std::span<const Ref<Node>> children);

  // Nodes alive, and their bytes as asked of the allocator (without blobs).
  size_t nodes() const { return nodes_; }
  size_t node_bytes() const { return node_bytes_; }

 private:
  friend class Node;
  Ref<Node> adopt(Node* made);
  void end(const Node* node);
  void sweep_blobs();

  bool share_;
  size_t nodes_ = 0;
  size_t node_bytes_ = 0;
  SharedNodes shared_nodes_;
  // By hash of everything in it. Blobs that nothing else refers to are swept when the table has
  // doubled.
  std::unordered_multimap<uint64_t, Ref<Blob>> shared_blobs_;
  size_t sweep_at_ = 1024;
};

}  // namespace shoal::gossip::merkle
