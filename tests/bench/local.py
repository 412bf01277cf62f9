"""Bridges of one host: attach and detach where there are many endpoints and where there are none,
beside Docker's, in turns."""

import time

import docker_peer
from measure import Series, ratio, run

MANY = 500
CROWDED_BAR, DOCKER_BAR = 1.5, 5


def timed(series, *command):
    began = time.monotonic()
    run(*command)
    series.add((time.monotonic() - began) * 1e3)


class Host:
    """A lab host with the bridge "front" and a namespace to be put on it again and again."""

    def __init__(self, enter):
        self.enter = enter
        run(*enter, "shoal", "network", "create", "-d", "bridge", "front")
        run(*enter, "ip", "netns", "add", "one")
        self.attach, self.detach, self.nothing = Series("ms"), Series("ms"), Series("ms")

    def fill(self, count):
        script = (
            f"for i in $(seq {count}); do ip netns add many$i && "
            "shoal attach front --netns /run/netns/many$i --name many$i >/dev/null || exit 1; done"
        )
        run(*self.enter, "sh", "-c", script, timeout=600)

    def turn(self):
        timed(self.nothing, *self.enter, "shoal", "endpoint", "ls", "-q")
        place = "/run/netns/one"
        timed(self.attach, *self.enter, "shoal", "attach", "front", "--netns", place, "--name", "x")
        timed(self.detach, *self.enter, "shoal", "detach", "front", "x")


class Docker:
    def __init__(self, peer):
        docker_peer.docker(1, "network", "create", "-d", "bridge", "front")
        peer.container(1, "one")
        self.attach, self.detach = Series("ms"), Series("ms")

    def turn(self):
        base = [docker_peer.DOCKER, "-H", f"unix://{docker_peer.DIRECTORY}/h1/docker.sock"]
        timed(self.attach, *base, "network", "connect", "front", "one")
        timed(self.detach, *base, "network", "disconnect", "front", "one")


def row(what, ours, name, theirs, bar, faster):
    middle, low, high = ratio(theirs, ours) if faster else ratio(ours, theirs)
    met = middle >= bar if faster else middle <= bar
    return (
        f"| {what} | {ours.text()} | {name} {theirs.text()} "
        f"| {middle:.2f} ({low:.2f} to {high:.2f}) "
        f"| {'>=' if faster else '<='} {bar} | {'met' if met else 'MISSED'} |"
    )


def measure(options, crowded, empty, peer):
    """`crowded` and `empty`: command prefixes that enter two hosts in no cluster."""
    crowded, empty = Host(crowded), Host(empty)
    crowded.fill(MANY)
    docker = Docker(peer) if peer else None
    systems = [crowded, empty] + ([docker] if docker else [])
    for system in systems:
        system.turn()  # warm
    for system in systems:
        for series in vars(system).values():
            if isinstance(series, Series):
                series.samples.clear()
    for number in range(options.attaches):
        turn = number % len(systems)
        for system in systems[turn:] + systems[:turn]:
            system.turn()
    lines = [
        "| what | Shoal | against | ratio (median, min to max) | bar | |",
        "|---|---|---|---|---|---|",
    ]
    for what in ("attach", "detach"):
        many, none = getattr(crowded, what), getattr(empty, what)
        title = f"{what} beside {MANY} endpoints"
        lines.append(row(title, many, "beside none", none, CROWDED_BAR, False))
        if docker:
            theirs = getattr(docker, what)
            lines.append(row(f"{what} to a bridge", none, "Docker", theirs, DOCKER_BAR, True))
    lines.append(f"| (a call of the command line alone) | {empty.nothing.text()} | | | | |")
    return "\n".join(lines) + "\n"
