#!/usr/bin/env python3
"""What is on one network is not there for another: no traffic, no names, no trace on the wire."""
from lab import ClusterTest, main
from workload import Workload


class Isolation(ClusterTest):
    def setUp(self):
        self.network("red", "--ipv6")
        self.network("blue", "--ipv6")
        self.red = [Workload(self, host, f"red{host[1:]}").attach("red") for host in self.hosts]
        self.blue = [Workload(self, host, f"blue{host[1:]}").attach("blue") for host in self.hosts]
        self.red[0].wait_to_reach(self.red[1].ip4())
        self.blue[0].wait_to_reach(self.blue[1].ip4())

    def test_no_traffic_between_networks_not_even_with_a_route(self):
        for other in self.blue:
            self.assertEqual(self.red[0].probe(other.ip4()), "lost")
            self.assertEqual(self.red[0].probe(other.ip6()), "lost")
        self.red[0].run("ip", "route", "add", f"{self.blue[1].ip4()}/32",
                        "dev", self.red[0].ifname())
        self.assertEqual(self.red[0].probe(self.blue[1].ip4()), "lost")

    def test_no_names_between_networks(self):
        self.red[0].wait_for_name("red2", [self.red[1].ip4()])
        for name in ("blue1", "blue2", "blue2.blue"):
            self.assertEqual(self.red[0].resolve(name), [], name)

    def test_the_same_name_on_two_networks_is_two_endpoints(self):
        twins = [Workload(self, "h2", f"twin{i}") for i in range(2)]
        for twin, network in zip(twins, ("red", "blue")):
            twin.attach(network, "--alias", "twin")
        self.red[0].wait_for_name("twin", [twins[0].ip4()])
        self.blue[0].wait_for_name("twin", [twins[1].ip4()])

    def test_a_workload_on_both_reaches_both_and_joins_them_not(self):
        both = Workload(self, "h1", "both").attach("red").attach("blue")
        both.wait_to_reach(self.red[1].ip4())
        both.wait_to_reach(self.blue[1].ip4())
        both.wait_for_name("red2", [self.red[1].ip4()])
        both.wait_for_name("blue2", [self.blue[1].ip4()])
        self.red[1].run("ip", "route", "add", f"{self.blue[1].ip4()}/32", "via", both.ip4("red"))
        self.assertEqual(self.red[1].probe(self.blue[1].ip4()), "lost")

    def test_an_unattached_namespace_reaches_nothing(self):
        stranger = Workload(self, "h2", "stranger")
        self.assertEqual(stranger.probe(self.red[1].ip4()), "lost")

    def test_a_network_in_use_is_not_removed(self):
        refused = self.lab.shoal("h1", "network", "rm", "red", check=False)
        self.assertEqual(refused.returncode, 5, refused.stderr)
        self.assertIn("red1", refused.stderr)
        self.assertTrue(self.red[0].reaches(self.red[1].ip4()))


if __name__ == "__main__":
    main()
