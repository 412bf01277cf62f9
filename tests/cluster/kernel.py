"""What a network namespace holds, as values to compare: once before and once after."""
import ipaddress
import json

from lab import Refused

OVERLAYS = "/run/shoal/netns"  # on a host: its overlay namespaces


def overlays(lab, host):
    """The paths of the host's overlay namespaces."""
    names = lab.on(host, "sh", "-c", f"ls {OVERLAYS} 2>/dev/null || :").stdout.split()
    return [f"{OVERLAYS}/{name}" for name in names]


def inside(lab, host, path, *command, check=True):
    return lab.on(host, "nsenter", f"--net={path}", *command, check=check).stdout


def same(before, after):
    """For wait_until: True, or what differs."""
    for old, new in zip(before, after, strict=True):
        for key in old:
            if old[key] != new[key]:
                lost = [item for item in old[key] if item not in new[key]]
                more = [item for item in new[key] if item not in old[key]]
                raise Refused(f"{key}: missing {lost}, too many {more}, now {new[key]}")
    return True


def picture(lab, host, path="/proc/self/ns/net"):
    """Links, addresses, permanent entries, permanent neighbours, rules.

    Left out is what differs between two makings of the same thing: indices, handles, the MAC
    addresses of bridges and ports and their own entries, and the port that DNS is led to.
    """
    def ask(*command):
        return json.loads(inside(lab, host, path, *command) or "[]")

    links = ask("ip", "-j", "-d", "link")
    own = {link.get("address") for link in links}
    shown = {"links": sorted((link["ifname"], link.get("linkinfo", {}).get("info_kind", ""),
                              link.get("master", ""), link["mtu"], "UP" in link["flags"],
                              link.get("ifalias", "")) for link in links)}
    shown["addresses"] = sorted(
        (link["ifname"], address["local"], address["prefixlen"])
        for link in ask("ip", "-j", "addr") for address in link["addr_info"]
        if not ipaddress.ip_address(address["local"]).is_link_local)
    shown["fdb"] = sorted(
        (entry["ifname"], entry["mac"], entry.get("dst", ""))
        for entry in ask("bridge", "-j", "fdb")
        if entry.get("state") in ("permanent", "static") and entry["mac"] not in own
        and int(entry["mac"][:2], 16) % 2 == 0)
    shown["neighbours"] = sorted((entry["dst"], entry["dev"], entry["lladdr"])
                                 for entry in ask("ip", "-j", "neigh")
                                 if "PERMANENT" in entry["state"])
    rules = ask("nft", "-j", "list", "ruleset")["nftables"]
    shown["rules"] = sorted(
        (kind, value["family"], value.get("table", ""), value.get("chain", value.get("name", "")))
        for item in rules for kind, value in item.items() if kind != "metainfo")
    return shown
