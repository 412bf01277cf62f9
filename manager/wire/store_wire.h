// Model <-> proto/store.proto: raft entries (Command), records of tables (Object) and snapshots,
// as bytes.
//
// Decoding answers kDataLoss with a sentence: these bytes were written by a manager, so what cannot
// be read is damage or a newer format, never a user's mistake. Encoding is canonical for one build
// (map entries in order): equal objects give equal bytes. Thread-safe: no state.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types/result.h"
#include "manager/model/command.h"

namespace shoal::manager::wire {

// Of the form of a snapshot; a command has the version of its operation. A higher one than is known
// is refused (a newer manager wrote it). A new kind of object needs no new form.
inline constexpr uint32_t kSnapshotVersion = 1;
inline constexpr size_t kMaxPem = 64U << 10;  // a certificate or key, bytes
inline constexpr size_t kSecretSize = 16;
inline constexpr size_t kMaxPools = 256;
inline constexpr size_t kMaxAvoided = 4096;  // host routes that come with a new network
inline constexpr size_t kMaxRemovedNodes = 1U << 20;

std::string encode_command(const Command& command);
Result<Command> decode_command(std::string_view bytes);

std::string encode_object(const Object& object);
Result<Object> decode_object(std::string_view bytes);

std::string encode_snapshot(const std::vector<Object>& objects);
// The same piece by piece, for a state that is not to be held twice: the head, then each object as
// encode_object() gave it.
std::string snapshot_head();
void add_to_snapshot(std::string_view object, std::string& snapshot);
Result<std::vector<Object>> decode_snapshot(std::string_view bytes);

// Calls `visit` with each object. `next` gives the bytes piece by piece, empty at their end.
Status decode_snapshot(const std::function<Result<std::string>()>& next,
                       const std::function<void(Object)>& visit);

}  // namespace shoal::manager::wire
