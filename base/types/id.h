// Strong ids: 25 characters of base36 ([0-9a-z]), about 128 random bits, as Swarm's.
//
// Ids of different kinds do not mix; an empty id means "none". Anything received is checked with
// parse().
#pragma once

#include <algorithm>
#include <array>
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
  // For what is an id already, and to look for what may be one. A longer text is cut to 31
  // characters, which are no id's either: it is not found.
  explicit StrongId(std::string_view value)
      : size_(static_cast<uint8_t>(std::min<size_t>(value.size(), kMostText))) {
    value.copy(text_.data(), size_);
  }

  static Result<StrongId> parse(std::string_view text) {
    if (!is_id(text)) {
      return invalid_argument("\"" + std::string(text.substr(0, 64)) + "\" is not the id of " +
                              std::string(Tag::kArticle) + " " + std::string(Tag::kNoun) +
                              ": 25 characters of 0-9 and a-z are expected");
    }
    return StrongId(text);
  }
  static StrongId from_random(std::span<const uint8_t, 16> random) {
    return StrongId(id_from_random(random));
  }

  std::string str() const { return std::string(view()); }
  // Valid as long as the id.
  std::string_view view() const { return {text_.data(), size_}; }
  bool empty() const { return size_ == 0; }

  // The order of the texts.
  friend auto operator<=>(const StrongId&, const StrongId&) = default;

 private:
  static constexpr size_t kMostText = 31;
  std::array<char, kMostText> text_{};  // zeros behind the text
  uint8_t size_ = 0;
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
    return std::hash<std::string_view>{}(id.view());
  }
};
