// The known word that a mistyped one most likely meant. Pure.
#pragma once

#include <span>
#include <string_view>

namespace shoal {

// Of fewest insertions, deletions and substitutions from `tried`; the first of equals. Empty when
// `known` is. Only the first 64 bytes of `tried` count: a longer one is nobody's typing error, and
// measuring it would take its time.
std::string_view nearest(std::string_view tried, std::span<const std::string_view> known);

}  // namespace shoal
