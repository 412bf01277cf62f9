"""A query for a name's A record, and what its answer says."""

import struct


def query(name, identifier):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return (
        struct.pack(">HHHHHH", identifier, 0x0100, 1, 0, 0, 0)
        + labels
        + b"\0"
        + struct.pack(">HH", 1, 1)
    )


def answers(datagram, identifier):
    """Whether the name has an address; None when this answers another query. A lab host has no
    upstream resolver to ask for what it does not know itself, and answers SERVFAIL."""
    got, flags, _, count = struct.unpack(">HHHH", datagram[:8])
    if got != identifier or flags & 15 not in (0, 2, 3):
        return None
    return flags & 15 == 0 and count > 0
