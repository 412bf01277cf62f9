// Where a daemon keeps its things.
#pragma once

#include <string>

namespace shoal::node {

struct Paths {
  std::string state_dir = "/var/lib/shoal";
  std::string run_dir = "/run/shoal";
  std::string socket = "/run/shoal/shoal.sock";
  std::string resolv_conf = "/etc/resolv.conf";

  std::string manager_dir() const { return state_dir + "/manager"; }
  // There from the start of an init, join or clean-up to its end.
  std::string unfinished() const { return state_dir + "/unfinished"; }
  // There from the moment a leave is decided to its end.
  std::string leaving() const { return state_dir + "/leaving"; }
  std::string lock() const { return state_dir + "/lock"; }
};

}  // namespace shoal::node
