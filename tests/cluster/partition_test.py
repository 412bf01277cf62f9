#!/usr/bin/env python3
"""Hosts cut off the underlay: the rest goes on, names follow, healing brings everything back."""
from lab import ClusterTest, main, wait_until
from workload import Workload


class Partition(ClusterTest):
    HOSTS = 3

    def setUp(self):
        self.addCleanup(self.lab, "heal")
        self.network("shop")
        self.ends = [Workload(self, host, f"end{host[1:]}").attach("shop") for host in self.hosts]
        for end in self.ends:
            for other in self.ends:
                end.wait_for_name(other.name, [other.ip4()])
        self.addCleanup(self.healed)

    def healed(self):
        """The clean-ups that follow ask the managers, also from a host that was cut off."""
        self.lab("heal")
        wait_until(lambda: all(map(self.connected, self.hosts)), "all sessions are back")

    def connected(self, host):
        managers = self.lab.json(host, "status", "--json")["Managers"]
        return any(manager["Connected"] for manager in managers)

    def test_names_of_a_host_that_is_cut_off_are_hidden_and_come_back(self):
        self.lab("cut", "h3")
        self.ends[0].wait_for_name("end3", [])
        self.assertEqual(self.ends[0].resolve("end2"), [self.ends[1].ip4()])
        self.assertTrue(self.ends[0].reaches(self.ends[1].ip4()))
        self.assertEqual(self.ends[2].resolve("end3"), [self.ends[2].ip4()])
        self.lab("heal")
        self.ends[0].wait_for_name("end3", [self.ends[2].ip4()])
        self.ends[2].wait_for_name("end1", [self.ends[0].ip4()])
        self.ends[0].wait_to_reach(self.ends[2].ip4())

    def test_what_happened_during_the_cut_is_known_after_it(self):
        self.lab("cut", "h3")
        self.ends[0].wait_for_name("end3", [])
        late = Workload(self, "h2", "late").attach("shop")
        self.ends[0].wait_for_name("late", [late.ip4()])
        self.lab("heal")
        self.ends[2].wait_for_name("late", [late.ip4()])
        self.ends[2].wait_to_reach(late.ip4())

    def test_two_that_see_each_other_only_through_a_third_stay_members(self):
        self.lab("cut", "h2", "h3")
        self.assertEqual(self.ends[1].probe(self.ends[2].ip4()), "lost")
        self.assertTrue(self.ends[0].reaches(self.ends[1].ip4()))
        self.assertTrue(self.ends[0].reaches(self.ends[2].ip4()))
        self.assertEqual(self.ends[0].resolve("end3"), [self.ends[2].ip4()])
        self.lab("heal")
        self.ends[1].wait_to_reach(self.ends[2].ip4())


if __name__ == "__main__":
    main()
