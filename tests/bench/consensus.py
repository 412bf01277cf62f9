"""Replicated writes and linearizable reads: three managers of Shoal against three members of etcd.

Both on the same three lab hosts, their states on the same file system, TLS with client certificates
on, fsync on, the load from a fourth host to the leader. Rounds are interleaved: each system once in
each, the other one idle.
"""

import contextlib
import json
import pathlib
import re

import etcd_peer
from measure import LAB, REPO, Series, ratio, run, say, wait_until

CLIENTS = (1, 64, 512)
LOAD_HOST = 4
OPEN_LOOP_PART = 0.7
GROWTH = 10  # times as many objects
OBJECTS = 10000


class System:
    """One of the two, as consensus_load is told of it. `leader()` is where it is asked."""

    def __init__(self, api, leader, certificate, key, root, extra=()):
        self.made_from = (api, leader, certificate, key, root, extra)
        self.name, self.leader = api, leader
        self.arguments = [
            *("--api", api, "--cert", certificate, "--key", key, "--ca", root, *extra),
        ]
        self.used = 0
        self.errors = {}

    def load(self, op, clients, *arguments, objects=0, timeout=180):
        """One measurement. Creating objects, it goes on where the last one ended."""
        command = [
            *(LAB, "exec", f"h{LOAD_HOST}", "--", load_binary(), *self.arguments),
            *("--op", op, "--address", self.leader()),
            *("--clients", clients, "--prefix", "made-", "--objects", objects or OBJECTS),
            *("--first", self.used if op == "create" else 0, *arguments),
        ]
        result = json.loads(run(*command, timeout=timeout))
        if op == "create":
            self.used += result["calls"]
        for what, count in result["errors"].items():
            self.errors[what] = self.errors.get(what, 0) + count
        if not result["succeeded"]:
            raise RuntimeError(f"{self.name}: nothing succeeded: {result['errors']}")
        return result

    def by_unary_calls(self):
        """The same system, asked without streams."""
        other = System(*self.made_from)
        other.arguments[other.arguments.index(self.name)] = f"{self.name}-unary"
        other.used, other.errors = self.used, self.errors
        return other

    def fill(self, objects):
        """So many objects are there afterwards."""
        if self.used < objects:
            self.load("create", 64, "--count", objects - self.used, timeout=1800)


def load_binary():
    return REPO / "build" / "release" / "bin" / "consensus_load"


def lab_env(number):
    return dict(re.findall(r"^(\w+)=(.*)$", run(LAB, "env", f"h{number}"), re.M))


def shoal_nodes():
    """Words of each node that is there: id, host, manager status."""
    form = "{{.ID}} {{.Hostname}} {{.ManagerStatus}}"
    text = run(LAB, "exec", "h1", "--", "shoal", "node", "ls", "--format", form)
    return [line.split() for line in text.splitlines()]


def shoal_leader(addresses):
    """The address of the leader's cluster port."""
    for _, name, *status in shoal_nodes():
        if status == ["Leader"]:
            return f"{addresses[int(name[1:])]}:2377"
    raise RuntimeError("no leader")


@contextlib.contextmanager
def systems():
    """Both, running; the lab must not be up."""
    run(LAB, "down", check=False)
    try:
        run(LAB, "up", LOAD_HOST, "--no-join")
        run(LAB, "up", 3, "--managers", 3)
        three = ["Leader", "Reachable", "Reachable"]
        wait_until(lambda: sorted(n[-1] for n in shoal_nodes()) == three, 30, "three managers")
        environment = {number: lab_env(number) for number in (1, 2, 3)}
        addresses = {number: found["ADDRESS"] for number, found in environment.items()}
        state = pathlib.Path(environment[1]["STATE_DIR"])
        ids = [node[0] for node in shoal_nodes()]
        shoal = System(
            *("shoal", lambda: shoal_leader(addresses), state / "node.crt", state / "node.key"),
            *(state / "root.crt", ("--server-name", "shoal-manager", "--nodes", *ids)),
        )
        with etcd_peer.etcd(state.parents[1] / "etcd", addresses) as peer:
            yield shoal, System("etcd", peer.leader_address, *peer.client_files)
    finally:
        run(LAB, "down", check=False)


class Pair:
    """The figures of one comparison: a series for each system."""

    def __init__(self, unit):
        self.shoal, self.etcd = Series(unit), Series(unit)

    def of(self, system):
        return self.shoal if system.name == "shoal" else self.etcd


def in_turn(both, number):
    """What ran just before must not always be the same."""
    return both if number % 2 == 0 else both[::-1]


def closed_loop(options, both, op):
    """By clients: calls per second, and the median latency in us."""
    rates = {clients: Pair("/s") for clients in CLIENTS}
    medians = {clients: Pair("us") for clients in CLIENTS}
    for number in range(options.rounds):
        for clients in CLIENTS:
            for system in in_turn(both, number):
                found = system.load(op, clients, "--seconds", options.seconds)
                rates[clients].of(system).add(found["rate"])
                medians[clients].of(system).add(found["p50_us"])
            say(
                f"round {number + 1}: {op}, {clients} clients: "
                + ", ".join(
                    f"{s.name} {rates[clients].of(s).samples[-1]:.0f}/s "
                    f"{medians[clients].of(s).samples[-1]:.0f} us"
                    for s in both
                )
            )
    return rates, medians


def tails(options, both, op, rates):
    """p99.9 over the median with calls at an even pace, 70 % of what the system did at most."""
    found = Pair("x")
    for number in range(options.rounds):
        for system in in_turn(both, number):
            most = max(rates[clients].of(system).median() for clients in CLIENTS)
            offered = round(most * OPEN_LOOP_PART)
            result = system.load(op, 64, "--rate", offered, "--seconds", options.seconds)
            found.of(system).add(result["p999_us"] / result["p50_us"])
            say(
                f"round {number + 1}: {op}, {offered}/s offered: {system.name} "
                f"{result['rate']:.0f}/s, p50 {result['p50_us']:.0f} us, p99 "
                f"{result['p99_us']:.0f} us, p99.9 {result['p999_us']:.0f} us"
            )
    return found


def one_client(options, both):
    """Median latency of one client's create."""
    found = Pair("us")
    for number in range(options.rounds):
        for system in in_turn(both, number):
            found.of(system).add(system.load("create", 1, "--seconds", options.seconds)["p50_us"])
    return found


def unary(options, both, op):
    """By clients: calls per second when each is a call of its own in both systems."""
    shoal, etcd = both
    rates = {clients: Pair("/s") for clients in CLIENTS[1:]}
    plain = shoal.by_unary_calls()
    for number in range(options.rounds):
        for clients in rates:
            for system in in_turn((plain, etcd), number):
                found = system.load(op, clients, "--seconds", options.seconds)
                (rates[clients].etcd if system is etcd else rates[clients].shoal).add(found["rate"])
    shoal.used = plain.used
    return rates


def row(what, ours, theirs, bar, at_least):
    middle, low, high = ratio(ours, theirs)
    if bar is None:
        spread = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        return f"| {what} | {ours.text()} | {theirs.text()} | {spread} | | |"
    met = middle >= bar if at_least else middle <= bar
    return (
        f"| {what} | {ours.text()} | {theirs.text()} | {middle:.2f} ({low:.2f} to {high:.2f}) "
        f"| {'>=' if at_least else '<='} {bar} | {'met' if met else 'MISSED'} |"
    )


def own_row(what, ours, theirs, bar):
    """A bound of a system's own figure; the peer's stands beside it."""
    met = ours.median() <= bar
    return (
        f"| {what} | {ours.text()} | {theirs.text()} | {ours.median():.2f} | <= {bar} "
        f"| {'met' if met else 'MISSED'} |"
    )


NAMES = {
    "create": "create an object with a 256 B value",
    "update": "replace a 256 B value",
    "read": "linearizable read",
}


def rows_of(op, rates, medians, tail):
    lines = [
        row(f"{NAMES[op]}, {clients} clients", rates[clients].shoal, rates[clients].etcd, 2, True)
        for clients in CLIENTS[1:]
    ]
    one = medians[1]
    lines.append(row(f"{NAMES[op]}, one client, median", one.shoal, one.etcd, 0.8, False))
    if tail:
        lines.append(own_row(f"{NAMES[op]}, p99.9 over median at 70 %", tail.shoal, tail.etcd, 3))
    return lines


def measure(options):
    """The table of results."""
    lines = [
        "| what | Shoal | etcd | ratio (median, min to max) | bar | |",
        "|---|---|---|---|---|---|",
    ]
    with systems() as both:
        for system in both:
            system.fill(OBJECTS)
        before = one_client(options, both)
        for op in ("create", "update", "read"):
            rates, medians = closed_loop(options, both, op)
            tail = tails(options, both, op, rates) if op != "read" else None
            lines += rows_of(op, rates, medians, tail)
        for op in ("create", "update", "read"):
            for clients, rates in unary(options, both, op).items():
                what = f"{NAMES[op]}, {clients} clients, each a call of its own, for comparison"
                lines.append(row(what, rates.shoal, rates.etcd, None, True))
        for system in both:
            system.fill(GROWTH * OBJECTS)
        after = one_client(options, both)
        growth = Pair("x")
        growth.shoal.samples = [b / a for a, b in zip(before.shoal.samples, after.shoal.samples)]
        growth.etcd.samples = [b / a for a, b in zip(before.etcd.samples, after.etcd.samples)]
        what = f"median latency with {GROWTH} times the objects, at least {GROWTH * OBJECTS}"
        lines.append(own_row(what, growth.shoal, growth.etcd, 1.2))
        for system in both:
            say(f"{system.name}: {system.used} objects made, errors {system.errors or 'none'}")
            if system.errors:
                lines.append(f"| errors of {system.name} | {system.errors} | | | | |")
    return "\n".join(lines) + "\n"
