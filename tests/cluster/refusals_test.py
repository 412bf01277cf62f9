#!/usr/bin/env python3
"""Bad input, as a table: every refusal has its exit code and a sentence, and changes nothing."""
from lab import ClusterTest, main
from workload import Workload

INVALID, NOT_FOUND, EXISTS, CONFLICT = 2, 3, 4, 5
UNAUTHENTICATED, DENIED, EXHAUSTED, UNAVAILABLE = 6, 7, 8, 9
CREATE = ("network", "create", "-d", "overlay", "--attachable")
WRONG_TOKEN = "SWMTKN-1-" + "0" * 50 + "-" + "0" * 25

# (exit code, what is asked of h1, which is a manager with network shop and endpoint web)
ASKED_OF_A_MANAGER = [
    (INVALID, ()),
    (INVALID, ("frobnicate",)),
    (INVALID, ("network", "create")),
    (INVALID, (*CREATE, "")),
    (INVALID, (*CREATE, "-leading-dash")),
    (INVALID, (*CREATE, "sp ace")),
    (INVALID, (*CREATE, "a" * 300)),
    (INVALID, (*CREATE, "new\nline")),
    (INVALID, ("network", "create", "-d", "nosuchdriver", "x")),
    (INVALID, (*CREATE, "--subnet", "10.77.0.0", "x")),
    (INVALID, (*CREATE, "--subnet", "10.77.0.0/33", "x")),
    (INVALID, (*CREATE, "--subnet", "300.77.0.0/24", "x")),
    (INVALID, (*CREATE, "--subnet", "fd00::/200", "x")),
    (INVALID, (*CREATE, "--subnet", "224.0.0.0/24", "x")),
    (INVALID, (*CREATE, "--subnet", "127.0.0.0/24", "x")),
    (INVALID, (*CREATE, "--subnet", "10.77.0.0/24", "--gateway", "10.78.0.1", "x")),
    (CONFLICT, (*CREATE, "--subnet", "10.99.0.0/25", "x")),       # shop has 10.99.0.0/24
    (CONFLICT, (*CREATE, "--subnet", "10.0.0.0/8", "x")),
    (EXISTS, (*CREATE, "shop")),
    (NOT_FOUND, ("network", "inspect", "nosuch")),
    (NOT_FOUND, ("network", "rm", "nosuch")),
    (CONFLICT, ("network", "rm", "shop")),
    (NOT_FOUND, ("node", "inspect", "nosuch")),
    (NOT_FOUND, ("node", "rm", "nosuch")),
    (CONFLICT, ("node", "rm", "h2")),                             # it is ready
    (CONFLICT, ("node", "demote", "h1")),                         # the last manager
    (NOT_FOUND, ("endpoint", "inspect", "nosuch")),
    (NOT_FOUND, ("detach", "shop", "nosuch")),
    (INVALID, ("join-token", "boss")),
    (CONFLICT, ("init",)),
    (CONFLICT, ("join", "--token", WRONG_TOKEN, "192.0.2.1:2377")),
    (CONFLICT, ("leave",)),
]

# (exit code, flags of `shoal attach` to network shop, which has endpoint web)
ATTACHED = [
    (INVALID, ("--name", "x")),
    (INVALID, ("--netns", "/run/netns/idle")),
    (INVALID, ("--netns", "/run/netns/idle", "--pid", "1", "--name", "x")),
    (INVALID, ("--pid", "0", "--name", "x")),
    (INVALID, ("--pid", "notanumber", "--name", "x")),
    (NOT_FOUND, ("--pid", "4194303", "--name", "x")),
    (NOT_FOUND, ("--netns", "/run/netns/nosuch", "--name", "x")),
    (INVALID, ("--netns", "/etc/hostname", "--name", "x")),
    (INVALID, ("--netns", "/run/netns/idle", "--name", "")),
    (INVALID, ("--netns", "/run/netns/idle", "--name", "sp ace")),
    (INVALID, ("--netns", "/run/netns/idle", "--name", "a" * 300)),
    (EXISTS, ("--netns", "/run/netns/idle", "--name", "web")),
    (INVALID, ("--netns", "/run/netns/idle", "--name", "x", "--ip", "not-an-address")),
    (INVALID, ("--netns", "/run/netns/idle", "--name", "x", "--ip", "10.98.0.7")),
    (INVALID, ("--netns", "/run/netns/idle", "--name", "x", "--ifname", "sixteen-and-more")),
    (INVALID, ("--netns", "/run/netns/idle", "--name", "x", "--ifname", "a/b")),
    (EXISTS, ("--netns", "/run/netns/idle", "--name", "x", "--ifname", "lo")),
]


class Refusals(ClusterTest):
    HOSTS = 3
    JOIN = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        address = cls.lab.env("h1")["ADDRESS"]
        cls.lab.shoal("h1", "init", "--advertise-addr", address)
        cls.manager = f"{address}:2377"
        token = cls.lab.shoal("h1", "join-token", "worker", "-q").stdout.strip()
        cls.lab.shoal("h2", "join", "--token", token, cls.manager)  # h3 is never part of it

    def assert_refused(self, host, code, arguments):
        with self.subTest(host=host, arguments=arguments):
            done = self.lab.shoal(host, *arguments, check=False)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertTrue(done.stderr.startswith("shoal: "), done.stderr)
            self.assertEqual(done.stdout, "")

    def test_the_table(self):
        self.network("shop", "--subnet", "10.99.0.0/24")
        web = Workload(self, "h1", "web").attach("shop")
        idle = Workload(self, "h1", "idle")
        before = self.lab.shoal("h1", "network", "inspect", "shop").stdout
        for code, arguments in ASKED_OF_A_MANAGER:
            self.assert_refused("h1", code, arguments)
        for code, flags in ATTACHED:
            self.assert_refused("h1", code, ("attach", "shop", *flags))
        self.assert_refused("h1", NOT_FOUND, ("attach", "nosuch", "--netns", idle.netns,
                                              "--name", "x"))
        self.assert_refused("h1", EXISTS, ("attach", "shop", "--netns", idle.netns, "--name", "x",
                                           "--ip", web.ip4()))
        self.assertEqual(self.lab.shoal("h1", "network", "inspect", "shop").stdout, before)
        self.assertEqual(idle.run("ls", "/sys/class/net", check=False).returncode, 0)
        self.assertNotIn("eth", idle.run("ip", "-br", "link").stdout)

    def test_a_network_that_is_not_attachable(self):
        self.lab.shoal("h1", "network", "create", "-d", "overlay", "closed")
        self.addCleanup(self.lab.shoal, "h1", "network", "rm", "closed")
        idle = Workload(self, "h1", "idle")
        done = self.lab.shoal("h1", "attach", "closed", "--netns", idle.netns, "--name", "x",
                              check=False)
        self.assertEqual(done.returncode, DENIED, done.stderr)
        self.assertIn("attachable", done.stderr)

    def test_a_subnet_that_is_full(self):
        self.network("tiny", "--subnet", "10.98.0.0/30")  # one gateway, one address
        Workload(self, "h1", "only").attach("tiny")
        second = Workload(self, "h2", "second")
        done = self.lab.shoal("h2", "attach", "tiny", "--netns", second.netns, "--name", "second",
                              check=False)
        self.assertEqual(done.returncode, EXHAUSTED, done.stderr)
        self.assertIn("tiny", done.stderr)

    def test_wrong_tokens_and_wrong_managers(self):
        token = self.lab.shoal("h1", "join-token", "worker", "-q").stdout.strip()
        secret = token.rsplit("-", 1)[0] + "-" + "0" * 25
        self.assert_refused("h3", INVALID, ("join", "--token", "nonsense", self.manager))
        self.assert_refused("h3", INVALID, ("join", "--token", token, "not a host"))
        self.assert_refused("h3", UNAUTHENTICATED, ("join", "--token", WRONG_TOKEN, self.manager))
        self.assert_refused("h3", UNAUTHENTICATED, ("join", "--token", secret, self.manager))
        self.assert_refused("h3", UNAVAILABLE, ("--timeout", 20, "join", "--token", token,
                                                self.manager.replace(":2377", ":9")))

    def test_a_rotated_token_is_void_and_members_stay(self):
        old = self.lab.shoal("h1", "join-token", "worker", "-q").stdout.strip()
        new = self.lab.shoal("h1", "join-token", "worker", "-q", "--rotate").stdout.strip()
        self.assertNotEqual(old, new)
        self.assert_refused("h3", UNAUTHENTICATED, ("join", "--token", old, self.manager))
        self.assertIn("h2", self.lab.shoal("h1", "node", "ls").stdout)

    def test_a_worker_names_the_managers(self):
        done = self.lab.shoal("h2", *CREATE, "x", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(self.manager.split(":")[0], done.stderr)

    def test_a_host_that_is_in_no_cluster_says_so(self):
        for arguments in (("network", "ls"), ("node", "ls"), (*CREATE, "x"), ("leave",)):
            done = self.lab.shoal("h3", *arguments, check=False)
            self.assertEqual(done.returncode, CONFLICT, done.stderr)
            self.assertIn("shoal init", done.stderr)

    def test_without_a_daemon_the_command_line_says_where_it_looked(self):
        done = self.lab.shoal("h3", "--socket", "/run/shoal/nosuch.sock", "status", check=False)
        self.assertEqual(done.returncode, UNAVAILABLE, done.stderr)
        self.assertIn("/run/shoal/nosuch.sock", done.stderr)


if __name__ == "__main__":
    main()
