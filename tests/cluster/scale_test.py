#!/usr/bin/env python3
"""Two hundred endpoints on one network of three hosts, made, found, reached and removed again."""
import random
import time
from concurrent.futures import ThreadPoolExecutor

from lab import ClusterTest, main, wait_until
from workload import Workload

ENDPOINTS = 200
AT_ONCE = 8       # clients at a time: more only measures the machine
SAMPLE = 20       # pairs that are looked up and tried


class Scale(ClusterTest):
    HOSTS = 3

    def links(self, host):
        return set(self.lab.on(host, "sh", "-c", "ls /sys/class/net").stdout.split())

    def test_two_hundred_endpoints(self):
        before = {host: self.links(host) for host in self.hosts}
        self.network("shop")
        begun = time.monotonic()
        ends = [Workload(self, self.hosts[i % self.HOSTS], f"e{i}") for i in range(ENDPOINTS)]
        made = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda end: end.attach("shop"), ends))
        attached = time.monotonic()
        print(f"{ENDPOINTS} made in {made - begun:.1f} s, attached in {attached - made:.1f} s")
        addresses = [end.ip4() for end in ends]
        self.assertEqual(len(set(addresses)), ENDPOINTS)
        macs = {end.endpoints["shop"]["MacAddress"] for end in ends}
        self.assertEqual(len(macs), ENDPOINTS)
        self.assertEqual(self.lab.endpoint_names("h2", "shop"), sorted(e.name for e in ends))

        chosen = random.Random(ENDPOINTS)
        for _ in range(SAMPLE):
            one, other = chosen.sample(ends, 2)
            one.wait_for_name(other.name, [other.ip4()])
            one.wait_to_reach(other.ip4())

        begun = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda end: end.detach("shop"), ends))
        print(f"detached in {time.monotonic() - begun:.1f} s")
        wait_until(lambda: self.lab.endpoint_names("h1", "shop") == [], "no endpoint is left")
        for host in self.hosts:
            wait_until(lambda: len(self.links(host) - before[host]) <= 2,
                       f"{host} has no link of an endpoint left")  # the network's own may stay


if __name__ == "__main__":
    main()
