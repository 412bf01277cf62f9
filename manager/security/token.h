// Join tokens: SWMTKN-1-<50 base36: SHA-256 of the root certificate>-<25 base36: 16-byte secret>.
//
// The digest lets a joiner recognise the cluster before it shows the secret; the secret decides the
// role. "root certificate" is the PEM text exactly as the managers hand it out.
#pragma once

#include <string>
#include <string_view>

#include "base/crypto/crypto.h"
#include "base/types/result.h"

namespace shoal::manager {

inline constexpr size_t kTokenSecretSize = 16;

struct JoinToken {
  crypto::Sha256 root_digest{};
  std::string secret;  // kTokenSecretSize bytes
};

std::string format_token(std::string_view root_certificate, std::string_view secret);

// kInvalidArgument with a sentence that says which part is wrong (prefix, length, characters).
Result<JoinToken> parse_token(std::string_view text);

// Whether the certificate is the one the token names.
bool token_names_root(const JoinToken& token, std::string_view root_certificate);

}  // namespace shoal::manager
