#!/usr/bin/env python3
"""Managers come and go: promotion, demotion, removal, restarts, and one that was away for long."""
import os
import time

from crowd import Crowd
from lab import ClusterTest, main, wait_until
from workload import Workload

# 8 MiB of log make a snapshot and let the log go. A change of 15 labels of 4,000 bytes is 60 KB.
LABELS, LABEL_SIZE, CHANGES = 15, 4000, 160
# Promotions and demotions during a flood of attaches, each ending as it began.
CHANGES_OF_ROLE = [("promote", "h4", 4), ("demote", "h2", 3), ("promote", "h2", 4),
                   ("demote", "h4", 3)]
ENDPOINTS = 600
AT_ONCE = 12         # on each host


class Roles(ClusterTest):
    HOSTS = 4
    MANAGERS = 3

    def roles(self, host):
        rows = self.lab.shoal(host, "node", "ls", "--format",
                              "{{.Hostname}} {{.Role}} {{.ManagerStatus}}").stdout.splitlines()
        return {row.split()[0]: row.split()[1:] for row in rows}

    def wait_for_managers(self, asked, managers):
        """As `asked` shows it: these are the managers, all reachable, with a leader."""
        def settled():
            roles = self.roles(asked)
            found = {host for host, role in roles.items() if role[0] == "manager"}
            statuses = sorted(roles[host][-1] for host in found)
            return found == set(managers) and \
                statuses == ["Leader"] + ["Reachable"] * (len(managers) - 1)
        wait_until(settled, f"{asked} shows the managers {managers}")

    def wait_for_own_role(self, host, role):
        wait_until(lambda: self.lab.shoal(host, "status", "--format",
                                          "{{.Role}}").stdout.strip() == role,
                   f"{host} says that it is a {role}")

    def works(self, *hosts):
        """A network made on one of the managers is used on every host."""
        self.network("proof", host=hosts[0])
        ends = [Workload(self, host, f"proof{host}").attach("proof") for host in self.hosts]
        ends[0].wait_for_name(ends[-1].name, [ends[-1].ip4()])
        ends[0].wait_to_reach(ends[-1].ip4())
        for host in hosts:
            self.assertEqual(self.lab.endpoint_names(host, "proof"), sorted(e.name for e in ends))
        self.doCleanups()

    def test_a_worker_is_promoted_and_the_leader_demoted(self):
        self.lab.shoal("h1", "node", "promote", "h4")
        self.wait_for_own_role("h4", "manager")
        self.wait_for_managers("h4", self.hosts)
        self.works("h4", "h2")
        leader = next(h for h, role in self.roles("h4").items() if role[-1] == "Leader")
        others = [host for host in self.hosts if host != leader]
        self.lab.shoal(others[0], "node", "demote", leader)
        self.wait_for_own_role(leader, "worker")
        self.wait_for_managers(others[0], others)
        self.works(*others)
        self.lab.shoal(others[0], "node", "promote", leader)
        self.wait_for_managers(leader, self.hosts)
        self.lab.shoal("h1", "node", "demote", "h4")
        self.wait_for_own_role("h4", "worker")
        self.wait_for_managers("h1", ["h1", "h2", "h3"])

    def test_a_manager_is_demoted_leaves_is_removed_and_joins_again(self):
        self.network("stays")
        kept = Workload(self, "h1", "kept").attach("stays")
        reader = Workload(self, "h4", "reader").attach("stays")
        self.lab.shoal("h1", "node", "demote", "h3")
        self.wait_for_own_role("h3", "worker")
        self.lab.shoal("h3", "leave")
        wait_until(lambda: "down" in self.lab.shoal("h1", "node", "ls").stdout.lower(),
                   "h3 is seen to be down")
        self.lab.shoal("h1", "node", "rm", "h3")
        self.assertNotIn("h3", self.roles("h1"))
        token = self.lab.shoal("h1", "join-token", "manager", "-q").stdout.strip()
        self.lab.shoal("h3", "join", "--token", token, f"{self.lab.env('h1')['ADDRESS']}:2377")
        self.wait_for_managers("h3", ["h1", "h2", "h3"])
        reader.wait_for_name("kept", [kept.ip4()])
        reader.wait_to_reach(kept.ip4())
        self.works("h3", "h1")

    def test_all_managers_restart_at_once(self):
        self.network("kept")
        web = Workload(self, "h4", "web").attach("kept")
        self.lab("kill", "h1", "h2", "h3")
        self.lab("start", "h1", "h2", "h3")
        self.wait_for_managers("h2", ["h1", "h2", "h3"])
        self.assertEqual(self.lab.endpoint_names("h3", "kept"), ["web"])
        late = Workload(self, "h1", "late").attach("kept")
        late.wait_for_name("web", [web.ip4()])
        late.wait_to_reach(web.ip4())

    def test_a_manager_that_was_away_for_long_comes_back_by_a_snapshot(self):
        self.wait_for_managers("h1", ["h1", "h2", "h3"])
        away = next(h for h, role in self.roles("h1").items() if role[-1] == "Reachable")
        here = next(h for h in ("h1", "h2", "h3") if h != away)
        self.addCleanup(self.lab, "start", away)
        self.lab("kill", away)
        self.network("meanwhile", host=here)
        for change in range(CHANGES):
            value = f"{change:04}".ljust(LABEL_SIZE, "x")
            flags = [word for i in range(LABELS) for word in ("--label-add", f"k{i}={value}")]
            self.lab.shoal(here, "node", "update", *flags, "h4")
        self.lab("start", away)
        self.wait_for_managers(away, ["h1", "h2", "h3"])
        wait_until(lambda: "meanwhile" in self.lab.shoal(away, "network", "ls").stdout,
                   f"{away} knows the network")
        labels = self.lab.json(away, "node", "inspect", "h4")[0]["Spec"]["Labels"]
        self.assertTrue(labels["k0"].startswith(f"{CHANGES - 1:04}"), labels["k0"][:20])
        state = self.lab.env(away)["STATE_DIR"]
        snapshots = [name for name in os.listdir(f"{state}/manager/raft") if "snapshot" in name]
        self.assertTrue(snapshots, "it caught up without a snapshot")
        # It counts for the quorum again: with it and one other, decisions are made.
        third = next(h for h in ("h1", "h2", "h3") if h not in (away, here))
        self.addCleanup(self.lab, "start", third)
        self.lab("kill", third)
        wait_until(lambda: self.lab.shoal(away, "network", "create", "-d", "overlay", "quorum",
                                          check=False).returncode in (0, 4),
                   "a network is made with the one that came back")
        self.lab.shoal(away, "network", "rm", "quorum")


class RolesUnderLoad(ClusterTest):
    HOSTS = 5
    MANAGERS = 3

    def wait_for_voters(self, voters):
        wait_until(lambda: self.lab.json("h1", "raft", "status", "--json")["Voters"] == voters,
                   f"there are {voters} voters", deadline=60)

    def test_promotion_and_demotion_cost_an_attach_nothing_but_time(self):
        self.network("crowd", "--subnet", "10.78.0.0/22")
        crowds = [Crowd(self, host, [f"{host}e{i}" for i in range(ENDPOINTS // 2)])
                  for host in ("h4", "h5")]
        floods = [crowd.attach("crowd", AT_ONCE) for crowd in crowds]
        begun = time.monotonic()
        changes = 0
        while any(flood.process.poll() is None for flood in floods):
            for verb, node, voters in CHANGES_OF_ROLE:
                self.lab.shoal("h1", "node", verb, node)
                self.wait_for_voters(voters)
                changes += 1
        took = time.monotonic() - begun
        rows = [row for flood in floods for row in flood.finish()]   # none failed
        print(f"{len(rows) / took:.0f} attaches a second during {changes} changes of role")
        self.assertGreaterEqual(changes, len(CHANGES_OF_ROLE))
        addresses = [a for crowd in crowds for a in crowd.addresses().values()]
        self.assertEqual(len(set(addresses)), len(rows), "an address was handed out twice")
        for flood in [crowd.detach("crowd", AT_ONCE) for crowd in crowds]:
            flood.finish()


if __name__ == "__main__":
    main()
