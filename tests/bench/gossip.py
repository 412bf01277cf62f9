"""Gossip: how soon every host knows of a new endpoint and of a host that died, and at what cost, of
Shoal against serf.

25 lab hosts, both systems up on each, what is measured in turn. An event of Shoal is an attachment,
known on a host when the resolver of an attached namespace there answers for its name; of serf a
user event, known when the agent's log says so. Both are counted from the start of the command on
their owner's host. A host's death is a SIGKILL of its daemon: known when its endpoint's name is
gone, or the agent's log says that it failed. Bytes are those that all hosts send from the systems'
ports.
"""

import contextlib
import ctypes
import json
import os
import re
import select
import signal
import socket
import subprocess
import time

import serf_peer
from measure import LAB, Series, ratio, run, say, wait_until
from resolve_query import answers, query

HOSTS = 25
POLL_SECONDS = 0.01
EVENT_SECONDS = 20
DEATH_SECONDS = 60
CLONE_NEWNET = 0x40000000
PORTS = {"shoal": 7946, "serf": serf_peer.PORT}
LIBC = ctypes.CDLL(None, use_errno=True)


def host(number, *command, **options):
    return run(LAB, "exec", f"h{number}", "--", *command, **options)


def lab_env(number):
    return dict(re.findall(r"^(\w+)=(.*)$", run(LAB, "env", f"h{number}"), re.M))


@contextlib.contextmanager
def inside(namespace):
    """What is opened meanwhile is of that network namespace."""
    with open("/proc/self/ns/net", "rb") as own, open(namespace, "rb") as other:
        if LIBC.setns(other.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        try:
            yield
        finally:
            LIBC.setns(own.fileno(), CLONE_NEWNET)


class Shoal:
    """The cluster, with an attached namespace on each host whose resolver is asked."""

    def __init__(self):
        self.made = 0
        self.sockets = {}
        for number in range(1, HOSTS + 1):
            self.attach(number, f"w{number}")
            pid = lab_env(number)["PID"]
            with inside(f"/proc/{pid}/root/run/netns/w{number}"):
                udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            udp.connect(("127.0.0.11", 53))
            self.sockets[number] = udp

    @staticmethod
    def attach(number, name):
        host(number, "ip", "netns", "add", name)
        place = f"/run/netns/{name}"
        host(number, "shoal", "attach", "shop", "--netns", place, "--name", name, timeout=60)

    def until(self, name, present, asked, seconds):
        """By host: when its resolver said so first."""
        seen = {}
        deadline = time.monotonic() + seconds
        by_socket = {self.sockets[number]: number for number in asked}
        identifier = 0
        while len(seen) < len(asked):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name}: not known on {sorted(set(asked) - set(seen))}")
            identifier = (identifier + 1) % 65536
            for udp, number in by_socket.items():
                if number not in seen:
                    with contextlib.suppress(OSError):
                        udp.send(query(name, identifier))
            again = time.monotonic() + POLL_SECONDS
            while (left := again - time.monotonic()) > 0:
                for udp in select.select(list(by_socket), [], [], left)[0]:
                    with contextlib.suppress(OSError):
                        found = answers(udp.recv(2048), identifier)
                        if found is not None and found == present:
                            seen.setdefault(by_socket[udp], time.monotonic())
        return seen

    def event(self, number):
        self.made += 1
        name = f"e{self.made}"
        host(number, "ip", "netns", "add", name)
        begun = time.monotonic()
        command = [LAB, "exec", f"h{number}", "--", "shoal", "attach", "shop", "--netns"]
        with contextlib.closing(Started(*command, f"/run/netns/{name}", "--name", name)):
            others = [other for other in self.sockets if other != number]
            seen = self.until(name, True, others, EVENT_SECONDS)
        host(number, "shoal", "detach", "shop", name)
        host(number, "ip", "netns", "del", name)
        return [at - begun for at in seen.values()]

    def death(self, number):
        pid = int(lab_env(number)["PID"])
        others = [other for other in self.sockets if other != number]
        begun = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        seen = self.until(f"w{number}", False, others, DEATH_SECONDS)
        return [at - begun for at in seen.values()]

    def undo(self, what, number):
        if what == "death":
            run(LAB, "start", f"h{number}")
            others = [other for other in self.sockets if other != number]
            self.until(f"w{number}", True, others, DEATH_SECONDS)


class Started:
    """A command that runs beside; it must succeed."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self):
        if self.process.wait(timeout=60) != 0:
            raise RuntimeError("a command failed")


class Serf:
    def __init__(self, agents):
        self.agents, self.made = agents, 0

    def until(self, what, asked, seconds):
        deadline = time.monotonic() + seconds
        streams = {self.agents[number].process.stdout: self.agents[number] for number in asked}
        while any(what not in agent.learnt for agent in streams.values()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"serf: {what} is not known everywhere")
            for stream in select.select(list(streams), [], [], POLL_SECONDS)[0]:
                streams[stream].read()
        return [agent.learnt.pop(what) for agent in streams.values()]

    def event(self, number):
        self.made += 1
        name = f"event{self.made}"
        others = [other for other in self.agents if other != number]
        begun = time.monotonic()
        command = [LAB, "exec", f"h{number}", "--", "serf", "event", "-coalesce=false"]
        with contextlib.closing(Started(*command, f"-rpc-addr={serf_peer.RPC}", name, "x" * 64)):
            seen = self.until(name, others, EVENT_SECONDS)
        return [at - begun for at in seen]

    def death(self, number):
        agent = self.agents[number]
        others = [other for other in self.agents if other != number]
        for other in others:
            self.agents[other].read()
            self.agents[other].learnt.clear()
        pid = agent.pid()
        begun = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        seen = self.until(f"failed h{number}", others, DEATH_SECONDS)
        return [at - begun for at in seen]

    def undo(self, what, number):
        if what != "death":
            return
        agent = self.agents[number]
        others = [other for other in self.agents if other != number]
        agent.stop()
        agent.start()
        wait_until(agent.alive, 20, f"serf on h{number}")
        first = self.agents[others[0]]
        agent.command("join", f"-rpc-addr={serf_peer.RPC}", f"{first.address}:{serf_peer.PORT}")
        self.until(f"join h{number}", others, DEATH_SECONDS)


def count_bytes():
    """Counters of what each system sends, in every host."""
    rules = "table inet bench { "
    for name, port in PORTS.items():
        rules += f"counter {name} {{ }}; "
    rules += "chain out { type filter hook output priority 0; "
    for name, port in PORTS.items():
        for protocol in ("udp", "tcp"):
            for side in ("sport", "dport"):
                rules += f"{protocol} {side} {port} counter name {name} accept; "
    rules += "}; }"
    for number in range(1, HOSTS + 1):
        host(number, "nft", rules)


def sent():
    """Bytes by system, of all hosts."""
    total = dict.fromkeys(PORTS, 0)
    for number in range(1, HOSTS + 1):
        listed = json.loads(host(number, "nft", "-j", "list", "counters", "table", "inet", "bench"))
        for item in listed["nftables"]:
            if counter := item.get("counter"):
                total[counter["name"]] += counter["bytes"]
    return total


@contextlib.contextmanager
def systems():
    run(LAB, "down", check=False)
    try:
        run(LAB, "up", HOSTS, timeout=600)
        host(1, "shoal", "network", "create", "-d", "overlay", "--attachable", "shop")
        shoal = Shoal()
        addresses = {n: lab_env(n)["ADDRESS"].split("/")[0] for n in range(1, HOSTS + 1)}
        with serf_peer.serf(addresses) as agents:
            count_bytes()
            yield {"shoal": shoal, "serf": Serf(agents)}
    finally:
        run(LAB, "down", check=False)


def owner(number):
    """Another host each time; never the first, which is the manager."""
    return 2 + number * 7 % (HOSTS - 1)


def in_turn(both, what, rounds):
    """By system: the medians and the last of each round, and the bytes of all rounds: until all
    knew, and of undoing it."""
    middle = {name: Series("s") for name in both}
    last = {name: Series("s") for name in both}
    cost, undone = dict.fromkeys(both, 0), dict.fromkeys(both, 0)
    for number in range(rounds):
        order = list(both.items())
        for name, system in order if number % 2 == 0 else order[::-1]:
            before = sent()
            times = sorted(getattr(system, what)(owner(number)))
            after = sent()
            cost[name] += after[name] - before[name]
            system.undo(what, owner(number))
            undone[name] += sent()[name] - after[name]
            middle[name].add(times[len(times) // 2])
            last[name].add(times[-1])
            say(
                f"{what} {number + 1}: {name} median {middle[name].samples[-1]:.3f} s, "
                f"everywhere {times[-1]:.3f} s"
            )
    return middle, last, cost, undone


def idle(seconds):
    """Bytes a second and host that each system sends while nothing happens."""
    before, begun = sent(), time.monotonic()
    time.sleep(seconds)
    after, took = sent(), time.monotonic() - begun
    return {name: (after[name] - before[name]) / took / HOSTS for name in after}


def verdict(found):
    return "< 1 | met |" if found < 1 else "< 1 | MISSED |"


def measure(options):
    """The table of docs/benchmarks.md."""
    head = "| what | Shoal | serf | ratio (median, min to max) | bar | |"
    out = [head, "|---|---|---|---|---|---|"]

    def add(what, ours, theirs):
        middle, low, high = ratio(ours, theirs)
        spread = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        out.append(f"| {what} | {ours.text()} | {theirs.text()} | {spread} | {verdict(middle)}")

    def add_bytes(what, ours, theirs, unit):
        part = ours / theirs
        both = f"{ours:.4g} {unit} | {theirs:.4g} {unit}"
        out.append(f"| {what} | {both} | {part:.2f} | {verdict(part)}")

    with systems() as both:
        rest = idle(options.seconds * 10)
        add_bytes("sent at rest, a second and host", rest["shoal"], rest["serf"], "B")
        for what, text, rounds in (
            ("event", "an event known", options.rounds * 7),
            ("death", "a death known", options.rounds * 2),
        ):
            middle, last, cost, undone = in_turn(both, what, rounds)
            add(f"{text} on half of the hosts", middle["shoal"], middle["serf"])
            add(f"{text} on all hosts", last["shoal"], last["serf"])
            each = {name: total / rounds / 1e3 for name, total in cost.items()}
            add_bytes(f"sent by all hosts meanwhile, for each {what}", *each.values(), "kB")
        back = {name: total / (options.rounds * 2) / 1e3 for name, total in undone.items()}
        ours, theirs = back.values()
        what = "sent by all hosts until it is back, after each death, for comparison"
        row = f"{ours:.4g} kB | {theirs:.4g} kB | {ours / theirs:.2f}"
        out.append(f"| {what} | {row} | | |")
    return "\n".join(out) + "\n"
