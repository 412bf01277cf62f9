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

#include <functional>
#include <memory>
#include <optional>
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

  using Visit = std::function<void(Object)>;
  // Calls the visitor with each of some objects.
  using Objects = std::function<Status(const Visit&)>;

  Result<Content> load() const;
  // The same, object by object. The applied index.
  Result<uint64_t> load(const Visit& visit) const;
  // Refused by the disk (kResourceExhausted, kInternal, kDataLoss): the tables are as before.
  Status write(const std::vector<Change>& changes, uint64_t applied_index);
  // Makes what was written so far outlive a loss of power; it holds up to `applied_index` at least.
  Status sync(uint64_t applied_index);
  // Everything old goes, what `objects` visits is all there is. Not `at_once`: in several steps
  // when they are many, and what a crash leaves is damaged tables; only for what lies elsewhere,
  // too. At once: held in memory meanwhile.
  Status replace(const Objects& objects, uint64_t applied_index, bool at_once);

  // The objects as they are now, serialised, one after the other; from any thread, whatever is
  // written meanwhile.
  class Reader {
   public:
    Reader(std::string path, std::shared_ptr<rocksdb::DB> db, const crypto::Sealer& sealer);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    // Nothing at the end.
    Result<std::optional<std::string>> next();

   private:
    const std::string path_;
    const std::shared_ptr<rocksdb::DB> db_;
    const crypto::Sealer sealer_;  // opens only
    const rocksdb::Snapshot* snapshot_;
    std::unique_ptr<rocksdb::Iterator> it_;
  };
  Result<std::unique_ptr<Reader>> reader();

 private:
  Tables(std::string path, const crypto::Key& key, std::shared_ptr<rocksdb::DB> db);
  Status check_format();
  Status reopen();
  Result<uint64_t> load_applied() const;
  void put(const Object& object, rocksdb::WriteBatch& batch);
  std::string row_of(const Object& object) const;
  Status write_batch(rocksdb::WriteBatch& batch, bool synced);
  Status commit(rocksdb::WriteBatch& batch, uint64_t applied_index, bool synced = false);
  Error damaged(const std::string& what) const;

  std::string path_;
  std::shared_ptr<rocksdb::DB> db_;  // none while it cannot be opened again
  bool failed_ = false;              // a write did: RocksDB takes no others
  crypto::Sealer sealer_;
};

}  // namespace shoal::manager
