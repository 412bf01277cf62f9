"""Crowd: many endpoints of one host, made and removed in bulk. To enter the host for each of them
would measure the machine, not the cluster."""
import json
import threading

from lab import SOURCE, Refused

FLOOD = SOURCE / "tests/cluster/flood.py"


class Crowd:
    def __init__(self, test, host, names):
        self.lab, self.host, self.names = test.lab, host, list(names)
        self.endpoints = {}  # name -> what `attach` answered
        self._batch("add")
        test.addCleanup(self._batch, "del")

    def _batch(self, verb):
        lines = "".join(f"netns {verb} {name}\\n" for name in self.names)
        self.lab.on(self.host, "sh", "-c", f"printf '{lines}' | ip -batch -")

    def attach(self, network, at_once):
        return self._flood(at_once, ["shoal", "attach", network, "--netns", "/run/netns/{}",
                                     "--name", "{}", "--json"])

    def detach(self, network, at_once):
        return self._flood(at_once, ["shoal", "detach", network, "{}"])

    def _flood(self, at_once, command):
        return Flood(self, [FLOOD, at_once, *self.names, "--", *command])

    def addresses(self):
        """Name to IPv4 address, of all that were attached."""
        return {name: answer["Addresses"][0].split("/")[0]
                for name, answer in self.endpoints.items()}


class Flood:
    """Goes on while the test does other things; `rows` grows."""

    def __init__(self, crowd, command):
        self.crowd, self.rows = crowd, []
        self.process = crowd.lab.start(crowd.host, "python3", "-B", *command)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.rows.append(json.loads(line))

    def finish(self):
        """The rows, when all have succeeded."""
        self.reader.join()
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        code = self.process.wait()
        failed = [row for row in self.rows if row["code"]]
        if code or failed or len(self.rows) != len(self.crowd.names):
            raise Refused(f"{self.crowd.host}: {len(failed)} of {len(self.crowd.names)} failed, "
                          f"{len(self.rows)} ended: {errors}{failed[:3]}")
        for row in self.rows:
            if row["out"].startswith("{"):
                self.crowd.endpoints[row["name"]] = json.loads(row["out"])
        return self.rows


def seconds(rows):
    """How long each took, sorted."""
    return sorted(row["ended"] - row["begun"] for row in rows)
