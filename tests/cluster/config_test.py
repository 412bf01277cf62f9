#!/usr/bin/env python3
"""The configuration file: what is wrong is said, what is right works, SIGHUP reads it anew."""
import os
import signal
import tempfile
from pathlib import Path

from lab import ClusterTest, main, wait_until
from workload import Workload

# Answers every question with one address.
RESOLVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    query, sender = s.recvfrom(4096)
    end = 12
    while query[end]:
        end += query[end] + 1
    question = query[12:end + 5]
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\1\\0\\4" + socket.inet_aton(sys.argv[2])
    s.sendto(query[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + question + answer, sender)
"""


class Configuration(ClusterTest):
    HOSTS = 1
    JOIN = False

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = Path(directory.name) / "shoald.toml"
        self.lab("stop", "h1")
        self.addCleanup(self.lab, "start", "h1")
        self.log = Path(directory.name) / "log"

    def check(self, text, suffix=".toml", flags=()):
        file = self.file.with_suffix(suffix)
        file.write_text(text)
        return self.lab.on("h1", "shoald", "--check-config", "--config-file", file, *flags,
                           check=False)

    def start(self, text):
        self.file.write_text(text)
        daemon = self.lab.start("h1", "sh", "-c",
                                f"exec shoald --config-file {self.file} 2>{self.log}")
        self.addCleanup(daemon.communicate)
        self.addCleanup(lambda: os.kill(self.pid(), signal.SIGTERM))
        wait_until(lambda: self.lab.shoal("h1", "status", check=False).returncode == 0, "a daemon")

    def pid(self):
        return int((Path(self.lab.env("h1")["STATE_DIR"]) / "lock").read_text().split()[0])

    def bridge(self, name):
        self.lab.shoal("h1", "network", "create", "-d", "bridge", name)
        self.addCleanup(self.lab.shoal, "h1", "network", "rm", name)

    def subnet(self, name):
        self.bridge(name)
        network, = self.lab.json("h1", "network", "inspect", name)
        return network["IPAM"]["Config"][0]["Subnet"]

    def test_what_is_wrong_is_said_and_nothing_starts(self):
        self.assertIn("configuration OK", self.check("log-level = 'debug'").stdout)
        for text, said in (("\nlog-levle = 'debug'", 'line 2: "log-levle": unknown key; "log-le'),
                           ("dns = ['here']", "no IP address"),
                           ("default-address-pools = [{base='10.0.0.0/8', size=4}]", "8 to 30"),
                           ("dns = [", "line 1")):
            wrong = self.check(text)
            self.assertEqual(wrong.returncode, 1, text)
            self.assertIn(said, wrong.stderr)
            self.assertIn(str(self.file), wrong.stderr)
        both = self.check("log-level = 'info'", flags=("--log-level", "warn"))
        self.assertEqual(both.returncode, 1)
        self.assertIn("both as a flag and in the configuration file", both.stderr)
        docker = self.check('{"storage-driver": "overlay2", "dns": ["9.9.9.9"]}', ".json")
        self.assertEqual(docker.returncode, 0, docker.stderr)
        self.assertIn("storage-driver says nothing about networks", docker.stdout)
        absent = self.lab.on("h1", "shoald", "--config-file", "/nowhere/x.toml", check=False)
        self.assertEqual(absent.returncode, 1)
        self.assertIn("/nowhere/x.toml", absent.stderr)

    def test_pools_options_and_resolvers(self):
        resolver = self.lab.start("h1", "python3", "-c", RESOLVER, "127.0.0.77", "192.0.2.77")
        self.addCleanup(resolver.communicate)
        self.addCleanup(resolver.terminate)
        self.assertEqual(resolver.stdout.readline().strip(), "ready")
        self.start("""
dns = ["127.0.0.77"]
default-address-pools = [{base = "10.77.0.0/16", size = 24}]
[default-network-opts.bridge]
"com.docker.network.driver.mtu" = "1400"
""")
        self.assertEqual(self.subnet("one"), "10.77.0.0/24")
        client = Workload(self, "h1", "client").attach("one")
        self.assertEqual(client.resolve("somewhere.example"), ["192.0.2.77"])
        self.assertIn("mtu 1400", client.run("ip", "link").stdout)

    def test_sighup_reads_it_anew_and_a_wrong_file_changes_nothing(self):
        pools = "default-address-pools = [{base = '10.%d.0.0/16', size = 24}]\n"
        self.start(pools % 77)
        self.assertEqual(self.subnet("one"), "10.77.0.0/24")
        self.file.write_text(pools % 78 + "ip-forward = false\n")
        os.kill(self.pid(), signal.SIGHUP)
        made = []

        def in_new_pool():
            made.append(self.subnet(f"two{len(made)}"))
            return made[-1].startswith("10.78.")
        wait_until(in_new_pool, "a network of the new pool")
        self.file.write_text(pools % 79 + "dsn = []\n")
        os.kill(self.pid(), signal.SIGHUP)
        wait_until(lambda: f"nothing is changed: {self.file}" in self.log.read_text(), "a refusal")
        self.assertIn("ip-forward has changed: it is read at the start", self.log.read_text())
        self.assertTrue(self.subnet("three").startswith("10.78."))

    def test_forwarding_is_left_alone_when_told(self):
        key = "/proc/sys/net/ipv4/ip_forward"
        before = self.lab.on("h1", "cat", key).stdout.strip()
        self.addCleanup(self.lab.on, "h1", "sh", "-c", f"echo {before} >{key}")
        self.lab.on("h1", "sh", "-c", f"echo 0 >{key}")
        self.start("ip-forward = false\n")
        self.bridge("one")
        wait_until(lambda: "ip-forward = false" in self.lab.shoal("h1", "status").stdout,
                   "status tells of it")
        self.assertEqual(self.lab.on("h1", "cat", key).stdout.strip(), "0")


if __name__ == "__main__":
    main()
