// Net: what lies between the nodes. Every property of a link (its delay, its loss, whether it
// flaps) follows from a hash of its two ends and the seed, so a million links cost no memory.
//
// A link's delay: one half of the model's span belongs to the link for ever, the other half is
// drawn for each packet, which is what reorders them. A link's loss lies anywhere from none to
// twice the model's.
//
// Partitions are groups (packets pass within one), one-way pairs (dropped from a to b) and
// flapping links (a share of all ordered pairs is closed every other half period). What was open
// when is remembered for a while: the truth about who could reach whom needs it.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/ports/ports.h"

namespace shoal::gossip::sim {

struct Model {
  const char* name = "lan";
  Duration min_delay = std::chrono::microseconds(500);
  Duration max_delay = std::chrono::milliseconds(5);
  double loss = 0.01;  // mean over the links
  double duplicates = 0.001;

  std::string describe() const;
};
// One switch, nothing lost: for bounds that are about the protocol alone.
Model quiet_model();
Model lan_model();
Model hard_model();
// A network that loses three packets in ten, each way.
Model lossy_model();

class Net {
 public:
  explicit Net(uint64_t seed) : seed_(seed), history_(1) {}

  void set_model(const Model& model) { model_ = model; }
  const Model& model() const { return model_; }

  // What is drawn for one packet of a to b.
  bool lost(uint32_t a, uint32_t b, Rng& rng) const;
  bool doubled(Rng& rng) const;
  Duration delay(uint32_t a, uint32_t b, Rng& rng) const;

  // By node; nodes beyond the end are in group 0.
  void set_groups(std::vector<uint8_t> groups, Instant now);
  void block(uint32_t a, uint32_t b, Instant now);
  // `share` of the ordered pairs; 0 ends it.
  void flap(double share, Duration period, Instant now);
  void heal(Instant now);

  // Whether packets of a to b pass, at a time of the last minute.
  bool open(uint32_t a, uint32_t b, Instant at) const;
  // Whether a and b could reach each other, directly or through three of the `members`, all the
  // time from `from` to `to`, looked at every 250 ms and at every change.
  bool reachable(uint32_t a, uint32_t b, Instant from, Instant to,
                 const std::vector<uint32_t>& members) const;

 private:
  struct Topology {
    Instant since{INT64_MIN / 2};
    std::shared_ptr<const std::vector<uint8_t>> groups;
    std::shared_ptr<std::unordered_set<uint64_t>> closed;  // of its own when use_count() is 1
    double flapping = 0;
    Duration period{0};
  };

  static uint64_t pair(uint32_t a, uint32_t b) { return uint64_t{a} << 32 | b; }
  static uint8_t group_of(const Topology& topology, uint32_t node);
  const Topology& at(Instant time) const;
  bool open_in(const Topology& topology, uint32_t a, uint32_t b, Instant time) const;
  bool path_in(const Topology& topology, uint32_t a, uint32_t b, Instant time,
               const std::vector<uint32_t>& members) const;
  Topology& change(Instant now);

  uint64_t seed_;
  Model model_;
  std::vector<Topology> history_;  // by time; never empty
};

}  // namespace shoal::gossip::sim
