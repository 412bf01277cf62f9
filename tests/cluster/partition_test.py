#!/usr/bin/env python3
"""Hosts cut off the underlay: the rest goes on, names follow, healing brings everything back."""
import time

from lab import ClusterTest, main, wait_until
from workload import TRAFFIC, Workload, finish

HIDDEN = 10   # seconds until the names of a host that is cut off are gone
HEALED = 2    # seconds until all is back
SESSION = 3   # seconds more until a host that was cut off has a session with the leader
SETTLED = 30  # seconds a watcher looks
LONG = 25     # a cut after which everything that backs off has backed off


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

    def watch(self, end, *arguments):
        process = end.start("python3", "-B", TRAFFIC, *arguments)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def cut_and_heal(self, seconds):
        """Cuts h3 off for so long; returns when names were gone, and back, and traffic was."""
        ends, addresses = self.ends, [end.ip4() for end in self.ends]
        self.lab("cut", "h3")
        cut = time.monotonic()
        gone = [self.watch(end, "names", SETTLED, "end3=") for end in ends[:2]]
        hidden = [finish(process)["at"] - cut for process in gone]
        wait_until(lambda: time.monotonic() > cut + seconds, "the cut was long enough",
                   deadline=seconds + 1)
        waiting = [self.watch(end, "names", SETTLED + seconds, f"end3={addresses[2]}")
                   for end in ends[:2]]
        waiting.append(self.watch(ends[2], "names", SETTLED + seconds, f"end1={addresses[0]}",
                                   f"end2={addresses[1]}"))
        waiting.append(self.watch(ends[0], "reach", SETTLED + seconds, addresses[2]))
        waiting.append(self.watch(ends[2], "reach", SETTLED + seconds, addresses[1]))
        self.lab("heal")
        healed = time.monotonic()
        back = [(finish(process)["at"] or float("inf")) - healed for process in waiting]
        print(f"cut {seconds} s: hidden after {max(hidden):.2f} s; back after "
              f"{', '.join(f'{at:.2f}' for at in back[:3])} s (names), "
              f"{', '.join(f'{at:.2f}' for at in back[3:])} s (traffic)")
        return max(hidden), max(back)

    def test_names_and_traffic_are_back_soon_after_a_short_cut(self):
        hidden, back = self.cut_and_heal(0)
        self.assertLess(hidden, HIDDEN)
        self.assertLess(back, HEALED)

    def test_names_and_traffic_are_back_soon_after_a_long_cut(self):
        hidden, back = self.cut_and_heal(LONG)
        self.assertLess(hidden, HIDDEN)
        self.assertLess(back, HEALED)
        healed = time.monotonic()
        wait_until(lambda: self.connected("h3"), "h3 has a session again")
        print(f"its session is back {time.monotonic() - healed:.2f} s after the names")
        self.assertLess(time.monotonic() - healed, SESSION)

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
