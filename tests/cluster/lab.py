"""The lab as a fixture: a cluster of this run's own, and conditions waited for, never slept for.

A test class derives from ClusterTest and says how many hosts and managers it wants; the lab is up
before its first test and down after its last, also when set-up fails. Every run has a name of its
own, so runs do not meet. Without root the module exits with 77, which ctest shows as skipped.
"""
import json
import os
import subprocess
import sys
import time
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
SKIPPED = 77             # exit code that ctest takes as "not run"
COMMAND_SECONDS = 60     # a command of the command line, on a busy machine
SETTLE_SECONDS = 30      # the cluster has seen a change: suspicion and periodic repair included
POLL_SECONDS = 0.1


class Refused(AssertionError):
    """A command that should have succeeded did not."""


def run(*command, check=True, timeout=COMMAND_SECONDS, stdin=subprocess.DEVNULL, **options):
    done = subprocess.run([str(c) for c in command], stdin=stdin, capture_output=True, text=True,
                          timeout=timeout, **options)
    if check and done.returncode:
        raise Refused(f"{' '.join(map(str, command))}\nexit code {done.returncode}\n"
                      f"{done.stdout}{done.stderr}")
    return done


def wait_until(condition, what, deadline=SETTLE_SECONDS):
    """Returns the first true value of condition(); past the deadline, fails with the last one."""
    end = time.monotonic() + deadline
    while True:
        try:
            last = condition()
            if last:
                return last
        except (Refused, subprocess.TimeoutExpired) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline} s still not: {what}; last seen: {last}")
        time.sleep(POLL_SECONDS)


class Lab:
    def __init__(self, name=None):
        self.name = name or f"t{os.getpid()}"
        self.environment = {**os.environ, "SHOAL_LAB": self.name}

    def __call__(self, *command, check=True, timeout=180):
        return run(SOURCE / "deploy/lab", *command, check=check, timeout=timeout,
                   env=self.environment, cwd=SOURCE)

    def up(self, hosts, managers=1, join=True):
        self("up", hosts, "--managers", managers, *([] if join else ["--no-join"]))

    def down(self):
        self("down")

    def command(self, host, *command):
        return [str(SOURCE / "deploy/lab"), "exec", host, "--", *map(str, command)]

    def on(self, host, *command, check=True, timeout=COMMAND_SECONDS):
        """Runs a command on a host."""
        return run(*self.command(host, *command), check=check, timeout=timeout,
                   env=self.environment, cwd=SOURCE)

    def start(self, host, *command):
        """A command on a host that goes on; the caller ends it."""
        return subprocess.Popen(self.command(host, *command), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment, cwd=SOURCE)

    def shoal(self, host, *arguments, check=True):
        return self.on(host, "shoal", *arguments, check=check)

    def json(self, host, *arguments):
        return json.loads(self.shoal(host, *arguments).stdout)

    def env(self, host):
        lines = self("env", host).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def log(self, host, lines=30):
        return "\n".join(Path(self.env(host)["LOG"]).read_text().splitlines()[-lines:])

    def endpoint_names(self, host, network):
        return sorted(row["Name"] for row in self.json(host, "endpoint", "ls", network, "--json"))


class ClusterTest(unittest.TestCase):
    HOSTS = 2
    MANAGERS = 1
    JOIN = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.down)
        cls.lab.up(cls.HOSTS, cls.MANAGERS, cls.JOIN)
        cls.hosts = [f"h{i}" for i in range(1, cls.HOSTS + 1)]

    def network(self, name, *flags, host="h1"):
        """Makes a network for this test and removes it after its endpoints are gone."""
        self.lab.shoal(host, "network", "create", "-d", "overlay", "--attachable", *flags, name)
        self.addCleanup(self.lab.shoal, host, "network", "rm", name)
        return name

    def run(self, result=None):
        """Adds the ends of the daemons' logs to a failure: the lab is gone when it is read."""
        before = len(result.failures) + len(result.errors) if result else 0
        done = super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            for host in self.hosts:
                print(f"--- {host}\n{self.lab.log(host)}", file=sys.stderr)
        return done


def main():
    if os.geteuid() != 0:
        print("SKIPPED: needs root, to make network namespaces", file=sys.stderr)
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
