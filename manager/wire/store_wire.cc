#include "manager/wire/store_wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstring>

#include "manager/wire/checks.h"
#include "manager/wire/common_wire.h"
#include "manager/wire/store_messages.h"

namespace shoal::manager::wire {
namespace {

// Of store.Snapshot.
constexpr uint32_t kVersionTag = 1 << 3;      // a number
constexpr uint32_t kObjectsTag = 2 << 3 | 2;  // of a length
// The cluster object remembers removed nodes; everything else is far smaller.
constexpr uint32_t kMaxObject = 64U << 20;

// Map entries in order, so that equal objects give equal bytes on every manager.
std::string serialize(const google::protobuf::Message& message) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return out;
}

Status read(google::protobuf::Message& message, std::string_view bytes, const char* what) {
  if (bytes.size() <= INT32_MAX &&
      message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return ok_status();
  }
  return data_loss(std::string(what) + " of " + std::to_string(bytes.size()) +
                   " bytes cannot be read: it is damaged");
}

Error damaged(const char* what, const Error& error) {
  const std::string message = std::string(what) + " cannot be read: " + error.message;
  return error.code == ErrorClass::kUnimplemented ? unimplemented(message) : data_loss(message);
}

Status known_version(uint32_t version, uint32_t newest, const char* what) {
  if (version == 0) return data_loss(std::string(what) + " without a version: it is damaged");
  if (version <= newest) return ok_status();
  return unimplemented(std::string(what) + " has format version " + std::to_string(version) +
                       " and this shoald reads up to version " + std::to_string(newest) +
                       ": upgrade it to the version of the other managers");
}

}  // namespace

std::string encode_command(const Command& command) {
  store::Command message;
  message.set_version(version_of(command.operation));
  message.set_proposed_at(command.proposed_at.nanoseconds);
  message.set_seed(command.seed);
  message.set_request(command.request);
  message.set_since(command.since);
  put_operation(message, command.operation);
  return serialize(message);
}

Result<Command> decode_command(std::string_view bytes) {
  store::Command message;
  SHOAL_TRY(read(message, bytes, "a raft entry"));
  SHOAL_TRY(known_version(message.version(), state_version(), "a raft entry"));
  auto operation = operation_from_wire(message);
  if (!operation) return damaged("a raft entry", operation.error());
  if (!message.request().empty() && !is_id(message.request())) {
    return data_loss("a raft entry cannot be read: its request's id is no id");
  }
  return Command{{message.proposed_at()},
                 message.seed(),
                 std::move(*operation),
                 message.request(),
                 message.since()};
}

std::string encode_object(const Object& object) { return serialize(to_wire(object)); }

Result<Object> decode_object(std::string_view bytes) {
  store::Object message;
  SHOAL_TRY(read(message, bytes, "a record"));
  auto object = from_wire(message);
  if (!object) return damaged("a record", object.error());
  return object;
}

std::string encode_snapshot(const std::vector<Object>& objects) {
  store::Snapshot message;
  message.set_version(kSnapshotVersion);
  for (const Object& object : objects) *message.add_objects() = to_wire(object);
  return serialize(message);
}

std::string snapshot_head() { return encode_snapshot({}); }

void add_to_snapshot(std::string_view object, std::string& snapshot) {
  using google::protobuf::io::CodedOutputStream;
  constexpr size_t kMostVarintBytes = 5;
  // Not by a stream onto the string, which would fill all of its capacity for each object.
  uint8_t head[2 * kMostVarintBytes];
  uint8_t* end = CodedOutputStream::WriteTagToArray(kObjectsTag, head);
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(object.size()), end);
  snapshot.append(reinterpret_cast<const char*>(head), static_cast<size_t>(end - head));
  snapshot.append(object);
}

Result<std::vector<Object>> decode_snapshot(std::string_view bytes) {
  std::vector<Object> out;
  const auto once = [&bytes] { return Result<std::string>(std::string(std::exchange(bytes, {}))); };
  SHOAL_TRY(decode_snapshot(once, [&out](Object object) { out.push_back(std::move(object)); }));
  return out;
}

namespace {

// The pieces as protobuf reads them.
class Pieces final : public google::protobuf::io::CopyingInputStream {
 public:
  explicit Pieces(const std::function<Result<std::string>()>& next) : next_(next) {}
  int Read(void* buffer, int size) override {
    if (at_ == piece_.size()) {
      auto piece = next_();
      at_ = 0;
      piece_ = piece ? std::move(*piece) : std::string();
      if (!piece) error_ = piece.error();
    }
    if (error_) return -1;
    const size_t count = std::min(piece_.size() - at_, static_cast<size_t>(size));
    std::memcpy(buffer, piece_.data() + at_, count);
    at_ += count;
    return static_cast<int>(count);
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  const std::function<Result<std::string>()>& next_;
  std::string piece_;
  size_t at_ = 0;
  std::optional<Error> error_;
};

// One field of a snapshot. False at the end of the stream.
Result<bool> read_field(google::protobuf::io::ZeroCopyInputStream& stream, uint32_t& version,
                        const std::function<void(Object)>& visit) {
  using google::protobuf::internal::WireFormatLite;
  // One for each field, or its bound on all bytes would be one on the snapshot.
  google::protobuf::io::CodedInputStream in(&stream);
  const uint32_t tag = in.ReadTag();
  if (tag == 0 && in.ConsumedEntireMessage()) return false;
  if (tag == kVersionTag) {
    if (!in.ReadVarint32(&version)) return data_loss("a snapshot is cut short");
    SHOAL_TRY(known_version(version, kSnapshotVersion, "a snapshot"));
    return true;
  }
  if (tag != kObjectsTag) {
    if (WireFormatLite::SkipField(&in, tag)) return true;
    return data_loss("a snapshot cannot be read: it is damaged");
  }
  if (version == 0) return data_loss("a snapshot without a version: it is damaged");
  uint32_t size = 0;
  std::string bytes;
  if (!in.ReadVarint32(&size) || size > kMaxObject ||
      !in.ReadString(&bytes, static_cast<int>(size))) {
    return data_loss("a snapshot is cut short");
  }
  store::Object message;
  SHOAL_TRY(read(message, bytes, "a record of a snapshot"));
  auto object = from_wire(message);
  if (!object) return damaged("a snapshot", object.error());
  visit(std::move(*object));
  return true;
}

}  // namespace

Status decode_snapshot(const std::function<Result<std::string>()>& next,
                       const std::function<void(Object)>& visit) {
  Pieces pieces(next);
  google::protobuf::io::CopyingInputStreamAdaptor stream(&pieces);
  uint32_t version = 0;
  while (true) {
    const auto more = read_field(stream, version, visit);
    if (pieces.error()) return *pieces.error();
    if (!more) return more.error();
    if (!*more) break;
  }
  return version == 0 ? Status(data_loss("a snapshot without a version: it is damaged"))
                      : ok_status();
}

}  // namespace shoal::manager::wire
