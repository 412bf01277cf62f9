#!/usr/bin/env python3
"""What was made is gone when it is taken down: after detach, after leave, after `lab down`."""
import os
import subprocess

from kernel import overlays, picture
from lab import ClusterTest, run, main, wait_until
from workload import Workload


class Teardown(ClusterTest):
    def processes(self, host):
        """Command lines of what runs in the host's network namespace."""
        pids = run("ip", "netns", "pids", os.path.basename(self.lab.env(host)["NETNS"]))
        lines = [run("ps", "-o", "args=", "-p", pid, check=False).stdout
                 for pid in pids.stdout.split()]
        return sorted(line.strip() for line in lines if line.strip())

    def hosts_pictures(self):
        return {host: (picture(self.lab, host), overlays(self.lab, host), self.processes(host))
                for host in self.hosts}

    def test_detaching_everything_leaves_no_trace(self):
        before = self.hosts_pictures()
        self.network("red", "--ipv6")
        self.network("blue")
        ends = [Workload(self, host, f"end{host[1:]}") for host in self.hosts]
        for end in ends:
            end.run("true")
        bare = [picture(self.lab, end.host, end.netns) for end in ends]
        for end in ends:
            end.attach("red").attach("blue")
        ends[0].wait_to_reach(ends[1].ip6("red"))
        self.assertEqual([len(overlays(self.lab, host)) for host in self.hosts], [2, 2])
        for end in ends:
            end.detach("red")
            end.wait_for_name(end.name, [end.ip4("blue")])  # the other network stays
            end.detach("blue")
        self.assertEqual([picture(self.lab, end.host, end.netns) for end in ends], bare)
        self.assertEqual(self.hosts_pictures(), before)

    def test_a_namespace_that_is_deleted_is_detached(self):
        self.network("shop")
        before = self.hosts_pictures()
        for daemon_dead in (False, True):
            with self.subTest(daemon_dead=daemon_dead):
                self.lab.on("h2", "ip", "netns", "add", "gone")
                self.lab.shoal("h2", "attach", "shop", "--netns", "/run/netns/gone",
                               "--name", "gone")
                if daemon_dead:
                    self.lab("kill", "h2")
                self.lab.on("h2", "ip", "netns", "del", "gone")
                if daemon_dead:
                    self.lab("start", "h2")
                wait_until(lambda: not self.lab.endpoint_names("h1", "shop"), "it is detached")
                self.assertEqual(self.hosts_pictures(), before)

    def test_leave_and_join_again(self):
        before = self.hosts_pictures()["h2"]
        self.network("shop")
        end = Workload(self, "h2", "end")
        end.run("true")
        bare = picture(self.lab, "h2", end.netns)
        end.attach("shop")
        refused = self.lab.shoal("h2", "leave", check=False)
        self.assertEqual(refused.returncode, 5, refused.stderr)
        self.assertIn("detach", refused.stderr)
        self.lab.shoal("h2", "leave", "--force")
        end.endpoints.clear()
        self.assertEqual(picture(self.lab, "h2", end.netns), bare)
        self.assertEqual(self.hosts_pictures()["h2"], before)
        self.assertEqual(self.lab.endpoint_names("h1", "shop"), [])
        self.join("h2")
        end.attach("shop")
        web = Workload(self, "h1", "web").attach("shop")
        end.wait_for_name("web", [web.ip4()])
        end.wait_to_reach(web.ip4())

    def test_leave_without_managers_and_while_killed(self):
        self.network("shop")
        end = Workload(self, "h2", "end")
        end.run("true")
        bare = picture(self.lab, "h2", end.netns)
        before = self.hosts_pictures()["h2"]
        end.attach("shop")
        node = self.lab.json("h2", "status", "--json")["NodeID"]
        self.lab("kill", "all")
        self.lab("start", "h2")
        self.lab.shoal("h2", "leave", "--force")
        end.endpoints.clear()
        self.assertEqual(picture(self.lab, "h2", end.netns), bare)
        self.assertEqual(self.hosts_pictures()["h2"], before)
        self.lab("start", "h1")
        # The lease is the managers' to free when they remove the node.
        self.lab.shoal("h1", "node", "rm", "--force", node)
        self.assertEqual(self.lab.endpoint_names("h1", "shop"), [])
        self.join("h2")

    def join(self, host):
        token = self.lab.shoal("h1", "join-token", "worker", "-q").stdout.strip()
        self.lab.shoal(host, "join", "--token", token, self.lab.env("h1")["ADDRESS"] + ":2377")


class Alone(ClusterTest):
    HOSTS = 1
    JOIN = False

    def init(self):
        self.lab.shoal("h1", "init", "--advertise-addr", self.lab.env("h1")["ADDRESS"])

    def test_init_leave_init_restart(self):
        for _ in range(2):
            self.init()
            self.lab.shoal("h1", "network", "create", "-d", "overlay", "--attachable", "shop")
            end = Workload(self, "h1", "end")
            end.run("true")
            bare = picture(self.lab, "h1", end.netns)
            end.attach("shop")
            self.lab("restart", "h1")
            self.assertEqual(self.lab.endpoint_names("h1", "shop"), ["end"])
            end.wait_for_name("end", [end.ip4()])
            self.assertEqual(self.lab.shoal("h1", "leave", check=False).returncode, 5)
            self.lab.shoal("h1", "leave", "--force")
            end.endpoints.clear()
            self.assertEqual(picture(self.lab, "h1", end.netns), bare)
            self.assertEqual(overlays(self.lab, "h1"), [])
            self.doCleanups()


class Down(ClusterTest):
    HOSTS = 3

    def traces(self):
        """All that this machine shows of this lab."""
        name = f"shoal-{self.lab.name}-"
        mark = f"SHOAL_LAB_ROOT=/var/lib/shoal-lab/{self.lab.name}"
        marked = run("grep", "-lzxF", mark, *self.environments(), check=False)
        return {"namespaces": [line for line in run("ip", "netns").stdout.split() if name in line],
                "mounts": [line for line in run("cat", "/proc/self/mountinfo").stdout.splitlines()
                           if f"/{self.lab.name}/" in line or name in line],
                "processes": marked.stdout.split(),
                "files": run("find", "/var/lib/shoal-lab", "-maxdepth", "1",
                             "-name", self.lab.name, check=False).stdout.split()}

    @staticmethod
    def environments():
        return [f"/proc/{pid}/environ" for pid in os.listdir("/proc") if pid.isdigit()]

    def test_down_leaves_nothing(self):
        commands = (("ip", "-j", "link"), ("bridge", "-j", "fdb"), ("nft", "-j", "list", "ruleset"))
        before = [run(*command).stdout for command in commands]
        self.lab.shoal("h1", "network", "create", "-d", "overlay", "--attachable", "shop")
        for host in self.hosts:
            self.lab.on(host, "ip", "netns", "add", "end")
            self.lab.shoal(host, "attach", "shop", "--netns", "/run/netns/end", "--name", host)
        with subprocess.Popen(self.lab.command("h2", "nsenter", "--net=/run/netns/end", "sleep",
                                               "1000"), env=self.lab.environment) as process:
            self.assertTrue(all(self.traces().values()), self.traces())
            self.lab("kill", "h3")
            self.lab.down()
            self.assertLess(process.wait(timeout=10), 0)
        self.assertEqual(self.traces(),
                         {"namespaces": [], "mounts": [], "processes": [], "files": []})
        self.assertEqual([run(*command).stdout for command in commands], before)
        self.lab.down()  # once more does no harm
        self.lab.up(self.HOSTS)


if __name__ == "__main__":
    main()
