#include "worker/local/records.h"

#include "manager/wire/common_wire.h"
#include "worker/local/book.h"
#include "worker/state/frame.h"

namespace shoal::worker {
namespace {

constexpr FrameKind kKind{{'S', 'H', 'L', 'N'},
                          1,
                          "this host's own networks",
                          "restore it from a backup, or remove it and make the networks anew"};
constexpr size_t kMaxNetworkSize = 1U << 20;  // labels and options are bounded far below

}  // namespace

Bytes encode_local(const LocalRecords& records) {
  ByteWriter out;
  out.ip(records.pool_v6.ip);
  out.u8(records.pool_v6.length);
  out.varint(records.networks.size());
  for (const manager::Network& network : records.networks) {
    out.text(manager::wire::to_wire(network).SerializeAsString());
  }
  return encode_frame(kKind, out.view());
}

Result<LocalRecords> decode_local(ByteView file, const std::string& path) {
  const Bytes payload = SHOAL_TRY(decode_frame(kKind, file, path));
  const Error impossible = data_loss(path + " has a good checksum and impossible content");
  ByteReader in(payload);
  LocalRecords out;
  out.pool_v6.ip = in.ip();
  out.pool_v6.length = in.u8();
  if (out.pool_v6.length > out.pool_v6.ip.bits()) return impossible;
  const uint64_t count = in.varint();
  if (count > kMaxLocalNetworks) return impossible;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    const ByteView bytes = in.bytes(kMaxNetworkSize);
    common::Network message;
    if (!in.ok() || !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return impossible;
    }
    Result<manager::Network> network = manager::wire::from_wire(message);
    if (!network) return data_loss(path + ": " + network.error().message);
    out.networks.push_back(std::move(*network));
  }
  if (!in.done()) return impossible;
  return out;
}

}  // namespace shoal::worker
