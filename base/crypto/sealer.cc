#include "base/crypto/sealer.h"

#include <algorithm>
#include <cstring>

namespace shoal::crypto {
namespace {

constexpr size_t kNonceSize = std::tuple_size_v<Nonce>;
constexpr size_t kHiddenSize = 16;

}  // namespace

std::string Sealer::seal(std::string_view place, std::string_view record) {
  Nonce nonce{};
  std::copy(run_.begin(), run_.end(), nonce.begin());
  const uint64_t count = ++count_;
  for (size_t i = 0; i < sizeof count; ++i) {
    nonce[run_.size() + i] = static_cast<uint8_t>(count >> (8 * i));
  }
  std::string out(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  out.resize(kNonceSize + record.size() + kTagSize);
  seal_into({reinterpret_cast<uint8_t*>(out.data()) + kNonceSize, record.size() + kTagSize}, key_,
            nonce, as_bytes(place), as_bytes(record));
  return out;
}

Result<std::string> Sealer::open(std::string_view place, std::string_view sealed) const {
  if (sealed.size() < kSealOverhead) return data_loss("the record is cut short");
  Nonce nonce{};
  std::memcpy(nonce.data(), sealed.data(), nonce.size());
  std::string out(sealed.size() - kSealOverhead, '\0');
  const bool opened = open_into({reinterpret_cast<uint8_t*>(out.data()), out.size()}, key_, nonce,
                                as_bytes(place), as_bytes(sealed.substr(kNonceSize)));
  if (!opened) return data_loss("the record is damaged, misplaced, or sealed with another key");
  return out;
}

std::string Sealer::hide(std::string_view text) const {
  const Key hidden = derive_key(key_, text);
  return std::string(as_text(ByteView(hidden).first(kHiddenSize)));
}

Tag tag_of(std::string_view sealed) {
  Tag tag{};
  if (sealed.size() >= tag.size()) {
    std::memcpy(tag.data(), sealed.data() + sealed.size() - tag.size(), tag.size());
  }
  return tag;
}

}  // namespace shoal::crypto
