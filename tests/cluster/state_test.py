#!/usr/bin/env python3
"""shoal-state: looks at a state directory without a daemon, finds damage, and changes nothing."""
import hashlib
import os
from pathlib import Path

from lab import ClusterTest, main
from workload import Workload


def contents(directory):
    """Of every file below: path, content, time of its last change."""
    return {path: (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns)
            for path in sorted(Path(directory).rglob("*")) if path.is_file()}


class OfflineState(ClusterTest):
    HOSTS = 2
    MANAGERS = 1

    def tool(self, host, *arguments):
        return self.lab.on(host, "shoal-state", *arguments, check=False)

    def test_it_checks_dumps_finds_damage_and_writes_nothing(self):
        self.network("shop", "--subnet", "10.68.0.0/24")
        Workload(self, "h2", "web").attach("shop")
        state = self.lab.env("h1")["STATE_DIR"]
        running = self.tool("h1", "check", state)
        self.assertEqual(running.returncode, 5, running.stdout + running.stderr)
        self.assertIn("shoald runs on this state directory", running.stderr)
        nothing = self.tool("h1", "check", "/nosuch")
        self.assertEqual(nothing.returncode, 3)
        self.addCleanup(self.lab, "start", "h1")
        self.lab("kill", "h1")
        before = contents(state)

        sound = self.tool("h1", "check", state)
        self.assertEqual(sound.returncode, 0, sound.stdout + sound.stderr)
        self.assertEqual(sound.stdout.splitlines()[-1], "sound")
        dumped = self.tool("h1", "dump", state).stdout
        for words in ("create network", '"shop"', 'attach endpoint', '"web"', "hard state: term",
                      "networks: 1", "endpoints: 1", "nodes: 2", "10.68.0.0/24"):
            self.assertIn(words, dumped)
        self.assertNotIn("PRIVATE KEY", dumped)
        self.assertEqual(self.tool("h2", "check", "/nosuch").returncode, 3)

        # The tables may lose their end: it is applied again from the raft log, which may not.
        logs = [path for path in before if path.parent.name == "raft"
                and path.suffix == ".log" and path.stat().st_size > 0]
        self.assertTrue(logs)
        for path in [*logs, Path(state, "node.state"), Path(state, "manager/raft_member"),
                     Path(state, "manager/data_key")]:
            whole = path.read_bytes()
            times = path.stat()
            path.write_bytes(whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 0x41]) +
                             whole[len(whole) // 2 + 1:])
            damaged = self.tool("h1", "check", state)
            path.write_bytes(whole)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            self.assertEqual(damaged.returncode, 11, f"{path}: {damaged.stdout}{damaged.stderr}")
            self.assertIn("PROBLEM: ", damaged.stdout)
        self.assertEqual(contents(state), before)
        self.lab("start", "h1")


if __name__ == "__main__":
    main()
