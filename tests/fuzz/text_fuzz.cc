// Any bytes as the small texts that people, certificates and messages carry: addresses, prefixes,
// ids, tokens, numbers in base 16 and 36, and PEM.
#include "base/codec/text.h"
#include "base/types/check.h"
#include "base/types/id.h"
#include "base/types/ip.h"
#include "manager/security/token.h"
#include "manager/security/x509.h"

namespace shoal {
namespace {

// What is read has a text of its own that says the same.
template <typename T>
void round_trip(std::string_view text) {
  const auto value = T::parse(text);
  if (!value) {
    SHOAL_CHECK(!value.error().message.empty(), "a refusal says why");
    return;
  }
  const auto again = T::parse(value->str());
  SHOAL_CHECK(again && *again == *value, "a value is read as it is shown");
}

void as_numbers(std::string_view text) {
  if (const auto bytes = from_hex(text)) {
    SHOAL_CHECK(from_hex(to_hex(*bytes)).value() == *bytes, "hexadecimal");
  }
  for (const auto& [size, width] : {std::pair<size_t, size_t>(16, 25), {32, 50}}) {
    const auto bytes = from_base36(text, size);
    if (!bytes) continue;
    SHOAL_CHECK(bytes->size() == size, "the size that was asked for");
    SHOAL_CHECK(from_base36(to_base36(*bytes, width), size).value() == *bytes, "base 36");
  }
}

void as_security(std::string_view text) {
  (void)manager::parse_token(text);
  (void)manager::read_certificate(text);
  (void)manager::verify_certificate(text, text, WallTime{1'700'000'000'000'000'000});
}

}  // namespace
}  // namespace shoal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip<Ip>(text);
  round_trip<Prefix>(text);
  round_trip<Mac>(text);
  round_trip<HostPort>(text);
  round_trip<NodeId>(text);
  as_numbers(text);
  as_security(text);
  return 0;
}
