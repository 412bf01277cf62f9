#!/usr/bin/env python3
"""Managers of this version and of the next one, which knows a command more: one cluster.

`shoald_next` is the product but for manager/model/version.cc (tests/cluster/next_version.cc).
"""
import os
from pathlib import Path

from lab import ClusterTest, SOURCE, main, run, wait_until
from workload import Workload

MANAGERS = ("h1", "h2", "h3")
BIN = Path(os.environ.get("SHOAL_BIN_DIR", SOURCE / "build/release/bin"))
NEWER_COMMAND = ("join-token", "--rotate", "worker", "-q")
UNIMPLEMENTED = 12   # exit code: docs/NOMENCLATURE.md


class Versions(ClusterTest):
    HOSTS = 4
    MANAGERS = 3

    def start(self, host, newer):
        """As the host's daemon of one version or the other, state kept."""
        self.lab("stop", host)
        bin_dir = BIN / "next" if newer else BIN
        run(SOURCE / "deploy/lab", "start", host, cwd=SOURCE,
            env={**self.lab.environment, "SHOAL_BIN_DIR": str(bin_dir)})

    def member(self, host, of):
        members = self.lab.json(host, "raft", "status", "--json")["Members"]
        return next(member for member in members if member["Hostname"] == of)

    def leader(self):
        name = self.lab.json("h1", "raft", "status", "--json")["Leader"]
        return name if name in MANAGERS else None

    def caught_up(self, host):
        wait_until(lambda: self.member(host, host)["AppliedIndex"] >=
                   self.member(self.leader(), self.leader())["CommitIndex"],
                   f"{host} has applied what there is")

    def lead(self, host):
        """Makes it the leader, by restarts of the others."""
        def leads():
            leader = self.leader()
            if leader and leader != host:
                self.lab("restart", leader)
            return leader == host
        wait_until(leads, f"{host} leads", deadline=90)

    def works(self, name):
        self.network(name, host="h3")
        ends = [Workload(self, host, f"{name}{host}").attach(name) for host in self.hosts]
        ends[0].wait_to_reach(ends[3].ip4())
        for host in MANAGERS:
            wait_until(lambda: self.lab.endpoint_names(host, name) == sorted(e.name for e in ends),
                       f"{host} knows the endpoints of {name}")
        self.doCleanups()

    def test_an_upgrade_one_by_one_and_a_step_back(self):
        token = self.lab.shoal("h1", "join-token", "worker", "-q").stdout
        # The newer one leads, and proposes nothing that the others do not know.
        self.start("h2", True)
        self.works("mixed")
        self.lead("h2")
        refused = self.lab.shoal("h1", *NEWER_COMMAND, check=False)
        self.assertEqual(refused.returncode, UNIMPLEMENTED, refused.stdout + refused.stderr)
        self.assertRegex(refused.stderr, "manager h[13] is of an older one: upgrade it first")
        self.assertEqual(self.lab.shoal("h1", "join-token", "worker", "-q").stdout, token)
        self.works("led")
        # All are of the next version: the new command is for use.
        self.start("h1", True)
        self.start("h3", True)
        fresh = wait_until(lambda: self.lab.shoal("h1", *NEWER_COMMAND).stdout,
                           "all say that they are of the next version")
        self.assertNotEqual(fresh, token)
        # One is taken back and meets the new command: it stops, says so, and the others go on.
        self.lab("kill", "h3")
        self.lab.shoal("h1", *NEWER_COMMAND)
        self.start("h3", False)
        error = wait_until(lambda: self.member("h3", "h3")["Error"], "h3 takes no part")
        self.assertIn("cannot be applied here", error)
        self.assertIn("upgrade it", error)
        last = self.lab.shoal("h1", "join-token", "worker", "-q").stdout
        self.network("without", host="h2")
        # Upgraded again, it goes on where it stopped.
        self.start("h3", True)
        self.caught_up("h3")
        self.assertEqual(self.member("h3", "h3")["Error"], "")
        self.assertEqual(self.lab.shoal("h3", "join-token", "worker", "-q").stdout, last)
        self.works("again")


if __name__ == "__main__":
    main()
