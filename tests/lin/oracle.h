// The definition of linearizability, taken by the word: every subset of the unknown operations,
// every order. For histories of a handful of operations.
#pragma once

#include "tests/lin/checker.h"

namespace shoal::lin {

bool linearizable_by_definition(const History& history);

}  // namespace shoal::lin
