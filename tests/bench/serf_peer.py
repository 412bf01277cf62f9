"""Serf on the lab's hosts, for comparison with Shoal's gossip: an agent in each host's network."""

import contextlib
import os
import re
import signal
import subprocess
import time

from measure import LAB, run, wait_until

PORT = 7947  # beside Shoal's own 7946
RPC = "127.0.0.1:7373"


class Agent:
    """One host's. Its log says what it learns, a line for each event; the time is taken here."""

    def __init__(self, number, address):
        self.number, self.address = number, address
        self.learnt = {}  # text of an event -> monotonic time
        self.rest = b""
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [
                *(LAB, "exec", f"h{self.number}", "--", "serf", "agent", f"-node=h{self.number}"),
                *(f"-bind={self.address}:{PORT}", f"-rpc-addr={RPC}", "-log-level=info"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.set_blocking(self.process.stdout.fileno(), False)

    def pid(self):
        """The agent's own: what was started is the shell that enters the host."""
        pids = run("pgrep", "-g", self.process.pid, "-x", "serf").split()
        return int(pids[0])

    def read(self):
        now = time.monotonic()
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self.process.stdout.fileno(), 65536):
                self.rest += part
        *lines, self.rest = self.rest.split(b"\n")
        for line in lines:
            text = line.decode(errors="replace")
            if found := re.search(r"EventMember(Failed|Join): (h\d+)", text):
                self.learnt[f"{found[1].lower()} {found[2]}"] = now
            elif found := re.search(r"Received event: user-event: (\S+)", text):
                self.learnt[found[1]] = now

    def command(self, *arguments):
        return run(LAB, "exec", f"h{self.number}", "--", "serf", *arguments)

    def alive(self):
        return len(re.findall(r"\salive\b", self.command("members", f"-rpc-addr={RPC}")))

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


@contextlib.contextmanager
def serf(addresses):
    """By host number: agents that all know each other."""
    agents = {}
    try:
        for number, address in addresses.items():
            agents[number] = Agent(number, address)
        first = f"{addresses[min(addresses)]}:{PORT}"
        for number, agent in agents.items():
            wait_until(agent.alive, 20, f"serf on h{number}")
            agent.command("join", f"-rpc-addr={RPC}", first)
        for agent in agents.values():
            wait_until(lambda one=agent: one.alive() == len(agents), 60, "serf to form a group")
        yield agents
    finally:
        for agent in agents.values():
            agent.stop()
