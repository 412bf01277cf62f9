#!/usr/bin/env python3
"""Managers gone: workers serve on with what they know; a quorum that is left makes decisions."""
import signal
import time

from lab import ClusterTest, main, wait_until
from workload import Workload, finish

NOTICED = 12   # seconds after which every node has noticed that the others are gone


class OnlyManagerGone(ClusterTest):
    HOSTS = 3

    def setUp(self):
        self.addCleanup(self.lab, "start", "h1")
        self.network("shop")
        self.web = Workload(self, "h2", "web").attach("shop")
        self.client = Workload(self, "h3", "client").attach("shop")
        self.client.wait_for_name("web", [self.web.ip4()])
        self.client.wait_to_reach(self.web.ip4())
        self.addCleanup(self.manager_back)

    def manager_back(self):
        self.lab("start", "h1")
        wait_until(lambda: self.lab.shoal("h1", "node", "ls", check=False).returncode == 0,
                   "h1 answers again")
        for host in ("h2", "h3"):
            wait_until(lambda: any(m["Connected"] for m in
                                   self.lab.json(host, "status", "--json")["Managers"]),
                       f"{host} has a session again")

    def test_workers_serve_on(self):
        self.lab("kill", "h1")
        self.assertEqual(self.client.resolve("web"), [self.web.ip4()])
        self.assertTrue(self.client.reaches(self.web.ip4()))
        self.assertIn("shop", self.lab.shoal("h2", "network", "ls").stdout)

    def test_a_worker_restarted_meanwhile_serves_on(self):
        self.lab("kill", "h1")
        self.lab("restart", "h3")
        self.client.wait_for_name("web", [self.web.ip4()])
        self.assertTrue(self.client.reaches(self.web.ip4()))

    def test_what_needs_a_manager_is_refused_with_a_reason(self):
        second = Workload(self, "h2", "second")
        self.lab("kill", "h1")
        refused = self.lab.shoal("h2", "--timeout", 5, "attach", "shop", "--netns",
                                 second.netns, "--name", "second", check=False)
        self.assertIn(refused.returncode, (9, 10), refused.stderr)
        self.assertIn("manager", refused.stderr)

    def test_it_all_works_again_when_the_manager_is_back(self):
        self.lab("kill", "h1")
        self.manager_back()
        late = Workload(self, "h2", "late").attach("shop")
        self.client.wait_for_name("late", [late.ip4()])
        self.client.wait_to_reach(late.ip4())


class AllManagersGone(ClusterTest):
    HOSTS = 5
    MANAGERS = 3

    def setUp(self):
        self.addCleanup(self.lab, "start", "all")
        self.network("shop")
        self.ends = [Workload(self, host, f"end{host[1:]}").attach("shop") for host in self.hosts]
        for one in self.ends:
            for other in self.ends:
                one.wait_for_name(other.name, [other.ip4()])
        self.addCleanup(self.back)

    def back(self):
        self.lab("start", "all")
        for host in self.hosts:
            wait_until(lambda: any(m["Connected"] for m in
                                   self.lab.json(host, "status", "--json")["Managers"]),
                       f"{host} has a session again")

    def stream(self, one, other):
        stream = one.stream(other.ip4(), 7)
        self.assertEqual(stream.stdout.readline(), "ready\n")
        return stream

    def gone(self):
        self.lab("kill", "h1", "h2", "h3")
        killed = time.monotonic()
        wait_until(lambda: time.monotonic() > killed + NOTICED, "it was noticed",
                   deadline=NOTICED + 1)

    def test_endpoints_of_workers_and_of_the_managers_hosts_go_on(self):
        for end in self.ends:
            end.serve("echo", 7)
        manager1, manager2, _, worker4, worker5 = self.ends
        pairs = [(worker4, worker5), (worker4, manager1), (manager2, worker5),
                 (manager1, manager2)]
        streams = [self.stream(*pair) for pair in pairs]
        self.gone()
        for one, other in pairs + [(other, one) for one, other in pairs]:
            self.assertTrue(one.reaches(other.ip4()), f"{one.name} to {other.name}")
        self.assertEqual(worker4.resolve("end5"), [worker5.ip4()])
        self.assertEqual(worker5.resolve("end4"), [worker4.ip4()])
        for stream in streams:
            stream.send_signal(signal.SIGTERM)
            self.assertLess(finish(stream)["longest_gap"], 1.0)
        self.back()
        for one in self.ends:
            one.wait_for_name("end1", [manager1.ip4()])
        late = Workload(self, "h4", "late").attach("shop")
        manager1.wait_for_name("late", [late.ip4()])

    def test_a_worker_restarted_meanwhile_serves_from_its_cache(self):
        worker4, worker5 = self.ends[3:]
        self.gone()
        self.lab("restart", "h4")
        worker4.wait_for_name("end5", [worker5.ip4()])
        worker4.wait_for_name("end4", [worker4.ip4()])
        worker5.wait_for_name("end4", [worker4.ip4()])
        self.assertTrue(worker4.reaches(worker5.ip4()))
        self.assertIn("shop", self.lab.shoal("h4", "network", "ls").stdout)
        worker4.detach_by_force("shop")
        worker5.wait_for_name("end4", [])


class OneOfThreeManagersGone(ClusterTest):
    HOSTS = 4
    MANAGERS = 3

    def leader(self):
        """The manager that another one calls the leader, by hostname."""
        for host in ("h1", "h2", "h3"):
            answer = self.lab.shoal(host, "--timeout", 5, "node", "ls", "--format",
                                    "{{.Hostname}} {{.ManagerStatus}}", check=False)
            for line in answer.stdout.splitlines():
                if line.endswith(" Leader"):
                    return line.split()[0]
        return None

    def test_three_managers_and_a_worker(self):
        roles = self.lab.shoal("h1", "node", "ls", "--format", "{{.Hostname}} {{.Role}}").stdout
        self.assertEqual(sorted(roles.splitlines()),
                         ["h1 manager", "h2 manager", "h3 manager", "h4 worker"])

    def test_the_others_decide_when_the_leader_is_killed(self):
        leader = wait_until(self.leader, "there is a leader")
        left = [h for h in ("h1", "h2", "h3") if h != leader]
        self.addCleanup(self.lab, "start", leader)
        self.lab("kill", leader)
        create = ("network", "create", "-d", "overlay", "--attachable", "after")
        wait_until(lambda: self.lab.shoal(left[0], *create, check=False).returncode in (0, 4),
                   "a network is made without the old leader")
        self.addCleanup(self.lab.shoal, left[0], "network", "rm", "after")
        for host in (*left, "h4"):
            wait_until(lambda: "after" in self.lab.shoal(host, "network", "ls").stdout,
                       f"{host} knows the network")
        ends = [Workload(self, host, f"end{host[1:]}").attach("after") for host in (left[1], "h4")]
        ends[0].wait_to_reach(ends[1].ip4())
        self.lab("start", leader)
        wait_until(lambda: "after" in self.lab.shoal(leader, "network", "ls").stdout,
                   "the old leader has caught up")

    def test_without_a_quorum_nothing_is_decided_and_nothing_is_lost(self):
        self.network("kept", host="h1")
        self.addCleanup(lambda: wait_until(self.leader, "there is a leader again"))
        self.addCleanup(self.lab, "start", "h2", "h3")
        self.lab("kill", "h2", "h3")
        refused = self.lab.shoal("h1", "--timeout", 5, "network", "create", "-d", "overlay",
                                 "lost", check=False)
        self.assertIn(refused.returncode, (9, 10), refused.stderr)
        self.lab("start", "h2", "h3")
        wait_until(self.leader, "there is a leader again")
        wait_until(lambda: "kept" in self.lab.shoal("h2", "network", "ls").stdout, "it is known")


if __name__ == "__main__":
    main()
