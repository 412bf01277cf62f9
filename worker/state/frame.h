// Frame: how a file of the state directory is recognised and found whole.
//
//   magic 4 | version u16 | payload size u32 | payload | crc32c u32 of all before it
//
// A file is written in one step (write_file_atomic), so a bad frame means a damaged disk or a
// foreign file, never a crash: the daemon refuses to start from it rather than forget what it did.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/codec/bytes.h"
#include "base/types/result.h"

namespace shoal::worker {

struct FrameKind {
  std::array<char, 4> magic{};
  uint16_t version = 1;
  std::string_view noun;  // what the file is, for people: "attachments of this node"
  // What to do when it is damaged.
  std::string_view remedy =
      "restore it from a backup, or remove the state directory and let this node join again";
};

Bytes encode_frame(const FrameKind& kind, ByteView payload);
// kDataLoss naming `path` when it is not a whole frame of that kind; kUnimplemented when a newer
// version wrote it.
Result<Bytes> decode_frame(const FrameKind& kind, ByteView file, const std::string& path);

}  // namespace shoal::worker
