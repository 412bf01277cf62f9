#include "manager/wire/store_wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include "manager/wire/checks.h"
#include "manager/wire/common_wire.h"
#include "manager/wire/store_messages.h"

namespace shoal::manager::wire {
namespace {

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
  return data_loss(std::string(what) + " cannot be read: " + error.message);
}

Status known_version(uint32_t version, const char* what) {
  if (version == kFormatVersion) return ok_status();
  return data_loss(std::string(what) + " has format version " + std::to_string(version) +
                   " and this shoald reads version " + std::to_string(kFormatVersion) +
                   "; run the shoald that wrote it, or a newer one");
}

}  // namespace

std::string encode_command(const Command& command) {
  store::Command message;
  message.set_version(kFormatVersion);
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
  SHOAL_TRY(known_version(message.version(), "a raft entry"));
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
  message.set_version(kFormatVersion);
  for (const Object& object : objects) *message.add_objects() = to_wire(object);
  return serialize(message);
}

std::string snapshot_head() { return encode_snapshot({}); }

void add_to_snapshot(std::string_view object, std::string& snapshot) {
  using google::protobuf::internal::WireFormatLite;
  using google::protobuf::io::CodedOutputStream;
  constexpr size_t kMostVarintBytes = 5;
  // Not by a stream onto the string, which would fill all of its capacity for each object.
  uint8_t head[2 * kMostVarintBytes];
  uint8_t* end = CodedOutputStream::WriteTagToArray(
      WireFormatLite::MakeTag(store::Snapshot::kObjectsFieldNumber,
                              WireFormatLite::WIRETYPE_LENGTH_DELIMITED),
      head);
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(object.size()), end);
  snapshot.append(reinterpret_cast<const char*>(head), static_cast<size_t>(end - head));
  snapshot.append(object);
}

Result<std::vector<Object>> decode_snapshot(std::string_view bytes) {
  store::Snapshot message;
  SHOAL_TRY(read(message, bytes, "a snapshot"));
  SHOAL_TRY(known_version(message.version(), "a snapshot"));
  std::vector<Object> out;
  out.reserve(static_cast<size_t>(message.objects_size()));
  for (const store::Object& item : message.objects()) {
    auto object = from_wire(item);
    if (!object) return damaged("a snapshot", object.error());
    out.push_back(std::move(*object));
  }
  return out;
}

}  // namespace shoal::manager::wire
