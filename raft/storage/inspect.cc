#include "raft/storage/inspect.h"

#include <rocksdb/db.h>

#include <filesystem>
#include <memory>

#include "raft/storage/rocksdb_options.h"
#include "raft/storage/state_file.h"
#include "raft/storage/table_sums.h"
#include "raft/storage/witness.h"

namespace shoal::raft {
namespace {

constexpr char kWhat[] = "the raft log";

class Inspection {
 public:
  // Nothing is sealed here, so the sealer needs no run of its own.
  Inspection(rocksdb::DB& database, const std::string& directory, const crypto::Key& key)
      : database_(database), directory_(directory), key_(key), sealer_(key, {}) {}

  LogReport run(const std::function<void(const Entry&)>& visit) {
    if (!read_state()) return std::move(report_);  // without it nothing else can be told
    read_entries(visit);
    read_snapshot();
    cross_check();
    return std::move(report_);
  }

 private:
  void problem(const std::string& what, const Error& error) {
    report_.problems.push_back(std::string(kWhat) + ": " + what + ": " + error.message);
  }

  bool read_state() {
    std::string sealed;
    const auto status = database_.Get(options(), rocksdb::Slice(format::kStateKey), &sealed);
    if (!status.ok() && !status.IsNotFound()) {
      problem("the state record", data_loss(status.ToString()));
      return false;
    }
    if (!sealed.empty()) {
      const auto record = sealer_.open(format::kStatePlace, sealed);
      const auto state = record ? format::decode_state(*record) : record.error();
      if (!state) {
        problem("the state record", state.error());
        return false;
      }
      state_ = *state;
    }
    const uint64_t noted = Witness::noted(directory_ + "/" + std::string(kWitnessFile));
    if (state_.sequence < noted) {
      problem("what was acknowledged last is missing",
              data_loss("it ends at write " + std::to_string(state_.sequence) + " of " +
                        std::to_string(noted)));
    }
    report_.hard_state = state_.hard_state;
    report_.snapshot = state_.snapshot;
    report_.offset = state_.offset;
    report_.last = state_.last;
    return true;
  }

  void read_entries(const std::function<void(const Entry&)>& visit) {
    crypto::Tag previous = state_.offset_tag;
    term_ = state_.offset_term;
    const std::unique_ptr<rocksdb::Iterator> it(database_.NewIterator(options()));
    it->Seek(format::entry_key(state_.offset + 1));
    for (Index index = state_.offset + 1; index <= state_.last; ++index) {
      if (!it->Valid() || it->key() != rocksdb::Slice(format::entry_key(index))) {
        // The chain is broken here: what follows cannot be told to be in its place.
        return problem("entry " + std::to_string(index),
                       data_loss(it->status().ok() ? "missing" : it->status().ToString()));
      }
      const std::string_view sealed = it->value().ToStringView();
      read_entry(index, previous, sealed, visit);
      previous = crypto::tag_of(sealed);
      it->Next();
    }
    if (!it->status().ok()) problem("entries", data_loss(it->status().ToString()));
    if (previous != state_.last_tag) problem("the last entry", data_loss("it is another one"));
  }

  void read_entry(Index index, const crypto::Tag& previous, std::string_view sealed,
                  const std::function<void(const Entry&)>& visit) {
    const std::string name = "entry " + std::to_string(index);
    const auto record = sealer_.open(format::entry_place(index, previous), sealed);
    const auto entry = record ? format::decode_entry(index, *record) : record.error();
    if (!entry) return problem(name, entry.error());
    if (entry->term < term_) problem(name, data_loss("its term goes back"));
    term_ = entry->term;
    ++report_.entries;
    report_.bytes += entry->data.size();
    visit(*entry);
  }

  void read_snapshot() {
    const SnapshotMeta& meta = state_.snapshot;
    if (meta.index == 0) return;
    const std::string path =
        directory_ + "/" + std::string(format::kSnapshotFile) + std::to_string(meta.index);
    auto file = StateFile::open(path, key_, meta.index, meta.term);
    if (!file && file.error().code == ErrorClass::kNotFound) return;
    const Status whole = file ? read_through(**file) : Status(file.error());
    if (!whole) return problem("the snapshot", whole.error());
    report_.snapshot_data = std::move(*file);
  }

  static Status read_through(const SnapshotData& data) {
    uint64_t offset = 0;
    do {
      const std::string part = SHOAL_TRY(data.read(offset, format::kSnapshotPart));
      offset += part.size();
      if (part.empty()) break;
    } while (offset < data.size());
    return ok_status();
  }

  void cross_check() {
    const Index end = std::max(state_.last, state_.snapshot.index);
    if (state_.hard_state.commit > end) {
      problem("commit", data_loss("entry " + std::to_string(state_.hard_state.commit) +
                                  " was committed and the log ends at " + std::to_string(end)));
    }
    if (state_.offset > state_.snapshot.index) {
      problem("log offset", data_loss("the log begins after " + std::to_string(state_.offset) +
                                      " and no snapshot covers what is before"));
    }
  }

  static rocksdb::ReadOptions options() {
    rocksdb::ReadOptions out;
    out.fill_cache = false;
    out.verify_checksums = true;
    return out;
  }

  rocksdb::DB& database_;
  const std::string& directory_;
  const crypto::Key& key_;
  const crypto::Sealer sealer_;
  format::State state_;
  Term term_ = 0;
  LogReport report_;
};

Status check_format(rocksdb::DB& database, const std::string& directory) {
  std::string value;
  const auto status = database.Get({}, rocksdb::Slice(format::kVersionKey), &value);
  if (status.IsNotFound()) return data_loss(directory + " was never begun: it has no format");
  if (!status.ok()) return rocksdb_error(status, kWhat, directory);
  const Status known = format::check_version(value);
  return known ? known : Status(known.error().wrap(std::string(kWhat) + " in " + directory));
}

}  // namespace

Result<LogReport> inspect_log(const std::string& directory, const crypto::Key& key,
                              const std::function<void(const Entry&)>& visit) {
  std::error_code error;
  if (!std::filesystem::exists(directory + "/CURRENT", error)) {
    return not_found("there is no raft log in " + directory);
  }
  SHOAL_TRY(check_table_sums(directory));
  rocksdb::Options options = small_rocksdb_options();
  options.create_if_missing = false;
  rocksdb::DB* raw = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly(options, directory, &raw);
  if (!status.ok()) return rocksdb_error(status, kWhat, directory);
  const std::unique_ptr<rocksdb::DB> database(raw);
  SHOAL_TRY(check_format(*database, directory));
  return Inspection(*database, directory, key).run(visit);
}

}  // namespace shoal::raft
