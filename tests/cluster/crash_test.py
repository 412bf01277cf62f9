#!/usr/bin/env python3
"""Daemons killed while traffic flows: nothing is lost, and a start adopts what it finds."""
import signal

from kernel import overlays, picture, same
from lab import ClusterTest, main, wait_until
from workload import TRAFFIC, Workload, finish

MEBIBYTE, GIBIBYTE = 1 << 20, 1 << 30


class Crash(ClusterTest):
    HOSTS = 3

    def setUp(self):
        self.network("shop")
        self.web = Workload(self, "h1", "web").attach("shop")
        self.client = Workload(self, "h2", "client").attach("shop")
        self.client.wait_to_reach(self.web.ip4())
        self.addCleanup(self.lab, "start", "all")  # before the other clean-ups, which need daemons

    def test_a_transfer_survives_the_death_of_all_daemons(self):
        self.web.serve("sink", 9000)
        self.web.serve("echo", 7)
        stream = self.client.stream(self.web.ip4(), 7)
        self.assertEqual(stream.stdout.readline(), "ready\n")
        sending = self.client.start("python3", "-B", TRAFFIC, "send",
                                    self.web.ip4(), 9000, 2 * GIBIBYTE)
        begun = self.web.link_bytes()
        wait_until(lambda: self.web.link_bytes() > begun + MEBIBYTE, "the transfer has begun")
        self.lab("kill", "all")
        self.assertIsNone(sending.poll(), "the transfer was over before the daemons were killed")
        answer = finish(sending)
        self.assertEqual(answer["sent"], answer["received"])
        stream.send_signal(signal.SIGTERM)
        self.assertGreater(finish(stream)["lines"], 1)
        self.lab("start", "all")

    def pictures(self):
        return [picture(self.lab, workload.host, path) for workload in (self.web, self.client)
                for path in (*overlays(self.lab, workload.host), workload.netns)]

    def test_a_start_adopts_what_it_finds(self):
        self.web.serve("echo", 7)
        stream = self.client.stream(self.web.ip4(), 7)
        self.assertEqual(stream.stdout.readline(), "ready\n")
        links = [w.link()["ifindex"] for w in (self.web, self.client)]
        names = self.lab.endpoint_names("h1", "shop")
        before = self.pictures()
        self.assertEqual(len(before), 4)
        self.lab("kill", "all")
        self.lab("start", "all")
        self.client.wait_for_name("web", [self.web.ip4()])
        self.assertEqual([w.link()["ifindex"] for w in (self.web, self.client)], links)
        self.assertEqual(self.lab.endpoint_names("h1", "shop"), names)
        self.assertTrue(same(before, self.pictures()))
        late = Workload(self, "h3", "late").attach("shop")
        late.wait_to_reach(self.web.ip4())
        self.client.wait_for_name("late", [late.ip4()])
        stream.send_signal(signal.SIGTERM)
        self.assertLess(finish(stream)["longest_gap"], 1.0)

    def test_a_start_rebuilds_what_was_wiped(self):
        ends = {w: (w.link()["address"], w.endpoints["shop"]["Addresses"])
                for w in (self.web, self.client)}
        before = self.pictures()
        self.lab("kill", "all")
        for end in ends:
            for path in overlays(self.lab, end.host):
                self.lab.on(end.host, "umount", path)  # its last user: the devices go with it
                self.lab.on(end.host, "rm", path)
            wait_until(lambda end=end: end.run("ip", "-br", "link").stdout.count("\n") == 1,
                       f"the interface of {end.name} is gone")
            end.run("nft", "flush", "ruleset")
        self.lab("start", "all")
        self.client.wait_for_name("web", [self.web.ip4()])
        self.client.wait_to_reach(self.web.ip4())
        wait_until(lambda: same(before, self.pictures()), "all is as before")
        for end, (mac, addresses) in ends.items():
            self.assertEqual(end.link()["address"], mac)
            shown = end.run("ip", "-br", "addr", "show", end.ifname()).stdout
            for address in addresses:
                self.assertIn(address, shown)

    def test_what_is_detached_right_after_a_start_leaves_nothing_behind(self):
        bare = Workload(self, "h2", "bare")
        bare.run("true")
        before = picture(self.lab, "h2", bare.netns)
        bare.attach("shop")
        self.assertNotEqual(picture(self.lab, "h2", bare.netns), before)
        self.lab("kill", "h2")
        self.lab("start", "h2")
        bare.detach("shop")
        self.assertEqual(picture(self.lab, "h2", bare.netns), before)

    def test_restart_one_by_one_is_not_noticed_by_traffic(self):
        self.web.serve("echo", 7)
        stream = self.client.stream(self.web.ip4(), 7)
        self.assertEqual(stream.stdout.readline(), "ready\n")
        for host in self.hosts:
            self.lab("restart", host)
        stream.send_signal(signal.SIGTERM)
        self.assertLess(finish(stream)["longest_gap"], 1.0)
        self.client.wait_for_name("web", [self.web.ip4()])


if __name__ == "__main__":
    main()
