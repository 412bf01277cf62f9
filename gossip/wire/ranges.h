// The bytes of merkle::Message: what two replicas say to each other of their ranges.
//
//   ranges   = fields (1), then each list whose bit is set, a varint count before it
//   fields   = 1 upper half | 2 owners | 4 splits | 8 lists | 16 unanswered | 32 wants | 64 entries
//              | 128 settled
//   owners   = count of heads, (id 17, epoch, complete)*, count of others, (id, epoch)*
//   split    = prefix | outer bits (1) | present (2) | print (4)*
//   list     = prefix | final (1) | count of parts, (head, count, (low path 8, stamp * 2 +
//   deleted)*)* entry    = owner | stamp | flags (1: 1 deleted, 2 buried) | key | [value] settled
//   = owner | complete | contents (8) prefix   = bits (1) | as many bytes as hold them, zeros
//   behind;    want = path (16)
//
// Owners are named by their places in the list; numbers without a size are varints. What is read is
// well_formed().
#pragma once

#include "base/codec/bytes.h"
#include "gossip/merkle/reconcile.h"

namespace shoal::gossip {

void write_ranges(ByteWriter& out, const merkle::Message& message);
// Fails the reader on what is malformed.
merkle::Message read_ranges(ByteReader& in);

}  // namespace shoal::gossip
