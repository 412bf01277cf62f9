#!/usr/bin/env python3
"""Backups: taken while the cluster is written to, restored on another host, and refused when they
are not whole."""
import os
import stat
from pathlib import Path

from crowd import Crowd
from lab import ClusterTest, main, wait_until
from workload import Workload

ENDPOINTS = 120
AT_ONCE = 8


class Backup(ClusterTest):
    HOSTS = 5
    MANAGERS = 3

    def addresses(self, host, network):
        rows = self.lab.json(host, "endpoint", "ls", network, "--json")
        return {row["Name"]: row["Addresses"] for row in rows}

    def path(self, name):
        path = f"{self.lab.env('h1')['STATE_DIR']}-{name}"
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        return path

    def test_taken_under_load_and_restored(self):
        self.lab.shoal("h1", "network", "create", "-d", "overlay", "--attachable", "--subnet",
                       "10.67.0.0/22", "crowd")
        kept = Workload(self, "h4", "kept").attach("crowd")
        peer = Workload(self, "h5", "peer").attach("crowd")
        crowds = [Crowd(self, host, [f"{host}e{i}" for i in range(ENDPOINTS // 2)])
                  for host in ("h4", "h5")]
        floods = [crowd.attach("crowd", AT_ONCE) for crowd in crowds]
        wait_until(lambda: sum(len(flood.rows) for flood in floods) >= ENDPOINTS // 4,
                   "some are attached", deadline=60)
        acknowledged = {name for flood in floods for name in self.attached(flood)}
        files = {host: self.path(f"backup-{host}") for host in ("h1", "h2", "h3")}
        for host, path in files.items():
            said = self.lab.shoal(host, "backup", path).stdout
            self.assertIn("Keep it secret", said)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        for flood in floods:
            flood.finish()
        again = self.lab.shoal("h1", "backup", files["h1"], check=False)
        self.assertEqual(again.returncode, 4, again.stderr)
        for host in ("h1", "h4"):
            refused = self.lab.shoal(host, "restore", files["h1"], check=False)
            self.assertEqual(refused.returncode, 5)
            self.assertIn("already part of a cluster", refused.stderr)
        on_worker = self.lab.shoal("h4", "backup", self.path("worker"), check=False)
        self.assertEqual(on_worker.returncode, 5)
        self.assertIn("a backup is made on a manager", on_worker.stderr)
        nowhere = self.lab.shoal("h1", "backup", "/nosuch/file", check=False)
        self.assertEqual(nowhere.returncode, 3)
        self.assertIn("/nosuch", nowhere.stderr)

        truth = self.addresses("h1", "crowd")
        node_ids = {row["Hostname"]: row["ID"]
                    for row in self.lab.json("h1", "node", "ls", "--json")}
        last = self.path("last")
        self.lab.shoal("h2", "backup", last)
        # All managers are lost with their state; the workers are not.
        for host in ("h2", "h3", "h1"):
            self.lab.shoal(host, "leave", "--force")
        self.in_no_cluster("h2", "nothing to back up", "backup", self.path("none"))
        self.in_no_cluster("h2", "there is none to go on with", "init", "--force-new-cluster")
        self.damaged_ones_are_refused(last)
        for path in files.values():   # each is a whole state, and has what was acknowledged
            self.restore("h2", path)
            self.assertLessEqual(acknowledged, set(self.addresses("h2", "crowd")))
            self.assertLessEqual(self.addresses("h2", "crowd").items(), truth.items())
            self.lab.shoal("h2", "leave", "--force")
        said = self.restore("h1", last)
        self.assertIn("now the only manager of cluster", said)
        self.assertEqual(self.addresses("h1", "crowd"), truth)
        for host in ("h4", "h5"):
            wait_until(lambda: any(m["Connected"] for m in
                                   self.lab.json(host, "status", "--json")["Managers"]),
                       f"{host} found the restored manager", deadline=60)
        peer.wait_for_name("kept", [kept.ip4()])
        peer.wait_to_reach(kept.ip4())
        late = Workload(self, "h5", "late").attach("crowd")
        after = self.addresses("h1", "crowd")
        self.assertEqual(len(set(after.values())), len(truth) + 1)
        late.wait_to_reach(kept.ip4())
        ids = {row["ID"] for row in self.lab.json("h1", "node", "ls", "--json")}
        self.assertIn(node_ids["h4"], ids)

    def in_no_cluster(self, host, words, *command):
        refused = self.lab.shoal(host, *command, check=False)
        self.assertEqual(refused.returncode, 5)
        self.assertIn(words, refused.stderr)

    @staticmethod
    def attached(flood):
        return [row["name"] for row in list(flood.rows)]

    def restore(self, host, path):
        return self.lab.shoal(host, "restore", path, "--advertise-addr",
                              self.lab.env(host)["ADDRESS"]).stdout

    def damaged_ones_are_refused(self, path):
        whole = Path(path).read_bytes()
        damaged = self.path("damaged")
        half = len(whole) // 2
        cases = [(whole[:half], 11, "cut short"), (b"", 2, "not a backup"),
                 (b"#!/bin/sh\n", 2, "not a backup"), (whole + b"x", 11, "damaged")]
        for at in (24, 40, half, len(whole) - 1):
            cases.append((whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:], 11, "damaged"))
        for content, code, words in cases:
            Path(damaged).write_bytes(content)
            refused = self.lab.shoal("h2", "restore", damaged, check=False)
            self.assertEqual(refused.returncode, code, refused.stderr)
            self.assertIn(words, refused.stderr)
            self.assertIn("inactive", self.lab.shoal("h2", "status").stdout)
        missing = self.lab.shoal("h2", "restore", "/nosuch", check=False)
        self.assertEqual(missing.returncode, 3, missing.stderr)


if __name__ == "__main__":
    main()
