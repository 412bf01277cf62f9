"""Hostile traffic against a daemon: garbage, half-open connections, floods. Runs on a lab host.

    hostile.py tcp HOST PORT SECONDS        random bytes over short connections
    hostile.py udp HOST PORT SECONDS        random datagrams, some that begin like gossip
    hostile.py idle HOST PORT COUNT SECONDS connections that say nothing
    hostile.py unix PATH SECONDS            random bytes, and idle connections, on the local socket
"""
import os
import random
import socket
import sys
import time

random.seed(1)  # the same bytes each time
LARGEST = 1400


def noise():
    data = random.randbytes(random.randrange(1, LARGEST))
    shape = random.randrange(4)
    if shape == 0:
        return b"Sg\x02\x01" + data          # a gossip datagram's first bytes
    if shape == 1:
        return b"\x16\x03\x01\x02\x00" + data  # a TLS record's
    if shape == 2:
        return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + data
    return data


def connect(target):
    try:
        if isinstance(target, str):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(1)
            connection.connect(target)
            return connection
        return socket.create_connection(target, timeout=1)
    except OSError:
        return None


def pour(target, seconds):
    end, count, kept = time.monotonic() + seconds, 0, []
    while time.monotonic() < end:
        connection = connect(target)
        if connection is None:
            continue
        try:
            connection.sendall(noise())
            count += 1
        except OSError:
            pass
        if count % 10 == 0 and len(kept) < 200:
            kept.append(connection)  # left half open
        else:
            connection.close()
    return count


def datagrams(target, seconds):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            sender.sendto(noise(), target)
            count += 1
        except OSError:
            pass
    return count


def idle(target, count, seconds):
    kept = [connect(target) for _ in range(count)]
    time.sleep(seconds)
    return sum(connection is not None for connection in kept)


def main(kind, *arguments):
    if kind == "unix":
        print(pour(arguments[0], float(arguments[1])))
    elif kind == "idle":
        host, port, count, seconds = arguments
        print(idle((host, int(port)), int(count), float(seconds)))
    else:
        host, port, seconds = arguments
        work = pour if kind == "tcp" else datagrams
        print(work((host, int(port)), float(seconds)))
    sys.stdout.flush()
    os._exit(0)  # with what is open left open


if __name__ == "__main__":
    main(*sys.argv[1:])
