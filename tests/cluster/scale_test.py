#!/usr/bin/env python3
"""Two hundred endpoints on one network of three hosts, made at once, found, reached and removed."""
import json
import random
import time

from crowd import Crowd, seconds
from lab import ClusterTest, main, wait_until
from workload import TRAFFIC, Workload, finish

ENDPOINTS = 200
AT_ONCE = 8       # on each host
KNOWN = 1         # seconds after the last attach until every name resolves everywhere
SAMPLE = 20       # pairs that are tried

# What Shoal may leave in a host: links, forwarding entries, neighbours and rules of the host's own
# and of every namespace it has there, without counters and indexes.
KERNEL = r"""
for space in host $(ls /run/shoal/netns 2>/dev/null); do
  there() { if [ $space = host ]; then "$@"; else nsenter --net=/run/shoal/netns/$space "$@"; fi; }
  echo "= $space"
  there ip -o link | sed 's/^[0-9]*: //; s/@.*//' | sort
  there bridge fdb | sort
  there ip neigh | grep -v '^192\.\|^fd\|^fe80' | sort
  there nft list ruleset
done
"""


class Scale(ClusterTest):
    HOSTS = 3

    def kernel(self, host):
        return self.lab.on(host, "bash", "-c", KERNEL).stdout

    def test_two_hundred_endpoints(self):
        self.network("shop")
        watchers = [Workload(self, host, f"watch{host}").attach("shop") for host in self.hosts]
        for one in watchers:
            for other in watchers:
                one.wait_for_name(other.name, [other.ip4()])
        before = {host: self.kernel(host) for host in self.hosts}
        crowds = [Crowd(self, host, [f"{host}e{i}" for i in range(n, ENDPOINTS, self.HOSTS)])
                  for n, host in enumerate(self.hosts)]
        known = [self.watch(watcher, {name: "?" for crowd in crowds for name in crowd.names}, 60)
                 for watcher in watchers]
        begun = time.monotonic()
        rows = [row for flood in [crowd.attach("shop", AT_ONCE) for crowd in crowds]
                for row in flood.finish()]
        attached = max(row["ended"] for row in rows)
        addresses = {name: address for crowd in crowds
                     for name, address in crowd.addresses().items()}
        self.assertEqual(len(set(addresses.values())), ENDPOINTS)
        macs = {answer["MacAddress"] for crowd in crowds for answer in crowd.endpoints.values()}
        self.assertEqual(len(macs), ENDPOINTS)
        answers = [finish(process) for process in known]
        self.assertEqual([answer["left"] for answer in answers], [[]] * len(answers))
        late = max(answer["at"] for answer in answers) - attached
        took = seconds(rows)
        print(f"{ENDPOINTS} attached in {attached - begun:.1f} s, each median "
              f"{took[len(took) // 2]:.3f} s, slowest {took[-1]:.3f} s; all names known everywhere "
              f"{late:.2f} s after the last")
        self.assertLess(late, KNOWN)
        self.known_everywhere(watchers, addresses)
        self.assertEqual(self.lab.endpoint_names("h1", "shop"),
                         sorted([*addresses, *(w.name for w in watchers)]))
        chosen = random.Random(ENDPOINTS)
        for crowd in crowds:
            self.reached(crowd.host, chosen.sample(crowd.names, SAMPLE // self.HOSTS),
                         chosen.sample(sorted(addresses.values()), SAMPLE // self.HOSTS))

        begun = time.monotonic()
        rows = [row for flood in [crowd.detach("shop", AT_ONCE) for crowd in crowds]
                for row in flood.finish()]
        took = seconds(rows)
        print(f"detached in {max(row['ended'] for row in rows) - begun:.1f} s, each median "
              f"{took[len(took) // 2]:.3f} s, slowest {took[-1]:.3f} s")
        self.known_everywhere(watchers, dict.fromkeys(addresses, ""))
        self.assertEqual(self.lab.endpoint_names("h1", "shop"), sorted(w.name for w in watchers))
        for host in self.hosts:
            wait_until(lambda: self.kernel(host) == before[host],
                       f"the kernel of {host} is as before", deadline=10)

    def watch(self, watcher, addresses, patience=20):
        process = watcher.start("python3", "-B", TRAFFIC, "names", patience,
                                *(f"{name}={address}" for name, address in addresses.items()))
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def known_everywhere(self, watchers, addresses):
        for process in [self.watch(watcher, addresses) for watcher in watchers]:
            self.assertEqual(finish(process)["left"], [])

    def reached(self, host, sources, targets):
        for source, target in zip(sources, targets):
            answer = self.lab.on(host, "nsenter", f"--net=/run/netns/{source}", "python3", "-B",
                                 TRAFFIC, "reach", 5, target).stdout
            self.assertTrue(json.loads(answer.splitlines()[-1])["at"], f"{source} to {target}")


if __name__ == "__main__":
    main()
