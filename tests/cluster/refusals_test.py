#!/usr/bin/env python3
"""Bad input: every refusal has its exit code and a sentence that says what to do, and changes
nothing."""
from lab import ClusterTest, main, wait_until
from refusal_cases import (ASKED_OF_A_MANAGER, ASKED_OF_NOBODY, ATTACHED, CONFLICT, CREATE,
                           EXHAUSTED, INVALID, PART_OF_ONE, UNAUTHENTICATED, UNAVAILABLE)
from workload import Workload

LISTENER = """
import socket
server = socket.create_server(("0.0.0.0", 8080))
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    connection.sendall(b"HTTP/1.1 400 Bad Request\\r\\n\\r\\n")
    connection.close()
"""


class Refusals(ClusterTest):
    HOSTS = 4
    JOIN = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = cls.lab.env("h1")["ADDRESS"]
        cls.lab.shoal("h1", "init", "--advertise-addr", cls.address)
        cls.lab.shoal("h2", "join", "--token", cls.token("h1"), f"{cls.address}:2377")
        # h3 is a cluster of its own, h4 of none.
        cls.lab.shoal("h3", "init", "--advertise-addr", cls.lab.env("h3")["ADDRESS"])

    @classmethod
    def token(cls, host, role="worker", *flags):
        return cls.lab.shoal(host, "join-token", role, "-q", *flags).stdout.strip()

    def says(self, host, code, words, arguments):
        with self.subTest(host=host, arguments=arguments):
            done = self.lab.shoal(host, *arguments, check=False)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertTrue(done.stderr.startswith("shoal: "), done.stderr)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stdout, "")

    def test_the_table(self):
        self.network("shop", "--subnet", "10.99.0.0/24")
        self.lab.shoal("h1", "network", "create", "-d", "overlay", "closed")
        self.addCleanup(self.lab.shoal, "h1", "network", "rm", "closed")
        web = Workload(self, "h1", "web").attach("shop")
        idle = Workload(self, "h1", "idle")
        before = self.lab.shoal("h1", "network", "inspect", "shop").stdout
        for case in ASKED_OF_A_MANAGER:
            self.says("h1", *case)
        for code, words, flags in ATTACHED:
            self.says("h1", code, words, ("attach", "shop", *flags))
        for case in ASKED_OF_NOBODY:
            self.says("h4", *case)
        self.assertEqual(self.lab.shoal("h1", "network", "inspect", "shop").stdout, before)
        self.assertNotIn("eth", idle.run("ip", "-br", "link").stdout)
        address = web.ip4()
        web.detach("shop")
        self.says("h1", CONFLICT, "was released and rests for another",
                  ("attach", "shop", "--netns", idle.netns, "--name", "x", "--ip", address))

    def test_where_nobody_answers(self):
        manager = self.address
        self.says("h2", CONFLICT, manager, (*CREATE, "x"))  # a worker names the managers
        self.says("h4", UNAVAILABLE, "/run/shoal/nosuch.sock",
                  ("--socket", "/run/shoal/nosuch.sock", "status"))

    def test_a_full_subnet_says_where_its_addresses_are(self):
        self.network("tiny", "--subnet", "10.98.0.0/30")
        only = Workload(self, "h1", "only").attach("tiny")
        second = Workload(self, "h2", "second")
        asked = ("attach", "tiny", "--netns", second.netns, "--name", "second")
        self.says("h2", EXHAUSTED, "1 addresses, 1 used, 0 quarantined, 0 free", asked)
        only.detach("tiny")
        self.says("h2", EXHAUSTED, "1 addresses, 0 used, 1 quarantined, 0 free", asked)

    def test_joins_that_reach_no_manager_of_this_cluster(self):
        token, other = self.token("h1"), self.lab.env("h3")["ADDRESS"]
        listener = self.lab.start("h1", "python3", "-c", LISTENER)
        self.addCleanup(listener.communicate)
        self.addCleanup(listener.kill)
        self.assertEqual(listener.stdout.readline(), "ready\n")
        for code, words, secret, manager in (
                (UNAVAILABLE, "connection refused", token, f"{self.address}:9"),
                (UNAVAILABLE, "is not a manager of Shoal", token, f"{self.address}:8080"),
                (UNAVAILABLE, "no route to the manager", token, "192.0.2.1:2377"),
                (UNAUTHENTICATED, "belongs to another cluster than this token", token, other),
                (UNAUTHENTICATED, "rotated or mistyped", token[:-25] + "0" * 25, self.address),
                (INVALID, "it has 81 characters where 85 are expected", token[:-4], self.address),
                (INVALID, "join token", "nonsense", self.address),
                (INVALID, "not a host", token, "not a host")):
            self.says("h4", code, words, ("join", "--token", secret, manager))
        self.says("h3", CONFLICT, PART_OF_ONE, ("join", "--token", token, self.address))
        self.says("h4", CONFLICT, "shoal init", ("node", "ls"))

    def test_a_rotated_token_is_refused_and_the_new_one_taken(self):
        old = self.token("h1")
        new = self.token("h1", "worker", "--rotate")
        self.says("h4", UNAUTHENTICATED, "rotated or mistyped",
                  ("join", "--token", old, self.address))
        counters = self.lab.json("h1", "status", "--json")["Counters"]
        self.assertGreaterEqual(counters["ca_bad_tokens_total"], 1)
        self.joins_as("worker", new)
        self.assertIn("h2", self.lab.shoal("h1", "node", "ls").stdout)  # members stay

    def joins_as(self, role, token):
        said = self.lab.shoal("h4", "join", "--token", token, self.address).stdout
        self.addCleanup(self.lab.shoal, "h4", "leave", "--force")
        self.assertIn(f"joined the cluster as a {role}.", said)
        now = self.lab.shoal("h4", "status", "--format", "{{.Role}}").stdout.strip()
        self.assertEqual(now, role)

    def test_the_token_is_the_role(self):
        self.joins_as("manager", self.token("h1", "manager"))

    def test_overlays_keep_off_the_hosts_routes(self):
        self.lab.on("h2", "ip", "route", "add", "10.0.0.0/23", "dev", "eth0")
        refused = "subnet 10.0.1.0/24 overlaps the route 10.0.0.0/23 of node h2"
        asked = (*CREATE, "--subnet", "10.0.1.0/24", "near")

        def told():
            done = self.lab.shoal("h1", *asked, check=False)
            if done.returncode == 0:  # before h2 told its new route
                self.lab.shoal("h1", "network", "rm", "near")
            return refused in done.stderr
        wait_until(told, "the route of h2 is known")
        self.says("h1", CONFLICT, refused, asked)
        self.network("drawn")
        subnet = self.lab.json("h1", "network", "inspect", "drawn")[0]["IPAM"]["Config"][0]
        self.assertEqual(subnet["Subnet"], "10.0.2.0/24")
        underlay = self.address.rsplit(".", 1)[0] + ".0/25"
        self.says("h1", CONFLICT, "of node h", (*CREATE, "--subnet", underlay, "under"))
        self.lab.on("h2", "ip", "route", "del", "10.0.0.0/23", "dev", "eth0")
        wait_until(lambda: self.lab.shoal("h1", *asked, check=False).returncode == 0,
                   "the route of h2 is forgotten")
        self.lab.shoal("h1", "network", "rm", "near")


if __name__ == "__main__":
    main()
