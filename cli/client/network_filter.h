// `--filter KEY=VALUE` of networks, in Docker's words.
#pragma once

#include <string>
#include <vector>

#include "base/types/result.h"
#include "proto/common.pb.h"

namespace shoal::cli {

// driver=, scope=, type=custom|builtin: equal. id=: the id begins so. name=: the name has it in it.
// label=KEY[=VALUE], label!=KEY[=VALUE]. Several of one key: any of them (of label: all); of
// different keys: all of them.
class NetworkFilter {
 public:
  // kInvalidArgument for what is no filter.
  static Result<NetworkFilter> parse(const std::vector<std::string>& texts);

  bool matches(const common::Network& network) const;

 private:
  struct Term {
    std::string key;
    std::string value;
  };
  std::vector<Term> terms_;
};

}  // namespace shoal::cli
