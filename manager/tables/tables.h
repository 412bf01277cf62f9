// Tables: the state machine on disk (RocksDB): every object, and the index up to which they hold.
//
// One write batch holds the changes of a raft entry and its index, so after a crash both agree.
// Nothing is fsynced: the raft log, which is, replays the tail. Loaded whole at start (the store
// lives in memory); nothing is read afterwards. What a crash or damage took from the end is applied
// again; other damage is kDataLoss, and the tables can be made anew from the raft log.
//
// Sealed under a key of this node (base/crypto/sealer.h), the place of a record being its key; the
// key of an object is hidden too, since ids and addresses are in it.
//
//   key                           value
//   "m/format"                    "2", not sealed
//   "m/applied"                   sealed: decimal index
//   "o/" hidden(kind '/' id ...)  sealed: store.Object (manager/wire)
//
// Thread rule: one owner.
#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <string>
#include <vector>

#include "base/crypto/sealer.h"
#include "base/types/result.h"
#include "manager/model/command.h"

namespace shoal::manager {

class Tables {
 public:
  struct Content {
    std::vector<Object> objects;
    uint64_t applied_index = 0;
  };

  // Opens or makes. kConflict when another process has it open; kDataLoss when it is damaged;
  // kUnimplemented when of another format, saying what to do.
  static Result<std::unique_ptr<Tables>> open(const std::string& path, const crypto::Key& key);

  // Only to look: nothing is written, and a daemon may not have it open. kNotFound when there are
  // none.
  static Result<std::unique_ptr<Tables>> open_read_only(const std::string& path,
                                                        const crypto::Key& key);

  Result<Content> load() const;
  // All objects, as wire::encode_snapshot() gives them but for their order.
  Result<std::string> snapshot() const;
  // Refused by the disk (kResourceExhausted, kInternal, kDataLoss): the tables are as before.
  Status write(const std::vector<Change>& changes, uint64_t applied_index);
  // In one step: everything old goes, `objects` are all there is.
  Status replace(const std::vector<Object>& objects, uint64_t applied_index);

 private:
  Tables(std::string path, const crypto::Key& key, std::unique_ptr<rocksdb::DB> db);
  Status check_format();
  Status reopen();
  Result<uint64_t> load_applied() const;
  void put(const Object& object, rocksdb::WriteBatch& batch);
  std::string row_of(const Object& object) const;
  Status commit(rocksdb::WriteBatch& batch, uint64_t applied_index);
  Error damaged(const std::string& what) const;

  std::string path_;
  std::unique_ptr<rocksdb::DB> db_;  // none while it cannot be opened again
  bool failed_ = false;              // a write did: RocksDB takes no others
  crypto::Sealer sealer_;
};

}  // namespace shoal::manager
