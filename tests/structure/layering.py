"""Who may include whom: the layout of docs/ARCHITECTURE.md, as a table with a reason a line."""
import re

from tree import Violation

# (files, what they may not include, why)
FORBIDDEN = [
    (r"base/", r"(proto|raft|gossip|vxlan|manager|worker|node|cli|tests)/",
     "base is below everything: what it included would become everyone's dependency"),
    (r"base/types/", r"base/(?!types/)", "types are the bottom: what all include stays free"),
    (r"raft/", r"(gossip|vxlan|manager|worker|node|cli)/",
     "raft is a library of its own: it replicates bytes and knows nothing of networks"),
    (r"gossip/", r"(raft|vxlan|manager|worker|node|cli)/",
     "gossip is a library of its own: it spreads entries and knows nothing of networks"),
    (r"vxlan/", r"(raft|gossip|manager|worker|node|cli)/",
     "vxlan makes the kernel be what it is told: who tells it is not its business"),
    (r"manager/", r"vxlan/(netlink|filter)/",
     "a manager decides and never touches a kernel: it may run where no network is"),
    (r"manager/", r"(worker|node|cli)/", "manager and worker meet in the dispatch contract only"),
    (r"worker/", r"(raft|node|cli|manager/(store|orchestrator|scheduler|tables|api))/",
     "a worker serves on without managers: it knows assignments, not how they were agreed on"),
    (r"worker/(?!local/)", r"manager/(allocator|rules)/",
     "addresses of overlays are given by managers; worker/local gives those of this host's own"),
    (r"cli/", r"(raft|gossip|vxlan|manager|worker|node)/",
     "the command line says what the daemon said: it sees proto and base only"),
    (r"node/", r"cli/", "the daemon never needs its command line"),
    (r"(?!tests/)(?!.*_test\.cc$)", r"tests/", "what ships does not depend on tests"),
]

# What a PURE file may not include, and why.
IMPURE = [
    (r"sys/time\.h|sys/timerfd\.h", "time is an input: take an Instant"),
    (r"random", "chance is an input: take an Rng from base/ports"),
    (r"thread|mutex|shared_mutex|condition_variable|future|semaphore|pthread\.h|stop_token",
     "one strand owns all cores: no thread and no lock inside"),
    (r"fstream|filesystem|fcntl\.h|unistd\.h|sys/(stat|file|mman)\.h|dirent\.h",
     "files are the shell's: return what is to be written as an effect"),
    (r"iostream|syslog\.h|spdlog/.*|fmt/.*", "logging is the shell's: return it, or use Trace"),
    (r"sys/socket\.h|sys/epoll\.h|netdb\.h|netlink/.*|linux/.*|boost/.*|grpc.*",
     "sockets are the shell's: return what is to be sent as an effect"),
    (r"google/protobuf/.*|.*\.pb\.h|proto/.*",
     "the wire format is the shell's: translate at the edge into values of the model"),
    (r"rocksdb/.*|openssl/.*|nftables/.*", "this library does IO: it belongs behind a port"),
]

# Durations and calendars of <chrono> are values; its clocks are not.
CLOCK = re.compile(r"\b(system|steady|high_resolution|utc|file)_clock\b|\bclock_gettime\b")


def check(tree):
    for path in tree.cpp():
        for line, quote, target in tree.includes(path):
            if quote == '"':
                for files, forbidden, why in FORBIDDEN:
                    if re.match(files, path) and re.match(forbidden, target):
                        yield Violation(path, line, f'may not include "{target}"', why)
            if path in tree.pure and not path.endswith("_test.cc"):
                yield from _check_pure(tree, path, line, target)
    for path in tree.pure:
        for line, text in enumerate(tree.lines(path), 1):
            clock = CLOCK.search(text.split("//")[0])
            if clock and not path.endswith("_test.cc"):
                yield Violation(path, line, f"PURE, and may not read {clock[0]}",
                                "time is an input: take an Instant")
    yield from _check_own_header(tree)


def _check_pure(tree, path, line, target):
    for forbidden, why in IMPURE:
        if re.fullmatch(forbidden, target):
            yield Violation(path, line, f"PURE, and may not include {target}", why)
    if target in tree.shell:
        yield Violation(path, line, f"PURE, and may not include {target}",
                        "that header belongs to a SHELL target")


def _check_own_header(tree):
    """x.cc includes x.h before anything else: that proves that x.h stands alone."""
    existing = set(tree.files)
    for path in tree.cpp():
        own = path[:-3] + ".h"
        if not path.endswith(".cc") or own not in existing:
            continue
        first = next(tree.includes(path), (1, "", ""))
        if first[2] != own:
            yield Violation(path, first[0], f'must include "{own}" first',
                            "that is how the build proves that the header stands alone")


def lone_headers(tree):
    """Headers that no source file of their name proves to stand alone: the build compiles them."""
    existing = set(tree.files)
    return [p for p in tree.cpp() if p.endswith(".h") and p[:-2] + ".cc" not in existing]
