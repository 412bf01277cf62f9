"""A workload: a network namespace on a host of the lab, attached to networks, with processes."""
import json
import threading

from lab import COMMAND_SECONDS, SOURCE, Refused, wait_until

TRAFFIC = SOURCE / "tests/cluster/traffic.py"


class Workload:
    def __init__(self, test, host, name):
        self.lab, self.host, self.name = test.lab, host, name
        self.test = test
        self.netns = f"/run/netns/{name}"
        self.endpoints = {}   # network -> what `attach` answered
        self.processes = []
        self.lab.on(host, "ip", "netns", "add", name)
        test.addCleanup(self.close)

    def attach(self, network, *flags):
        answer = self.lab.json(self.host, "attach", network, "--netns", self.netns,
                               "--name", self.name, *flags, "--json")
        self.endpoints[network] = answer
        return self

    def detach(self, network):
        self.lab.shoal(self.host, "detach", network, self.name)
        del self.endpoints[network]

    def detach_by_force(self, network):
        """While no manager answers."""
        self.lab.shoal(self.host, "detach", "--force", network, self.name)
        del self.endpoints[network]

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
        for network in list(self.endpoints):
            self.detach(network)
        self.lab.on(self.host, "ip", "netns", "del", self.name)

    def _addresses(self, network, colon):
        network = network or next(iter(self.endpoints))
        addresses = self.endpoints[network]["Addresses"]
        return [a.split("/")[0] for a in addresses if (":" in a) == colon]

    def ip4(self, network=None):
        return self._addresses(network, False)[0]

    def ip6(self, network=None):
        return self._addresses(network, True)[0]

    def ifname(self, network=None):
        return self.endpoints[network or next(iter(self.endpoints))]["Ifname"]

    def command(self, *command):
        return (SOURCE / "deploy/demo/workload", self.name, "--", *command)

    def run(self, *command, check=True, timeout=COMMAND_SECONDS):
        return self.lab.on(self.host, *self.command(*command), check=check, timeout=timeout)

    def start(self, *command):
        process = self.lab.start(self.host, *self.command(*command))
        self.processes.append(process)
        return process

    # --- names ---

    def resolve(self, name, kind="A"):
        """The addresses that 127.0.0.11 answers, sorted; [] for an empty answer or NXDOMAIN."""
        answer = self.run("dig", "@127.0.0.11", "+short", "+time=2", "+tries=1", name, kind)
        return sorted(answer.stdout.split())

    def status_of(self, name, kind="A"):
        """The status of 127.0.0.11's answer: NOERROR, NXDOMAIN, SERVFAIL..."""
        text = self.run("dig", "@127.0.0.11", "+time=2", "+tries=1", name, kind).stdout
        return text.split("status: ")[1].split(",")[0]

    def wait_for_name(self, name, addresses, kind="A", **deadline):
        wanted = sorted(addresses)
        wait_until(lambda: self.resolve(name, kind) == wanted,
                   f"{self.name} on {self.host} resolves {name} {kind} to {wanted}", **deadline)

    # --- traffic: traffic.py at both ends ---

    def traffic(self, *arguments, timeout=COMMAND_SECONDS, check=True):
        done = self.run("python3", "-B", TRAFFIC, *arguments, timeout=timeout, check=check)
        return json.loads(done.stdout) if done.stdout else None

    def serve(self, kind, port):
        """Starts a server of traffic.py; returns when it says that it listens."""
        process = self.start("python3", "-B", TRAFFIC, kind, port)
        line = process.stdout.readline()
        if line != "ready\n":
            raise Refused(f"{kind} on {self.name} did not start: {line}{process.stderr.read()}")
        return process

    def stream(self, address, port, *arguments):
        """Starts a client of traffic.py that goes on by itself; ends with finish()."""
        return self.start("python3", "-B", TRAFFIC, "stream", address, port, *arguments)

    def probe(self, address, port=9, seconds=1):
        """How a TCP connection fares: "open", "refused" (reached) or "lost"."""
        return self.traffic("probe", address, port, seconds)["result"]

    def reaches(self, address):
        return self.probe(address) in ("open", "refused")

    def wait_to_reach(self, address, **deadline):
        wait_until(lambda: self.reaches(address),
                   f"{self.name} on {self.host} reaches {address}", **deadline)

    def ping(self, address, size):
        """One echo request, an unfragmented IP packet of `size` bytes: "ok", "too big", "lost"."""
        return self.traffic("ping", address, size)["result"]

    def link(self, network=None):
        shown = self.run("ip", "-j", "-d", "link", "show", self.ifname(network)).stdout
        return json.loads(shown)[0]

    def link_bytes(self, network=None):
        """Bytes received by the interface so far."""
        shown = self.run("ip", "-j", "-s", "link", "show", self.ifname(network)).stdout
        return json.loads(shown)[0]["stats64"]["rx"]["bytes"]


def finish(process, timeout=300):
    """The answer of a client that ends by itself."""
    # Not communicate(): it does not see what an earlier readline() left in the buffer.
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        out, errors = process.stdout.read(), process.stderr.read()
        process.wait()
    finally:
        timer.cancel()
    if process.returncode:
        raise Refused(f"exit code {process.returncode}: {out}{errors}")
    return json.loads(out.splitlines()[-1])
