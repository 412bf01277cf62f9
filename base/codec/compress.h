// Compressor: zstd at its fastest level, for what is sent now. Pure; the contexts are kept, so that
// one owner (one thread) compresses and expands without asking for memory each time.
#pragma once

#include <memory>
#include <span>

#include "base/codec/bytes.h"

namespace shoal {

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  // Writes the compressed form to `out` and says its size; 0 when `out` has no room for it.
  size_t compress(ByteView plain, std::span<uint8_t> out);
  // False unless `compressed` is one whole frame of exactly out.size() bytes: what it would expand
  // to beyond that is never made.
  bool expand(ByteView compressed, std::span<uint8_t> out);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace shoal
