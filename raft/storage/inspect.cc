#include "raft/storage/inspect.h"

#include <rocksdb/db.h>

#include <filesystem>
#include <memory>

#include "base/codec/crc32c.h"
#include "base/runtime/files.h"
#include "raft/storage/rocksdb_options.h"

namespace shoal::raft {
namespace {

constexpr char kWhat[] = "the raft log";

class Inspection {
 public:
  Inspection(rocksdb::DB& database, const std::string& directory)
      : database_(database), directory_(directory) {}

  LogReport run(const std::function<void(const Entry&)>& visit) {
    read_head();
    read_entries(visit);
    read_snapshot();
    cross_check();
    return std::move(report_);
  }

 private:
  void problem(const std::string& what, const Error& error) {
    report_.problems.push_back(std::string(kWhat) + ": " + what + ": " + error.message);
  }

  // Empty when absent.
  std::string get(std::string_view key, const char* what) {
    std::string value;
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    const auto status = database_.Get(options, rocksdb::Slice(key), &value);
    if (!status.ok() && !status.IsNotFound()) problem(what, data_loss(status.ToString()));
    return value;
  }

  void read_head() {
    if (const std::string value = get(format::kVersionKey, "format"); !value.empty()) {
      if (const Status known = format::check_version(value); !known) {
        problem("format", known.error());
      }
    } else {
      problem("format", data_loss("there is none: this store was never begun"));
    }
    if (const std::string value = get(format::kHardStateKey, "term and vote"); !value.empty()) {
      const auto state = format::decode_hard_state(value);
      if (state) report_.hard_state = *state;
      if (!state) problem("term and vote", state.error());
    }
    if (const std::string value = get(format::kOffsetKey, "log offset"); !value.empty()) {
      const auto offset = format::decode_offset(value);
      if (offset) report_.offset = *offset;
      if (!offset) problem("log offset", offset.error());
    }
    if (const std::string value = get(format::kSnapshotKey, "snapshot record"); !value.empty()) {
      const auto record = format::decode_snapshot(value);
      if (record) report_.snapshot = *record;
      if (!record) problem("snapshot record", record.error());
    }
  }

  void read_entries(const std::function<void(const Entry&)>& visit) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.verify_checksums = true;
    report_.last = report_.offset.index;
    Term term = report_.offset.term;
    const std::unique_ptr<rocksdb::Iterator> it(database_.NewIterator(options));
    for (it->Seek(format::entry_key(report_.offset.index + 1));
         it->Valid() && it->key().starts_with(std::string(1, format::kEntryPrefix)); it->Next()) {
      const auto index = format::parse_entry_key(it->key().ToStringView());
      const std::string name = "entry " + std::to_string(index.value_or(report_.last + 1));
      if (index && *index != report_.last + 1) {
        problem("entry " + std::to_string(report_.last + 1), data_loss("missing"));
      }
      report_.last = index.value_or(report_.last + 1);
      const auto entry = format::decode_entry(it->key().ToStringView(), it->value().ToStringView());
      if (!entry) {
        problem(name, entry.error());
        continue;
      }
      if (entry->term < term) problem(name, data_loss("its term goes back"));
      term = entry->term;
      ++report_.entries;
      report_.bytes += entry->data.size();
      visit(*entry);
    }
    if (!it->status().ok()) problem("entries", data_loss(it->status().ToString()));
  }

  void read_snapshot() {
    if (!report_.snapshot) return;
    const std::string path =
        directory_ + "/snapshot-" + std::to_string(report_.snapshot->meta.index);
    auto data = read_file(path, kMaxSnapshotBytes);
    if (!data) return problem("snapshot", data.error());
    if (data->size() != report_.snapshot->size ||
        crc32c(as_bytes(*data)) != report_.snapshot->crc) {
      return problem("snapshot", data_loss("the checksum of " + path + " does not match"));
    }
    report_.snapshot_data = std::move(*data);
  }

  void cross_check() {
    const Index snapshot = report_.snapshot ? report_.snapshot->meta.index : 0;
    if (report_.hard_state.commit > std::max(report_.last, snapshot)) {
      problem("commit",
              data_loss("entry " + std::to_string(report_.hard_state.commit) +
                        " was committed and the log ends at " + std::to_string(report_.last)));
    }
    if (report_.offset.index > snapshot) {
      problem("log offset",
              data_loss("the log begins after " + std::to_string(report_.offset.index) +
                        " and no snapshot covers what is before"));
    }
  }

  rocksdb::DB& database_;
  const std::string& directory_;
  LogReport report_;
};

}  // namespace

Result<LogReport> inspect_log(const std::string& directory,
                              const std::function<void(const Entry&)>& visit) {
  std::error_code error;
  if (!std::filesystem::exists(directory + "/CURRENT", error)) {
    return not_found("there is no raft log in " + directory);
  }
  rocksdb::Options options = small_rocksdb_options();
  options.create_if_missing = false;
  rocksdb::DB* raw = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly(options, directory, &raw);
  if (!status.ok()) return rocksdb_error(status, kWhat, directory);
  const std::unique_ptr<rocksdb::DB> database(raw);
  return Inspection(*database, directory).run(visit);
}

}  // namespace shoal::raft
