#include "node/identity.h"

#include "base/runtime/files.h"
#include "base/runtime/log.h"

namespace shoal::node {
namespace {

constexpr size_t kMaxPem = 64U << 10;
constexpr size_t kMaxManagers = 64;
constexpr size_t kMaxFile = 1U << 20;

std::string state_file(const std::string& state_dir) { return state_dir + "/node.state"; }

void put(ByteWriter& out, const HostPort& address) {
  out.ip(address.ip);
  out.u16(address.port);
}

HostPort get_host_port(ByteReader& in) {
  HostPort out;
  out.ip = in.ip();
  out.port = in.u16();
  return out;
}

}  // namespace

Bytes encode_identity(const Identity& identity) {
  ByteWriter out;
  out.text(identity.node.str());
  out.text(identity.cluster.str());
  out.u8(identity.role == manager::Role::kManager ? 2 : 1);
  put(out, identity.advertise);
  put(out, identity.listen);
  out.ip(identity.data_path);
  out.u16(identity.data_path_port);
  out.u16(identity.gossip_port);
  out.text(identity.certificate);
  out.text(identity.private_key);
  out.text(identity.root_certificate);
  const size_t managers = std::min(identity.managers.size(), kMaxManagers);
  out.varint(managers);
  for (size_t i = 0; i < managers; ++i) put(out, identity.managers[i]);
  return worker::encode_frame(kIdentityKind, out.view());
}

Result<Identity> decode_identity(ByteView file, const std::string& path) {
  const Bytes payload = SHOAL_TRY(worker::decode_frame(kIdentityKind, file, path));
  ByteReader in(payload);
  Identity out;
  const std::string node = in.text(kIdLength);
  const std::string cluster = in.text(kIdLength);
  if (!is_id(node) || !is_id(cluster)) in.fail();
  out.node = NodeId(node);
  out.cluster = ClusterId(cluster);
  const uint8_t role = in.u8();
  if (role != 1 && role != 2) in.fail();
  out.role = role == 2 ? manager::Role::kManager : manager::Role::kWorker;
  out.advertise = get_host_port(in);
  out.listen = get_host_port(in);
  out.data_path = in.ip();
  out.data_path_port = in.u16();
  out.gossip_port = in.u16();
  out.certificate = in.text(kMaxPem);
  out.private_key = in.text(kMaxPem);
  out.root_certificate = in.text(kMaxPem);
  const uint64_t managers = in.varint();
  if (managers > kMaxManagers) in.fail();
  for (uint64_t i = 0; i < managers && in.ok(); ++i) out.managers.push_back(get_host_port(in));
  if (!in.done()) return data_loss(path + " has a good checksum and impossible content");
  return out;
}

manager::IdentityFiles identity_files(const std::string& state_dir) {
  return {state_dir + "/node.crt", state_dir + "/node.key", state_dir + "/root.crt"};
}

Result<Identity> load_identity(const std::string& state_dir) {
  const std::string path = state_file(state_dir);
  const std::string file = SHOAL_TRY(read_file(path, kMaxFile));
  return decode_identity(as_bytes(file), path);
}

Status write_identity_files(const std::string& state_dir, const Identity& identity) {
  const manager::IdentityFiles files = identity_files(state_dir);
  SHOAL_TRY(write_file_atomic(files.root_certificate, identity.root_certificate, 0644));
  SHOAL_TRY(write_file_atomic(files.private_key, identity.private_key, 0600));
  return write_file_atomic(files.certificate, identity.certificate, 0644);
}

Status save_identity(const std::string& state_dir, const Identity& identity) {
  SHOAL_TRY(write_file_atomic(state_file(state_dir), as_text(encode_identity(identity)), 0600));
  return write_identity_files(state_dir, identity);
}

void remove_identity(const std::string& state_dir) {
  const manager::IdentityFiles files = identity_files(state_dir);
  // node.state first: without it the rest is only rubbish.
  for (const std::string& file :
       {state_file(state_dir), files.private_key, files.certificate, files.root_certificate}) {
    const Status removed = remove_file(file);
    if (!removed) log::error("node", "{}", removed.error().message);
  }
}

}  // namespace shoal::node
