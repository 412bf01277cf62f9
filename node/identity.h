// Identity: who this node is, on disk.
//
// <state dir>/node.state, a frame (worker/state/frame.h), is the truth and the commit point of init
// and join: a host that has it is a node. The PEM files beside it (node.crt, node.key, root.crt)
// are written from it for gRPC, which follows them; they may be lost or half renewed without harm.
#pragma once

#include <string>
#include <vector>

#include "base/codec/bytes.h"
#include "manager/model/objects.h"
#include "manager/security/credentials.h"
#include "worker/state/frame.h"

namespace shoal::node {

inline constexpr worker::FrameKind kIdentityKind{
    {'S', 'H', 'I', 'D'}, 1, "the identity of this node"};

struct Identity {
  NodeId node;
  ClusterId cluster;
  manager::Role role = manager::Role::kWorker;  // of the certificate
  HostPort advertise;                           // cluster port, also when this is a worker
  HostPort listen;
  Ip data_path;
  uint16_t data_path_port = 4789;
  uint16_t gossip_port = 7946;
  std::string certificate;       // PEM
  std::string private_key;       // PEM
  std::string root_certificate;  // PEM
  std::vector<HostPort> managers;

  friend bool operator==(const Identity&, const Identity&) = default;
};

Bytes encode_identity(const Identity& identity);
Result<Identity> decode_identity(ByteView file, const std::string& path);

manager::IdentityFiles identity_files(const std::string& state_dir);

// kNotFound: this host is not a node.
Result<Identity> load_identity(const std::string& state_dir);
// Replaces node.state, then the PEM files.
Status save_identity(const std::string& state_dir, const Identity& identity);
Status write_identity_files(const std::string& state_dir, const Identity& identity);
void remove_identity(const std::string& state_dir);

}  // namespace shoal::node
