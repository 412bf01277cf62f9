// Any bytes as what reaches a manager: a raft entry, a record of its tables, a snapshot, and what
// users and workers send. The first byte chooses.
#include <google/protobuf/stubs/logging.h>

#include "base/codec/bytes.h"
#include "base/types/check.h"
#include "manager/dispatcher/wire.h"
#include "manager/store/store.h"
#include "manager/wire/common_wire.h"
#include "manager/wire/store_wire.h"
#include "proto/dispatch.pb.h"

namespace shoal::manager {
namespace {

// Bytes that are no message are the rule here, not news.
[[maybe_unused]] const auto kSilenced = google::protobuf::SetLogHandler(nullptr);

// A snapshot, and commands on top: a store takes or refuses each, and can be loaded again from what
// it holds then.
void as_commands(std::string_view bytes) {
  ByteReader in(as_bytes(bytes));
  Store store;
  uint64_t index = 0;
  while (in.ok() && in.remaining() > 0) {
    const auto command = wire::decode_command(as_text(in.bytes(in.remaining())));
    if (!command) continue;
    const std::string encoded = wire::encode_command(*command);
    const auto again = wire::decode_command(encoded);
    SHOAL_CHECK(again && wire::encode_command(*again) == encoded, "one form");
    const Status checked = store.check(*command);
    const Outcome outcome = store.apply(++index, *command);
    SHOAL_CHECK(checked.ok() == outcome.answer.ok(), "check() says what apply() will");
    SHOAL_CHECK(outcome.answer.ok() || outcome.changes.empty(), "refused: nothing changed");
  }
  Store copy;
  for (Object& object : store.objects()) {
    const auto written = wire::decode_object(wire::encode_object(object));
    SHOAL_CHECK(written && *written == object, "an object is read as it was written");
    copy.load(std::move(object));
  }
  SHOAL_CHECK(copy.finish_load(index).ok(), "what a store holds can be loaded");
}

void as_object(std::string_view bytes) {
  const auto object = wire::decode_object(bytes);
  if (!object) return;
  const auto again = wire::decode_object(wire::encode_object(*object));
  SHOAL_CHECK(again && *again == *object, "an object is read as it was written");
}

void as_snapshot(std::string_view bytes) {
  const auto objects = wire::decode_snapshot(bytes);
  if (!objects) return;
  Store store;
  for (const Object& object : *objects) store.load(object);
  if (!store.finish_load(9)) return;
  const auto again = wire::decode_snapshot(wire::encode_snapshot(store.objects()));
  SHOAL_CHECK(again && *again == store.objects(), "a snapshot is read as it was written");
}

// What passes the check of a front door has one meaning.
template <typename Message>
void as_message(std::string_view bytes) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto value = wire::from_wire(message);
  if (!value) return;
  const auto again = wire::from_wire(wire::to_wire(*value));
  SHOAL_CHECK(again && *again == *value, "a value is read as it was written");
}

void as_user_input(std::string_view bytes) {
  as_message<common::NetworkSpec>(bytes);
  as_message<common::EndpointSpec>(bytes);
  as_message<common::NodeSpec>(bytes);
  as_message<common::NodeDescription>(bytes);
  as_message<common::NodeAddresses>(bytes);
  dispatch::Register registration;
  if (registration.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    (void)wire::from_wire(registration);
  }
}

}  // namespace
}  // namespace shoal::manager

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal::manager;
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0:
      as_commands(rest);
      break;
    case 1:
      as_object(rest);
      break;
    case 2:
      as_snapshot(rest);
      break;
    default:
      as_user_input(rest);
  }
  return 0;
}
