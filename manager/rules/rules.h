// What may be written in a spec, without knowing any other object: names, aliases, labels, options.
//
// Checked by the front doors' control before a command is proposed, and by apply again. Each
// refusal is kInvalidArgument with the rule in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/types/result.h"
#include "manager/model/objects.h"

namespace shoal::manager {

inline constexpr size_t kMaxNameLength = 63;    // one DNS label (RFC 1035, 2.3.4)
inline constexpr size_t kMaxAliasLength = 253;  // one DNS name without its root
inline constexpr size_t kMaxAliases = 32;       // each is gossiped to every node of the network
inline constexpr size_t kMaxLabels = 128;
inline constexpr size_t kMaxTextLength = 4096;  // of a label or option, key and value each
inline constexpr size_t kMaxLabelsSize = 64
                                         << 10;  // of one object together: it travels in one entry

inline constexpr std::string_view kVniOption = "com.docker.network.driver.overlay.vxlanid_list";

// What came from outside, fit to stand in a message: bounded, without control characters or quotes.
std::string printable(std::string_view text);

// As DNS compares names: letters A to Z in lower case (RFC 4343).
std::string folded(std::string_view name);

// `noun`: "network" or "endpoint".
Status check_name(std::string_view noun, std::string_view name);
Status check_labels(std::string_view noun, const Labels& labels);

// Name (reserved ones too), driver name's form, flags that exclude each other, subnets, options,
// labels.
Status check_network_spec(const NetworkSpec& spec);
Status check_endpoint_spec(const EndpointSpec& spec);

// The VNI the options ask for, if any.
Result<std::optional<Vni>> requested_vni(const NetworkSpec& spec);

}  // namespace shoal::manager
