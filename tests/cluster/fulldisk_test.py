#!/usr/bin/env python3
"""A manager whose disk is full stops leading, says so, and loses nothing."""
from lab import ClusterTest, main, wait_until

DISK = "64m"   # of the manager under test; a fresh state takes a few MB
# A change of 60 KB: a log file has some room of its own when the disk is full already.
LABELS, LABEL_SIZE = 15, 4000


class FullDisk(ClusterTest):
    HOSTS = 4
    MANAGERS = 3

    def setUp(self):
        self.number = 0

    def on_a_small_disk(self, host):
        """Moves a host's state to a file system of its own, as the host sees it."""
        self.lab("stop", host)
        self.lab.on(host, "sh", "-ec", "mkdir /run/disk; "
                    f"mount -t tmpfs -o size={DISK} shoal-disk /run/disk; "
                    "cp -a /var/lib/shoal/. /run/disk; mount --bind /run/disk /var/lib/shoal")
        self.lab("start", host)

    def fill(self, host):
        self.lab.on(host, "dd", "if=/dev/zero", "of=/var/lib/shoal/ballast", "bs=4k", check=False)

    def leader(self, *asked):
        for host in asked:
            answer = self.lab.shoal(host, "--timeout", 5, "node", "ls", "--format",
                                    "{{.Hostname}} {{.ManagerStatus}}", check=False)
            for line in answer.stdout.splitlines():
                if line.endswith(" Leader"):
                    return line.split()[0]
        return None

    def create(self, host):
        """Whether a network could be made; those that could are remembered."""
        self.number += 1
        name = f"n{self.number}"
        made = self.lab.shoal(host, "--timeout", 20, "network", "create", "-d", "overlay", name,
                              check=False)
        if made.returncode == 0:
            self.acknowledged.add(name)
        return made.returncode == 0

    def spend(self, host):
        """Makes the log grow."""
        self.number += 1
        value = f"{self.number:04}".ljust(LABEL_SIZE, "x")
        flags = [word for i in range(LABELS) for word in ("--label-add", f"k{i}={value}")]
        self.lab.shoal(host, "node", "update", *flags, "h4", check=False)

    def networks(self, host):
        return set(self.lab.shoal(host, "network", "ls", "--format", "{{.Name}}").stdout.split())

    def test_the_leader(self):
        self.acknowledged = set()
        full = wait_until(lambda: self.leader("h1", "h2", "h3"), "there is a leader")
        others = [host for host in ("h1", "h2", "h3") if host != full]
        self.on_a_small_disk(full)
        # It leads again, by the others' stepping aside.
        def leads():
            if self.leader(*others) == full:
                return True
            leader = self.leader(*others)
            if leader:
                self.lab("restart", leader)
            return False
        wait_until(leads, f"{full} leads", deadline=120)
        self.assertTrue(self.create(full))
        self.fill(full)

        def taken_over():
            self.spend(others[0])
            return self.create(others[0]) and self.leader(*others) in others
        wait_until(taken_over, "another one leads and makes networks", deadline=180)
        wait_until(lambda: "No space" in " ".join(
            self.lab.json(full, "status", "--json")["Warnings"]), f"{full} says why")
        self.assertIn("No space", self.lab.log(full, 200))
        for _ in range(5):
            self.assertTrue(self.create(others[1]))
        # A worker lists what its session was told, which comes a moment after.
        wait_until(lambda: self.acknowledged <= self.networks("h4"), "h4 knows what was made")
        # Also a restart does not make it take part, and harms nothing.
        self.lab.on(full, "rm", "/var/lib/shoal/ballast")
        wait_until(lambda: not any("No space" in w for w in
                                   self.lab.json(full, "status", "--json")["Warnings"]),
                   f"{full} takes part again", deadline=60)
        wait_until(lambda: self.acknowledged <= self.networks(full), "it knows what was made")
        self.lab("restart", full)
        wait_until(lambda: self.acknowledged <= self.networks(full), "and after a restart too")
        # With it and one other, decisions are made.
        self.addCleanup(self.lab, "start", others[0])
        self.lab("kill", others[0])
        wait_until(lambda: self.create(full), "a network is made with it")


if __name__ == "__main__":
    main()
