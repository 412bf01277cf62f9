#include "manager/tables/tables.h"

#include <rocksdb/memtablerep.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <charconv>
#include <filesystem>
#include <type_traits>

#include "base/runtime/files.h"
#include "base/runtime/system_ports.h"
#include "manager/wire/store_wire.h"
#include "raft/storage/rocksdb_options.h"
#include "raft/storage/table_sums.h"

namespace shoal::manager {
namespace {

constexpr char kFormatKey[] = "m/format";
constexpr char kAppliedKey[] = "m/applied";
constexpr char kFormat[] = "2";
constexpr char kObjects[] = "o/";
constexpr char kAfterObjects[] = "o0";  // '0' follows '/'

std::string name_of(const Object& object) {
  return std::visit(
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
        if constexpr (std::is_same_v<T, HandledRequest>) return "request/" + value.id;
      },
      object);
}

std::array<uint8_t, 16> random_run() {
  std::array<uint8_t, 16> run{};
  SystemRng().fill(run);
  return run;
}

// What was written last is read in one go only, at the start and for a snapshot: so it is kept as it
// came, and sorted then.
rocksdb::Options table_options() {
  rocksdb::Options options = raft::small_rocksdb_options();
  options.memtable_factory = std::make_shared<rocksdb::VectorRepFactory>();
  options.allow_concurrent_memtable_write = false;
  return options;
}

Error disk_error(const std::string& path, const rocksdb::Status& status) {
  return raft::rocksdb_error(status, "the manager's tables", path);
}

}  // namespace

Tables::Tables(std::string path, const crypto::Key& key, std::unique_ptr<rocksdb::DB> db)
    : path_(std::move(path)), db_(std::move(db)), sealer_(key, random_run()) {}

Error Tables::damaged(const std::string& what) const {
  return data_loss("the tables in " + path_ + " are damaged (" + what + ")");
}

Result<std::unique_ptr<Tables>> Tables::open(const std::string& path, const crypto::Key& key) {
  SHOAL_TRY(make_directories(path));
  SHOAL_TRY(raft::check_manifest(path));
  SHOAL_TRY(raft::check_table_sums(path));
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(table_options(), path, &raw);
  if (!status.ok()) return disk_error(path, status);
  std::unique_ptr<Tables> tables(new Tables(path, key, std::unique_ptr<rocksdb::DB>(raw)));
  SHOAL_TRY(tables->check_format());
  return tables;
}

Result<std::unique_ptr<Tables>> Tables::open_read_only(const std::string& path,
                                                       const crypto::Key& key) {
  std::error_code error;
  if (!std::filesystem::exists(path + "/CURRENT", error)) {
    return not_found("there are no tables in " + path);
  }
  SHOAL_TRY(raft::check_manifest(path));
  SHOAL_TRY(raft::check_table_sums(path));
  rocksdb::Options options = table_options();
  options.create_if_missing = false;
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path, &raw);
  if (!status.ok()) return disk_error(path, status);
  std::unique_ptr<Tables> tables(new Tables(path, key, std::unique_ptr<rocksdb::DB>(raw)));
  SHOAL_TRY(tables->check_format());
  return tables;
}

Status Tables::check_format() {
  std::string format;
  const rocksdb::Status found = db_->Get({}, kFormatKey, &format);
  if (found.IsNotFound()) {
    const rocksdb::Status made = db_->Put({}, kFormatKey, kFormat);
    return made.ok() ? ok_status() : Status(disk_error(path_, made));
  }
  if (!found.ok()) return disk_error(path_, found);
  if (format == kFormat) return ok_status();
  return unimplemented("the tables in " + path_ + " have format \"" + format.substr(0, 16) +
                       "\" and this shoald reads format " + kFormat +
                       "; run the shoald that wrote them, or a newer one");
}

Result<uint64_t> Tables::load_applied() const {
  std::string sealed;
  const rocksdb::Status found = db_->Get({}, kAppliedKey, &sealed);
  if (found.IsNotFound()) return 0U;
  if (!found.ok()) return disk_error(path_, found);
  const auto applied = sealer_.open(kAppliedKey, sealed);
  if (!applied) return damaged("the applied index: " + applied.error().message);
  uint64_t index = 0;
  const char* end = applied->data() + applied->size();
  const auto [rest, error] = std::from_chars(applied->data(), end, index);
  if (error != std::errc() || rest != end) return damaged("the applied index is not a number");
  return index;
}

Result<Tables::Content> Tables::load() const {
  Content content;
  content.applied_index = SHOAL_TRY(load_applied());
  rocksdb::ReadOptions options;
  options.fill_cache = false;  // read once
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
  for (it->Seek(kObjects); it->Valid() && it->key().compare(kAfterObjects) < 0; it->Next()) {
    const auto record = sealer_.open(it->key().ToStringView(), it->value().ToStringView());
    if (!record) return damaged(record.error().message);
    auto object = wire::decode_object(*record);
    if (!object) return damaged(object.error().message);
    if (it->key() != row_of(*object)) return damaged("a record lies under another's key");
    content.objects.push_back(std::move(*object));
  }
  if (!it->status().ok()) return disk_error(path_, it->status());
  if (content.applied_index == 0 && !content.objects.empty()) {
    return damaged("the applied index is missing");
  }
  return content;
}

Result<std::string> Tables::snapshot() const {
  if (!db_) return disk_error(path_, rocksdb::Status::IOError("not open"));
  std::string out = wire::snapshot_head();
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
  for (it->Seek(kObjects); it->Valid() && it->key().compare(kAfterObjects) < 0; it->Next()) {
    const auto record = sealer_.open(it->key().ToStringView(), it->value().ToStringView());
    if (!record) return damaged(record.error().message);
    wire::add_to_snapshot(*record, out);
  }
  if (!it->status().ok()) return disk_error(path_, it->status());
  return out;
}

std::string Tables::row_of(const Object& object) const {
  return kObjects + sealer_.hide(name_of(object));
}

void Tables::put(const Object& object, rocksdb::WriteBatch& batch) {
  const std::string row = row_of(object);
  batch.Put(row, sealer_.seal(row, wire::encode_object(object)));
}

Status Tables::write(const std::vector<Change>& changes, uint64_t applied_index) {
  rocksdb::WriteBatch batch;
  for (const Change& change : changes) {
    if (change.removed) {
      batch.Delete(row_of(change.object));
    } else {
      put(change.object, batch);
    }
  }
  return commit(batch, applied_index);
}

Status Tables::replace(const std::vector<Object>& objects, uint64_t applied_index) {
  rocksdb::WriteBatch batch;
  batch.DeleteRange(kObjects, kAfterObjects);
  for (const Object& object : objects) put(object, batch);
  return commit(batch, applied_index);
}

// Not by RocksDB's Resume(): it writes to the file that failed, which ends the process.
Status Tables::reopen() {
  db_.reset();
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(table_options(), path_, &raw);
  if (!status.ok()) return disk_error(path_, status);
  db_.reset(raw);
  failed_ = false;
  return ok_status();
}

Status Tables::commit(rocksdb::WriteBatch& batch, uint64_t applied_index) {
  if (failed_) SHOAL_TRY(reopen());
  batch.Put(kAppliedKey, sealer_.seal(kAppliedKey, std::to_string(applied_index)));
  const rocksdb::Status status = db_->Write({}, &batch);
  if (status.ok()) return ok_status();
  failed_ = true;
  return disk_error(path_, status);
}

}  // namespace shoal::manager
