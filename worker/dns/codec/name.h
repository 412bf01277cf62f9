// Name: a domain name in wire form (RFC 1035 section 3.1), in place, never allocating.
//
//   +---+-------+---+-----------+---+
//   | 3 | w e b | 5 | m y n e t | 0 |      length byte and bytes per label, the root ends it
//   +---+-------+---+-----------+---+
//
// At most 255 bytes in all and 63 per label. Case is kept (a resolver echoes the question as it was
// asked) and never compared. Bytes of a label are arbitrary; read() is safe on hostile input.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/codec/bytes.h"

namespace shoal::worker::dns {

inline constexpr size_t kMaxNameSize = 255;  // RFC 1035 section 2.3.4
inline constexpr size_t kMaxLabelSize = 63;

enum class Compression { kForbidden, kAllowed };

class Name {
 public:
  // The root.
  Name() { wire_[0] = 0; }
  Name(const Name& other);
  Name& operator=(const Name& other);

  // Dotted text without escapes, with or without the final dot: "web.mynet". None when a label is
  // empty or too long or the whole is.
  static std::optional<Name> from_text(std::string_view text);
  // The name under which the address is looked up backwards ("...in-addr.arpa", "...ip6.arpa").
  static Name reverse_of(const Ip& ip);

  // Reads the name at `offset` of `message` into this. Returns the offset behind it in the message,
  // 0 when it is malformed. A pointer must lead strictly backwards, behind the header: so every
  // jump makes progress and a loop cannot be written.
  size_t read(ByteView message, size_t offset, Compression compression);

  ByteView wire() const { return {wire_.data(), size_}; }
  size_t size() const { return size_; }
  bool is_root() const { return size_ == 1; }

  // Lower-case dotted text without the final dot, into `out`; empty for the root and for a name
  // with a dot inside a label, which no name of ours has.
  std::string_view key(std::array<char, kMaxNameSize>& out) const;
  // The address a reverse name stands for; none when it is not a complete reverse name.
  std::optional<Ip> reversed() const;
  // Presentation form (RFC 4343 escapes), "." for the root and no final dot otherwise; for people.
  std::string text() const;

  // ASCII case is ignored (RFC 4343).
  friend bool operator==(const Name& a, const Name& b);

 private:
  bool append_label(ByteView label);

  uint8_t size_ = 1;
  std::array<uint8_t, kMaxNameSize> wire_;  // the first size_ bytes are valid
};

constexpr uint8_t ascii_lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; }

}  // namespace shoal::worker::dns
