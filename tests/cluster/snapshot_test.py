#!/usr/bin/env python3
"""A manager that the others' log has left behind is sent the state, over a slow and broken link."""
import os
from pathlib import Path

from lab import ClusterTest, main, wait_until

# 8 MiB of changes let the log go; 300 networks with 15 labels of 4,000 bytes are 18 MB, more than a
# message of gRPC's may be.
LABELS, LABEL_SIZE, CHANGES = 15, 4000, 300
RATE = "48mbit"        # of each manager that sends: the state takes 3 seconds
BEGUN = 2 << 20        # bytes in the receiver's file: several chunks, and most are still to come
CATCH_UP_SECONDS = 60


class Snapshots(ClusterTest):
    HOSTS = 3
    MANAGERS = 3

    def managers(self, host):
        rows = self.lab.shoal(host, "node", "ls", "--format",
                              "{{.Hostname}} {{.ManagerStatus}}").stdout.splitlines()
        return dict(row.split() for row in rows)

    def member(self, host):
        """As that host tells it of itself."""
        members = self.lab.json(host, "raft", "status", "--json")["Members"]
        return next(member for member in members if member["Hostname"] == host)

    def setUp(self):
        """One manager is away until the others have let go of what it needs."""
        wait_until(lambda: sorted(self.managers("h1").values()) ==
                   ["Leader", "Reachable", "Reachable"], "all managers are there")
        roles = self.managers("h1")
        self.leader = next(host for host, role in roles.items() if role == "Leader")
        self.away, self.third = (host for host in self.hosts if host != self.leader)
        self.addCleanup(self.lab, "start", "all")
        self.lab("kill", self.away)
        for change in range(CHANGES):
            labels = [word for i in range(LABELS)
                      for word in ("--label", f"k{i}={change:04}".ljust(LABEL_SIZE, "x"))]
            self.network(f"{self._testMethodName[:20]}{change}", *labels, host=self.leader)
        self.committed = self.member(self.leader)["CommitIndex"]
        for host in (self.leader, self.third):
            self.lab.on(host, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", RATE,
                        "burst", "64kb", "limit", "128kb")
            self.addCleanup(self.lab.on, host, "tc", "qdisc", "del", "dev", "eth0", "root")

    def directory(self):
        return Path(self.lab.env(self.away)["STATE_DIR"], "manager/raft")

    def arriving(self):
        """The file that takes in what is sent; waits for its beginning."""
        def begun():
            files = [file for file in self.directory().glob("unfinished-*")
                     if file.stat().st_size >= BEGUN]
            return files and files[0]
        return wait_until(begun, f"the state begins to arrive on {self.away}")

    def caught_up(self):
        """The manager that was away has the state, from a snapshot, and counts again."""
        last = f"{self._testMethodName[:20]}{CHANGES - 1}"
        wait_until(lambda: self.member(self.away).get("AppliedIndex", 0) >= self.committed,
                   f"{self.away} has caught up", deadline=CATCH_UP_SECONDS)
        snapshots = list(self.directory().glob("snapshot-*"))
        self.assertEqual(len(snapshots), 1, "it caught up without a snapshot")
        self.assertEqual(list(self.directory().glob("unfinished-*")), [])
        labels = self.lab.json(self.away, "network", "inspect", last)[0]["Labels"]
        self.assertEqual(len(labels), LABELS)
        self.assertTrue(all(len(value) >= LABEL_SIZE - 4 for value in labels.values()))
        self.lab("kill", self.third)
        wait_until(lambda: self.lab.shoal(self.away, "network", "create", "-d", "overlay", "both",
                                          check=False).returncode in (0, 4),
                   "a network is made with the one that came back")
        self.lab.shoal(self.away, "network", "rm", "both")
        self.lab("start", self.third)
        # A worker that connects anew is told of everything: more than one message of gRPC's.
        for host in (self.away, self.third):
            wait_until(lambda host=host: self.told(host), f"the leader has told {host} everything")
        return snapshots[0]

    def told(self, host):
        """Its session is open, and brought a network that is made now."""
        status = self.lab.json(host, "status", "--json")
        if not any(manager["Connected"] for manager in status["Managers"]):
            return False
        before = status["Networks"]
        self.network(f"now-{host}-{self._testMethodName[:20]}", host=host)
        wait_until(lambda: self.lab.json(host, "status", "--json")["Networks"] > before,
                   f"{host} hears of a network")
        return True

    def test_a_receiver_killed_meanwhile_begins_anew(self):
        self.lab("start", self.away)
        file = self.arriving()
        self.lab("kill", self.away)
        self.assertTrue(file.exists(), "it had arrived before the kill")
        self.lab("start", self.away)
        self.caught_up()

    def test_a_broken_connection_is_gone_on_with(self):
        self.lab("start", self.away)
        file = self.arriving()
        held = file.open("rb")   # no other file gets its inode meanwhile
        self.addCleanup(held.close)
        begun = os.fstat(held.fileno()).st_ino
        killed = self.lab.on(self.leader, "ss", "--kill", "--no-header", "dst",
                             self.lab.env(self.away)["ADDRESS"], "dport", "=", "2377").stdout
        self.assertIn(":2377", killed)
        self.assertTrue(file.exists(), "it had arrived before the connection broke")
        # The same file to the end: what had arrived was not sent again.
        self.assertEqual(self.caught_up().stat().st_ino, begun)


if __name__ == "__main__":
    main()
