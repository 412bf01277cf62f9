#!/usr/bin/env python3
"""A cluster whose nodes know each other by IPv6 addresses alone: control, gossip and VXLAN."""
import json

from kernel import overlays
from lab import ClusterTest, main, wait_until
from workload import Workload

UNDERLAY_MTU, VXLAN_OVERHEAD = 1500, 70


class Ipv6Underlay(ClusterTest):
    HOSTS = 3
    JOIN = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        first = cls.lab.env("h1")["ADDRESS6"]
        cls.lab.shoal("h1", "init", "--advertise-addr", first)
        for host, role in (("h2", "manager"), ("h3", "worker")):
            token = cls.lab.shoal("h1", "join-token", role, "-q").stdout.strip()
            cls.lab.shoal(host, "join", "--token", token, f"[{first}]:2377")

    def test_everything_goes_over_ipv6(self):
        for host in self.hosts:  # no IPv4 underlay that could help out
            self.lab.on(host, "ip", "-4", "addr", "flush", "dev", "eth0")
        addresses = self.lab.shoal("h2", "node", "ls", "--format", "{{.Address}}").stdout
        self.assertEqual(sorted(addresses.split()),
                         sorted(self.lab.env(host)["ADDRESS6"] for host in self.hosts))
        self.network("shop", "--ipv6")
        ends = [Workload(self, host, f"end{host[1:]}").attach("shop") for host in self.hosts]
        for one in ends:
            for other in ends:
                one.wait_for_name(other.name, [other.ip4()])
                one.wait_for_name(other.name, [other.ip6()], "AAAA")
                if one is not other:
                    one.wait_to_reach(other.ip4())
                    one.wait_to_reach(other.ip6())
        inner = UNDERLAY_MTU - VXLAN_OVERHEAD
        for end in ends:
            self.assertEqual(end.link()["mtu"], inner)
        self.assertEqual(ends[0].ping(ends[2].ip4(), inner), "ok")
        self.assertEqual(ends[0].ping(ends[2].ip4(), inner + 1), "too big")
        self.assertEqual(ends[2].ping(ends[1].ip6(), inner), "ok")
        devices = []
        for netns in overlays(self.lab, "h3"):
            shown = self.lab.on("h3", "nsenter", f"--net={netns}", "ip", "-j", "-d", "link", "show",
                                "type", "vxlan").stdout
            devices += [link for link in json.loads(shown) if link]
        self.assertEqual([d["linkinfo"]["info_data"]["local6"] for d in devices],
                         [self.lab.env("h3")["ADDRESS6"]])
        status = self.lab.json("h3", "status", "--json")
        self.assertTrue(all(m["Address"].startswith("[") for m in status["Members"]))
        self.lab("restart", "all")
        ends[2].wait_to_reach(ends[0].ip4())
        wait_until(lambda: self.lab.shoal("h3", "network", "ls", check=False).returncode == 0 and
                   self.lab.shoal("h1", "node", "ls", check=False).returncode == 0,
                   "the managers answer")


if __name__ == "__main__":
    main()
