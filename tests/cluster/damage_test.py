#!/usr/bin/env python3
"""State that is damaged, lost or cannot be written; hosts that lack what a daemon needs."""
import os
import shutil
from pathlib import Path

from lab import ClusterTest, main, wait_until
from workload import Workload

LOST = "(the identity of this node) is lost"
DAMAGED = "is damaged: restore it from a backup"
MANAGER = "join it again"


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x41
    path.write_bytes(content)


# (file, what happens to it, what the daemon says when it does not start; "" when it goes on)
CASES = [
    ("node.state", truncate, DAMAGED), ("node.state", flip, DAMAGED),
    ("node.state", os.unlink, LOST),
    ("attachments", truncate, DAMAGED), ("attachments", flip, DAMAGED),
    ("cluster.cache", truncate, ""), ("cluster.cache", flip, ""), ("cluster.cache", os.unlink, ""),
    ("node.crt", truncate, ""), ("node.key", flip, ""), ("root.crt", os.unlink, ""),
    ("manager/raft_member", flip, "is damaged"), ("manager/raft_member", os.unlink, "is lost"),
    ("manager/raft/CURRENT", truncate, MANAGER), ("manager/raft/CURRENT", os.unlink, MANAGER),
    ("manager/raft/MANIFEST-*", flip, MANAGER), ("manager/raft/MANIFEST-*", os.unlink, MANAGER),
    ("manager/raft/*.log", flip, MANAGER),
    ("manager/raft/*.log", os.unlink, "do not belong together"),
    ("manager/tables/CURRENT", flip, MANAGER), ("manager/tables/MANIFEST-*", os.unlink, MANAGER),
    ("manager/tables/*.log", flip, MANAGER), ("manager/tables/*.log", os.unlink, ""),
]


class Damage(ClusterTest):
    HOSTS = 2
    MANAGERS = 1
    JOIN = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.shoal("h1", "init", "--advertise-addr", cls.lab.env("h1")["ADDRESS"])
        cls.env = cls.lab.env("h1")
        cls.state, cls.log_file = Path(cls.env["STATE_DIR"]), Path(cls.env["LOG"])
        cls.saved = cls.state.parent / "saved"

    def restore(self):
        for path in self.state.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self.saved, self.state, dirs_exist_ok=True)

    def active(self):
        return self.lab.shoal("h1", "status", "--format",
                              "{{.Membership}}").stdout.strip() == "active"

    def test_a_damaged_state_is_refused_and_never_removed(self):
        self.network("shop")
        Workload(self, "h1", "web").attach("shop")
        wait_until((self.state / "cluster.cache").exists, "h1 wrote what the managers said")
        self.lab("stop", "h1")
        shutil.copytree(self.state, self.saved)
        for name, harm, words in CASES:
            with self.subTest(file=name, harm=harm.__name__):
                self.restore()
                harm(next(iter(self.state.glob(name))))
                left = {p.relative_to(self.state) for p in self.state.rglob("*")
                        if p.is_file() and "manager/" not in str(p)}
                self.log_file.write_text("")
                started = self.lab("start", "h1", check=False).returncode == 0
                said = self.log_file.read_text()
                self.assertEqual(started, words == "", said)
                if started:
                    wait_until(self.active, "h1 goes on")
                    self.assertEqual(self.lab.endpoint_names("h1", "shop"), ["web"])
                    self.lab("kill", "h1")
                else:
                    last = said.strip().splitlines()[-1]
                    self.assertTrue(last.startswith("shoald: "), said)
                    self.assertIn(words, last)
                    for path in left:
                        self.assertTrue((self.state / path).exists(), f"{path} was removed")
        self.restore()
        self.lab("start", "h1")
        wait_until(self.active, "h1 is back")

    def run_daemon(self, *command):
        return self.lab.on("h2", "timeout", 3, *command, check=False)

    def test_what_a_daemon_cannot_start_with(self):
        second = self.run_daemon("shoald", "--socket", "/run/shoal/second.sock")
        self.assertEqual(second.returncode, 1)
        self.assertIn("two daemons on one state directory", second.stderr)
        for flags in (("--nosuch",), ("extra",), ("--log-level", "loud")):
            wrong = self.run_daemon("shoald", *flags)
            self.assertEqual(wrong.returncode, 2)
            self.assertTrue(wrong.stderr.startswith("shoald: "), wrong.stderr)
        weak = self.run_daemon("setpriv", "--bounding-set", "-net_admin", "--inh-caps",
                               "-net_admin", "shoald",
                               "--state-dir", "/run/weak", "--run-dir", "/run/weak-run")
        self.assertIn("may not administer networking (CAP_NET_ADMIN): run it as root",
                      weak.stdout + weak.stderr)
        nobody = self.run_daemon("setpriv", "--reuid", "65534", "shoald",
                                 "--state-dir", "/run/weak")
        self.assertIn("must be started as root", nobody.stderr)

    def test_a_full_disk_is_a_refusal_and_nothing_is_half_made(self):
        self.lab("stop", "h2")
        self.lab.on("h2", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/var/lib/shoal")
        self.addCleanup(self.lab, "start", "h2")
        self.addCleanup(self.lab.on, "h2", "umount", "-l", "/var/lib/shoal")
        self.addCleanup(self.lab, "stop", "h2")
        self.lab("start", "h2")
        done = self.lab.shoal("h2", "init", check=False)
        self.assertEqual(done.returncode, 8, done.stderr)
        self.assertIn("No space left on device", done.stderr)
        self.assertIn("inactive", self.lab.shoal("h2", "status").stdout)


if __name__ == "__main__":
    main()
