#!/usr/bin/env python3
"""Ports that another program holds: said in a sentence, nothing is half made, and all works once
they are free again."""
from lab import ClusterTest, main, wait_until
from workload import Workload

TAKER = """
import socket, sys, time
kind, address, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
taken = socket.socket(socket.AF_INET, kind)
taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
taken.bind((address, port))
kind == socket.SOCK_STREAM and taken.listen()
print("ready", flush=True)
time.sleep(99)
"""
TCP, UDP, EXISTS, CONFLICT = 1, 2, 4, 5
DATA_PATH = "port 4789/udp (data path) is taken"


class Ports(ClusterTest):
    HOSTS = 3
    JOIN = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = cls.lab.env("h1")["ADDRESS"]
        cls.lab.shoal("h1", "init", "--advertise-addr", cls.address)
        cls.lab.shoal("h2", "join", "--token", cls.token(), cls.address)  # h3 is never part of it

    @classmethod
    def token(cls):
        return cls.lab.shoal("h1", "join-token", "worker", "-q").stdout.strip()

    def hold(self, host, kind, address, port):
        """Another program's socket; returns what frees it."""
        process = self.lab.start(host, "python3", "-c", TAKER, kind, address, port)

        def free():
            process.kill()
            process.communicate()
        self.addCleanup(free)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return free

    def device(self, host, *kind):
        """Another program's VXLAN device; returns what removes it."""
        self.lab.on(host, "ip", "link", "add", "other", "type", "vxlan", *kind, "dstport", 4789)
        self.lab.on(host, "ip", "link", "set", "other", "up")
        return lambda: self.lab.on(host, "ip", "link", "del", "other")

    def refused(self, host, code, words, *arguments):
        done = self.lab.shoal(host, *arguments, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(words, done.stderr)

    def warns(self, host, words):
        return words in self.lab.shoal(host, "status").stdout

    def test_init_needs_its_ports(self):
        held = {"2377/tcp (cluster)": lambda: self.hold("h3", TCP, "0.0.0.0", 2377),
                "7946/tcp (gossip)": lambda: self.hold("h3", TCP, "0.0.0.0", 7946),
                "7946/udp (gossip)": lambda: self.hold("h3", UDP, "0.0.0.0", 7946),
                DATA_PATH: lambda: self.hold("h3", UDP, "127.0.0.1", 4789),
                f"{DATA_PATH} ": lambda: self.device("h3", "external")}
        for words, hold in held.items():
            with self.subTest(port=words):
                free = hold()
                self.refused("h3", EXISTS, words, "init")
                self.assertIn("inactive", self.lab.shoal("h3", "status").stdout)
                free()
        self.lab.shoal("h3", "init")
        self.lab.shoal("h3", "leave", "--force")

    def test_a_shared_data_path_port_is_no_reason_to_refuse(self):
        free = self.device("h3", "id", 42)
        self.lab.shoal("h3", "init")
        self.lab.shoal("h3", "leave", "--force")
        free()

    def test_a_data_path_port_taken_before_a_join_is_a_warning(self):
        free = self.hold("h3", UDP, "0.0.0.0", 4789)
        self.lab("restart", "h3")
        self.lab.shoal("h3", "join", "--token", self.token(), self.address)
        self.addCleanup(self.lab.shoal, "h3", "leave", "--force")
        wait_until(lambda: self.warns("h3", DATA_PATH), "h3 warns")
        free()
        wait_until(lambda: not self.warns("h3", DATA_PATH), "h3 has nothing to warn of")

    def test_an_attach_needs_the_data_path_port(self):
        """On a node of the cluster, before its first attach."""
        self.network("shop")
        web = Workload(self, "h2", "web")
        vni = self.lab.json("h1", "network", "inspect", "shop")[0]["VNI"]
        asked = ("attach", "shop", "--netns", web.netns, "--name", "web")
        held = ((lambda: self.hold("h2", UDP, "127.0.0.1", 4789), EXISTS, DATA_PATH, True),
                (lambda: self.device("h2", "external"), EXISTS, DATA_PATH, True),
                (lambda: self.device("h2", "id", vni), CONFLICT, "a VXLAN device with that VNI",
                 False))
        for hold, code, words, warned in held:
            with self.subTest(words=words):
                free = hold()
                self.refused("h2", code, words, *asked)
                if warned:
                    wait_until(lambda: self.warns("h2", DATA_PATH), "h2 warns")
                self.assertEqual(self.lab.on("h2", "ls", "/run/shoal/netns").stdout, "")
                self.assertNotIn("eth", web.run("ip", "-br", "link").stdout)
                self.assertEqual(self.lab.endpoint_names("h1", "shop"), [])
                free()
                wait_until(lambda: not self.warns("h2", "data path"), "h2 has nothing to warn of")
                web.attach("shop").detach("shop")

    def test_a_latecomer_finds_the_data_path_port_taken_by_shoal(self):
        self.network("shop")
        Workload(self, "h2", "web").attach("shop")
        taker = self.lab.start("h2", "python3", "-c", TAKER, UDP, "127.0.0.1", 4789)
        _, errors = taker.communicate(timeout=20)
        self.assertIn("Address already in use", errors)


if __name__ == "__main__":
    main()
