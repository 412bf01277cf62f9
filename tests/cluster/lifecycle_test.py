#!/usr/bin/env python3
"""A node's life interrupted: joins and leaves killed or stopped, nodes removed meanwhile."""
import os
import time

from lab import ClusterTest, Refused, main, wait_until
from workload import Workload

STOPS = 5         # seconds for SIGTERM to be obeyed, whatever the daemon is in
FORGOTTEN = 60    # seconds until the managers have removed a node that never registered
NOBODY = "203.0.113.9"  # an address that answers to nobody (RFC 5737)


class Interrupted(ClusterTest):
    HOSTS = 3
    JOIN = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = cls.lab.env("h1")["ADDRESS"]
        cls.lab.shoal("h1", "init", "--advertise-addr", cls.address)

    def setUp(self):
        self.addCleanup(self.lab, "start", "all")
        self.addCleanup(self.lab, "heal")

    def token(self, role="worker"):
        return self.lab.shoal("h1", "join-token", role, "-q").stdout.strip()

    def join(self, host, role="worker"):
        self.addCleanup(self.bring_out, host)
        self.lab.shoal(host, "join", "--token", self.token(role), f"{self.address}:2377")

    def start(self, host, *command):
        process = self.lab.start(host, "shoal", *command)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def membership(self, host):
        return self.lab.json(host, "status", "--json")["Membership"]

    def nodes(self):
        return sorted(self.lab.shoal("h1", "node", "ls", "--format",
                                     "{{.Hostname}} {{.Status}}").stdout.splitlines())

    def busy(self, host, process):
        """The daemon works on the command: it answers `status`, and the command has not ended."""
        wait_until(lambda: self.file(host, "unfinished") or process.poll() is None
                   and self.lab.shoal(host, "status", check=False).returncode == 0,
                   f"{host} is at it")
        self.assertIsNone(process.poll())

    def file(self, host, name):
        return os.path.exists(f"{self.lab.env(host)['STATE_DIR']}/{name}")

    def stop(self, host):
        begun = time.monotonic()
        self.lab("stop", host)
        self.assertLess(time.monotonic() - begun, STOPS)

    def test_a_join_is_stopped_while_it_waits_for_a_manager(self):
        token = self.token()
        self.lab("cut", "h2")
        join = self.start("h2", "join", "--token", token, "--advertise-addr",
                          self.lab.env("h2")["ADDRESS"], f"{self.address}:2377")
        self.busy("h2", join)
        self.stop("h2")
        self.assertNotEqual(join.wait(timeout=STOPS), 0)
        self.lab("heal")
        self.lab("start", "h2")
        self.assertEqual(self.membership("h2"), "inactive")
        self.join("h2")
        self.leave("h2")

    def bring_out(self, host):
        """Of the cluster, whatever state it was left in."""
        if self.membership(host) != "inactive":
            self.leave(host)

    def leave(self, host):
        node = self.lab.json(host, "status", "--json")["NodeID"]
        self.lab.shoal(host, "leave", "--force")
        wait_until(lambda: self.lab.shoal("h1", "node", "rm", "--force", node,
                                          check=False).returncode in (0, 3), f"{host} is removed")

    def test_an_init_is_stopped_while_it_waits_for_itself(self):
        init = self.start("h3", "init", "--advertise-addr", NOBODY)
        wait_until(lambda: self.file("h3", "unfinished"), "the init has begun")
        self.stop("h3")
        self.assertNotEqual(init.wait(timeout=STOPS), 0)
        self.lab("start", "h3")
        self.assertEqual(self.membership("h3"), "inactive")
        self.lab.shoal("h3", "init", "--advertise-addr", self.lab.env("h3")["ADDRESS"])
        self.lab.shoal("h3", "leave", "--force")

    def test_a_promotion_is_stopped_and_goes_on(self):
        self.join("h2")
        self.lab.shoal("h1", "node", "promote", "h2")
        self.stop("h2")
        self.lab("start", "h2")
        wait_until(lambda: self.lab.json("h2", "status", "--json")["Role"] == "manager",
                   "h2 is a manager")
        wait_until(lambda: self.lab.shoal("h2", "node", "ls", check=False).returncode == 0,
                   "h2 answers as a manager")
        self.lab.shoal("h1", "node", "demote", "h2")
        wait_until(lambda: self.lab.json("h2", "status", "--json")["Role"] == "worker",
                   "h2 is a worker")
        self.leave("h2")

    def test_killed_at_every_step_of_a_join_it_leaves_no_half_made_node(self):
        for role in ("worker", "manager"):
            for step in ("unfinished", "node.crt", "manager", "node.state", "manager/raft_member"):
                if role == "worker" and step.startswith("manager"):
                    continue
                with self.subTest(role=role, step=step):
                    self.kill_at(role, step)
        # Also those that were given a certificate and never came are forgotten.
        wait_until(lambda: self.nodes() == ["h1 Ready"], "h1 is the only node",
                   deadline=FORGOTTEN)

    def kill_at(self, role, step):
        token = self.token(role)
        path = f"{self.lab.env('h2')['STATE_DIR']}/{step}"
        join = self.start("h2", "join", "--token", token, f"{self.address}:2377")
        deadline = time.monotonic() + STOPS
        while not os.path.exists(path) and join.poll() is None and time.monotonic() < deadline:
            pass
        self.lab("kill", "h2")
        join.wait(timeout=STOPS)
        begun = self.file("h2", "unfinished")
        self.lab("start", "h2")
        said = self.lab.log("h2", lines=20).split("listens on")[-2]
        if self.membership("h2") == "inactive":
            if begun:
                self.assertIn("was interrupted", said)
            self.join("h2", role)
        else:
            self.assertIn("goes on as a", said)
        wait_until(lambda: self.membership("h2") == "active", "h2 is a node")
        if role == "manager":
            wait_until(lambda: self.lab.shoal("h2", "node", "ls", check=False).returncode == 0,
                       "h2 answers as a manager")
            # By its id: another of that name may not have been forgotten yet.
            node = self.lab.json("h2", "status", "--json")["NodeID"]
            wait_until(lambda: self.lab.shoal("h1", "node", "demote", node,
                                              check=False).returncode == 0, "h2 is demoted")
            wait_until(lambda: self.lab.json("h2", "status", "--json")["Role"] == "worker",
                       "h2 is a worker")
        self.leave("h2")

    def test_killed_while_it_leaves_it_goes_on_leaving(self):
        self.network("shop")
        for how in ("kill", "stop"):
            with self.subTest(how=how):
                self.join("h2")
                node = self.lab.json("h2", "status", "--json")["NodeID"]
                ends = [Workload(self, "h2", f"{how}{i}").attach("shop") for i in range(5)]
                leave = self.start("h2", "leave", "--force")
                while not self.file("h2", "leaving") and leave.poll() is None:
                    pass
                self.lab(how, "h2")
                leave.wait(timeout=STOPS)
                self.lab("start", "h2")
                wait_until(lambda: self.membership("h2") == "inactive", "h2 has left")
                wait_until(lambda: not self.lab.endpoint_names("h1", "shop"), "all is given back")
                for end in ends:
                    end.endpoints.clear()
                self.assertFalse(self.file("h2", "leaving"))
                self.lab.shoal("h1", "node", "rm", "--force", node)

    def test_a_node_that_was_removed_while_it_was_down(self):
        self.network("shop")
        self.join("h2")
        end = Workload(self, "h2", "end").attach("shop")
        node = self.lab.json("h2", "status", "--json")["NodeID"]
        self.lab("kill", "h2")
        self.lab.shoal("h1", "node", "rm", "--force", node)
        self.lab("start", "h2")

        def warned():
            warnings = " ".join(self.lab.json("h2", "status", "--json")["Warnings"])
            return "removed" in warnings and "shoal leave --force" in warnings
        wait_until(warned, "h2 says that it was removed")
        self.assertIn("removed", self.lab.log("h2"))
        second = Workload(self, "h2", "second")
        with self.assertRaisesRegex(Refused, "removed"):
            second.attach("shop")
        self.lab.shoal("h2", "leave", "--force")
        end.endpoints.clear()
        self.assertEqual(self.membership("h2"), "inactive")
        self.join("h2")
        end.attach("shop")
        self.assertEqual(self.nodes(), ["h1 Ready", "h2 Ready"])
        end.detach("shop")
        self.leave("h2")

    def test_a_forced_detach_without_managers_gives_the_lease_back_later(self):
        self.network("shop")
        self.join("h2")
        end = Workload(self, "h2", "end").attach("shop")
        self.lab("kill", "h1")
        end.detach_by_force("shop")
        warnings = " ".join(self.lab.json("h2", "status", "--json")["Warnings"])
        self.assertIn("given back when a manager answers", warnings)
        self.lab("restart", "h2")  # and is not forgotten
        self.lab("start", "h1")
        wait_until(lambda: self.lab.shoal("h1", "endpoint", "ls", "shop", "-q",
                                          check=False).stdout == "", "the lease is given back")
        self.leave("h2")


if __name__ == "__main__":
    main()
