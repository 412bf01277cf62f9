// AddressSpace: the addresses of one network: who holds which, what rests, what comes next.
//
// It decides nothing by itself: choose() says what an endpoint would get, and the store tells it
// what was decided (take, release, expire). Every address is exactly one of reserved, used,
// quarantined, free. Addresses are drawn serially, each subnet from its cursor on and around, so
// that a released one is reused as late as possible; besides, it rests in quarantine.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/types/ip.h"
#include "base/types/result.h"
#include "base/types/time.h"
#include "manager/allocator/interval_set.h"
#include "manager/model/objects.h"

namespace shoal::manager {

// How long a released address rests. Longer than what may still remember its last holder: gossip's
// spreading of the removal, neighbour caches (60 s is Linux' gc_stale_time), short DNS answers.
inline constexpr Duration kQuarantine = std::chrono::seconds(60);

class AddressSpace {
 public:
  explicit AddressSpace(const Network& network);

  struct Choice {
    std::vector<Prefix> addresses;       // IPv4 first
    std::vector<AddressCursor> cursors;  // that move
    std::vector<Ip> recalled;            // of the addresses, those in expired quarantine
  };
  // One address of each family the network has, as `requested` where it says so (at most one of
  // each family). Changes nothing. kInvalidArgument (outside, reserved), kConflict (held, naming
  // the endpoint; quarantined, with the time left), kResourceExhausted (full, with the numbers).
  Result<Choice> choose(std::span<const Ip> requested, WallTime now) const;

  // `holder` must outlive its holding. All of these want what choose() would have answered.
  void take(const Ip& ip, const Endpoint* holder);
  void release(const Ip& ip);
  void quarantine(const Ip& ip, WallTime until);
  void expire(const Ip& ip);
  void set_cursor(const Prefix& subnet, const Ip& next);

  const Endpoint* holder(const Ip& ip) const;
  std::optional<WallTime> quarantined_until(const Ip& ip) const;
  // Inside one of the network's subnets and not reserved.
  bool can_be_given(const Ip& ip) const;
  const std::map<Ip, WallTime>& quarantined() const { return quarantined_; }
  std::vector<AddressCursor> cursors() const;
  // One per subnet; size = used + quarantined + free always. Quarantine that is over at `now`
  // counts as free.
  std::vector<SubnetUsage> usage(WallTime now) const;

 private:
  // Counts of the whole subnet, or of its window.
  struct Count {
    uint64_t size = 0;  // without reserved ones, saturated
    uint64_t used = 0;
    uint64_t quarantined = 0;
  };
  using Resting = std::set<std::pair<WallTime, Ip>>;  // the quarantined by time
  struct SubnetState {
    Subnet subnet;
    Prefix window;  // ip_range, or all of it
    IntervalSet busy;
    Count all;
    Count drawn;  // of the window
    std::optional<Ip> next;
    Resting resting;  // of the window
    Resting resting_outside;

    bool in_window(const Ip& ip) const { return window.contains(ip); }
  };

  static SubnetState make_state(const Subnet& subnet);
  SubnetState& at(const Ip& ip);
  const SubnetState* find(const Ip& ip) const;
  Status choose_requested(const Ip& ip, WallTime now) const;
  Status draw(Family family, WallTime now, Choice& choice) const;
  std::optional<Ip> next_free(const SubnetState& state, WallTime now) const;
  Error full(Family family, WallTime now) const;

  NetworkId network_id_;
  std::string name_;
  std::vector<SubnetState> subnets_;
  std::unordered_map<Ip, const Endpoint*> holders_;
  std::map<Ip, WallTime> quarantined_;
};

}  // namespace shoal::manager
