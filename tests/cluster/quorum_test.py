#!/usr/bin/env python3
"""The quorum is lost: what is refused, how fast and in which words, what goes on, and how one
manager goes on alone."""
import time

from lab import ClusterTest, main, wait_until
from workload import Workload

FAST = 8             # seconds: an election's patience and a little; far below the client's 30
MANAGERS = ("h1", "h2", "h3")
WAY_OUT = "shoal init --force-new-cluster"


class ManagersTest(ClusterTest):
    HOSTS = 5
    MANAGERS = 3

    def raft(self, host):
        return self.lab.json(host, "raft", "status", "--json")

    def leader(self, host="h1"):
        return wait_until(lambda: (lambda name: name if name != "none" else None)(
            self.raft(host)["Leader"]), "there is a leader")

    def roles(self, host):
        rows = self.lab.shoal(host, "node", "ls", "--format", "{{.Hostname}} {{.Role}}").stdout
        return dict(row.split() for row in rows.splitlines())

    def refused_fast(self, host, *command, codes=(9,)):
        begun = time.monotonic()
        refused = self.lab.shoal(host, *command, check=False)
        took = time.monotonic() - begun
        self.assertIn(refused.returncode, codes, refused.stdout + refused.stderr)
        self.assertLess(took, FAST, refused.stderr)
        return refused.stderr

    def all_registered(self, *hosts):
        for host in hosts:
            wait_until(lambda: any(m["Connected"] for m in
                                   self.lab.json(host, "status", "--json")["Managers"]),
                       f"{host} has a session")

    def addresses(self, host, network):
        rows = self.lab.json(host, "endpoint", "ls", network, "--json")
        return {row["Name"]: row["Addresses"] for row in rows}


class RaftStatus(ManagersTest):
    def test_each_manager_tells_of_all(self):
        leader = self.leader()
        for host in MANAGERS:
            status = self.raft(host)
            self.assertEqual((status["Leader"], status["Voters"], status["Quorum"]),
                             (leader, 3, 2))
            self.assertEqual(status["Missing"], [])
            self.assertEqual(status["Members"][0]["Hostname"], host)
            for member in status["Members"]:
                self.assertTrue(member["Answers"], member)
                self.assertEqual(member["Role"],
                                 "leader" if member["Hostname"] == leader else "follower")
                self.assertGreater(member["MatchIndex"], 0)
                self.assertEqual(member["Progress"], "replicate")
                self.assertGreaterEqual(member["Log"]["LastIndex"], member["CommitIndex"])
                self.assertGreaterEqual(member["CommitIndex"], member["AppliedIndex"])
                self.assertGreater(member["Fsync"]["Count"], 0)
                self.assertGreaterEqual(member["Fsync"]["P99Microseconds"],
                                        member["Fsync"]["P50Microseconds"])
        self.assertIn("LEADER'S VIEW", self.lab.shoal("h1", "raft", "status").stdout)
        refused = self.lab.shoal("h4", "raft", "status", check=False)
        self.assertEqual(refused.returncode, 5)
        self.assertIn("run this on a manager", refused.stderr)

    def test_it_names_a_manager_that_is_gone(self):
        gone = next(host for host in MANAGERS if host != self.leader())
        asked = next(host for host in MANAGERS if host != gone)
        self.addCleanup(self.lab, "start", gone)
        self.lab("kill", gone)
        status = wait_until(lambda: (lambda s: s if s["Missing"] else None)(self.raft(asked)),
                            "it is missing")
        self.assertIn(f"{gone} at ", status["Missing"][0])
        member = next(m for m in status["Members"] if m["Hostname"] == gone)
        self.assertFalse(member["Answers"])
        self.assertEqual(member["Error"], "does not answer")


class Demotion(ManagersTest):
    def test_one_that_would_lose_the_quorum_is_refused_and_a_dead_manager_replaced(self):
        leader = self.leader()
        dead, other = [host for host in MANAGERS if host != leader]
        self.lab("kill", dead)
        wait_until(lambda: self.raft(leader)["Missing"], f"{dead} is missing")
        for node in (other, leader):
            refused = self.lab.shoal(leader, "node", "demote", node, check=False)
            self.assertEqual(refused.returncode, 5, refused.stderr)
            self.assertIn("would lose their quorum", refused.stderr)
            self.assertIn(f"Bring {dead} back", refused.stderr)
        answering = self.lab.shoal(leader, "node", "rm", "--force", other, check=False)
        self.assertEqual(answering.returncode, 5, answering.stderr)
        self.assertIn("a manager that answers: demote it first", answering.stderr)
        self.lab.shoal(leader, "node", "rm", "--force", dead)
        self.lab.shoal(leader, "node", "promote", "h4")
        wait_until(lambda: (self.raft(leader)["Voters"], self.raft(leader)["Missing"]) == (3, []),
                   "h4 is in its place")
        self.assertNotIn(dead, self.roles(leader))
        self.lab("start", dead)
        wait_until(lambda: "was removed" in self.lab.shoal(dead, "status").stdout,
                   f"{dead} is told that it was removed")
        self.assertEqual(self.raft(leader)["Voters"], 3)


class QuorumLost(ManagersTest):
    def setUp(self):
        self.network("shop")
        self.web = Workload(self, "h4", "web").attach("shop")
        self.client = Workload(self, "h5", "client").attach("shop")
        self.own = Workload(self, "h1", "own").attach("shop")
        self.client.wait_for_name("web", [self.web.ip4()])
        self.client.wait_to_reach(self.web.ip4())
        self.addCleanup(self.back)
        self.lab("kill", "h2", "h3")

    def back(self):
        self.lab("start", "h2", "h3")
        wait_until(lambda: self.lab.shoal("h1", "node", "ls", check=False).stderr == "",
                   "h1 answers without reserve")
        self.all_registered(*self.hosts)

    def test_writes_fail_fast_in_plain_words_and_the_rest_goes_on(self):
        extra = Workload(self, "h4", "extra")
        mine = Workload(self, "h1", "mine")
        # At once: the loss is noticed while the call waits, and it may have been carried out.
        self.assertIn(WAY_OUT, self.refused_fast("h1", "network", "create", "-d", "overlay", "now",
                                                 codes=(9, 10)))
        for command in (("network", "create", "-d", "overlay", "lost"), ("network", "rm", "shop"),
                        ("node", "demote", "h3"), ("join-token", "--rotate", "worker")):
            message = self.refused_fast("h1", *command)
            self.assertIn("2 of 3 do not answer", message)
            self.assertIn("h2 at ", message)
            self.assertIn("h3 at ", message)
            self.assertIn(WAY_OUT, message)
        for host, workload in (("h1", mine), ("h4", extra)):
            message = self.refused_fast(host, "attach", "shop", "--netns", workload.netns,
                                        "--name", workload.name)
            self.assertIn("2 of 3 do not answer", message)
            self.assertIn(WAY_OUT, message)
        listed = self.lab.shoal("h1", "endpoint", "ls", "shop")
        self.assertIn("web", listed.stdout)
        self.assertIn("may lack the last changes", listed.stderr)
        self.assertIn("shop", self.lab.shoal("h1", "network", "inspect", "shop").stdout)
        self.assertIn("2 of 3 do not answer", self.lab.shoal("h1", "status").stdout)
        status = self.raft("h1")
        self.assertEqual(len(status["Missing"]), 2)
        self.assertIn(WAY_OUT, status["QuorumLost"])
        self.assertTrue(self.client.reaches(self.web.ip4()))
        self.assertEqual(self.client.resolve("web"), [self.web.ip4()])

    def test_it_all_comes_back_with_one_of_them(self):
        self.refused_fast("h1", "network", "create", "-d", "overlay", "lost", codes=(9, 10))
        self.lab("start", "h2")
        create = ("network", "create", "-d", "overlay", "later")
        wait_until(lambda: self.lab.shoal("h1", *create, check=False).returncode in (0, 4),
                   "a network is made")
        self.lab.shoal("h1", "network", "rm", "later")
        self.assertEqual(self.lab.shoal("h1", "network", "ls").stderr, "")


class ForceNewCluster(ManagersTest):
    def test_a_survivor_goes_on_alone_with_everything(self):
        self.network("shop", "--subnet", "10.66.0.0/24", host="h1")
        ends = {host: Workload(self, host, f"end{host}").attach("shop") for host in self.hosts}
        wait_until(lambda: len(self.addresses("h3", "shop")) == 5, "all are known")
        before = self.addresses("h3", "shop")
        token = self.lab.shoal("h1", "join-token", "worker", "-q").stdout
        refused = self.lab.shoal("h4", "init", "--force-new-cluster", check=False)
        self.assertEqual(refused.returncode, 5)
        self.assertIn("this node is a worker", refused.stderr)
        healthy = self.lab.shoal("h3", "init", "--force-new-cluster", check=False)
        self.assertEqual(healthy.returncode, 5, healthy.stderr)
        self.assertIn("the managers have their quorum (3 voters)", healthy.stderr)
        self.assertEqual(self.raft("h3")["Voters"], 3)
        self.lab("kill", "h1", "h2")
        self.refused_fast("h3", "network", "create", "-d", "overlay", "lost", codes=(9, 10))
        refused = self.lab.shoal("h3", "init", "--force-new-cluster", "--data-path-port", "5000",
                                 check=False)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        done = self.lab.shoal("h3", "init", "--force-new-cluster").stdout
        self.assertIn("now the only manager", done)
        status = self.raft("h3")
        self.assertEqual((status["Leader"], status["Voters"], status["Missing"]), ("h3", 1, []))

        # Everything is there, workers come back, nothing is given twice.
        self.assertEqual(self.addresses("h3", "shop"), before)
        self.assertEqual(self.lab.shoal("h3", "join-token", "worker", "-q").stdout, token)
        self.assertEqual(set(self.roles("h3")), set(self.hosts))
        self.all_registered("h3", "h4", "h5")
        fresh = {host: Workload(self, host, f"new{host}").attach("shop")
                 for host in ("h3", "h4", "h5")}
        after = self.addresses("h3", "shop")
        self.assertEqual(len(set(after.values())), 8, after)
        self.assertEqual({name: after[name] for name in before}, before)
        fresh["h4"].wait_for_name("newh5", [fresh["h5"].ip4()])
        fresh["h4"].wait_to_reach(ends["h5"].ip4())

        # The others come back, both at once: a majority of the group they knew.
        self.lab("start", "h1", "h2")
        for host in ("h1", "h2"):
            wait_until(lambda: "this node is a worker now" in self.lab.log(host, lines=400),
                       f"{host} is a worker now", deadline=60)
            # Its session or another manager was first to tell it.
            self.assertIn("the managers made this node a worker",
                          self.lab.log(host, lines=400))
        self.all_registered(*self.hosts)
        self.assertEqual(self.addresses("h3", "shop"), after)
        fresh["h4"].wait_to_reach(ends["h1"].ip4())

        # Managers again, and decisions without the survivor.
        self.lab.shoal("h3", "node", "promote", "h1", "h4")
        wait_until(lambda: (self.raft("h3")["Voters"], self.raft("h3")["Missing"]) == (3, []),
                   "there are three managers again", deadline=60)
        self.addCleanup(self.lab, "start", "h3")
        self.lab("kill", "h3")
        wait_until(lambda: self.lab.shoal("h1", "network", "create", "-d", "overlay", "proof",
                                          check=False).returncode in (0, 4), "they decide")
        self.assertEqual(self.addresses("h4", "shop"), after)
        self.lab.shoal("h1", "network", "rm", "proof")
        self.lab("start", "h3")
        wait_until(lambda: not self.raft("h1")["Missing"], "h3 is back")


if __name__ == "__main__":
    main()
