#!/usr/bin/env python3
"""Garbage and floods on every port: the daemon lives and serves, its memory is bounded, and what it
dropped is counted."""
import os
from pathlib import Path

from lab import SOURCE, ClusterTest, main, wait_until

HOSTILE = SOURCE / "tests/cluster/hostile.py"
MEMORY_MIB = 400  # far below what the floods would cost if each connection were kept
SECONDS = 4


class Hostile(ClusterTest):
    HOSTS = 3
    JOIN = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = cls.lab.env("h1")["ADDRESS"]
        cls.lab.shoal("h1", "init", "--advertise-addr", cls.address)
        cls.token = cls.lab.shoal("h1", "join-token", "worker", "-q").stdout.strip()
        cls.lab.shoal("h2", "join", "--token", cls.token, f"{cls.address}:2377")
        cls.pid = cls.lab.env("h1")["PID"]

    def hostile(self, *arguments, host="h3"):
        sent = self.lab.on(host, "python3", "-B", HOSTILE, *arguments).stdout
        self.assertGreater(int(sent), 0)

    def counters(self):
        return self.lab.json("h1", "status", "--json")["Counters"]

    def assert_serves(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        self.assertLess(int(peak.split()[1]) // 1024, MEMORY_MIB)
        name = f"after{os.urandom(4).hex()}"
        self.lab.shoal("h1", "network", "create", "-d", "overlay", name)
        self.lab.shoal("h1", "network", "rm", name)
        wait_until(lambda: "active" in self.lab.shoal("h2", "status").stdout.split("\n")[0],
                   "the worker has its session")

    def test_garbage_on_the_cluster_port(self):
        self.hostile("tcp", self.address, 2377, SECONDS)
        self.assert_serves()

    def test_connections_that_say_nothing(self):
        self.hostile("idle", self.address, 2377, 2000, 1)
        self.assert_serves()

    def test_the_cluster_port_survives_the_want_of_descriptors(self):
        limit = Path(f"/proc/{self.pid}/limits").read_text().split("Max open files")[1].split()
        self.assertEqual(limit[0], limit[1], "shoald raises its limit as far as it may")
        few = str(len(os.listdir(f"/proc/{self.pid}/fd")) + 20)
        self.lab.on("h1", "prlimit", "--pid", self.pid, f"--nofile={few}:")
        self.addCleanup(self.lab.on, "h1", "prlimit", "--pid", self.pid, f"--nofile={limit[1]}:")
        self.hostile("idle", self.address, 2377, 200, 1)
        self.assertGreater(self.counters()["cluster_port_connections_refused_total"], 0)
        self.lab.on("h1", "prlimit", "--pid", self.pid, f"--nofile={limit[1]}:")
        self.assert_serves()
        self.lab.shoal("h3", "join", "--token", self.token, f"{self.address}:2377")
        self.lab.shoal("h3", "leave", "--force")

    def test_garbage_on_the_gossip_port(self):
        before = self.counters()
        self.hostile("udp", self.address, 7946, SECONDS)
        self.hostile("tcp", self.address, 7946, SECONDS)
        after = self.counters()
        for reason in ("not_ours", "too_short"):
            name = f"gossip_dropped_{reason}_total"
            self.assertGreater(after[name], before[name], name)
        self.assert_serves()

    def test_garbage_on_the_local_socket(self):
        self.hostile("unix", "/run/shoal/shoal.sock", SECONDS, host="h1")
        self.assert_serves()


if __name__ == "__main__":
    main()
