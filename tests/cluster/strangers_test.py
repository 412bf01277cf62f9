#!/usr/bin/env python3
"""Who may call what on the cluster port: with no certificate, a worker's, another cluster's, a
removed node's; messages too large, tokens guessed by the thousand, connections that stay."""
import json
import re
import shutil
import threading
import time
from pathlib import Path

from lab import SOURCE, ClusterTest, main

STRANGER = SOURCE / "tests/cluster/stranger.py"
PYTHON = "/usr/bin/python3"  # the one that python3-grpcio is for
MEMORY_MIB = 400
MIB = 1 << 20
ROOT, ISSUE, RENEW = (f"/shoal.ca.Ca/{name}" for name in (
    "GetRootCertificate", "IssueCertificate", "RenewCertificate"))
DISPATCH = "/shoal.dispatch.Dispatcher/"
LOCAL = "/shoal.control.Local/"
WRONG_TOKEN = "SWMTKN-1-" + "0" * 50 + "-" + "0" * 25
ANNOYED = 2  # seconds that a good join may take beside a flood, over what it takes alone


def all_methods():
    """Of every service in proto/: nobody may add one without saying who may call it."""
    found = []
    for path in sorted((SOURCE / "proto").glob("*.proto")):
        package = ""
        for word, name in re.findall(r"^\s*(package|service|rpc) ([\w.]+)", path.read_text(), re.M):
            if word == "package":
                package = name
            elif word == "service":
                service = name
            else:
                found.append(f"/{package}.{service}/{name}")
    return found


def issue_request(token):
    """IssueCertificateRequest with that token: field 2."""
    return (b"\x12" + bytes([len(token)]) + token.encode()).hex()


class Strangers(ClusterTest):
    HOSTS = 4
    JOIN = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = {host: cls.lab.env(host) for host in cls.hosts}
        cls.address = cls.env["h1"]["ADDRESS"]
        cls.lab.shoal("h1", "init", "--advertise-addr", cls.address)
        cls.token = cls.lab.shoal("h1", "join-token", "worker", "-q").stdout.strip()
        cls.lab.shoal("h2", "join", "--token", cls.token, cls.address)
        # h3 is a cluster of its own, h4 comes and goes.
        cls.lab.shoal("h3", "init", "--advertise-addr", cls.env["h3"]["ADDRESS"])

    def files(self, host):
        state = Path(self.env[host]["STATE_DIR"])
        return [state / "node.crt", state / "node.key"]

    def call(self, calls, *identity, host="h4"):
        """What each of [(method, message, times)] got."""
        root = Path(self.env["h1"]["STATE_DIR"]) / "root.crt"
        wanted = json.dumps([list(call) for call in calls])
        out = self.lab.on(host, PYTHON, "-B", STRANGER, f"{self.address}:2377", wanted, root,
                          *identity, timeout=120).stdout
        return [json.loads(line) for line in out.splitlines()]

    def statuses(self, *identity):
        """The status of each method of all, called once with nothing."""
        methods = all_methods()
        self.assertGreater(len(methods), 20)
        answers = self.call([(method, 0, 1) for method in methods], *identity)
        return {method: next(iter(answer)) for method, answer in zip(methods, answers, strict=True)}

    def counters(self):
        return self.lab.json("h1", "status", "--json")["Counters"]

    def assert_serves(self):
        status = Path(f"/proc/{self.env['h1']['PID']}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        self.assertLess(int(peak.split()[1]) // 1024, MEMORY_MIB)
        self.lab.shoal("h1", "network", "create", "-d", "overlay", "after")
        self.lab.shoal("h1", "network", "rm", "after")

    def join_and_leave(self):
        """Seconds that h4 takes to join."""
        begun = time.monotonic()
        self.lab.shoal("h4", "join", "--token", self.token, self.address)
        seconds = time.monotonic() - begun
        self.lab.shoal("h4", "leave", "--force")
        return seconds

    def test_without_a_certificate_one_may_only_join(self):
        for method, status in self.statuses().items():
            with self.subTest(method=method):
                wanted = {ROOT: "OK", ISSUE: "INVALID_ARGUMENT"}.get(method, "UNAUTHENTICATED")
                if method.startswith(LOCAL):
                    wanted = "UNIMPLEMENTED"  # not on this port at all
                self.assertEqual(status, wanted)

    def test_a_worker_may_dispatch_renew_and_join(self):
        members = self.lab.shoal("h1", "node", "ls").stdout
        for method, status in self.statuses(*self.files("h2")).items():
            with self.subTest(method=method):
                wanted = "OK" if method == ROOT else "PERMISSION_DENIED"
                if method.startswith((LOCAL, "/shoal.ca.Ca/", DISPATCH)) and method != ROOT:
                    self.assertNotIn(status, ("UNAUTHENTICATED", "PERMISSION_DENIED"))
                else:
                    self.assertEqual(status, wanted)
        self.assertEqual(self.lab.shoal("h1", "node", "ls").stdout, members)

    def test_a_worker_may_not_detach_what_is_another_nodes(self):
        self.network("shop")
        self.lab.on("h1", "ip", "netns", "add", "web")
        self.addCleanup(self.lab.on, "h1", "ip", "netns", "del", "web")
        endpoint = self.lab.json("h1", "attach", "shop", "--netns", "/run/netns/web", "--name",
                                 "web", "--json")["ID"]
        self.addCleanup(self.lab.shoal, "h1", "detach", "shop", "web")
        message = (b"\x0a" + bytes([len(endpoint)]) + endpoint.encode()).hex()
        answer = self.call([(f"{DISPATCH}DetachEndpoint", message, 1)], *self.files("h2"))
        self.assertEqual(answer, [{"PERMISSION_DENIED": 1}])
        self.assertEqual(self.lab.endpoint_names("h1", "shop"), ["web"])

    def test_another_clusters_certificate_does_not_even_connect(self):
        self.assertEqual(set(self.statuses(*self.files("h3")).values()), {"UNAVAILABLE"})
        self.assert_serves()

    def test_a_removed_nodes_certificate_is_worth_nothing(self):
        self.lab.shoal("h4", "join", "--token", self.token, self.address)
        node = self.lab.json("h4", "status", "--json")["Node"]["ID"]
        kept = []
        for path in self.files("h4"):
            kept.append(Path(self.env["h4"]["STATE_DIR"]).parent / path.name)
            shutil.copy(path, kept[-1])
        self.lab.shoal("h4", "leave", "--force")
        self.lab.shoal("h1", "node", "rm", "--force", node)
        calls = [(method, 0, 1) for method in (
            RENEW, f"{DISPATCH}Session", f"{DISPATCH}AttachEndpoint")]
        for answer in self.call(calls, *kept):
            self.assertEqual(answer, {"PERMISSION_DENIED": 1})

    def test_messages_that_are_too_large(self):
        answers = self.call([(ISSUE, 5 * MIB, 4), (ISSUE, 17 * MIB, 4), (ROOT, 5 * MIB, 4),
                             ("/shoal.control.Cluster/CreateNetwork", 5 * MIB, 4)])
        self.assertEqual(answers[1], {"RESOURCE_EXHAUSTED": 4})
        for answer in answers:
            self.assertNotIn("OK", answer)
        self.assert_serves()

    def test_a_flood_of_wrong_tokens_does_not_keep_others_out(self):
        alone = self.join_and_leave()
        before, nodes = self.counters(), len(self.lab.json("h1", "node", "ls", "--json"))
        answers = []
        wrong = self.token[:-25] + "0" * 25
        flood = threading.Thread(target=lambda: answers.extend(self.call(
            [(ISSUE, issue_request(token), 3000) for token in (wrong, WRONG_TOKEN)], host="h3")))
        flood.start()
        beside = []
        while flood.is_alive() and len(beside) < 5:
            beside.append(self.join_and_leave())
        flood.join()
        after = self.counters()
        self.assertLess(max(beside), alone + ANNOYED)
        for answer in answers:
            self.assertEqual(sum(answer.values()), 3000)
            self.assertEqual(set(answer) - {"UNAUTHENTICATED", "RESOURCE_EXHAUSTED"}, set())
        self.assertGreater(after["ca_requests_flooded_total"],
                           before["ca_requests_flooded_total"] + 5000)
        self.assertGreater(after["ca_bad_tokens_total"], before["ca_bad_tokens_total"])
        self.assertEqual(len(self.lab.json("h1", "node", "ls", "--json")), nodes + len(beside))
        self.assert_serves()


if __name__ == "__main__":
    main()
