// CRC-32C (Castagnoli, RFC 3720 appendix B.4): detects torn and flipped bytes in files and log
// entries.
#pragma once

#include <cstdint>

#include "base/codec/bytes.h"

namespace shoal {

// The checksum of `bytes`, continuing from `crc` (0 to start).
uint32_t crc32c(ByteView bytes, uint32_t crc = 0);

}  // namespace shoal
