#!/usr/bin/env python3
"""Daemons that stop or die: who gets no CPU stays a member, who is dead is soon known to be."""
import os
import signal
import time

from lab import ClusterTest, main, wait_until
from workload import Workload

STOPPED = 30  # seconds a daemon gets no CPU
KNOWN = 20    # seconds to wait for the names of a dead daemon's endpoints to be gone


class Gossip(ClusterTest):
    HOSTS = 4

    def setUp(self):
        self.network("shop")
        self.ends = [Workload(self, host, f"end{host[1:]}").attach("shop") for host in self.hosts]
        for end in self.ends:
            for other in self.ends:
                end.wait_for_name(other.name, [other.ip4()])
        self.victim = self.ends[-1]
        self.others = self.ends[:-1]
        self.addCleanup(self.lab, "start", "all")  # before the other clean-ups, which need daemons

    def states(self, host):
        """What the daemon of a host holds of the members, by their address."""
        members = self.lab.json(host, "status", "--json")["Members"]
        return {member["Address"].rsplit(":", 1)[0]: member["State"] for member in members}

    def test_a_daemon_without_cpu_is_never_declared_failed(self):
        environment = self.lab.env(self.victim.host)
        address = environment["ADDRESS"]
        daemon = int(environment["PID"])
        self.addCleanup(os.kill, daemon, signal.SIGCONT)
        os.kill(daemon, signal.SIGSTOP)
        end = time.monotonic() + STOPPED
        while time.monotonic() < end:
            for other in self.others:
                self.assertNotIn(self.states(other.host)[address], ("failed", "left"))
                self.assertEqual(other.resolve(self.victim.name), [self.victim.ip4()])
        os.kill(daemon, signal.SIGCONT)
        for other in self.others:
            wait_until(lambda: self.states(other.host)[address] == "alive", "it is alive again")
        self.assertEqual(set(self.states(self.victim.host).values()), {"alive"})

    def test_a_daemon_that_is_killed_is_known_to_be_dead(self):
        self.lab("kill", self.victim.host)
        killed = time.monotonic()
        for other in self.others:
            other.wait_for_name(self.victim.name, [], deadline=KNOWN)
        print(f"known by all after {time.monotonic() - killed:.2f} s")
        self.lab("start", self.victim.host)
        for other in self.others:
            other.wait_for_name(self.victim.name, [self.victim.ip4()])


if __name__ == "__main__":
    main()
