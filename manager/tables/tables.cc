#include "manager/tables/tables.h"

#include <rocksdb/memtablerep.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
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
constexpr char kAfterObjects[] = "o0";      // '0' follows '/'
constexpr size_t kReplaceBytes = 4U << 20;  // of one write batch

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

// What was written last is read in one go only, at the start and for a snapshot: so it is kept as
// it came, and sorted then.
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

Tables::Tables(std::string path, const crypto::Key& key, std::shared_ptr<rocksdb::DB> db)
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
  content.applied_index =
      SHOAL_TRY(load([&content](Object object) { content.objects.push_back(std::move(object)); }));
  return content;
}

Result<uint64_t> Tables::load(const Visit& visit) const {
  const uint64_t applied_index = SHOAL_TRY(load_applied());
  bool empty = true;
  rocksdb::ReadOptions options;
  options.fill_cache = false;  // read once
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
  for (it->Seek(kObjects); it->Valid() && it->key().compare(kAfterObjects) < 0; it->Next()) {
    const auto record = sealer_.open(it->key().ToStringView(), it->value().ToStringView());
    if (!record) return damaged(record.error().message);
    auto object = wire::decode_object(*record);
    if (!object) return damaged(object.error().message);
    if (it->key() != row_of(*object)) return damaged("a record lies under another's key");
    visit(std::move(*object));
    empty = false;
  }
  if (!it->status().ok()) return disk_error(path_, it->status());
  if (applied_index == 0 && !empty) return damaged("the applied index is missing");
  return applied_index;
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

// A write batch of all of a large state would hold it once more in memory; so, if it need not be at
// once, it goes in several, and while they do there is no applied index: tables without are
// damaged, and made anew.
Status Tables::replace(const Objects& objects, uint64_t applied_index, bool at_once) {
  if (failed_) SHOAL_TRY(reopen());
  rocksdb::WriteBatch batch;
  batch.DeleteRange(kObjects, kAfterObjects);
  Status status = ok_status();
  bool parted = false;
  const Status visited = objects([&](const Object& object) {
    if (!status) return;
    put(object, batch);
    if (at_once || batch.GetDataSize() < kReplaceBytes) return;
    if (!std::exchange(parted, true)) batch.Delete(kAppliedKey);
    status = write_batch(batch, false);
    batch.Clear();
  });
  if (!visited) return visited;
  return status ? commit(batch, applied_index) : status;
}

// More may have been written meanwhile than what is asked for: the index never goes back.
Status Tables::sync(uint64_t applied_index) {
  if (failed_) SHOAL_TRY(reopen());
  rocksdb::WriteBatch batch;
  return commit(batch, std::max(applied_index, SHOAL_TRY(load_applied())), true);
}

Result<std::unique_ptr<Tables::Reader>> Tables::reader() {
  if (failed_) SHOAL_TRY(reopen());
  return std::make_unique<Reader>(path_, db_, sealer_);
}

Tables::Reader::Reader(std::string path, std::shared_ptr<rocksdb::DB> db,
                       const crypto::Sealer& sealer)
    : path_(std::move(path)), db_(std::move(db)), sealer_(sealer), snapshot_(db_->GetSnapshot()) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;  // read once
  options.snapshot = snapshot_;
  it_.reset(db_->NewIterator(options));
  it_->Seek(kObjects);
}

Tables::Reader::~Reader() {
  it_.reset();
  db_->ReleaseSnapshot(snapshot_);
}

Result<std::optional<std::string>> Tables::Reader::next() {
  if (!it_->Valid() || it_->key().compare(kAfterObjects) >= 0) {
    if (!it_->status().ok()) return disk_error(path_, it_->status());
    return std::optional<std::string>();
  }
  auto record = sealer_.open(it_->key().ToStringView(), it_->value().ToStringView());
  if (!record) {
    return data_loss("the tables in " + path_ + " are damaged (" + record.error().message + ")");
  }
  it_->Next();
  return std::optional<std::string>(std::move(*record));
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

Status Tables::commit(rocksdb::WriteBatch& batch, uint64_t applied_index, bool synced) {
  if (failed_) SHOAL_TRY(reopen());
  batch.Put(kAppliedKey, sealer_.seal(kAppliedKey, std::to_string(applied_index)));
  return write_batch(batch, synced);
}

Status Tables::write_batch(rocksdb::WriteBatch& batch, bool synced) {
  rocksdb::WriteOptions options;
  options.sync = synced;
  const rocksdb::Status status = db_->Write(options, &batch);
  if (status.ok()) return ok_status();
  failed_ = true;
  return disk_error(path_, status);
}

}  // namespace shoal::manager
