#include "base/codec/compress.h"

#include <zstd.h>

#include "base/types/check.h"

namespace shoal {
namespace {

constexpr int kLevel = 1;

}  // namespace

struct Compressor::Contexts {
  ~Contexts() {
    ZSTD_freeCCtx(compressing);
    ZSTD_freeDCtx(expanding);
  }

  ZSTD_CCtx* compressing = ZSTD_createCCtx();
  ZSTD_DCtx* expanding = ZSTD_createDCtx();
};

Compressor::Compressor() : contexts_(std::make_unique<Contexts>()) {
  SHOAL_CHECK(contexts_->compressing != nullptr && contexts_->expanding != nullptr,
              "no memory for zstd");
  // Who receives it knows how long it is, and that it is whole.
  ZSTD_CCtx_setParameter(contexts_->compressing, ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(contexts_->compressing, ZSTD_c_contentSizeFlag, 0);
}

Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

size_t Compressor::compress(ByteView plain, std::span<uint8_t> out) {
  const size_t size =
      ZSTD_compress2(contexts_->compressing, out.data(), out.size(), plain.data(), plain.size());
  return ZSTD_isError(size) != 0 ? 0 : size;
}

bool Compressor::expand(ByteView compressed, std::span<uint8_t> out) {
  const size_t size = ZSTD_decompressDCtx(contexts_->expanding, out.data(), out.size(),
                                          compressed.data(), compressed.size());
  return ZSTD_isError(size) == 0 && size == out.size();
}

}  // namespace shoal
