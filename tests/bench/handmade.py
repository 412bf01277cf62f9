"""The yardstick: a VXLAN built by hand between two lab hosts, of the same parts as an overlay (a
namespace with bridge and VXLAN device, a veth to the endpoint's namespace), entries static."""

import contextlib

from measure import Place, run

VNI, PORT = 77, 4790


def names(host):
    return f"shoalb-ov{host}", f"shoalb-ep{host}"


def remove():
    for host in (1, 2):
        for namespace in names(host):
            run("ip", "netns", "del", namespace, check=False)
        run("ip", "-n", f"shoal-h{host}", "link", "del", "hbvx", check=False)


def build(host, underlay):
    overlay, endpoint = names(host)
    other = 3 - host
    run("ip", "netns", "add", overlay)
    run("ip", "netns", "add", endpoint)
    run(
        "ip",
        "-n",
        f"shoal-h{host}",
        "link",
        "add",
        "hbvx",
        "type",
        "vxlan",
        "id",
        VNI,
        "local",
        underlay[host],
        "dstport",
        PORT,
        "nolearning",
        "proxy",
    )
    run("ip", "-n", f"shoal-h{host}", "link", "set", "hbvx", "netns", overlay)
    run("ip", "-n", overlay, "link", "add", "br0", "type", "bridge")
    run(
        "ip",
        "-n",
        overlay,
        "link",
        "add",
        "ep",
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        endpoint,
    )
    for port in ("hbvx", "ep"):
        run("ip", "-n", overlay, "link", "set", port, "master", "br0", "mtu", 1450, "up")
    run("ip", "-n", overlay, "link", "set", "br0", "mtu", 1450, "up")
    run(
        "ip",
        "-n",
        endpoint,
        "link",
        "set",
        "eth0",
        "address",
        f"02:00:00:00:77:0{host}",
        "mtu",
        1450,
        "up",
    )
    run("ip", "-n", endpoint, "addr", "add", f"10.77.0.{host}/24", "dev", "eth0")
    run("ip", "-n", endpoint, "link", "set", "lo", "up")
    mac = f"02:00:00:00:77:0{other}"
    run(
        "bridge",
        "-n",
        overlay,
        "fdb",
        "replace",
        mac,
        "dev",
        "hbvx",
        "dst",
        underlay[other],
        "self",
        "permanent",
    )
    run(
        "ip",
        "-n",
        overlay,
        "neigh",
        "replace",
        f"10.77.0.{other}",
        "lladdr",
        mac,
        "dev",
        "hbvx",
        "nud",
        "permanent",
    )
    return Place(["nsenter", f"--net=/run/netns/{endpoint}"], f"10.77.0.{host}")


@contextlib.contextmanager
def overlay(underlay):
    """Two endpoint places; `underlay` maps host number to its address."""
    remove()
    try:
        yield [build(host, underlay) for host in (1, 2)]
    finally:
        remove()
