// Strong ids: 25 characters of base36 ([0-9a-z]), about 128 random bits, as Swarm's.
//
// Ids of different kinds do not mix; an empty id means "none". Anything received is checked with
// parse().
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/types/result.h"

namespace shoal {

inline constexpr size_t kIdLength = 25;

// True when `text` has the form of an id.
bool is_id(std::string_view text);
// 16 random bytes -> an id, left-padded with zeros.
std::string id_from_random(std::span<const uint8_t, 16> random);

template <typename Tag>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(std::string value) : value_(std::move(value)) {}

  static Result<StrongId> parse(std::string_view text) {
    if (!is_id(text)) {
      return invalid_argument("\"" + std::string(text.substr(0, 64)) + "\" is not the id of " +
                              std::string(Tag::kArticle) + " " + std::string(Tag::kNoun) +
                              ": 25 characters of 0-9 and a-z are expected");
    }
    return StrongId(std::string(text));
  }
  static StrongId from_random(std::span<const uint8_t, 16> random) {
    return StrongId(id_from_random(random));
  }

  const std::string& str() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend auto operator<=>(const StrongId&, const StrongId&) = default;

 private:
  std::string value_;
};

struct ClusterTag {
  static constexpr std::string_view kNoun = "cluster";
  static constexpr std::string_view kArticle = "a";
};
struct NodeTag {
  static constexpr std::string_view kNoun = "node";
  static constexpr std::string_view kArticle = "a";
};
struct NetworkTag {
  static constexpr std::string_view kNoun = "network";
  static constexpr std::string_view kArticle = "a";
};
struct EndpointTag {
  static constexpr std::string_view kNoun = "endpoint";
  static constexpr std::string_view kArticle = "an";
};

using ClusterId = StrongId<ClusterTag>;
using NodeId = StrongId<NodeTag>;
using NetworkId = StrongId<NetworkTag>;
using EndpointId = StrongId<EndpointTag>;

}  // namespace shoal

template <typename Tag>
struct std::hash<shoal::StrongId<Tag>> {
  size_t operator()(const shoal::StrongId<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
