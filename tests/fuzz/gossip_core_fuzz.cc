// A member that holds the key and says what it likes, to a whole core: see gossip_core_harness.h.
#include "tests/fuzz/gossip_core_harness.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shoal::gossip::CoreHarness().run({data, size});
  return 0;
}
