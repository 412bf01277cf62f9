#!/usr/bin/env python3
"""Certificates are renewed in time, and nothing that runs notices."""
import os
import signal
import time
from datetime import datetime, timezone

from lab import ClusterTest, main, run, wait_until
from workload import Workload, finish

VALIDITY = 40   # seconds; the command line's bound of an hour is lowered for this lab
BACKDATE = 3600
RENEWALS = 3


class Renewal(ClusterTest):
    HOSTS = 3
    JOIN = False

    @classmethod
    def setUpClass(cls):
        os.environ["SHOAL_SHORTEST_CERT_EXPIRY"] = str(VALIDITY)
        cls.addClassCleanup(os.environ.pop, "SHOAL_SHORTEST_CERT_EXPIRY")
        super().setUpClass()
        address = cls.lab.env("h1")["ADDRESS"]
        cls.lab.shoal("h1", "init", "--cert-expiry", f"{VALIDITY}s", "--advertise-addr", address)
        for host, role in (("h2", "manager"), ("h3", "worker")):
            token = cls.lab.shoal("h1", "join-token", role, "-q").stdout.strip()
            cls.lab.shoal(host, "join", "--token", token, f"{address}:2377")

    def validity(self, host):
        """When the certificate of a host was issued and when it ends, in seconds."""
        path = f"{self.lab.env(host)['STATE_DIR']}/node.crt"
        dates = run("openssl", "x509", "-in", path, "-noout", "-startdate", "-enddate").stdout
        parsed = [datetime.strptime(line.split("=")[1], "%b %d %H:%M:%S %Y GMT")
                  .replace(tzinfo=timezone.utc).timestamp() for line in dates.splitlines()]
        return parsed[0] + BACKDATE, parsed[1]

    def test_nodes_renew_in_time_and_keep_their_sessions(self):
        self.network("shop")
        web = Workload(self, "h1", "web").attach("shop")
        client = Workload(self, "h3", "client").attach("shop")
        client.wait_to_reach(web.ip4())
        web.serve("echo", 7)
        stream = client.stream(web.ip4(), 7)
        self.assertEqual(stream.stdout.readline(), "ready\n")
        sessions = {host: self.lab.log(host, 1000).count("registered with") for host in self.hosts}
        issued = {host: [self.validity(host)] for host in self.hosts}
        for host in self.hosts:
            self.assertAlmostEqual(issued[host][0][1] - issued[host][0][0], VALIDITY, delta=1)

        def renewed():
            for host in self.hosts:
                now = self.validity(host)
                if now == issued[host][-1]:
                    self.assertGreater(now[1], time.time(), f"{host} has let it expire")
                else:
                    issued[host].append(now)
            return all(len(seen) > RENEWALS for seen in issued.values())
        wait_until(renewed, f"everyone has renewed {RENEWALS} times",
                   deadline=VALIDITY * (RENEWALS + 1))
        for host, seen in issued.items():
            for before, after in zip(seen, seen[1:]):
                age = (after[0] - before[0]) / VALIDITY
                self.assertTrue(0.45 <= age <= 0.95, f"{host} renewed at {age:.0%}")
        after = {host: self.lab.log(host, 1000).count("registered with") for host in self.hosts}
        self.assertEqual(after, sessions)
        stream.send_signal(signal.SIGTERM)
        self.assertLess(finish(stream)["longest_gap"], 1.0)
        # New connections are made with the new ones.
        self.lab("restart", "h3")
        late = Workload(self, "h3", "late").attach("shop")
        late.wait_for_name("web", [web.ip4()])
        self.lab("kill", "h1")
        self.addCleanup(wait_until, lambda: self.lab.shoal(
            "h1", "node", "ls", check=False).returncode == 0, "the managers answer")
        self.addCleanup(self.lab, "start", "h1")

    def test_a_validity_that_is_too_short_is_refused(self):
        for text, word in ((f"{VALIDITY - 1}s", "--cert-expiry"), ("soon", "duration")):
            refused = self.lab.shoal("h1", "init", "--cert-expiry", text, check=False)
            self.assertNotEqual(refused.returncode, 0)
            if word == "duration":
                self.assertIn(word, refused.stderr)


if __name__ == "__main__":
    main()
