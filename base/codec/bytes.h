// ByteWriter and ByteReader: bounded binary encoding for our own packets, records and files.
//
// Integers are big endian; `varint` is LEB128 (at most 10 bytes); `bytes` is a varint length and
// the bytes. A reader never reads past its input: after the first failure every read returns zero
// or empty and ok() is false, so a decoder checks once at its end (and bounds counts before it
// allocates).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types/ip.h"

namespace shoal {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteWriter {
 public:
  void u8(uint8_t value) { out_.push_back(value); }
  void u16(uint16_t value) { big_endian(value, 2); }
  void u32(uint32_t value) { big_endian(value, 4); }
  void u64(uint64_t value) { big_endian(value, 8); }
  void varint(uint64_t value);
  void raw(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void bytes(ByteView bytes);
  void text(std::string_view text) { bytes(as_bytes(text)); }
  // A family byte (4 or 6) and the address.
  void ip(const Ip& ip);

  size_t size() const { return out_.size(); }
  const Bytes& view() const { return out_; }
  Bytes take() { return std::move(out_); }

 private:
  void big_endian(uint64_t value, int width);

  Bytes out_;
};

class ByteReader {
 public:
  explicit ByteReader(ByteView input) : rest_(input) {}

  uint8_t u8() { return static_cast<uint8_t>(big_endian(1)); }
  uint16_t u16() { return static_cast<uint16_t>(big_endian(2)); }
  uint32_t u32() { return static_cast<uint32_t>(big_endian(4)); }
  uint64_t u64() { return big_endian(8); }
  uint64_t varint();
  // Exactly `size` bytes; the view lives as long as the input.
  ByteView raw(size_t size);
  // A varint length of at most `max_size` and that many bytes.
  ByteView bytes(size_t max_size);
  std::string text(size_t max_size) { return std::string(as_text(bytes(max_size))); }
  Ip ip();

  // Marks the input as bad; for a decoder that found a value out of range.
  void fail() {
    ok_ = false;
    rest_ = {};
  }
  bool ok() const { return ok_; }
  size_t remaining() const { return rest_.size(); }
  // Everything read, nothing failed.
  bool done() const { return ok_ && rest_.empty(); }

 private:
  uint64_t big_endian(size_t width);

  ByteView rest_;
  bool ok_ = true;
};

}  // namespace shoal
