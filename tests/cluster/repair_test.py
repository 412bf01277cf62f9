#!/usr/bin/env python3
"""The kernel's tables changed by hand behind the daemon's back: put right within seconds, and said.

Each test damages what h2 holds for one network; the picture of its namespaces must be the one from
before, the daemon's log must tell of a repair, and traffic must flow.
"""
from pathlib import Path

from kernel import inside, overlays, picture, same
from lab import ClusterTest, main, wait_until
from workload import Workload

REPAIR_SECONDS = 5


class Repair(ClusterTest):
    def setUp(self):
        self.network("shop", "--ipv6")
        self.web = Workload(self, "h1", "web").attach("shop")
        self.client = Workload(self, "h2", "client").attach("shop")
        self.client.wait_for_name("web", [self.web.ip4()])
        for address in (self.web.ip4(), self.web.ip6()):
            self.client.wait_to_reach(address)
        self.netns = overlays(self.lab, "h2")[0]
        self.log = Path(self.lab.env("h2")["LOG"])
        self.before = self.pictures()
        self.logged = self.log.stat().st_size

    def pictures(self):
        return [picture(self.lab, "h2", path) for path in (self.netns, self.client.netns)]

    def inside(self, *command):
        """In the network's namespace on h2."""
        return inside(self.lab, "h2", self.netns, *command)

    def repairs(self):
        text = self.log.read_bytes()[self.logged:].decode()
        return [line for line in text.splitlines() if " repair " in line]

    def assert_repaired(self):
        wait_until(self.repairs, "the log tells of a repair", deadline=REPAIR_SECONDS)
        wait_until(lambda: same(self.before, self.pictures()), "all is as before",
                   deadline=REPAIR_SECONDS)
        # The client asks for the addresses again, as one that never spoke to them would.
        self.client.run("ip", "neigh", "flush", "all")
        for address in (self.web.ip4(), self.web.ip6()):
            self.client.wait_to_reach(address, deadline=REPAIR_SECONDS)
        self.client.wait_for_name("web", [self.web.ip4()], deadline=REPAIR_SECONDS)

    def port(self):
        """The name of the client's port on the bridge."""
        return next(name for name, kind, *_ in self.before[0]["links"] if kind == "veth")

    def remote(self):
        entry = next(entry for entry in self.before[0]["fdb"] if entry[2])
        return dict(zip(("link", "mac", "vtep"), entry))

    def test_a_deleted_forwarding_entry(self):
        web = self.remote()
        self.inside("bridge", "fdb", "del", web["mac"], "dev", web["link"], "dst", web["vtep"])
        self.assert_repaired()

    def test_a_forwarding_entry_that_points_elsewhere(self):
        web = self.remote()
        self.inside("bridge", "fdb", "replace", web["mac"], "dev", web["link"], "dst", "192.0.2.1")
        self.assert_repaired()

    def test_a_foreign_forwarding_entry(self):
        web = self.remote()
        self.inside("bridge", "fdb", "add", "02:00:00:00:99:99", "dev", web["link"],
                    "dst", "192.0.2.1")
        self.assert_repaired()

    def test_deleted_neighbours(self):
        self.inside("ip", "neigh", "flush", "dev", self.remote()["link"], "nud", "permanent")
        self.assert_repaired()

    def test_a_vxlan_device_set_down(self):
        self.inside("ip", "link", "set", self.remote()["link"], "down")
        self.assert_repaired()

    def test_a_deleted_vxlan_device(self):
        self.inside("ip", "link", "del", self.remote()["link"])
        self.assert_repaired()

    def test_a_deleted_bridge(self):
        self.inside("ip", "link", "del", "br0")
        self.assert_repaired()

    def test_a_port_taken_off_the_bridge(self):
        self.inside("ip", "link", "set", self.port(), "nomaster")
        self.assert_repaired()

    def test_a_deleted_port(self):
        mac = self.client.link()["address"]
        self.inside("ip", "link", "del", self.port())
        self.assert_repaired()
        self.assertEqual(self.client.link()["address"], mac)

    def test_a_deleted_address(self):
        address = self.client.endpoints["shop"]["Addresses"][0]
        self.client.run("ip", "addr", "del", address, "dev", self.client.ifname())
        self.assert_repaired()

    def test_deleted_dns_rules(self):
        self.client.run("nft", "delete", "table", "ip", "shoal-dns")
        self.assert_repaired()

    def test_emptied_dns_rules(self):
        self.client.run("nft", "flush", "table", "ip", "shoal-dns")
        self.assert_repaired()

    def test_an_unmounted_namespace(self):
        self.lab.on("h2", "umount", self.netns)
        self.assert_repaired()


if __name__ == "__main__":
    main()
