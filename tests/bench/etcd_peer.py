"""The peer: Debian's etcd, a member on each of a lab's hosts, TLS on all its ports."""

import contextlib
import json
import pathlib
import shutil
import subprocess

from measure import LAB, run, wait_until

CLIENT_PORT, PEER_PORT = 2379, 2380


class Etcd:
    """Members h1..hN in `directory` (one below for each: the disk is the one the lab is on)."""

    def __init__(self, directory, addresses):
        self.directory = pathlib.Path(directory)
        self.addresses = addresses  # by host number
        self.processes = []

    @property
    def client_files(self):
        return (
            self.directory / "client.crt",
            self.directory / "client.key",
            self.directory / "ca.crt",
        )

    def make_certificates(self):
        """Of the kind Shoal's are: ECDSA P-256, signed by a root of the cluster."""
        self.directory.mkdir()
        root = self.directory / "ca"
        new = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        run(
            *new,
            "-x509",
            "-days",
            "10",
            "-subj",
            "/CN=ca",
            "-keyout",
            f"{root}.key",
            "-out",
            f"{root}.crt",
        )
        names = ",".join(f"IP:{address}" for address in self.addresses.values())
        for name in ("server", "client"):
            stem = self.directory / name
            run(
                *new,
                "-subj",
                f"/CN={name}",
                "-addext",
                f"subjectAltName={names}",
                "-keyout",
                f"{stem}.key",
                "-out",
                f"{stem}.csr",
            )
            sign = (
                "openssl",
                "x509",
                "-req",
                "-days",
                "10",
                "-copy_extensions",
                "copy",
                "-CAcreateserial",
            )
            run(
                *sign,
                "-in",
                f"{stem}.csr",
                "-CA",
                f"{root}.crt",
                "-CAkey",
                f"{root}.key",
                "-out",
                f"{stem}.crt",
            )

    def start(self):
        self.make_certificates()
        peers = ",".join(f"h{i}=https://{a}:{PEER_PORT}" for i, a in self.addresses.items())
        server = self.directory / "server"
        tls = []
        for prefix in ("", "peer-"):
            tls += [f"--{prefix}cert-file={server}.crt", f"--{prefix}key-file={server}.key"]
            tls += [
                f"--{prefix}client-cert-auth",
                f"--{prefix}trusted-ca-file={self.directory}/ca.crt",
            ]
        for number, address in self.addresses.items():
            client, peer = f"https://{address}:{CLIENT_PORT}", f"https://{address}:{PEER_PORT}"
            command = [
                *("etcd", "--name", f"h{number}", "--data-dir", self.directory / f"h{number}"),
                *("--initial-cluster", peers, "--log-level", "error"),
                *("--quota-backend-bytes", 8 << 30),  # all that a run may write
                *("--listen-client-urls", client, "--advertise-client-urls", client),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *tls,
            ]
            with open(self.directory / f"h{number}.log", "w", encoding="utf-8") as log:
                self.processes.append(
                    subprocess.Popen(
                        [LAB, "exec", f"h{number}", "--", *map(str, command)],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                )
        wait_until(lambda: self.leader() != 0, 30, "etcd's leader")

    def ctl(self, number, *arguments):
        certificate, key, root = self.client_files
        endpoint = f"https://{self.addresses[number]}:{CLIENT_PORT}"
        tls = (f"--cert={certificate}", f"--key={key}", f"--cacert={root}")
        command = ("env", "ETCDCTL_API=3", "etcdctl", f"--endpoints={endpoint}", *tls, *arguments)
        return run(LAB, "exec", f"h{number}", "--", *command)

    def status(self, number):
        return json.loads(self.ctl(number, "endpoint", "status", "-w", "json"))[0]["Status"]

    def leader(self):
        """The number of the host that leads, 0 when there is none."""
        for number in self.addresses:
            status = self.status(number)
            if status["leader"] == status["header"]["member_id"]:
                return number
        return 0

    def leader_address(self):
        return f"{self.addresses[self.leader()]}:{CLIENT_PORT}"

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=20)
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def etcd(directory, addresses):
    peer = Etcd(directory, addresses)
    try:
        peer.start()
        yield peer
    finally:
        peer.stop()
