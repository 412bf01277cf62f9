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
    ("manager/raft/*.log", os.unlink, MANAGER), ("manager/raft/*.log", truncate, MANAGER),
    ("manager/raft/acknowledged", flip, ""), ("manager/raft/acknowledged", os.unlink, ""),
    ("manager/data_key", flip, "is damaged"), ("manager/data_key", os.unlink, "is lost"),
    # The tables follow from the raft log.
    ("manager/tables/CURRENT", flip, ""), ("manager/tables/MANIFEST-*", os.unlink, ""),
    ("manager/tables/*.log", flip, ""), ("manager/tables/*.log", os.unlink, ""),
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
        for capability, words in (
                ("net_admin", "may not administer networking (CAP_NET_ADMIN): run it as root"),
                ("sys_admin", "make or enter network namespaces (CAP_SYS_ADMIN): run it as root")):
            weak = self.run_daemon("setpriv", "--bounding-set", f"-{capability}", "--inh-caps",
                                   f"-{capability}", "shoald",
                                   "--state-dir", "/run/weak", "--run-dir", "/run/weak-run")
            self.assertEqual(weak.returncode, 1)
            self.assertIn(words, weak.stderr)
        # A kernel that makes no more network namespaces: said at the start, which goes on.
        lacking = self.lab.on("h2", "unshare", "--user", "--map-root-user", "sh", "-c",
                              "echo 0 >/proc/sys/user/max_net_namespaces && "
                              "mkdir -p /run/weak && exec timeout 1 shoald --state-dir /run/weak "
                              "--run-dir /run/weak-run --socket /run/weak/socket", check=False)
        self.assertIn("network namespaces cannot be made", lacking.stderr)
        nobody = self.run_daemon("setpriv", "--reuid", "65534", "shoald",
                                 "--state-dir", "/run/weak")
        self.assertIn("must be started as root", nobody.stderr)

    def small_disk(self):
        """h2's state directory becomes a disk of its own, of one page, until the test is over."""
        self.lab("stop", "h2")
        self.lab.on("h2", "mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", "/var/lib/shoal")
        self.addCleanup(self.lab, "start", "h2")
        self.addCleanup(self.lab.on, "h2", "umount", "-l", "/var/lib/shoal")
        self.addCleanup(self.lab, "stop", "h2")

    def assert_refused(self, done, code, words):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(words, done.stderr)
        self.assertIn("inactive", self.lab.shoal("h2", "status").stdout)
        left = self.lab.on("h2", "find", "/var/lib/shoal", "-type", "f").stdout.split()
        self.assertEqual(left, ["/var/lib/shoal/lock"])

    def test_a_disk_that_fills_up_at_any_moment_of_an_init(self):
        """Certificates, the raft log, the tables: whatever does not fit, nothing is left of it."""
        self.small_disk()
        self.lab("start", "h2")
        pid = self.lab.env("h2")["PID"]
        seen = set()
        for pages in range(2, 64):
            self.lab.on("h2", "mount", "-o", f"remount,size={4 * pages}k", "/var/lib/shoal")
            done = self.lab.shoal("h2", "init", check=False)
            if done.returncode == 0:
                break
            self.assert_refused(done, 8, "No space left on device")
            seen.update(word for word in ("node.key", "node.crt", "manager/raft", "manager/tables")
                        if word in done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(seen), 4, seen)
        self.assertEqual(self.lab.env("h2")["PID"], pid)
        self.assertIn("active", self.lab.shoal("h2", "status").stdout)

    def test_a_state_directory_that_is_read_only(self):
        state = "/var/lib/shoal"
        self.lab.on("h2", "mount", "--bind", state, state)
        self.lab.on("h2", "mount", "-o", "remount,bind,ro", state)
        self.assert_refused(self.lab.shoal("h2", "init", check=False), 7, "Read-only file system")
        self.lab("stop", "h2")
        daemon = self.run_daemon("shoald")
        self.assertEqual(daemon.returncode, 1)
        self.assertIn("Read-only file system", daemon.stderr)
        self.assertNotIn("two daemons", daemon.stderr)
        self.lab.on("h2", "umount", "-l", state)
        self.lab("start", "h2")
        self.lab.shoal("h2", "init")
        self.lab.shoal("h2", "leave", "--force")

    def test_lost_attachments_are_said_and_given_back(self):
        """The way on from a damaged file without a backup: nothing leaks, all may attach again."""
        self.network("shop")
        web = Workload(self, "h1", "web").attach("shop")
        self.lab("stop", "h1")
        (self.state / "attachments").unlink()
        self.log_file.write_text("")
        self.lab("start", "h1")

        def usage():
            shown = self.lab.json("h1", "network", "inspect", "shop")[0]
            return len(shown["Containers"]), shown["Usage"][0]["Used"]
        wait_until(lambda: usage() == (0, 0), "the lease is given back")
        wait_until(lambda: self.lab.on("h1", "ls", "/run/shoal/netns").stdout == "",
                   "the overlay is removed")
        self.assertNotIn("eth", web.run("ip", "-br", "link").stdout)
        said = self.log_file.read_text()
        self.assertIn("/attachments is lost: what was attached to this host is taken out", said)
        self.assertIn("giving back the lease of an endpoint this host does not have", said)
        web.attach("shop")
        web.wait_for_name("web", [web.ip4()])


if __name__ == "__main__":
    main()
