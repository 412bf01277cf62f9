#include "worker/state/frame.h"

#include <algorithm>

#include "base/codec/crc32c.h"

namespace shoal::worker {
namespace {

constexpr size_t kHeaderSize = 4 + 2 + 4;
constexpr size_t kTrailerSize = 4;

}  // namespace

Bytes encode_frame(const FrameKind& kind, ByteView payload) {
  ByteWriter out;
  out.raw(as_bytes({kind.magic.data(), kind.magic.size()}));
  out.u16(kind.version);
  out.u32(static_cast<uint32_t>(payload.size()));
  out.raw(payload);
  out.u32(crc32c(out.view()));
  return out.take();
}

Result<Bytes> decode_frame(const FrameKind& kind, ByteView file, const std::string& path) {
  const Error damaged =
      data_loss(path + " (" + std::string(kind.noun) + ") is damaged: " + std::string(kind.remedy));
  if (file.size() < kHeaderSize + kTrailerSize) return damaged;
  const ByteView body = file.first(file.size() - kTrailerSize);
  ByteReader trailer(file.last(kTrailerSize));
  if (trailer.u32() != crc32c(body)) return damaged;
  ByteReader in(body);
  const ByteView magic = in.raw(kind.magic.size());
  if (!std::equal(magic.begin(), magic.end(), kind.magic.begin(), kind.magic.end())) return damaged;
  const uint16_t version = in.u16();
  if (version > kind.version) {
    return unimplemented(path + " was written by a newer shoald (format " +
                         std::to_string(version) + "): start that version");
  }
  const uint32_t size = in.u32();
  if (version == 0 || size != in.remaining()) return damaged;
  const ByteView payload = in.raw(size);
  return Bytes(payload.begin(), payload.end());
}

}  // namespace shoal::worker
