#include "manager/tables/tables.h"

#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <charconv>
#include <filesystem>
#include <type_traits>

#include "base/runtime/files.h"
#include "manager/wire/store_wire.h"
#include "raft/storage/rocksdb_options.h"

namespace shoal::manager {
namespace {

constexpr char kFormatKey[] = "m/format";
constexpr char kAppliedKey[] = "m/applied";
constexpr char kFormat[] = "1";
constexpr char kObjects[] = "o/";
constexpr char kAfterObjects[] = "o0";  // '0' follows '/'

std::string key_of(const Object& object) {
  const std::string rest = std::visit(
      [](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Cluster>) return "cluster";
        if constexpr (std::is_same_v<T, Network>) return "network/" + value.id.str();
        if constexpr (std::is_same_v<T, Endpoint>) return "endpoint/" + value.id.str();
        if constexpr (std::is_same_v<T, Node>) return "node/" + value.id.str();
        if constexpr (std::is_same_v<T, Quarantined>) {
          return "quarantined/" + value.network_id.str() + '/' + value.address.str();
        }
        if constexpr (std::is_same_v<T, AddressCursor>) {
          return "cursor/" + value.network_id.str() + '/' + value.subnet.str();
        }
      },
      object);
  return kObjects + rest;
}

Error disk_error(const std::string& path, const rocksdb::Status& status) {
  return raft::rocksdb_error(status, "the manager's tables", path);
}

}  // namespace

Error Tables::damaged(const std::string& what) const {
  return data_loss("the tables in " + path_ + " are damaged (" + what +
                   "): remove this manager's state and join the cluster again");
}

Result<std::unique_ptr<Tables>> Tables::open(const std::string& path) {
  SHOAL_TRY(make_directories(path));
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(raft::small_rocksdb_options(), path, &raw);
  if (!status.ok()) return disk_error(path, status);
  std::unique_ptr<Tables> tables(new Tables(path, std::unique_ptr<rocksdb::DB>(raw)));
  std::string format;
  const rocksdb::Status found = raw->Get({}, kFormatKey, &format);
  if (found.IsNotFound()) {
    const rocksdb::Status made = raw->Put({}, kFormatKey, kFormat);
    if (!made.ok()) return disk_error(path, made);
  } else if (!found.ok()) {
    return disk_error(path, found);
  } else if (format != kFormat) {
    return data_loss("the tables in " + path + " have format \"" + format.substr(0, 16) +
                     "\" and this shoald reads format " + kFormat +
                     "; run the shoald that wrote them, or a newer one");
  }
  return tables;
}

Result<std::unique_ptr<Tables>> Tables::open_read_only(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path + "/CURRENT", error)) {
    return not_found("there are no tables in " + path);
  }
  rocksdb::Options options = raft::small_rocksdb_options();
  options.create_if_missing = false;
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path, &raw);
  if (!status.ok()) return disk_error(path, status);
  return std::unique_ptr<Tables>(new Tables(path, std::unique_ptr<rocksdb::DB>(raw)));
}

Result<Tables::Content> Tables::load() const {
  Content content;
  std::string applied;
  const rocksdb::Status found = db_->Get({}, kAppliedKey, &applied);
  if (!found.ok() && !found.IsNotFound()) return disk_error(path_, found);
  if (found.ok()) {
    const char* end = applied.data() + applied.size();
    const auto [rest, error] = std::from_chars(applied.data(), end, content.applied_index);
    if (error != std::errc() || rest != end) return damaged("the applied index is not a number");
  }
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
  for (it->Seek(kObjects); it->Valid() && it->key().compare(kAfterObjects) < 0; it->Next()) {
    auto object = wire::decode_object({it->value().data(), it->value().size()});
    if (!object) return damaged(object.error().message);
    if (it->key() != key_of(*object)) return damaged("a record lies under another's key");
    content.objects.push_back(std::move(*object));
  }
  if (!it->status().ok()) return disk_error(path_, it->status());
  return content;
}

Status Tables::write(const std::vector<Change>& changes, uint64_t applied_index) {
  rocksdb::WriteBatch batch;
  for (const Change& change : changes) {
    const std::string key = key_of(change.object);
    if (change.removed) {
      batch.Delete(key);
    } else {
      batch.Put(key, wire::encode_object(change.object));
    }
  }
  return commit(batch, applied_index);
}

Status Tables::replace(const std::vector<Object>& objects, uint64_t applied_index) {
  rocksdb::WriteBatch batch;
  batch.DeleteRange(kObjects, kAfterObjects);
  for (const Object& object : objects) batch.Put(key_of(object), wire::encode_object(object));
  return commit(batch, applied_index);
}

// Not by RocksDB's Resume(): it writes to the file that failed, which ends the process.
Status Tables::reopen() {
  db_.reset();
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(raft::small_rocksdb_options(), path_, &raw);
  if (!status.ok()) return disk_error(path_, status);
  db_.reset(raw);
  failed_ = false;
  return ok_status();
}

Status Tables::commit(rocksdb::WriteBatch& batch, uint64_t applied_index) {
  if (failed_) SHOAL_TRY(reopen());
  batch.Put(kAppliedKey, std::to_string(applied_index));
  const rocksdb::Status status = db_->Write({}, &batch);
  if (status.ok()) return ok_status();
  failed_ = true;
  return disk_error(path_, status);
}

}  // namespace shoal::manager
