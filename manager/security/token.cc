#include "manager/security/token.h"

#include "base/codec/text.h"
#include "base/types/check.h"

namespace shoal::manager {
namespace {

constexpr std::string_view kPrefix = "SWMTKN-1-";
constexpr size_t kDigestDigits = 50;  // 36^50 > 2^256
constexpr size_t kSecretDigits = 25;  // 36^25 > 2^128

Error bad_token(std::string_view why) {
  return invalid_argument("the join token is not valid: " + std::string(why) +
                          "; print one on a manager with `shoal join-token worker`");
}

}  // namespace

std::string format_token(std::string_view root_certificate, std::string_view secret) {
  SHOAL_CHECK(secret.size() == kTokenSecretSize, "token secret has the wrong size");
  return std::string(kPrefix) +
         to_base36(crypto::sha256(as_bytes(root_certificate)), kDigestDigits) + "-" +
         to_base36(as_bytes(secret), kSecretDigits);
}

Result<JoinToken> parse_token(std::string_view text) {
  if (!text.starts_with(kPrefix)) return bad_token("it does not begin with SWMTKN-1-");
  const std::string_view rest = text.substr(kPrefix.size());
  if (rest.size() != kDigestDigits + 1 + kSecretDigits) {
    return bad_token("it has " + std::to_string(text.size()) + " characters where " +
                     std::to_string(kPrefix.size() + kDigestDigits + 1 + kSecretDigits) +
                     " are expected (cut off while copying?)");
  }
  if (rest[kDigestDigits] != '-') return bad_token("its parts are not separated by dashes");
  const auto digest = from_base36(rest.substr(0, kDigestDigits), sizeof(crypto::Sha256));
  const auto secret = from_base36(rest.substr(kDigestDigits + 1), kTokenSecretSize);
  if (!digest || !secret)
    return bad_token("it has characters other than 0-9 and a-z, or was altered");
  JoinToken token;
  std::copy(digest->begin(), digest->end(), token.root_digest.begin());
  token.secret = std::string(as_text(*secret));
  return token;
}

bool token_names_root(const JoinToken& token, std::string_view root_certificate) {
  return crypto::constant_time_equal(token.root_digest, crypto::sha256(as_bytes(root_certificate)));
}

}  // namespace shoal::manager
