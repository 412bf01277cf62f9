#include "cli/client/network_filter.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/client/view.h"

namespace shoal::cli {
namespace {

constexpr std::array<std::string_view, 7> kKeys = {"driver", "id",    "label", "label!",
                                                   "name",   "scope", "type"};

bool has_label(const common::Network& network, const std::string& wanted) {
  const size_t sign = wanted.find('=');
  const auto found = network.spec().labels().find(wanted.substr(0, sign));
  if (found == network.spec().labels().end()) return false;
  return sign == std::string::npos || found->second == wanted.substr(sign + 1);
}

bool is(const common::Network& network, const std::string& key, const std::string& value) {
  if (key == "driver") return network.spec().driver() == value;
  if (key == "id") return std::string_view(network.id()).starts_with(value);
  if (key == "name") return network.spec().name().find(value) != std::string::npos;
  if (key == "scope") return scope_of(network.spec()) == value;
  if (key == "type") return value == "custom";
  return has_label(network, value) == (key == "label");
}

}  // namespace

Result<NetworkFilter> NetworkFilter::parse(const std::vector<std::string>& texts) {
  NetworkFilter out;
  for (const std::string& text : texts) {
    size_t sign = text.find('=');
    if (sign == std::string::npos) {
      return invalid_argument("filter \"" + text + "\" is not KEY=VALUE");
    }
    Term term{text.substr(0, sign), text.substr(sign + 1)};
    if (std::find(kKeys.begin(), kKeys.end(), term.key) == kKeys.end()) {
      return invalid_argument("unknown filter \"" + term.key +
                              "\": driver, id, label, label!, name, scope and type are known");
    }
    if (term.key == "type" && term.value != "custom" && term.value != "builtin") {
      return invalid_argument("a network's type is custom or builtin, not \"" + term.value + "\"");
    }
    out.terms_.push_back(std::move(term));
  }
  return out;
}

bool NetworkFilter::matches(const common::Network& network) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    if (is(network, term.key, term.value)) return true;
    if (term.key.starts_with("label")) return false;
    return std::any_of(terms_.begin(), terms_.end(), [&](const Term& other) {
      return other.key == term.key && is(network, other.key, other.value);
    });
  });
}

}  // namespace shoal::cli
