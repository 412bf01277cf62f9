// What is said to nfnetlink when elements of a map change: one batch is one transaction.
//
//     BATCH_BEGIN | DELSETELEM... | NEWSETELEM... (the last asks for an acknowledgement) |
//     BATCH_END
//
// libnftables would read every set of the ruleset again before each change, so it is not used for
// these. Bytes alone, in the kernel's own order: no IO.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/codec/bytes.h"
#include "base/types/result.h"
#include "vxlan/filter/ports_table.h"

namespace shoal::vxlan {

struct ElementChange {
  bool add = true;
  MapElement element;
};

// Messages are numbered from `sequence` on; all removals come before all additions.
Bytes encode_element_batch(std::string_view table, std::span<const ElementChange> changes,
                           uint32_t sequence);
// Asks for every element of a map.
Bytes encode_element_dump(std::string_view table, std::string_view map, uint32_t sequence);
// The elements of one message (header included) that answers it. kDataLoss when it is none.
Result<std::vector<MapElement>> parse_elements(ByteView message, std::string_view map);

// Asks to forget every tracked connection that was begun to `port` of `address`, unspecified: of
// any address of its family.
Bytes encode_forget_asked(uint8_t protocol, const Ip& address, uint16_t port, uint32_t sequence);
// Asks to forget every tracked connection that `address` answers.
Bytes encode_forget_answers(const Ip& address, uint32_t sequence);

}  // namespace shoal::vxlan
