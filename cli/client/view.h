// Objects of the contracts as output values, with Docker's field names where Docker has the field.
#pragma once

#include "cli/render/value.h"
#include "proto/control.pb.h"

namespace shoal::cli {

// Rows of `ls`. `full` keeps ids whole; otherwise they are cut to 12 characters.
Value network_row(const common::Network& network, bool full);
Value node_row(const common::Node& node, bool full);
// `network_name` and `hostname` are shown for the ids when known.
Value endpoint_row(const common::Endpoint& endpoint, const std::string& network_name,
                   const std::string& hostname, bool full);

// Documents of `inspect`.
Value network_document(const control::InspectNetworkResponse& response);
Value node_document(const common::Node& node);
Value endpoint_document(const common::Endpoint& endpoint, const common::Network& network);
Value status_document(const control::StatusResponse& status);

// As Docker says it: "swarm", of the whole cluster, or "local", of this host.
const char* scope_of(const common::NetworkSpec& spec);

// `status` for people.
std::string status_text(const control::StatusResponse& status);

}  // namespace shoal::cli
