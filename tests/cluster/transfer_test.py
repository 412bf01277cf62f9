#!/usr/bin/env python3
"""A gibibyte each way between two hosts arrives as it was sent."""
from lab import ClusterTest, main
from workload import Workload

GIBIBYTE = 1 << 30


class Transfer(ClusterTest):
    def test_a_gibibyte_each_way(self):
        self.network("shop", "--ipv6")
        ends = [Workload(self, host, f"end{host[1:]}").attach("shop") for host in self.hosts]
        for end in ends:
            end.serve("sink", 9000)
        for sender, receiver, address in ((ends[0], ends[1], ends[1].ip4()),
                                          (ends[1], ends[0], ends[0].ip6())):
            sender.wait_to_reach(address)
            answer = sender.traffic("send", address, 9000, GIBIBYTE, timeout=300)
            self.assertEqual(answer["sent"], answer["received"])
            print(f"{sender.name} to {receiver.name}: {8 / answer['seconds']:.2f} Gibit/s")


if __name__ == "__main__":
    main()
