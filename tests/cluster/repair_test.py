#!/usr/bin/env python3
"""The kernel's tables changed by hand behind the daemon's back: it puts them right by itself."""
import json

from lab import ClusterTest, main, wait_until
from workload import Workload


class Repair(ClusterTest):
    def setUp(self):
        self.network("shop")
        self.web = Workload(self, "h1", "web").attach("shop")
        self.client = Workload(self, "h2", "client").attach("shop")
        self.client.wait_to_reach(self.web.ip4())
        self.netns, self.vxlan = self.find_vxlan("h2")

    def find_vxlan(self, host):
        """The namespace that holds the network's VXLAN device: among those mounted on the host."""
        mounts = self.lab.on(host, "cat", "/proc/self/mountinfo").stdout.splitlines()
        fields = [line.split() for line in mounts if " - nsfs " in line]
        paths = [field[4] for field in fields if field[3].startswith("net:")]
        for path in ["/proc/self/ns/net", *paths]:
            shown = self.lab.on(host, "nsenter", f"--net={path}", "ip", "-j", "-d", "link",
                                check=False)
            for link in json.loads(shown.stdout or "[]"):
                if link.get("linkinfo", {}).get("info_kind") == "vxlan":
                    return path, link["ifname"]
        self.fail(f"no VXLAN device in any of {paths}")

    def inside(self, *command, check=True):
        return self.lab.on("h2", "nsenter", f"--net={self.netns}", *command, check=check).stdout

    def forget_neighbour(self):
        """The client asks for the address again, as one that never spoke to it would."""
        self.client.run("ip", "neigh", "flush", "all")

    def entries(self):
        shown = json.loads(self.inside("bridge", "-j", "fdb", "show", "dev", self.vxlan))
        return [entry for entry in shown if "dst" in entry]

    def assert_repaired(self):
        self.forget_neighbour()
        self.client.wait_to_reach(self.web.ip4())

    def test_deleted_forwarding_entries_come_back(self):
        entries = self.entries()
        self.assertTrue(entries)
        for entry in entries:
            self.inside("bridge", "fdb", "del", entry["mac"], "dev", self.vxlan,
                        "dst", entry["dst"])
        wait_until(lambda: {e["mac"] for e in self.entries()} == {e["mac"] for e in entries},
                   "the forwarding entries are back")
        self.assert_repaired()

    def test_a_foreign_forwarding_entry_goes(self):
        stale = "02:00:00:00:99:99"
        self.inside("bridge", "fdb", "add", stale, "dev", self.vxlan, "dst", "192.0.2.1")
        wait_until(lambda: stale not in {e["mac"] for e in self.entries()}, "the entry is gone")

    def test_deleted_neighbours_come_back(self):
        self.inside("ip", "neigh", "flush", "dev", self.vxlan, "nud", "permanent")
        self.assert_repaired()

    def test_a_device_set_down_is_set_up(self):
        self.inside("ip", "link", "set", self.vxlan, "down")
        self.assert_repaired()

    def test_a_deleted_device_is_made_again(self):
        self.inside("ip", "link", "del", self.vxlan)
        self.assert_repaired()

    def test_a_deleted_address_comes_back(self):
        before = self.client.endpoints["shop"]["Addresses"][0]
        self.client.run("ip", "addr", "del", before, "dev", self.client.ifname())
        self.assert_repaired()


if __name__ == "__main__":
    main()
