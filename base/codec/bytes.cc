#include "base/codec/bytes.h"

namespace shoal {

void ByteWriter::big_endian(uint64_t value, int width) {
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) {
    out_.push_back(static_cast<uint8_t>(value >> shift));
  }
}

void ByteWriter::varint(uint64_t value) {
  while (value >= 0x80) {
    out_.push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  out_.push_back(static_cast<uint8_t>(value));
}

void ByteWriter::bytes(ByteView bytes) {
  varint(bytes.size());
  raw(bytes);
}

void ByteWriter::ip(const Ip& ip) {
  u8(static_cast<uint8_t>(ip.family()));
  raw(ip.bytes());
}

uint64_t ByteReader::big_endian(size_t width) {
  uint64_t value = 0;
  for (uint8_t byte : raw(width)) value = value << 8 | byte;
  return value;
}

uint64_t ByteReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = u8();
    if (!ok_) return 0;
    if (shift == 63 && byte > 1) break;  // more than 64 bits
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail();
  return 0;
}

ByteView ByteReader::raw(size_t size) {
  if (size > rest_.size()) {
    fail();
    return {};
  }
  const ByteView taken = rest_.first(size);
  rest_ = rest_.subspan(size);
  return taken;
}

ByteView ByteReader::bytes(size_t max_size) {
  const uint64_t size = varint();
  if (size > max_size) {
    fail();
    return {};
  }
  return raw(static_cast<size_t>(size));
}

Ip ByteReader::ip() {
  const uint8_t family = u8();
  if (family != 4 && family != 6) fail();
  const auto ip = Ip::from_bytes(raw(family == 4 ? 4 : 16));
  return ip && ok_ ? *ip : Ip();
}

}  // namespace shoal
