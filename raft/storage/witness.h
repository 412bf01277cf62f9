// Witness: the file "acknowledged" beside the raft database. It says how far this member has
// promised, so that a database that lost its end is told from one whose last write was never
// finished.
//
// Two slots of 512 bytes, written in turn after each batch that is durable: sequence u64 | CRC-32C
// u32. It is not synced, so it costs no fsync and may fall behind in a power loss; it is never
// ahead. A slot that cannot be read is taken as absent.
#pragma once

#include <string>
#include <string_view>

#include "base/types/result.h"

namespace shoal::raft {

inline constexpr std::string_view kWitnessFile = "acknowledged";

class Witness {
 public:
  Witness() = default;
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  // Opens or makes the file; again: anew. kResourceExhausted, kInternal.
  Status open(const std::string& path);
  // What the file says, without opening it for more; 0 when it is absent or says nothing.
  static uint64_t noted(const std::string& path);
  // The highest sequence that was noted; 0: none.
  uint64_t sequence() const { return sequence_; }
  // The batch `sequence` is durable. An error is not told: the next one says more.
  void note(uint64_t sequence);

 private:
  int fd_ = -1;
  uint64_t sequence_ = 0;
};

}  // namespace shoal::raft
