#!/usr/bin/env python3
"""Networks of one host: bridges, without a cluster, beside one, over the daemon's death."""
import ipaddress
import json
from pathlib import Path

from lab import ClusterTest, main, wait_until
from workload import TRAFFIC, Workload

# Holds a port for a while.
HOLD = """
import socket, sys, time
held = socket.create_server(("", int(sys.argv[1])))
print("held", flush=True)
time.sleep(int(sys.argv[2]))
"""


class LocalNetworks(ClusterTest):
    HOSTS = 1
    JOIN = False   # a host in no cluster

    def bridge(self, name, *flags):
        self.lab.shoal("h1", "network", "create", "-d", "bridge", *flags, name)
        self.addCleanup(self.lab.shoal, "h1", "network", "rm", name)
        return name

    def refused(self, exit_code, part, *arguments):
        done = self.lab.shoal("h1", *arguments, check=False)
        self.assertEqual(done.returncode, exit_code, done.stderr)
        self.assertIn(part, done.stderr)

    def test_the_story_of_two_on_one_bridge_and_a_third(self):
        self.bridge("front", "--ipv6")
        self.bridge("back", "--ipv6")
        web = Workload(self, "h1", "web").attach("front", "--alias", "www")
        client = Workload(self, "h1", "client").attach("front")
        other = Workload(self, "h1", "other").attach("back")
        web.serve("echo", 7)
        for name in ("web", "www", "web.front", "WEB"):
            self.assertEqual(client.resolve(name), [web.ip4()], name)
            self.assertEqual(client.resolve(name, "AAAA"), [web.ip6()], name)
        for address in ("web", web.ip4(), web.ip6()):
            for protocol in ("tcp", "udp"):
                said = client.traffic("say", address, 7, protocol)
                self.assertEqual(said["result"], "ok", f"{address} {protocol}")
        self.assertEqual(other.resolve("web"), [])
        for address in (web.ip4(), web.ip6()):
            self.assertEqual(other.probe(address, 7), "lost", address)
        other.attach("front")
        self.assertEqual(other.resolve("web"), [web.ip4()])
        self.assertEqual(other.traffic("say", "web", 7, "tcp")["result"], "ok")
        other.detach("front")
        self.assertEqual(other.resolve("web"), [])
        self.assertEqual(other.probe(web.ip4(), 7), "lost")

    def test_two_under_one_alias_answer_both(self):
        self.bridge("front")
        ends = [Workload(self, "h1", name).attach("front", "--alias", "www") for name in "ab"]
        client = Workload(self, "h1", "client").attach("front")
        self.assertEqual(client.resolve("www"), sorted(end.ip4() for end in ends))

    def test_traffic_and_state_outlive_the_daemon(self):
        self.bridge("front", "--ipv6")
        web = Workload(self, "h1", "web").attach("front")
        client = Workload(self, "h1", "client").attach("front")
        web.serve("echo", 7)
        self.lab("kill", "h1")
        for address in (web.ip4(), web.ip6()):
            self.assertEqual(client.traffic("say", address, 7, "tcp")["result"], "ok")
        self.lab("start", "h1")
        client.wait_for_name("web", [web.ip4()])
        self.assertEqual(self.lab.endpoint_names("h1", "front"), ["client", "web"])
        self.assertEqual(self.lab.json("h1", "status", "--json")["Counters"]["local_endpoints"], 2)
        late = Workload(self, "h1", "late").attach("front")
        self.assertEqual(late.traffic("say", "web", 7, "tcp")["result"], "ok")
        self.assertEqual(len({late.ip4(), web.ip4(), client.ip4()}), 3)

    def test_killed_at_any_moment_nothing_is_leaked(self):
        self.bridge("front")
        names = [f"w{i}" for i in range(4)]
        ends = [Workload(self, "h1", name) for name in names]
        for _ in range(6):
            commands = [self.lab.start("h1", "shoal", "attach", "front", "--netns", end.netns,
                                       "--name", end.name) for end in ends]
            commands[0].wait(timeout=30)
            self.lab("kill", "h1")
            for command in commands:
                command.communicate(timeout=60)
            self.lab("start", "h1")
            for name in self.lab.endpoint_names("h1", "front"):
                self.lab.shoal("h1", "detach", "front", name)
            wait_until(lambda: not self.ports(), "no port is left on the bridge")
            for end in ends:
                links = end.run("ip", "-o", "link", "show", "type", "veth").stdout
                self.assertEqual(links, "", end.name)

    def ports(self):
        return self.lab.on("h1", "ip", "-o", "link", "show", "type", "veth").stdout.count("veth ve")

    def test_a_process_that_ends_takes_its_endpoint_along(self):
        self.bridge("front")
        process = self.lab.start("h1", "unshare", "--net", "sh", "-c", "echo $$; exec sleep 600")
        pid = process.stdout.readline().strip()
        self.lab.shoal("h1", "attach", "front", "--pid", pid, "--name", "job")
        self.assertEqual(self.lab.endpoint_names("h1", "front"), ["job"])
        self.lab.on("h1", "kill", "-9", pid)
        process.communicate(timeout=30)
        wait_until(lambda: self.lab.endpoint_names("h1", "front") == [], "job's endpoint is gone")

    def test_lists_and_inspection(self):
        self.bridge("front", "--label", "tier=1", "-o", "com.docker.network.driver.mtu=1400")
        web = Workload(self, "h1", "web").attach("front")
        rows = self.lab.json("h1", "network", "ls", "--json")
        self.assertEqual([(row["Name"], row["Driver"], row["Scope"]) for row in rows],
                         [("front", "bridge", "local")])
        (shown,) = self.lab.json("h1", "network", "inspect", "front")
        self.assertEqual(shown["Scope"], "local")
        self.assertEqual(shown["Labels"], {"tier": "1"})
        self.assertEqual(shown["Usage"][0]["Used"], 1)
        self.assertEqual([each["Name"] for each in shown["Containers"].values()], ["web"])
        self.assertIn("this host's address", " ".join(shown["Notes"]))
        self.assertEqual(web.link()["mtu"], 1400)
        (seen,) = self.lab.json("h1", "endpoint", "inspect", "web")
        self.assertIn(web.ip4(), str(seen))

    def test_a_published_port_answers_until_it_is_detached(self):
        self.bridge("front", "--ipv6")
        web = Workload(self, "h1", "web").attach("front", "-p", "8080:80", "-p", "8080:80/udp",
                                                 "-p", "9000-9009:9000-9009", "-p", "127.0.0.1::80")
        web.serve("echo", 80)
        client = Workload(self, "h1", "client").attach("front")
        shown = self.lab.json("h1", "endpoint", "inspect", "web")[0]["Ports"]
        self.assertIn("0.0.0.0:8080:80/tcp", shown)
        self.assertIn("[::]:8080:80/udp", shown)
        self.assertIn("[::]:9000-9009:9000-9009/tcp", shown)
        drawn = next(port for port in shown if port.startswith("127.0.0.1:")).split(":")[1]
        self.assertGreaterEqual(int(drawn), 49153)
        (row,) = [row for row in self.lab.json("h1", "endpoint", "ls", "--json")
                  if row["Name"] == "web"]
        self.assertEqual(row["Ports"], ", ".join(shown))
        address = self.lab.env("h1")["ADDRESS"]
        self.assertEqual(self.say("127.0.0.1", drawn), "ok")
        for to in ("127.0.0.1", "::1", address, self.gateway("front", 4), self.gateway("front", 6)):
            self.assertEqual(self.say(to, 8080), "ok", to)
        self.assertEqual(self.say("127.0.0.1", 8080, "udp"), "ok")
        for workload in (client, web):
            said = workload.traffic("say", address, 8080, "tcp")
            self.assertEqual(said["result"], "ok", workload.name)
        # It outlives the daemon, which holds the port again when it is back.
        self.lab("kill", "h1")
        self.assertEqual(self.say(address, 8080), "ok")
        self.lab("start", "h1")
        self.assertEqual(self.say(address, 8080), "ok")
        self.assertNotEqual(self.bind(8080), "", "another program does not get it")
        other = Workload(self, "h1", "other")
        self.refused(4, "web of network front", "attach", "front", "--netns", other.netns,
                     "--name", "other", "-p", "8080:80")
        web.detach("front")
        self.assertNotEqual(self.say(address, 8080), "ok")
        self.assertEqual(self.bind(8080), "")
        other.attach("front", "-p", "8080:80")

    def test_ports_that_cannot_be_published_say_why(self):
        self.bridge("front")
        self.bridge("vault", "--internal")
        web = Workload(self, "h1", "web")
        attach = ("attach", "front", "--netns", web.netns, "--name", "web")
        for spec, part in (("8080:", "missing"), ("80/icmp", "icmp"),
                           ("localhost:80:80", "localhost"), ("80:80-90", "11"),
                           ("[::]:80:80", "--ipv6"), ("192.0.2.9:80:80", "192.0.2.9")):
            self.refused(2, part, *attach, "-p", spec)
        self.refused(2, "--expose", *attach, "-P")
        self.refused(2, "internal", "attach", "vault", *attach[2:], "-p", "80")
        holder = self.lab.start("h1", "python3", "-c", HOLD, "8081", "600")
        self.addCleanup(holder.communicate)
        self.addCleanup(holder.kill)
        self.assertEqual(holder.stdout.readline(), "held\n")
        self.refused(4, "in use by python3", *attach, "-p", "8081:80")
        web.attach("front", "-P", "--expose", "80-81")
        self.assertEqual(len(self.lab.json("h1", "endpoint", "inspect", "web")[0]["Ports"]), 2)

    def say(self, address, port, protocol="tcp"):
        """From the host itself to what echoes."""
        done = self.lab.on("h1", "python3", "-B", TRAFFIC, "say", address, port, protocol,
                           check=False)
        return json.loads(done.stdout)["result"] if done.stdout else "lost"

    def bind(self, port):
        """What the host says to a program that wants the port; nothing when it gets it."""
        return self.lab.on("h1", "python3", "-c", HOLD, port, 0, check=False).stderr

    def gateway(self, network, family):
        (shown,) = self.lab.json("h1", "network", "inspect", network)
        return next(each["Gateway"] for each in shown["IPAM"]["Config"]
                    if (":" in each["Gateway"]) == (family == 6))

    def test_without_a_driver_it_is_a_bridge_and_said_so(self):
        made = self.lab.shoal("h1", "network", "create", "plain")
        self.addCleanup(self.lab.shoal, "h1", "network", "rm", "plain")
        self.assertIn("driver: bridge", made.stderr)
        self.assertEqual(len(made.stdout.split()), 1, "the id alone")
        (shown,) = self.lab.json("h1", "network", "inspect", "plain")
        self.assertEqual(shown["Driver"], "bridge")

    def test_its_state_is_told_without_a_daemon(self):
        self.bridge("front", "--subnet", "10.77.0.0/24")
        Workload(self, "h1", "web").attach("front")
        state = self.lab.env("h1")["STATE_DIR"]
        self.lab("kill", "h1")
        self.addCleanup(self.lab, "start", "h1")
        sound = self.lab.on("h1", "shoal-state", "dump", state, check=False)
        self.assertEqual(sound.returncode, 0, sound.stdout + sound.stderr)
        for words in ("networks of this host alone: 1, endpoints: 1", '"front", bridge',
                      "10.77.0.0/24", '"web" on network "front"', "sound"):
            self.assertIn(words, sound.stdout)
        (endpoint,) = Path(state, "local_endpoints").iterdir()
        for path in (endpoint, Path(state, "local_networks")):
            whole = path.read_bytes()
            path.write_bytes(whole[:-7] + b"x" + whole[-6:])
            damaged = self.lab.on("h1", "shoal-state", "check", state, check=False)
            path.write_bytes(whole)
            self.assertEqual(damaged.returncode, 11, damaged.stdout)
            self.assertIn(str(path), damaged.stdout)

    def test_connect_disconnect_filters_and_prune(self):
        self.bridge("front", "--label", "tier=1")
        self.lab.shoal("h1", "network", "create", "-d", "bridge", "back")
        self.lab.shoal("h1", "network", "create", "-d", "bridge", "spare")
        web = Workload(self, "h1", "web").attach("front")
        other = Workload(self, "h1", "other").attach("back")
        web.serve("echo", 7)
        self.lab.shoal("h1", "network", "connect", "--alias", "www", "back", "web")
        self.assertEqual(other.traffic("say", "www", 7, "tcp")["result"], "ok")
        self.assertEqual(self.lab.endpoint_names("h1", "back"), ["other", "web"])
        self.lab.shoal("h1", "network", "disconnect", "back", "web")
        self.assertEqual(other.resolve("www"), [])
        self.assertEqual(self.lab.endpoint_names("h1", "front"), ["web"])
        self.refused(3, "nobody", "network", "connect", "back", "nobody")
        self.lab.shoal("h1", "attach", "back", "--netns", "container:web", "--name", "again")
        self.assertEqual(other.traffic("say", "again", 7, "tcp")["result"], "ok")
        self.lab.shoal("h1", "detach", "back", "again")

        def names(*filters):
            flags = [word for each in filters for word in ("--filter", each)]
            listed = self.lab.shoal("h1", "network", "ls", "--format", "{{.Name}}", *flags)
            return sorted(listed.stdout.split())

        self.assertEqual(names("label=tier=1"), ["front"])
        self.assertEqual(names("name=a"), ["back", "spare"])
        self.assertEqual(names("driver=overlay"), [])
        self.refused(2, "colour", "network", "ls", "--filter", "colour=red")
        self.assertEqual(self.lab.shoal("h1", "network", "prune").stdout, "", "nobody said yes")
        self.assertEqual(names(), ["back", "front", "spare"])
        pruned = self.lab.shoal("h1", "network", "prune", "-f")
        self.assertEqual(pruned.stdout.split(), ["Deleted", "Networks:", "spare"])
        other.detach("back")
        self.lab.shoal("h1", "network", "prune", "-f", "--filter", "name=back")
        self.assertEqual(names(), ["front"])

    def test_refusals_say_what_to_do(self):
        self.bridge("front", "--subnet", "10.77.0.0/24")
        web = Workload(self, "h1", "web").attach("front")
        create = ("network", "create", "-d", "bridge")
        self.refused(4, "front", *create, "front")
        self.refused(5, "10.77.0.0/24", *create, "--subnet", "10.77.0.0/25", "x")
        self.refused(2, "one IPv4 subnet", *create, "--subnet", "10.1.0.0/24",
                     "--subnet", "10.2.0.0/24", "x")
        self.refused(2, "reserved", *create, "host")
        self.refused(2, "enable_icc", *create, "-o", "com.docker.network.bridge.enable_ic=1", "x")
        self.refused(4, "eth0", *create, "-o", "com.docker.network.bridge.name=eth0", "x")
        self.refused(5, "web", "network", "rm", "front")
        self.refused(3, "nobody", "detach", "front", "nobody")
        self.refused(5, "cluster", "network", "create", "-d", "overlay", "x")
        self.refused(4, "already", "attach", "front", "--netns", web.netns, "--name", "again")
        rows = self.lab.json("h1", "network", "ls", "--json")
        self.assertEqual([row["Name"] for row in rows], ["front"])

    def test_nothing_is_left_and_nothing_of_others_touched(self):
        self.lab.on("h1", "ip", "link", "add", "docker0", "type", "bridge")
        self.addCleanup(self.lab.on, "h1", "ip", "link", "del", "docker0")
        self.lab.on("h1", "nft", "add", "table", "inet", "firewalld")
        self.addCleanup(self.lab.on, "h1", "nft", "delete", "table", "inet", "firewalld")
        before = self.picture()
        self.lab.shoal("h1", "network", "create", "-d", "bridge", "--ipv6", "front")
        Workload(self, "h1", "web").attach("front").detach("front")
        self.assertNotEqual(self.picture(), before)
        self.lab.shoal("h1", "network", "rm", "front")
        self.assertEqual(self.picture(), before)

    def picture(self):
        commands = (("ip", "-o", "link"), ("ip", "-o", "addr"), ("ip", "route"),
                    ("ip", "-6", "route"), ("nft", "list", "ruleset"),
                    ("sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"))
        return "\n".join(self.lab.on("h1", *command).stdout for command in commands)


class BesideACluster(ClusterTest):
    HOSTS = 2

    def test_one_namespace_on_a_bridge_and_an_overlay(self):
        self.network("shop")
        for host in self.hosts:
            self.lab.shoal(host, "network", "create", "-d", "bridge", "front")
            self.addCleanup(self.lab.shoal, host, "network", "rm", "front")
        both = Workload(self, "h1", "both").attach("shop").attach("front")
        near = Workload(self, "h1", "near").attach("front")
        far = Workload(self, "h2", "far").attach("shop")
        both.wait_for_name("far", [far.ip4()])
        self.assertEqual(both.resolve("near"), [near.ip4()])
        self.assertEqual(near.resolve("both"), [both.ip4("front")])
        far.wait_for_name("both", [both.ip4("shop")])
        self.assertEqual(far.resolve("near"), [], "the other host's bridge is another's")
        both.wait_to_reach(far.ip4())
        both.wait_to_reach(near.ip4())
        names = {row["Name"] for row in self.lab.json("h1", "network", "ls", "--json")}
        self.assertEqual(names, {"shop", "front"})
        both.detach("shop")
        self.assertEqual(both.resolve("near"), [near.ip4()], "its resolver goes on")
        self.assertEqual(both.resolve("far"), [])


    def test_an_overlay_is_not_drawn_over_a_network_of_a_host(self):
        self.lab.shoal("h2", "network", "create", "-d", "bridge", "--subnet", "10.0.0.0/12", "wide")
        self.addCleanup(self.lab.shoal, "h2", "network", "rm", "wide")
        made = []

        def avoided():
            name = f"drawn{len(made)}"
            self.lab.shoal("h1", "network", "create", "-d", "overlay", name)
            made.append(name)
            (shown,) = self.lab.json("h1", "network", "inspect", name)
            self.lab.shoal("h1", "network", "rm", name)
            subnet = ipaddress.ip_network(shown["IPAM"]["Config"][0]["Subnet"])
            return not subnet.overlaps(ipaddress.ip_network("10.0.0.0/12"))

        wait_until(avoided, "the managers know of the network of h2")


class AfterACluster(ClusterTest):
    HOSTS = 1

    def test_a_bridge_outlives_the_cluster(self):
        self.lab.shoal("h1", "network", "create", "-d", "bridge", "kept")
        self.addCleanup(self.lab.shoal, "h1", "network", "rm", "kept")
        a = Workload(self, "h1", "a").attach("kept")
        b = Workload(self, "h1", "b").attach("kept")
        a.serve("echo", 7)
        self.lab.shoal("h1", "leave", "--force")
        self.assertEqual(b.traffic("say", "a", 7, "tcp")["result"], "ok")
        self.assertEqual(self.lab.endpoint_names("h1", "kept"), ["a", "b"])


if __name__ == "__main__":
    main()
