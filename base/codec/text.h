// Text codecs: hexadecimal and base36 numbers of fixed width (join tokens, ids).
#pragma once

#include <string>
#include <string_view>

#include "base/codec/bytes.h"
#include "base/types/result.h"

namespace shoal {

// Lower-case, two digits a byte.
std::string to_hex(ByteView bytes);
Result<Bytes> from_hex(std::string_view text);

// `bytes` as one big-endian number in base 36 ([0-9a-z]), left-padded with '0' to `width` digits.
// The width must be enough: 50 digits for 32 bytes, 25 for 16.
std::string to_base36(ByteView bytes, size_t width);
// The inverse: a number that fits `size` bytes, or kInvalidArgument.
Result<Bytes> from_base36(std::string_view text, size_t size);

}  // namespace shoal
