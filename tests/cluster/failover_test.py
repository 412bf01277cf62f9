#!/usr/bin/env python3
"""The leader is killed while 500 endpoints are being attached: the callers see latency, nothing
else, and the addresses add up."""
import threading
import time

from crowd import Crowd, seconds
from lab import ClusterTest, Refused, main, wait_until

ENDPOINTS = 500
AT_ONCE = 8          # on each host
KILL_AFTER = 100     # attached
RECOVERY = 3         # seconds from the kill to commands that work


class LeaderKilledDuringAttaches(ClusterTest):
    HOSTS = 5
    MANAGERS = 3

    def leader(self):
        answer = self.lab.shoal("h1", "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}")
        leaders = [line.split()[0] for line in answer.stdout.splitlines()
                   if line.endswith(" Leader")]
        return leaders[0] if leaders else None

    def test_no_address_is_given_twice_or_lost_and_no_attach_fails(self):
        leader = wait_until(self.leader, "there is a leader")
        stay = [host for host in self.hosts if host != leader]
        self.network("crowd", "--subnet", "10.77.0.0/22", host=stay[0])
        crowds = [Crowd(self, host, [f"{host}e{i}" for i in range(ENDPOINTS // len(stay))])
                  for host in stay]
        floods = [crowd.attach("crowd", AT_ONCE) for crowd in crowds]
        wait_until(lambda: sum(len(flood.rows) for flood in floods) >= KILL_AFTER,
                   "some are attached", deadline=60)
        self.addCleanup(self.lab, "start", leader)
        self.lab("kill", leader)
        killed = time.monotonic()
        commands = Commands(self.lab, stay[0], killed)
        rows = [row for flood in floods for row in flood.finish()]
        worked = commands.finish()
        during = [row for row in rows if row["begun"] <= killed <= row["ended"]]
        first = min(row["ended"] for row in rows if row["begun"] > killed) - killed
        took = seconds(rows)
        print(f"{len(rows)} attached; {len(during)} were under way at the kill; the first begun "
              f"after it ended {first:.2f} s after it, a network was made {worked:.2f} s after it; "
              f"median {took[len(took) // 2]:.3f} s, slowest {took[-1]:.2f} s")
        self.assertTrue(during, "the kill hit no attach that was under way")
        self.assertLess(worked, RECOVERY)
        self.assertLess(first, RECOVERY)

        addresses = [a for crowd in crowds for a in crowd.addresses().values()]
        self.assertEqual(len(addresses), ENDPOINTS // len(stay) * len(stay))
        self.assertEqual(len(set(addresses)), len(addresses), "an address was handed out twice")
        self.adds_up(stay[0], len(addresses))
        for flood in [crowd.detach("crowd", AT_ONCE) for crowd in crowds]:
            flood.finish()
        self.adds_up(stay[0], 0)

    def adds_up(self, host, endpoints):
        def usage():
            inspected = self.lab.json(host, "network", "inspect", "crowd")
            document = inspected[0] if isinstance(inspected, list) else inspected
            return document["Usage"][0]
        wait_until(lambda: usage()["Used"] == endpoints, f"{endpoints} addresses are used")
        now = usage()
        self.assertEqual(now["Size"], now["Used"] + now["Quarantined"] + now["Free"], now)
        self.assertEqual(len(self.lab.endpoint_names(host, "crowd")), endpoints)


class Commands:
    """Makes and lists networks from a host, one after the other, until the flood is over."""

    def __init__(self, lab, host, since):
        self.lab, self.host, self.since = lab, host, since
        self.worked, self.failures, self.number = None, [], 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._loop)
        self.thread.start()

    def _loop(self):
        while not self.stopping.is_set() or self.number == 0:
            name = f"made{self.number}"
            try:
                self.lab.shoal(self.host, "network", "create", "-d", "overlay", name)
                if name not in self.lab.shoal(self.host, "network", "ls").stdout:
                    self.failures.append(f"{name} is not listed")
                self.worked = self.worked or time.monotonic() - self.since
                self.lab.shoal(self.host, "network", "rm", name)
            except Refused as refused:
                self.failures.append(str(refused))
            self.number += 1

    def finish(self):
        """Seconds until the first one worked, when none failed."""
        self.stopping.set()
        self.thread.join()
        if self.failures:
            raise Refused("\n".join(self.failures[:3]))
        return self.worked


if __name__ == "__main__":
    main()
