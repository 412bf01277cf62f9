#include "manager/rules/rules.h"

#include <algorithm>
#include <charconv>

#include "manager/allocator/subnet_plan.h"

namespace shoal::manager {
namespace {

// Names that mean something else wherever a network is named.
constexpr std::string_view kReservedNetworkNames[] = {
    "bridge", "host", "none", "default", "docker_gwbridge", "shoal_gwbridge"};

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name_char(char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; }

std::string quoted(std::string_view text) { return "\"" + printable(text) + "\""; }

Status check_alias(std::string_view alias) {
  bool good = !alias.empty() && alias.size() <= kMaxAliasLength && is_alnum(alias.front()) &&
              std::all_of(alias.begin(), alias.end(), is_name_char);
  for (size_t start = 0; good && start <= alias.size();) {
    const size_t end = std::min(alias.find('.', start), alias.size());
    good = end > start && end - start <= kMaxNameLength;
    start = end + 1;
  }
  if (good) return ok_status();
  return invalid_argument(
      "alias " + quoted(alias) +
      " is not possible: letters, digits, \"_\" and \"-\", in parts of at most 63 characters "
      "separated by dots, 253 in all, the first one a letter or digit");
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, kMaxNameLength)) {
    result += c >= ' ' && c != '"' && c != '\x7f' ? c : '?';
  }
  return result + (text.size() > kMaxNameLength ? "..." : "");
}

std::string folded(std::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

Status check_name(std::string_view noun, std::string_view name) {
  const bool good = !name.empty() && name.size() <= kMaxNameLength && is_alnum(name.front()) &&
                    std::all_of(name.begin(), name.end(), is_name_char);
  if (good) return ok_status();
  return invalid_argument(std::string(noun) + " name " + quoted(name) +
                          " is not possible: 1 to 63 letters, digits, \"_\", \".\" and \"-\", the "
                          "first one a letter or digit");
}

Status check_labels(std::string_view noun, const Labels& labels) {
  if (labels.size() > kMaxLabels) {
    return invalid_argument(std::string(noun) + " has " + std::to_string(labels.size()) +
                            " entries: at most " + std::to_string(kMaxLabels) + " are possible");
  }
  size_t total = 0;
  for (const auto& [key, value] : labels) {
    if (key.empty()) return invalid_argument(std::string(noun) + " has an entry without a key");
    if (key.size() > kMaxTextLength || value.size() > kMaxTextLength) {
      return invalid_argument(std::string(noun) + " entry " + quoted(key) +
                              " is too long: at most " + std::to_string(kMaxTextLength) +
                              " bytes are possible");
    }
    total += key.size() + value.size();
  }
  if (total <= kMaxLabelsSize) return ok_status();
  return invalid_argument(std::string(noun) + " has " + std::to_string(total) + " bytes: at most " +
                          std::to_string(kMaxLabelsSize) + " are possible");
}

Status check_network_spec(const NetworkSpec& spec) {
  SHOAL_TRY(check_name("network", spec.name));
  const auto* end = std::end(kReservedNetworkNames);
  if (std::find(std::begin(kReservedNetworkNames), end, spec.name) != end) {
    return invalid_argument("network name \"" + spec.name + "\" is reserved: take another");
  }
  if (spec.name == "ingress" && !spec.ingress) {
    return invalid_argument(
        "network name \"ingress\" is reserved for the ingress network: take another");
  }
  SHOAL_TRY(check_name("driver", spec.driver));
  if (spec.ingress && (spec.attachable || spec.internal)) {
    return invalid_argument("network \"" + spec.name +
                            "\": an ingress network can be neither attachable nor internal");
  }
  SHOAL_TRY(check_labels("network options", spec.options));
  SHOAL_TRY(check_labels("network labels", spec.labels));
  SHOAL_TRY(requested_vni(spec));
  for (const SubnetSpec& subnet : spec.subnets) {
    for (const auto& [name, ip] : subnet.aux_addresses) {
      SHOAL_TRY(check_name("auxiliary address", name));
    }
  }
  return check_subnet_specs(spec);
}

Status check_endpoint_spec(const EndpointSpec& spec) {
  SHOAL_TRY(check_name("endpoint", spec.name));
  if (spec.aliases.size() > kMaxAliases) {
    return invalid_argument("endpoint \"" + spec.name + "\" has " +
                            std::to_string(spec.aliases.size()) + " aliases: at most " +
                            std::to_string(kMaxAliases) + " are possible");
  }
  for (const std::string& alias : spec.aliases) SHOAL_TRY(check_alias(alias));
  const size_t v4 = std::count_if(spec.addresses.begin(), spec.addresses.end(),
                                  [](const Ip& ip) { return ip.is_v4(); });
  if (v4 > 1 || spec.addresses.size() - v4 > 1) {
    return invalid_argument("endpoint \"" + spec.name +
                            "\" asks for more than one address of a family: one IPv4 and one IPv6 "
                            "address are possible");
  }
  return ok_status();
}

Result<std::optional<Vni>> requested_vni(const NetworkSpec& spec) {
  const auto option = spec.options.find(std::string(kVniOption));
  if (option == spec.options.end()) return std::optional<Vni>();
  const std::string& text = option->second;
  uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || value == 0 || value > Vni::kMax) {
    return invalid_argument("option " + std::string(kVniOption) + "=" + quoted(text) +
                            " is not one VXLAN id from 1 to 16777215: a network has one");
  }
  return std::optional(Vni{value});
}

}  // namespace shoal::manager
