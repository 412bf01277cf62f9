#!/usr/bin/env python3
"""Managers whose state is locked at a restart: nothing of it lies open, and traffic goes on."""
import os
import re
import stat
from pathlib import Path

from lab import ClusterTest, main, wait_until
from workload import Workload

KEY = re.compile(r"SWMKEY-1-[A-Za-z0-9+/]{43}")
LOCKED = "Use `shoal unlock` here"
SEALED = 2   # the kind of a data key file, its sixth byte


class Locked(ClusterTest):
    def state(self, host):
        return Path(self.lab.env(host)["STATE_DIR"])

    def membership(self, host):
        return self.lab.shoal(host, "status", "--format", "{{.Membership}}").stdout.strip()

    def unlock(self, host, key):
        return self.lab.on(host, "sh", "-c", f"echo '{key}' | shoal unlock", check=False)

    def refused(self, host, words, *command):
        done = self.lab.shoal(host, *command, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(words, done.stderr)

    def wait_sealed(self, *hosts):
        for host in hosts:
            file = self.state(host) / "manager/data_key"
            wait_until(lambda: file.read_bytes()[5] == SEALED, f"{host} is to be locked")
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)
            self.assertEqual(file.parent.stat().st_mode & 0o777, 0o700)

    def restart_locked(self, host):
        self.lab("restart", host)
        wait_until(lambda: self.membership(host) == "locked", f"{host} is locked")

    def answers(self, host):
        done = self.lab.shoal(host, "node", "ls", check=False)
        return done.returncode == 0


class Autolock(Locked):
    HOSTS = 3
    MANAGERS = 3

    def test_on_locked_unlocked_rotated_off(self):
        self.refused("h1", "no unlock key is set", "unlock-key")
        self.refused("h1", "autolock is off", "unlock-key", "--rotate")
        self.network("secretnetwork")
        client = Workload(self, "h1", "client").attach("secretnetwork")
        server = Workload(self, "h2", "server").attach("secretnetwork")
        said = self.lab.shoal("h1", "update", "--autolock=true").stdout
        self.assertIn("Cluster updated.", said)
        self.assertIn("store this key in a password manager", said)
        key = KEY.search(said).group()
        self.assertEqual(self.lab.shoal("h2", "unlock-key", "-q").stdout.strip(), key)
        self.assertNotIn("SWMKEY", self.lab.shoal("h1", "update", "--autolock=true").stdout)
        self.wait_sealed("h1", "h2", "h3")

        self.restart_locked("h2")
        self.assertIn(LOCKED, self.lab.shoal("h2", "status").stdout)
        for command in (("network", "ls"), ("node", "ls"), ("unlock-key",),
                        ("network", "create", "-d", "overlay", "more"),
                        ("join-token", "worker"),
                        ("attach", "secretnetwork", "--netns", server.netns, "--name", "x")):
            self.refused("h2", LOCKED, *command)
        self.assertTrue(self.answers("h1"))
        client.wait_to_reach(server.ip4())
        # On a disk of its own nothing of the state can be read.
        for path in (self.state("h2") / "manager").rglob("*"):
            if path.is_file():
                self.assertNotIn(b"secretnetwork", path.read_bytes(), path)

        wrong = self.unlock("h2", key[:-4] + "AAAA")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("not the unlock key", wrong.stderr)
        self.assertIn("begins with SWMKEY-1-", self.unlock("h2", "abc").stderr)
        self.assertEqual(self.membership("h2"), "locked")
        done = self.unlock("h2", key)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        wait_until(lambda: self.answers("h2"), "h2 is a manager again")
        self.assertIn("is not locked", self.unlock("h2", key).stderr)
        client.wait_to_reach(server.ip4())

        # A manager that is down while the key changes is still locked with the former one.
        self.lab("stop", "h3")
        said = self.lab.shoal("h2", "unlock-key", "--rotate").stdout
        self.assertIn("Successfully rotated manager unlock key.", said)
        second = KEY.search(said).group()
        self.assertNotEqual(second, key)
        self.lab("start", "h3")
        self.assertIn("former one", self.unlock("h3", second).stderr)
        self.assertEqual(self.unlock("h3", key).returncode, 0)
        wait_until(lambda: self.answers("h3"), "h3 is a manager again")
        wait_until(lambda: self.relocks("h3", second), "h3 follows the new key")

        # Demoted while it is locked it is a worker like others; promoted it has a key of its own.
        before = (self.state("h3") / "manager/data_key").read_bytes()
        self.restart_locked("h3")
        self.lab.shoal("h1", "node", "demote", "h3")
        wait_until(lambda: self.membership("h3") == "active", "h3 is no locked manager any more")
        self.assertFalse((self.state("h3") / "manager/data_key").exists())
        self.lab.shoal("h1", "node", "promote", "h3")
        wait_until(lambda: self.answers("h3"), "h3 is a manager once more")
        self.wait_sealed("h3")
        self.assertNotEqual((self.state("h3") / "manager/data_key").read_bytes(), before)

        self.lab.shoal("h1", "update", "--autolock=false")
        self.refused("h1", "no unlock key is set", "unlock-key")
        for host in self.hosts:
            file = self.state(host) / "manager/data_key"
            wait_until(lambda: file.read_bytes()[5] != SEALED, f"{host} is to be open")
        self.lab("restart", "h2")
        wait_until(lambda: self.answers("h2"), "h2 needs no key")
        client.wait_to_reach(server.ip4())
        for host in self.hosts:
            said = Path(self.lab.env(host)["LOG"]).read_text()
            for secret in ("SWMKEY", key[9:], second[9:]):
                self.assertNotIn(secret, said, f"in the log of {host}")

    def relocks(self, host, key):
        """Whether the host opens with `key` after a restart; unlocked in any case."""
        self.restart_locked(host)
        return self.unlock(host, key).returncode == 0


class LockedRecovery(Locked):
    """Locked state and the ways out of the loss of managers: none of them opens it, none needs it
    open."""
    HOSTS = 3
    MANAGERS = 3

    def addresses(self, host):
        rows = self.lab.json(host, "endpoint", "ls", "secretnetwork", "--json")
        return {row["Name"]: row["Addresses"] for row in rows}

    def path(self, name):
        path = f"{self.lab.env('h1')['STATE_DIR']}-{name}"
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        return path

    def given(self, host, key, *command):
        """The command with `key` on its standard input."""
        return self.lab.on(host, "sh", "-c", 'echo "$0" | "$@"', key, *command, check=False)

    def test_a_survivor_a_backup_and_the_offline_tool(self):
        # The cluster that could take these away again is gone at the end.
        self.lab.shoal("h1", "network", "create", "-d", "overlay", "--attachable", "secretnetwork")
        for host in ("h1", "h3"):
            Workload(self, host, f"end{host}").attach("secretnetwork").endpoints.clear()
        before = self.addresses("h1")
        key = KEY.search(self.lab.shoal("h1", "update", "--autolock=true").stdout).group()
        self.wait_sealed(*self.hosts)
        backup = self.path("backup")
        self.assertIn("It is encrypted", self.lab.shoal("h1", "backup", backup).stdout)
        self.assertEqual(stat.S_IMODE(os.stat(backup).st_mode), 0o600)
        content = Path(backup).read_bytes()
        for secret in (b"secretnetwork", b"PRIVATE KEY"):
            self.assertNotIn(secret, content)
        self.locked_survivor_goes_on(key, before)
        self.offline_tool("h3", key)
        second = self.key_changes_and_it_goes_on_again("h3")
        self.former_managers_find_out("h1", "h2")
        self.assertEqual(self.addresses("h3"), before)
        for host in ("h1", "h2", "h3"):
            self.lab.shoal(host, "leave", "--force")
        self.locked_backup_is_restored("h1", backup, key, second, before)

    def locked_survivor_goes_on(self, key, before):
        self.lab("kill", "h1", "h2")
        self.restart_locked("h3")
        for command in (("init", "--force-new-cluster"), ("backup", self.path("never")),
                        ("raft", "status")):
            self.refused("h3", LOCKED, *command)
        self.assertEqual(self.unlock("h3", key).returncode, 0)  # needs no quorum
        self.assertIn("now the only manager",
                      self.lab.shoal("h3", "init", "--force-new-cluster").stdout)
        self.assertEqual(self.addresses("h3"), before)
        self.assertEqual(self.lab.shoal("h3", "unlock-key", "-q").stdout.strip(), key)
        self.wait_sealed("h3")

    def offline_tool(self, host, key):
        self.lab("stop", host)
        check = ("shoal-state", "check", str(self.state(host)))
        missing = self.lab.on(host, *check, check=False)
        self.assertEqual((missing.returncode, "no key was given" in missing.stderr), (2, True))
        for wrong, words in ((key[:-4] + "AAAA", "not the unlock key"),
                             ("abc", "begins with SWMKEY-1-")):
            done = self.given(host, wrong, *check)
            self.assertEqual((done.returncode, words in done.stderr), (2, True), done.stderr)
        done = self.given(host, key, *check)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("encrypted, locked", done.stdout)
        file = self.path("key")
        Path(file).write_text(key + "\n", encoding="ascii")
        dumped = self.lab.on(host, "shoal-state", "dump", "--unlock-key-file", file,
                             str(self.state(host))).stdout
        self.assertIn('"secretnetwork"', dumped)
        self.assertNotIn("SWMKEY", dumped)
        absent = self.lab.on(host, *check, "--unlock-key-file", "/nosuch", check=False)
        self.assertEqual(absent.returncode, 3, absent.stderr)
        self.lab("start", host)
        wait_until(lambda: self.membership(host) == "locked", f"{host} is locked")
        self.assertEqual(self.unlock(host, key).returncode, 0)
        wait_until(lambda: self.answers(host), f"{host} is a manager again")

    def key_changes_and_it_goes_on_again(self, host):
        """Its state is sealed under another key by now than the one it was opened with."""
        second = KEY.search(self.lab.shoal(host, "unlock-key", "--rotate").stdout).group()
        self.lab.shoal(host, "init", "--force-new-cluster")
        self.restart_locked(host)
        self.assertEqual(self.unlock(host, second).returncode, 0)
        wait_until(lambda: self.answers(host), f"{host} is a manager again")
        return second

    def former_managers_find_out(self, *hosts):
        """They are locked, and what is locked is not needed any more."""
        self.lab("start", *hosts)
        for host in hosts:
            wait_until(lambda: "this node is a worker now" in self.lab.log(host, lines=400),
                       f"{host} is a worker now", deadline=60)
            self.assertEqual(self.membership(host), "active")
            self.assertFalse((self.state(host) / "manager/data_key").exists())

    def locked_backup_is_restored(self, host, backup, key, other, before):
        restore = ("shoal", "restore", backup, "--advertise-addr", self.lab.env(host)["ADDRESS"])
        missing = self.lab.on(host, *restore, check=False)
        self.assertEqual(missing.returncode, 6, missing.stderr)
        self.assertIn("this backup is locked", missing.stderr)
        for wrong, words in ((other, "not the unlock key that the backup was locked with"),
                             ("abc", "begins with SWMKEY-1-")):
            done = self.given(host, wrong, *restore)
            self.assertEqual((done.returncode, words in done.stderr), (2, True), done.stderr)
        self.assertEqual(self.membership(host), "inactive")
        file = self.path("key")
        Path(file).write_text(key + "\n", encoding="ascii")
        done = self.lab.on(host, *restore, "--unlock-key-file", file).stdout
        self.assertIn("Autolock is on", done)
        self.assertEqual(self.addresses(host), before)
        self.assertEqual(self.lab.shoal(host, "unlock-key", "-q").stdout.strip(), key)
        self.wait_sealed(host)
        self.restart_locked(host)
        self.assertEqual(self.unlock(host, key).returncode, 0)
        wait_until(lambda: self.answers(host), f"{host} is a manager again")
        self.assertEqual(self.addresses(host), before)
        self.lab.shoal(host, "leave", "--force")
        # On standard input it is as good.
        self.assertEqual(self.given(host, key, *restore).returncode, 0)


class InitAutolock(Locked):
    HOSTS = 1
    JOIN = False

    def test_init_restart_leave(self):
        said = self.lab.shoal("h1", "init", "--autolock", "--advertise-addr",
                              self.lab.env("h1")["ADDRESS"]).stdout
        key = KEY.search(said).group()
        self.wait_sealed("h1")
        self.restart_locked("h1")
        self.assertEqual(self.unlock("h1", key).returncode, 0)
        wait_until(lambda: self.answers("h1"), "h1 is a manager again")
        # Who lost the key can leave, and nothing is left.
        self.restart_locked("h1")
        self.refused("h1", "already part of a cluster", "init")
        self.lab.shoal("h1", "leave", "--force")
        self.assertEqual(self.membership("h1"), "inactive")
        self.assertFalse((self.state("h1") / "manager/data_key").exists())


if __name__ == "__main__":
    main()
