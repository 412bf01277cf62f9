#!/usr/bin/env python3
"""What runs inside workloads: servers that say "ready", clients that print one JSON object.

  echo PORT                   TCP and UDP, IPv4 and IPv6: answers each line or datagram with itself
  sink PORT                   TCP: takes 8 bytes of length, that much data, answers its SHA-256
  send ADDRESS PORT BYTES     that much data to a sink: {"sent": hex, "received": hex, "seconds": s}
  say ADDRESS PORT tcp|udp    one round trip with an echo: {"result": "ok"|"lost", "peer": address}
  stream ADDRESS PORT         lines to an echo over one TCP connection until SIGTERM; prints "ready"
                              after the first, and {"lines": n, "longest_gap": seconds} at the end
  probe ADDRESS PORT SECONDS  a TCP connection: {"result": "open"|"refused"|"lost"}
  ping ADDRESS SIZE           ICMP echo, an IP packet of SIZE bytes, not to be fragmented
  names SECONDS NAME=[ADDRESS|?]...  asks 127.0.0.11 until every name has that IPv4 address, any
                              one, or none:
                              {"at": monotonic time of the last, "left": [names that have not]};
                              prints "ready" first, as `reach` does
  reach SECONDS ADDRESS       tries connections until one gets an answer: {"at": time or null}
"""
import errno
import hashlib
import json
import os
import signal
import socket
import struct
import sys
import threading
import time

BLOCK = 1 << 20
PATIENCE = 5  # seconds for one round trip
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_PROBE = 10, 23, 3  # linux/in.h


def dual_stack(kind):
    server = socket.socket(socket.AF_INET6, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return server


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(server, handle):
    server.listen(64)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


def echo(port):
    tcp, udp = dual_stack(socket.SOCK_STREAM), dual_stack(socket.SOCK_DGRAM)
    tcp.bind(("::", port))
    udp.bind(("::", port))

    def datagrams():
        while True:
            data, peer = udp.recvfrom(65536)
            udp.sendto(data, peer)

    def lines(connection):
        while data := connection.recv(65536):
            connection.sendall(data)

    threading.Thread(target=datagrams, daemon=True).start()
    tcp.listen(64)
    print("ready", flush=True)
    serve(tcp, lines)


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the connection ended early")
        data += part
    return data


def sink(port):
    server = dual_stack(socket.SOCK_STREAM)
    server.bind(("::", port))

    def take(connection):
        left = struct.unpack("!Q", read_exactly(connection, 8))[0]
        digest = hashlib.sha256()
        while left:
            part = connection.recv(min(left, BLOCK))
            if not part:
                return
            digest.update(part)
            left -= len(part)
        connection.sendall(digest.hexdigest().encode())
        connection.close()

    server.listen(64)
    print("ready", flush=True)
    serve(server, take)


def send(address, port, size):
    pattern = os.urandom(BLOCK)
    digest = hashlib.sha256()
    begun = time.monotonic()
    with socket.create_connection((address, port), timeout=PATIENCE) as connection:
        connection.settimeout(120)  # a data plane that stalls for two minutes has lost the transfer
        connection.sendall(struct.pack("!Q", size))
        for index in range(0, size, BLOCK):
            block = (struct.pack("!Q", index) + pattern[8:])[: size - index]  # no two are alike
            digest.update(block)
            connection.sendall(block)
        received = read_exactly(connection, 64).decode()
    return {"sent": digest.hexdigest(), "received": received, "seconds": time.monotonic() - begun}


def say(address, port, protocol):
    data = os.urandom(16).hex().encode()
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    try:
        found = socket.getaddrinfo(address, port, type=kind)[0]
        with socket.socket(found[0], kind) as peer:
            peer.settimeout(PATIENCE)
            peer.connect(found[4])
            peer.sendall(data)
            answer = read_exactly(peer, len(data)) if protocol == "tcp" else peer.recv(65536)
            name = peer.getpeername()[0]
    except OSError as error:
        return {"result": "lost", "peer": str(error)}
    return {"result": "ok" if answer == data else "garbled", "peer": name}


def stream(address, port):
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    count, longest = 0, 0.0
    with socket.create_connection((address, port), timeout=PATIENCE) as connection:
        connection.settimeout(60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not stopping:
            begun = time.monotonic()
            line = f"{count:015d}\n".encode()
            connection.sendall(line)
            if read_exactly(connection, len(line)) != line:
                raise ValueError("the echo is not what was said")
            longest = max(longest, time.monotonic() - begun)
            count += 1
            if count == 1:
                print("ready", flush=True)
            time.sleep(0.005)
    return {"lines": count, "longest_gap": longest}


def probe(address, port, seconds):
    try:
        with socket.create_connection((address, port), timeout=seconds):
            return {"result": "open"}
    except ConnectionRefusedError:
        return {"result": "refused"}
    except OSError:
        return {"result": "lost"}


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ping(address, size):
    """PMTUDISC_PROBE: DF is set and what the path is believed to carry is not consulted first."""
    v6 = ":" in address
    protocol, header = (socket.IPPROTO_ICMPV6, 40) if v6 else (socket.IPPROTO_ICMP, 20)
    payload = os.urandom(size - header - 8)
    echo_request, echo_reply = (128, 129) if v6 else (8, 0)
    packet = struct.pack("!BBHHH", echo_request, 0, 0, os.getpid() & 0xFFFF, 1) + payload
    if not v6:  # the kernel computes that of ICMPv6
        packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
    with socket.socket(family_of(address), socket.SOCK_RAW, protocol) as raw:
        if v6:
            raw.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE)
        else:
            raw.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE)
        try:
            raw.sendto(packet, (address, 0))
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                return {"result": "too big"}
            raise
        end = time.monotonic() + PATIENCE
        while (left := end - time.monotonic()) > 0:
            raw.settimeout(left)
            try:
                data, peer = raw.recvfrom(65536)
            except TimeoutError:
                break
            message = data if v6 else data[(data[0] & 15) * 4:]
            if message[0] == echo_reply and peer[0] == address and message[8:] == payload:
                return {"result": "ok"}
    return {"result": "lost"}


def ask(resolver, name):
    """The IPv4 addresses of a name; None when no answer came."""
    number = os.urandom(2)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0\0\1\0\1"
    try:
        resolver.send(number + b"\1\0\0\1\0\0\0\0\0\0" + question)
        answer = resolver.recv(4096)
        while answer[:2] != number:
            answer = resolver.recv(4096)
    except OSError:
        return None
    addresses, at = set(), 12 + len(question)
    for _ in range(struct.unpack(">H", answer[6:8])[0]):
        while answer[at] and answer[at] < 0xc0:
            at += 1 + answer[at]
        at += 2 if answer[at] else 1
        kind, length = struct.unpack(">H6xH", answer[at:at + 10])
        if kind == 1:
            addresses.add(socket.inet_ntoa(answer[at + 10:at + 14]))
        at += 10 + length
    return addresses


def names(seconds, wanted):
    left = dict(pair.split("=") for pair in wanted)
    print("ready", flush=True)
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.settimeout(0.2)
        resolver.connect(("127.0.0.11", 53))
        while True:
            for name, address in list(left.items()):
                found = ask(resolver, name)
                if len(found or ()) == 1 if address == "?" else \
                        found == ({address} if address else set()):
                    del left[name]
            now = time.monotonic()
            if not left or now > end:
                return {"at": now, "left": sorted(left)}
            time.sleep(0.02)


def reach(seconds, address):
    print("ready", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if probe(address, 9, 0.2)["result"] != "lost":
            return {"at": time.monotonic()}
    return {"at": None}


def main():
    kind, arguments = sys.argv[1], sys.argv[2:]
    if kind == "echo":
        echo(int(arguments[0]))
    elif kind == "sink":
        sink(int(arguments[0]))
    elif kind == "send":
        print(json.dumps(send(arguments[0], int(arguments[1]), int(arguments[2]))))
    elif kind == "say":
        print(json.dumps(say(arguments[0], int(arguments[1]), arguments[2])))
    elif kind == "stream":
        print(json.dumps(stream(arguments[0], int(arguments[1]))))
    elif kind == "probe":
        print(json.dumps(probe(arguments[0], int(arguments[1]), float(arguments[2]))))
    elif kind == "ping":
        print(json.dumps(ping(arguments[0], int(arguments[1]))))
    elif kind == "names":
        print(json.dumps(names(float(arguments[0]), arguments[1:])))
    elif kind == "reach":
        print(json.dumps(reach(float(arguments[0]), arguments[1])))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
