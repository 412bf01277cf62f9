// Any bytes as a backup file: as they are, and with the checksum that belongs to them, so that what
// lies behind it is reached too.
#include "base/codec/bytes.h"
#include "base/crypto/crypto.h"
#include "base/types/check.h"
#include "manager/backup/backup.h"

namespace shoal::manager {
namespace {

void as_backup(const std::string& file, const std::string& unlock_key) {
  const auto backup = decode_backup(file, unlock_key);
  if (!backup) return;
  SHOAL_CHECK(is_id(backup->header.cluster.str()), "a header keeps its bounds");
  const auto again = decode_backup(encode_backup(backup->header, backup->state, std::nullopt), "");
  SHOAL_CHECK(again && again->state == backup->state, "a backup is read as it was written");
  SHOAL_CHECK(again->header.index == backup->header.index, "a header is read as it was written");
}

}  // namespace
}  // namespace shoal::manager

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  const std::string key(32, 'k');
  shoal::manager::as_backup(file, key);
  file += shoal::as_text(shoal::crypto::sha256(shoal::as_bytes(file)));
  shoal::manager::as_backup(file, "");
  shoal::manager::as_backup(file, key);
  return 0;
}
