#!/usr/bin/env python3
"""Rounds of kill -9 of a manager and restart, under writes from all hosts.

    python3 tests/cluster/kill_rounds.py --rounds 100 --seed 1

Each round kills a manager (drawn from the seed; every third time the leader for sure), measures
from the kill to the first acknowledgement of a write that was called after it, starts the manager
again and waits until it has caught up. In the end every manager in turn is made to answer as the
leader, so from its own store: all must hold the same, and what the history of all clients says. The
history is checked for linearizability by `lincheck`; it is kept when something is wrong.
"""
import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab import SKIPPED, SOURCE, Lab, run, wait_until

HOSTS = 5
MANAGERS = 3
WARM_UP_WRITES = 100  # acknowledged before the first kill
FIRST_WRITE_SECONDS = 20
CAUGHT_UP_SECONDS = 30
BETWEEN = (0.2, 0.8)  # seconds of load between a round's end and the next kill
LEADER_EVERY = 3      # every so many rounds the leader is the one that is killed
NETWORK = "crowd"
NETNS = "load"
BIN = Path(os.environ.get("SHOAL_BIN_DIR", SOURCE / "build/release/bin"))


class History:
    """Follows the file that the load writes."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, encoding="utf-8")
        self.rest = ""
        self.writes = 0  # acknowledged

    def news(self):
        self.rest += self.file.read()
        *lines, self.rest = self.rest.split("\n")
        for line in lines:
            row = json.loads(line)
            if row["op"] != "read" and row["ok"] and row["return"]:
                self.writes += 1
                yield row

    def first_write_after(self, moment):
        """The acknowledgement of the first write that was called after `moment` (ns)."""
        end = time.monotonic() + FIRST_WRITE_SECONDS
        while time.monotonic() < end:
            for row in self.news():
                if row["call"] > moment:
                    return row["return"]
            time.sleep(0.005)
        raise AssertionError(f"no write was acknowledged within {FIRST_WRITE_SECONDS} s of a kill")


def has_ended(pid):
    """Gone, or a zombie without other threads: until then it may hold its lock and its sockets."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return not tasks or (len(tasks) == 1 and "State:\tZ" in status)


class Cluster:
    def __init__(self, lab):
        self.lab = lab
        self.hosts = [f"h{i}" for i in range(1, HOSTS + 1)]
        self.managers = self.hosts[:MANAGERS]
        self.environment = {host: lab.env(host) for host in self.hosts}

    def socket(self, host):
        return self.environment[host]["SOCKET"]

    def shoal(self, host, *arguments):
        """Over the host's socket, without entering the host: fast."""
        return run(BIN / "shoal", "--socket", self.socket(host), "--timeout", 10, *arguments).stdout

    def raft(self, host):
        return json.loads(self.shoal(host, "status", "--json"))["Raft"]

    def leader(self):
        """The manager that calls itself the leader in the newest term."""
        def find():
            rafts = []
            for host in self.managers:
                if self.alive(host):
                    rafts.append((self.raft(host), host))
            leading = [(raft["Term"], host) for raft, host in rafts
                       if raft["Leader"] == raft["ID"]]
            return max(leading)[1] if leading else None
        return wait_until(find, "there is a leader")

    def alive(self, host):
        return bool(self.lab.env(host).get("PID"))

    def pid(self, host):
        return int(self.lab.env(host)["PID"])

    def wait_caught_up(self, host):
        others = [other for other in self.managers if other != host]
        goal = max(self.raft(other)["CommitIndex"] for other in others)
        wait_until(lambda: self.raft(host)["AppliedIndex"] >= goal and self.raft(host)["Leader"],
                   f"{host} has caught up to {goal}", deadline=CAUGHT_UP_SECONDS)


class Rounds:
    def __init__(self, lab, seed, history):
        self.cluster = Cluster(lab)
        self.lab = lab
        self.seed = seed
        self.random = random.Random(seed)
        self.history = History(history)
        self.times = {"leader": [], "follower": []}
        self.load = None

    def start_load(self):
        lab, cluster = self.lab, self.cluster
        lab.shoal("h1", "network", "create", "-d", "overlay", "--attachable", "--subnet",
                  "10.77.0.0/16", NETWORK)
        for host in cluster.hosts:
            lab.on(host, "ip", "netns", "add", NETNS)
        hosts = [f"{host}={'manager' if host in cluster.managers else 'worker'}="
                 f"{cluster.socket(host)}" for host in cluster.hosts]
        self.load = subprocess.Popen(
            [BIN / "cluster_load", "--history", self.history.path, "--seed", str(self.seed),
             "--network", NETWORK, "--netns", f"/run/netns/{NETNS}", *hosts],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def warm():
            list(self.history.news())
            return self.history.writes >= WARM_UP_WRITES
        wait_until(warm, "the load has begun")

    def stop_load(self):
        """The numbers of outcomes."""
        out, _ = self.load.communicate(timeout=60)
        return json.loads(out)

    def round(self, number):
        leader = self.cluster.leader()
        drawn = self.random.choice(self.cluster.managers)
        time.sleep(self.random.uniform(*BETWEEN))
        victim = leader if number % LEADER_EVERY == 0 else drawn
        pid = self.cluster.pid(victim)
        killed = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        took = (self.history.first_write_after(killed) - killed) / 1e9
        self.times["leader" if victim == leader else "follower"].append(took)
        wait_until(lambda: has_ended(pid), f"shoald of {victim} is gone")
        self.lab("start", victim)
        self.cluster.wait_caught_up(victim)
        return victim, victim == leader, took

    def holdings(self):
        """What each manager holds, as told by it while it leads."""
        held = {}
        attempts = 0
        while len(held) < MANAGERS:
            leader = self.cluster.leader()
            if leader not in held:
                held[leader] = self.listing(leader)
                continue
            attempts += 1
            if attempts > 30:
                raise AssertionError(f"only {sorted(held)} have led after {attempts} elections")
            others = [host for host in self.cluster.managers if host != leader]
            self.lab("kill", leader)
            # Read before the killed one is back: with it, it may lead again.
            successor = self.cluster.leader()
            assert successor in others
            held.setdefault(successor, self.listing(successor))
            self.lab("start", leader)
            self.cluster.wait_caught_up(leader)
        return held

    def listing(self, host):
        """Networks and endpoints: key of the history -> value, and all there is to compare."""
        called = time.monotonic_ns()
        networks = json.loads(self.cluster.shoal(host, "network", "ls", "--no-trunc", "--json"))
        endpoints = json.loads(self.cluster.shoal(host, "endpoint", "ls", NETWORK, "--no-trunc",
                                                  "--json"))
        returned = time.monotonic_ns()
        values = {row["Name"]: row["Labels"]["value"] for row in networks
                  if row["Name"] != NETWORK}
        values |= {row["Name"]: row["Aliases"] for row in endpoints}
        return {"call": called, "return": returned, "values": values,
                "all": {"networks": networks, "endpoints": endpoints}}

    def add_final_reads(self, held):
        """The listings become reads of every key; of no client of the load."""
        keys = {}
        with open(self.history.path, encoding="utf-8") as file:
            for line in file:
                keys[json.loads(line)["key"]] = True
        with open(self.history.path, "a", encoding="utf-8") as file:
            for number, host in enumerate(sorted(held)):
                for key in keys:
                    value = held[host]["values"].get(key)
                    file.write(json.dumps(
                        {"client": 1000 + number, "op": "read", "key": key, "in": None,
                         "out": value, "call": held[host]["call"],
                         "return": held[host]["return"], "ok": True}) + "\n")
        unknown = [key for host in held for key in held[host]["values"] if key not in keys]
        if unknown:
            raise AssertionError(f"nobody has made these: {unknown[:5]}")


def check_equal(held):
    first = min(held)
    for host in held:
        for kind in ("networks", "endpoints"):
            if held[host]["all"][kind] != held[first]["all"][kind]:
                raise AssertionError(f"{first} and {host} hold different {kind}")


def lincheck(path):
    checked = subprocess.run([BIN / "lincheck", path], capture_output=True, text=True, check=False)
    print(f"lincheck: {(checked.stdout + checked.stderr).strip()}")
    if checked.returncode:
        raise AssertionError("the history is not linearizable")


def figures(name, times):
    if not times:
        return
    ordered = sorted(times)
    print(f"{name}: {len(ordered)} kills; first write after the kill: median "
          f"{statistics.median(ordered):.3f} s, p95 {ordered[int(len(ordered) * 0.95)]:.3f} s, "
          f"max {ordered[-1]:.3f} s", flush=True)


def rounds(lab, number, seed, history):
    """Carries out all of it; the times of the first write after a kill, by the role killed."""
    run_ = Rounds(lab, seed, history)
    run_.start_load()
    try:
        for i in range(number):
            victim, led, took = run_.round(i)
            print(f"round {i + 1}: {victim}{' (leader)' if led else ''} {took:.3f} s", flush=True)
    finally:
        outcomes = run_.stop_load()
    print(f"outcomes: {json.dumps(outcomes, indent=1)}")
    time.sleep(0.1)
    held = run_.holdings()
    run_.add_final_reads(held)
    check_equal(held)
    print(f"every manager holds the same: {len(held[min(held)]['values'])} keys present")
    lincheck(history)
    return run_.times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--history", help="keep the history here, whatever comes of it")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIPPED: needs root, to make network namespaces", file=sys.stderr)
        return SKIPPED
    handle, path = tempfile.mkstemp(prefix="shoal-history-", suffix=".jsonl")
    os.close(handle)
    if options.history:
        os.unlink(path)
        path = options.history
        Path(path).write_text("", encoding="utf-8")
    lab = Lab(os.environ.get("SHOAL_LAB"))
    begun = time.monotonic()
    try:
        lab.up(HOSTS, MANAGERS)
        times = rounds(lab, options.rounds, options.seed, path)
    except BaseException:
        print(f"the history is kept in {path}", file=sys.stderr)
        raise
    finally:
        lab.down()
    figures("leader killed", times["leader"])
    figures("follower killed", times["follower"])
    figures("all", times["leader"] + times["follower"])
    print(f"{options.rounds} rounds with seed {options.seed} in {time.monotonic() - begun:.0f} s")
    if not options.history:
        os.unlink(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
