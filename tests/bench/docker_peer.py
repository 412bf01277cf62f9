"""The peer: Debian's Docker (package docker.io), a two-node swarm, a network namespace per host."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

from measure import Place, run, wait_until

DIRECTORY = pathlib.Path("/tmp/shoalb-docker")
DOCKER, DOCKERD = "/usr/bin/docker", "/usr/sbin/dockerd"
IMAGE = "shoalb:latest"


def docker(host, *arguments, **options):
    return run(DOCKER, "-H", f"unix://{DIRECTORY}/h{host}/docker.sock", *arguments, **options)


def image():
    """A root file system of busybox and its usual links, as an archive."""
    root = DIRECTORY / "image" / "bin"
    root.mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "busybox")
    for tool in ("sh", "sleep"):
        (root / tool).symlink_to("busybox")
    archive = DIRECTORY / "image.tar"
    run("tar", "-C", DIRECTORY / "image", "-cf", archive, ".")
    return archive


def start(host):
    namespace = f"shoalb-dh{host}"
    run("ip", "netns", "add", namespace)
    run("ip", "-n", namespace, "link", "set", "lo", "up")
    run(
        "ip",
        "link",
        "add",
        f"shoalbu{host}",
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        namespace,
    )
    run("ip", "link", "set", f"shoalbu{host}", "netns", "shoalb-dfabric")
    run("ip", "-n", "shoalb-dfabric", "link", "set", f"shoalbu{host}", "master", "br0", "up")
    run("ip", "-n", namespace, "addr", "add", f"192.168.78.{10 + host}/24", "dev", "eth0")
    run("ip", "-n", namespace, "link", "set", "eth0", "up")
    run("ip", "-n", namespace, "route", "add", "default", "via", "192.168.78.1")
    home = DIRECTORY / f"h{host}"
    home.mkdir()
    script = (
        f"mount --make-rprivate /; mount -t tmpfs tmpfs /run; mkdir -p /run/netns /run/docker; "
        f"exec {DOCKERD} --data-root {home}/lib --exec-root {home}/exec -p {home}/pid "
        f"-H unix://{home}/docker.sock --storage-driver overlay2"
    )
    with open(home / "log", "w", encoding="utf-8") as log:
        # nsenter rather than `ip netns exec`, which hides the cgroups from dockerd.
        return subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{namespace}", "unshare", "-m", "bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def remove(daemons):
    for host, process in daemons.items():
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
            ids = docker(host, "ps", "-aq").split()
            if ids:
                docker(host, "rm", "-f", *ids)
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for namespace in ("shoalb-dh1", "shoalb-dh2", "shoalb-dfabric"):
        run("ip", "netns", "del", namespace, check=False)
    shutil.rmtree(DIRECTORY, ignore_errors=True)


class Swarm:
    """Hosts of Docker; as a swarm, two with the attachable overlay "peernet"."""

    def __init__(self, daemons):
        self.daemons = daemons

    def container(self, host, name, network=None):
        arguments = ["run", "-d", "--name", name] + (["--network", network] if network else [])
        docker(host, *arguments, IMAGE, "sleep", "3600")
        return int(docker(host, "inspect", "-f", "{{.State.Pid}}", name))

    def place(self, host, name, pid):
        address = docker(
            host, "inspect", "-f", "{{.NetworkSettings.Networks.peernet.IPAddress}}", name
        ).strip()
        return Place(["nsenter", f"--net=/proc/{pid}/ns/net"], address)

    def pids(self, host):
        """dockerd and its containerd."""
        pid = int((DIRECTORY / f"h{host}" / "pid").read_text())
        children = run("pgrep", "-P", pid, "containerd", check=False).split()
        return [pid, *map(int, children)]


@contextlib.contextmanager
def hosts(count):
    """Daemons in no swarm."""
    daemons = {}
    remove(daemons)
    DIRECTORY.mkdir()
    try:
        archive = image()
        run("ip", "netns", "add", "shoalb-dfabric")
        run("ip", "-n", "shoalb-dfabric", "link", "add", "br0", "type", "bridge")
        run("ip", "-n", "shoalb-dfabric", "link", "set", "br0", "up")
        for host in range(1, count + 1):
            daemons[host] = start(host)
        for host in daemons:
            wait_until(lambda h=host: docker(h, "version"), 60, f"dockerd {host}")
            docker(host, "import", archive, IMAGE)
        yield Swarm(daemons)
    finally:
        remove(daemons)


@contextlib.contextmanager
def swarm():
    with hosts(2) as made:
        docker(1, "swarm", "init", "--advertise-addr", "192.168.78.11")
        token = docker(1, "swarm", "join-token", "-q", "worker").strip()
        docker(2, "swarm", "join", "--token", token, "192.168.78.11:2377")
        docker(1, "network", "create", "-d", "overlay", "--attachable", "peernet")
        time.sleep(1)
        yield made
