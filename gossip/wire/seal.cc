#include "gossip/wire/seal.h"

#include <string>

namespace shoal::gossip {

std::string_view to_string(DropReason reason) {
  switch (reason) {
    case DropReason::kNone:
      return "none";
    case DropReason::kTooShort:
      return "too_short";
    case DropReason::kTooLong:
      return "too_long";
    case DropReason::kNotOurs:
      return "not_ours";
    case DropReason::kVersion:
      return "version";
    case DropReason::kWrongCluster:
      return "wrong_cluster";
    case DropReason::kUnknownKey:
      return "unknown_key";
    case DropReason::kOtherReceiver:
      return "other_receiver";
    case DropReason::kReplayed:
      return "replayed";
    case DropReason::kForged:
      return "forged";
    case DropReason::kUnknownSession:
      return "unknown_session";
    case DropReason::kOldEpoch:
      return "old_epoch";
    case DropReason::kOversize:
      return "oversize";
    case DropReason::kMalformed:
      return "malformed";
    case DropReason::kSelf:
      return "self";
    case DropReason::kForgotten:
      return "forgotten";
    case DropReason::kMembersFull:
      return "members_full";
    case DropReason::kMisdirected:
      return "misdirected";
    case DropReason::kRateLimited:
      return "rate_limited";
    case DropReason::kAdmission:
      return "admission";
    case DropReason::kTimeout:
      return "timeout";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

Status KeyRing::validate() const {
  if (keys.empty() || keys.size() > kMaxKeys) {
    return invalid_argument("a gossip key ring has 1 to " + std::to_string(kMaxKeys) +
                            " keys, not " + std::to_string(keys.size()));
  }
  if (primary >= keys.size()) {
    return invalid_argument("the primary of a gossip key ring must be one of its keys");
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (((keys[i].id ^ keys[j].id) & 0xffff) == 0) {
        return invalid_argument("two keys of a gossip key ring look alike on the wire: " +
                                std::to_string(keys[i].id) + " and " + std::to_string(keys[j].id));
      }
    }
  }
  return ok_status();
}

}  // namespace shoal::gossip
