// GetRaftStatus as output: a document for programs, a table for people.
#pragma once

#include <string>

#include "base/types/result.h"
#include "cli/render/value.h"
#include "proto/control.pb.h"

namespace shoal::cli {

Value raft_document(const control::GetRaftStatusResponse& status);
Result<std::string> raft_text(const control::GetRaftStatusResponse& status);

}  // namespace shoal::cli
