"""A gRPC client that keeps to no contract, towards the cluster port. Runs on a lab host.

    stranger.py HOST:PORT '[[METHOD, SIZE or HEX, TIMES], ...]' ROOT [CERTIFICATE KEY]

Calls each METHOD ("/shoal.ca.Ca/GetRootCertificate") TIMES times, some at once, with a message of
SIZE zero bytes or the bytes of HEX, and prints for each a JSON object of how often which status
came.
"""
import collections
import json
import sys
from pathlib import Path

import grpc

AT_ONCE = 50
PATIENCE = 20  # seconds for one call
MANAGER = "shoal-manager"  # the name in managers' certificates


def outcome(call):
    try:
        call.result()
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


def main(target, wanted, root, *identity):
    files = [Path(path).read_bytes() for path in (root, *reversed(identity))]
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(*files), (
        ("grpc.ssl_target_name_override", MANAGER), ("grpc.max_send_message_length", -1)))
    for method, message, times in json.loads(wanted):
        data = bytes(message) if isinstance(message, int) else bytes.fromhex(message)
        seen, calls = collections.Counter(), []
        for _ in range(times):
            calls.append(channel.unary_unary(method).future(data, timeout=PATIENCE))
            if len(calls) == AT_ONCE:
                seen.update(outcome(call) for call in calls)
                calls.clear()
        seen.update(outcome(call) for call in calls)
        print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
