#include "worker/state/attachments.h"

namespace shoal::worker {
namespace {

constexpr size_t kMaxText = 4096;   // paths (PATH_MAX) and names
constexpr size_t kMaxList = 256;    // aliases and addresses of one endpoint
constexpr size_t kMaxPorts = 8192;  // what kMostPortsOfEndpoint can become, of both families

void put_prefix(ByteWriter& out, const Prefix& prefix) {
  out.ip(prefix.ip);
  out.u8(prefix.length);
}

Prefix get_prefix(ByteReader& in) {
  Prefix out;
  out.ip = in.ip();
  out.length = in.u8();
  if (out.length > out.ip.bits()) in.fail();
  return out;
}

template <typename T, typename Put>
void put_list(ByteWriter& out, const std::vector<T>& list, Put put) {
  out.varint(list.size());
  for (const T& item : list) put(item);
}

template <typename Get>
auto get_list(ByteReader& in, Get get, size_t most = kMaxList) {
  std::vector<decltype(get())> out;
  const uint64_t count = in.varint();
  if (count > most) in.fail();
  for (uint64_t i = 0; i < count && in.ok(); ++i) out.push_back(get());
  return out;
}

template <typename Id>
Id get_id(ByteReader& in, bool may_be_empty = false) {
  const std::string text = in.text(kIdLength);
  if (!is_id(text) && !(may_be_empty && text.empty())) in.fail();
  return Id(text);
}

void put_endpoint(ByteWriter& out, const manager::Endpoint& endpoint) {
  out.text(endpoint.id.str());
  out.text(endpoint.network_id.str());
  out.text(endpoint.node_id.str());
  out.text(endpoint.spec.name);
  put_list(out, endpoint.spec.aliases, [&](const std::string& alias) { out.text(alias); });
  put_list(out, endpoint.spec.addresses, [&](const Ip& ip) { out.ip(ip); });
  put_list(out, endpoint.addresses, [&](const Prefix& prefix) { put_prefix(out, prefix); });
  out.raw(endpoint.mac.bytes());
  out.u64(static_cast<uint64_t>(endpoint.created_at.nanoseconds));
  out.u64(endpoint.version);
}

manager::Endpoint get_endpoint(ByteReader& in) {
  manager::Endpoint out;
  out.id = get_id<EndpointId>(in);
  out.network_id = get_id<NetworkId>(in, true);
  out.node_id = get_id<NodeId>(in, true);
  out.spec.name = in.text(kMaxText);
  out.spec.aliases = get_list(in, [&] { return in.text(kMaxText); });
  out.spec.addresses = get_list(in, [&] { return in.ip(); });
  out.addresses = get_list(in, [&] { return get_prefix(in); });
  const ByteView mac = in.raw(6);
  if (in.ok()) out.mac = Mac({mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]});
  out.created_at.nanoseconds = static_cast<int64_t>(in.u64());
  out.version = in.u64();
  return out;
}

void put_attachment(ByteWriter& out, const Attachment& attachment) {
  out.u8(static_cast<uint8_t>(attachment.phase));
  put_endpoint(out, attachment.endpoint);
  out.text(attachment.network_name);
  out.text(attachment.space.path);
  out.u32(static_cast<uint32_t>(attachment.space.pid));
  out.u64(attachment.space.pid_start_time);
  out.u64(attachment.space.device);
  out.u64(attachment.space.inode);
  out.text(attachment.ifname);
  out.u32(attachment.mtu);
}

Attachment get_attachment(ByteReader& in) {
  Attachment out;
  const uint8_t phase = in.u8();
  if (phase != 1 && phase != 2) in.fail();
  out.phase = static_cast<Attachment::Phase>(phase);
  out.endpoint = get_endpoint(in);
  out.network_name = in.text(kMaxText);
  out.space.path = in.text(kMaxText);
  out.space.pid = static_cast<int32_t>(in.u32());
  out.space.pid_start_time = in.u64();
  out.space.device = in.u64();
  out.space.inode = in.u64();
  out.ifname = in.text(kMaxText);
  out.mtu = in.u32();
  return out;
}

}  // namespace

Bytes encode_attachment(const Attachment& attachment) {
  ByteWriter out;
  put_attachment(out, attachment);
  for (const auto* ports : {&attachment.endpoint.spec.ports, &attachment.endpoint.ports}) {
    put_list(out, *ports, [&](const std::string& port) { out.text(port); });
  }
  return encode_frame(kLocalEndpointKind, out.view());
}

Result<Attachment> decode_attachment(ByteView file, const std::string& path) {
  const Bytes payload = SHOAL_TRY(decode_frame(kLocalEndpointKind, file, path));
  ByteReader in(payload);
  Attachment out = get_attachment(in);
  for (auto* ports : {&out.endpoint.spec.ports, &out.endpoint.ports}) {
    *ports = get_list(
        in, [&] { return in.text(kMaxText); }, kMaxPorts);
  }
  if (!in.done()) return data_loss(path + " has a good checksum and impossible content");
  return out;
}

Bytes encode_state(const PersistedState& state) {
  ByteWriter out;
  out.u64(state.epoch);
  out.varint(state.attachments.size());
  for (const auto& [id, attachment] : state.attachments) put_attachment(out, attachment);
  out.varint(state.releases.size());
  for (const EndpointId& id : state.releases) out.text(id.str());
  return encode_frame(kAttachmentsKind, out.view());
}

Result<PersistedState> decode_state(ByteView file, const std::string& path) {
  const Bytes payload = SHOAL_TRY(decode_frame(kAttachmentsKind, file, path));
  ByteReader in(payload);
  PersistedState out;
  out.epoch = in.u64();
  const uint64_t attachments = in.varint();
  if (attachments > kMaxAttachments) in.fail();
  for (uint64_t i = 0; i < attachments && in.ok(); ++i) {
    Attachment attachment = get_attachment(in);
    const EndpointId id = attachment.endpoint.id;
    out.attachments.emplace(id, std::move(attachment));
  }
  const uint64_t releases = in.varint();
  if (releases > kMaxReleases) in.fail();
  for (uint64_t i = 0; i < releases && in.ok(); ++i) out.releases.insert(get_id<EndpointId>(in));
  if (!in.done()) return data_loss(path + " has a good checksum and impossible content");
  return out;
}

}  // namespace shoal::worker
