"""Running commands, statistics and the two traffic tools, for the benchmarks."""

import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

# Where the scheduler puts client and server moves a figure more than what is measured: each has a
# processor of its own, in every system the same.
CLIENT_CPU = ("taskset", "-c", str(min(os.sched_getaffinity(0))))
SERVER_CPU = ("taskset", "-c", str(max(os.sched_getaffinity(0))))

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
LAB = str(REPO / "deploy" / "lab")


def run(*command, timeout=120, check=True, **options):
    """Standard output of a command; a failure shows both of its streams."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        **options,
    )
    if check and done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(map(str, command))}: exit {done.returncode}\n" f"{done.stdout}{done.stderr}"
        )
    return done.stdout


def say(text):
    print(text, file=sys.stderr, flush=True)


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(RuntimeError, OSError):
            if condition():
                return
        time.sleep(0.05)
    raise RuntimeError(f"gave up after {seconds} s waiting for {what}")


class Series:
    """Samples of one quantity, one per interleaved round."""

    def __init__(self, unit):
        self.unit, self.samples = unit, []

    def add(self, sample):
        self.samples.append(sample)

    def median(self):
        return statistics.median(self.samples)

    def percentile(self, p):
        ordered = sorted(self.samples)
        return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]

    def text(self):
        return (
            f"{self.median():.3g} {self.unit} "
            f"({min(self.samples):.3g} to {max(self.samples):.3g}, n={len(self.samples)})"
        )


def ratio(ours, theirs):
    """Median, smallest and largest of the rounds' ratios: noise hits both sides of a round."""
    ratios = [a / b for a, b in zip(ours.samples, theirs.samples)]
    return statistics.median(ratios), min(ratios), max(ratios)


class Place:
    """Where a program runs: a command prefix that enters it, and its address there."""

    def __init__(self, prefix, address):
        self.prefix, self.address = [str(part) for part in prefix], address

    def popen(self, *command, **options):
        return subprocess.Popen(
            [*self.prefix, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **options,
        )

    def run(self, *command, **options):
        return run(*self.prefix, *command, **options)


@contextlib.contextmanager
def servers(place):
    """iperf3 and qperf listening in a place, ended afterwards."""
    started = [place.popen(*SERVER_CPU, "iperf3", "-s"), place.popen(*SERVER_CPU, "qperf")]
    try:
        wait_until(
            lambda: {"5201", "19765"} <= set(re.findall(r":(\d+)\s", place.run("ss", "-Hltn"))),
            10,
            "iperf3 and qperf to listen",
        )
        yield
    finally:
        for process in started:
            process.terminate()
            process.wait(timeout=10)


def tcp_gbps(client, server, seconds):
    report = json.loads(
        client.run(
            *(*CLIENT_CPU, "iperf3", "-J", "-c", server.address, "-t", str(seconds)),
            timeout=seconds + 30,
        )
    )
    return report["end"]["sum_received"]["bits_per_second"] / 1e9


def tcp_latency_us(client, server, seconds):
    text = client.run(
        *(*CLIENT_CPU, "qperf", "-t", str(seconds), "-vu", server.address, "tcp_lat"),
        timeout=seconds + 30,
    )
    value, unit = re.search(r"latency\s*=\s*([\d.]+)\s*(ns|us|ms)", text).groups()
    return float(value) * {"ns": 1e-3, "us": 1, "ms": 1e3}[unit]


def resident_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) / 1000
