#!/usr/bin/env python3
"""Processes and namespaces that end before, during and after an attach: the answer says so, and no
lease is left behind."""
import subprocess

from lab import ClusterTest, main, wait_until
from workload import Workload

NOT_FOUND = 3
# A process in a namespace of its own that ends when its standard input does, or after a time; it
# prints its number once it is there.
SHORT_LIVED = "echo $$; read -t {} line"
# Attaches a process that ends at about the same time, again and again with other delays.
RACE = """
for delay in 0 1 2 4 6 8 10 14 18 25; do
  unshare --net sh -c "echo \\$\\$ >/run/racer; exec sleep 0.0$(printf %02d $delay)" &
  until [ -s /run/racer ]; do :; done
  shoal attach shop --pid $(cat /run/racer) --name racer$delay 2>&1 && echo attached
  echo "code $?"
  wait
  rm /run/racer
done
"""


class Gone(ClusterTest):
    HOSTS = 2

    def usage(self):
        """Endpoints by name, and the addresses that are used and that rest."""
        shown = self.lab.json("h1", "network", "inspect", "shop")[0]
        subnet = shown["Usage"][0]
        self.assertEqual(subnet["Size"],
                         subnet["Used"] + subnet["Quarantined"] + subnet["Free"])
        names = sorted(endpoint["Name"] for endpoint in shown["Containers"].values())
        return names, subnet["Used"]

    def wait_for_nothing(self):
        wait_until(lambda: self.usage() == ([], 0), "every lease is given back")
        wait_until(lambda: self.lab.on("h2", "ls", "/run/shoal/netns").stdout == "",
                   "nothing is left in the kernel")

    def sleeper(self):
        """(process, its pid) in a network namespace of its own on h2."""
        process = subprocess.Popen(
            self.lab.command("h2", "unshare", "--net", "bash", "-c", SHORT_LIVED.format(60)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=self.lab.environment)
        self.addCleanup(process.communicate)
        return process, int(process.stdout.readline())

    def refused(self, words, *arguments):
        done = self.lab.shoal("h2", "attach", "shop", *arguments, "--name", "x", check=False)
        self.assertEqual(done.returncode, NOT_FOUND, done.stdout + done.stderr)
        self.assertIn(words, done.stderr)

    def test_a_process_that_ended_before_the_attach(self):
        self.network("shop")
        process, pid = self.sleeper()
        process.communicate()
        self.refused(f"no process {pid}", "--pid", pid)
        self.wait_for_nothing()

    def test_a_process_that_ends_during_the_attach(self):
        self.network("shop")
        said = self.lab.on("h2", "bash", "-c", RACE).stdout
        self.assertEqual(said.count("code "), 10, said)
        answers = [line for line in said.splitlines() if line.startswith("shoal: ")]
        self.assertEqual(len(answers), said.count("code 3"), said)
        self.assertEqual(said.count("attached"), said.count("code 0"), said)
        for answer in answers:
            self.assertRegex(answer, "process [0-9]+", said)
        self.wait_for_nothing()

    def test_a_process_that_ends_while_attached(self):
        self.network("shop")
        process, pid = self.sleeper()
        self.lab.shoal("h2", "attach", "shop", "--pid", pid, "--name", "x")
        self.assertEqual(self.usage(), (["x"], 1))
        process.communicate()
        self.wait_for_nothing()
        self.assertIn(f"process {pid} ended", self.lab.log("h2"))

    def test_a_namespace_that_is_removed_while_attached(self):
        self.network("shop")
        self.lab.on("h2", "ip", "netns", "add", "brief")
        self.lab.shoal("h2", "attach", "shop", "--netns", "/run/netns/brief", "--name", "x")
        self.assertEqual(self.usage(), (["x"], 1))
        self.lab.on("h2", "ip", "netns", "del", "brief")
        self.wait_for_nothing()
        self.assertIn("there is no namespace at /run/netns/brief any more", self.lab.log("h2"))
        self.refused("there is no namespace at /run/netns/brief", "--netns", "/run/netns/brief")

    def test_another_namespace_of_the_same_name_is_another(self):
        self.network("shop")
        self.lab.on("h2", "ip", "netns", "add", "again")
        self.addCleanup(self.lab.on, "h2", "ip", "netns", "del", "again")
        self.lab.shoal("h2", "attach", "shop", "--netns", "/run/netns/again", "--name", "x")
        self.lab.on("h2", "sh", "-c", "ip netns del again && ip netns add again")
        self.wait_for_nothing()
        inside = self.lab.on("h2", "nsenter", "--net=/run/netns/again", "ip", "-br", "link").stdout
        self.assertNotIn("eth", inside)

    def test_another_process_of_the_same_namespace_is_no_reason_to_stay(self):
        """The endpoint is of the process that was named; a neighbour in its namespace keeps that
        alive, and the lease goes all the same."""
        self.network("shop")
        other = Workload(self, "h2", "other")
        process = subprocess.Popen(
            self.lab.command("h2", "nsenter", f"--net={other.netns}", "bash", "-c",
                             SHORT_LIVED.format(60)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.lab.environment)
        self.addCleanup(process.communicate)
        pid = int(process.stdout.readline())
        self.lab.shoal("h2", "attach", "shop", "--pid", pid, "--name", "x")
        process.communicate()
        self.wait_for_nothing()
        self.assertNotIn("eth", other.run("ip", "-br", "link").stdout)


if __name__ == "__main__":
    main()
