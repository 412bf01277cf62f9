#!/usr/bin/env python3
"""Two endpoints of one network on two hosts: names, both families, both protocols, exact MTU."""
from lab import ClusterTest, main
from workload import Workload

UNDERLAY_MTU = 1500   # what deploy/lab makes
OVERHEAD = 50         # VXLAN over IPv4: 14 inner Ethernet + 8 VXLAN + 8 UDP + 20 IPv4


class Connectivity(ClusterTest):
    HOSTS = 3

    def setUp(self):
        self.network("shop", "--ipv6")
        self.web = Workload(self, "h1", "web").attach("shop", "--alias", "www")
        self.client = Workload(self, "h2", "client").attach("shop")

    def test_names_and_aliases_in_both_families(self):
        for name in ("web", "www", "web.shop", "WEB"):
            with self.subTest(name):
                self.client.wait_for_name(name, [self.web.ip4()])
                self.client.wait_for_name(name, [self.web.ip6()], kind="AAAA")
        self.web.wait_for_name("client", [self.client.ip4()])
        self.assertEqual(self.web.resolve("client"), [self.client.ip4()])

    def test_a_name_is_found_the_other_way_round(self):
        self.client.wait_for_name("web", [self.web.ip4()])
        answer = self.client.run("dig", "@127.0.0.11", "+short", "+time=2", "-x", self.web.ip4())
        self.assertTrue(answer.stdout.startswith("web"), answer.stdout)

    def test_a_name_nobody_has_is_not_found(self):
        self.client.wait_for_name("web", [self.web.ip4()])
        self.assertEqual(self.client.resolve("nobody"), [])

    def test_tcp_and_udp_by_name_and_by_both_addresses(self):
        self.web.serve("echo", 7)
        self.client.wait_for_name("web", [self.web.ip4()])
        for address in ("web", "www", self.web.ip4(), self.web.ip6()):
            for protocol in ("tcp", "udp"):
                with self.subTest(f"{protocol} {address}"):
                    said = self.client.traffic("say", address, 7, protocol)
                    self.assertEqual(said["result"], "ok", said)

    def test_the_mtu_is_what_the_underlay_carries_to_the_byte(self):
        mtu = UNDERLAY_MTU - OVERHEAD
        self.assertEqual(self.client.endpoints["shop"]["MTU"], mtu)
        self.assertEqual(self.client.link()["mtu"], mtu)
        self.client.wait_to_reach(self.web.ip4())
        for address in (self.web.ip4(), self.web.ip6()):
            self.assertEqual(self.client.ping(address, mtu), "ok", address)
            self.assertEqual(self.client.ping(address, mtu + 1), "too big", address)

    def test_addresses_and_mac_are_as_told(self):
        told = self.client.endpoints["shop"]
        link = self.client.link()
        self.assertEqual(link["address"], told["MacAddress"])
        shown = self.client.run("ip", "-br", "addr", "show", link["ifname"]).stdout
        for address in told["Addresses"]:
            self.assertIn(address, shown)

    def test_each_of_three_hosts_reaches_each(self):
        api = Workload(self, "h3", "api").attach("shop", "--alias", "rest")
        ends = {"web": self.web, "client": self.client, "rest": api}
        for end in ends.values():
            end.serve("echo", 7)
        for source in ends.values():
            for name, target in ends.items():
                if source is target:
                    continue
                source.wait_for_name(name, [target.ip4()])
                source.wait_for_name(name, [target.ip6()], kind="AAAA")
                for address in (name, target.ip4(), target.ip6()):
                    for protocol in ("tcp", "udp"):
                        with self.subTest(f"{source.name} to {address}, {protocol}"):
                            said = source.traffic("say", address, 7, protocol)
                            self.assertEqual(said["result"], "ok", said)

    def test_two_on_one_host(self):
        other = Workload(self, "h1", "other").attach("shop")
        other.wait_for_name("web", [self.web.ip4()])
        other.wait_to_reach(self.web.ip4())

    def test_asked_for_addresses_are_given(self):
        fixed = Workload(self, "h2", "fixed").attach("shop", "--ip", self.free_address())
        self.assertEqual(fixed.ip4(), self.free_address())
        self.web.wait_to_reach(fixed.ip4())

    def free_address(self):
        return self.web.ip4().rsplit(".", 1)[0] + ".200"

    def test_a_detached_name_is_gone(self):
        late = Workload(self, "h1", "late").attach("shop")
        self.client.wait_for_name("late", [late.ip4()])
        late.detach("shop")
        self.client.wait_for_name("late", [])


if __name__ == "__main__":
    main()
