"""The refusals' table: exit code, words that the sentence must hold, what is asked."""
INVALID, NOT_FOUND, EXISTS, CONFLICT = 2, 3, 4, 5
UNAUTHENTICATED, DENIED, EXHAUSTED, UNAVAILABLE = 6, 7, 8, 9
CREATE = ("network", "create", "-d", "overlay", "--attachable")
WRONG_TOKEN = "SWMTKN-1-" + "0" * 50 + "-" + "0" * 25
IDLE = ("--netns", "/run/netns/idle")
NAME = "1 to 63 letters"
PART_OF_ONE = "already part of a cluster: use `shoal leave` first"

# Of h1, which is the only manager, with network shop (10.99.0.0/24) and endpoint web; h2 is a
# worker.
ASKED_OF_A_MANAGER = [
    (INVALID, "subcommand is required", ()),
    (INVALID, "frobnicate", ("frobnicate",)),
    (INVALID, "NAME is required", ("network", "create")),
    (INVALID, "--nosuch", ("--nosuch",)),
    (INVALID, NAME, (*CREATE, "")),
    (INVALID, "is not a command or option here", (*CREATE, "-leading-dash")),
    (INVALID, NAME, (*CREATE, "sp ace")),
    (INVALID, NAME, (*CREATE, "a" * 300)),
    (INVALID, NAME, (*CREATE, "new\nline")),
    (INVALID, "use \"overlay\"", ("network", "create", "-d", "nosuchdriver", "x")),
    (INVALID, "10.77.0.0", (*CREATE, "--subnet", "10.77.0.0", "x")),
    (INVALID, "10.77.0.0/33", (*CREATE, "--subnet", "10.77.0.0/33", "x")),
    (INVALID, "\"300.77.0.0\" is not an IP address",
     (*CREATE, "--subnet", "300.77.0.0/24", "x")),
    (INVALID, "fd00::/200", (*CREATE, "--subnet", "fd00::/200", "x")),
    (INVALID, "224.0.0.0/24", (*CREATE, "--subnet", "224.0.0.0/24", "x")),
    (INVALID, "127.0.0.0/24", (*CREATE, "--subnet", "127.0.0.0/24", "x")),
    (INVALID, "10.78.0.1",
     (*CREATE, "--subnet", "10.77.0.0/24", "--gateway", "10.78.0.1", "x")),
    (INVALID, "10.78.0.0/25",
     (*CREATE, "--subnet", "10.77.0.0/24", "--ip-range", "10.78.0.0/25", "x")),
    (INVALID, "10.77.0.0/23",
     (*CREATE, "--subnet", "10.77.0.0/24", "--ip-range", "10.77.0.0/23", "x")),
    (INVALID, "10.77.0.128/25",
     (*CREATE, "--subnet", "10.77.0.0/24", "--subnet", "10.77.0.128/25", "x")),
    (INVALID, "10.77.0.0/24",
     (*CREATE, "--subnet", "10.77.0.0/24", "--subnet", "10.77.0.0/24", "x")),
    (CONFLICT, "overlaps subnet 10.99.0.0/24 of network \"shop\"",
     (*CREATE, "--subnet", "10.99.0.0/25", "x")),
    (CONFLICT, "overlaps", (*CREATE, "--subnet", "10.0.0.0/8", "x")),
    (EXISTS, "network \"shop\" already exists", (*CREATE, "shop")),
    (NOT_FOUND, "no such network: nosuch", ("network", "inspect", "nosuch")),
    (NOT_FOUND, "no such network: nosuch", ("network", "rm", "nosuch")),
    (CONFLICT, "in use by web (node h1): detach them first", ("network", "rm", "shop")),
    (NOT_FOUND, "no such node: nosuch", ("node", "inspect", "nosuch")),
    (NOT_FOUND, "no such node: nosuch", ("node", "rm", "nosuch")),
    (CONFLICT, "h2", ("node", "rm", "h2")),
    (CONFLICT, "last manager", ("node", "demote", "h1")),
    (NOT_FOUND, "no such endpoint: nosuch", ("endpoint", "inspect", "nosuch")),
    (NOT_FOUND, "no endpoint \"nosuch\" on network \"shop\"", ("detach", "shop", "nosuch")),
    (INVALID, "boss", ("join-token", "boss")),
    (CONFLICT, "no unlock key is set", ("unlock-key",)),
    (CONFLICT, "`shoal update --autolock=true`", ("unlock-key", "--rotate")),
    (INVALID, "no key was given", ("unlock",)),
    (INVALID, "nothing to change", ("update",)),
    (INVALID, "autolock", ("update", "--autolock=perhaps")),
    (CONFLICT, PART_OF_ONE, ("init",)),
    (CONFLICT, PART_OF_ONE, ("join", "--token", WRONG_TOKEN, "192.0.2.1:2377")),
    (CONFLICT, "this node is a manager: demote it first", ("leave",)),
    (NOT_FOUND, "nosuch", ("attach", "nosuch", *IDLE, "--name", "x")),
    (DENIED, "attachable", ("attach", "closed", *IDLE, "--name", "x")),
]

# Flags of `shoal attach` to network shop, which has endpoint web at 10.99.0.2 and no IPv6.
ATTACHED = [
    (INVALID, "--pid", ("--name", "x")),
    (INVALID, "--name", IDLE),
    (INVALID, "--pid", (*IDLE, "--pid", "1", "--name", "x")),
    (INVALID, "--pid", ("--pid", "0", "--name", "x")),
    (INVALID, "--pid", ("--pid", "notanumber", "--name", "x")),
    (NOT_FOUND, "no process 4194303", ("--pid", "4194303", "--name", "x")),
    (NOT_FOUND, "there is no namespace at /run/netns/nosuch",
     ("--netns", "/run/netns/nosuch", "--name", "x")),
    (INVALID, "is not a network namespace", ("--netns", "/etc/hostname", "--name", "x")),
    (INVALID, "host's own network namespace",
     ("--netns", "/proc/self/ns/net", "--name", "x")),
    (INVALID, "--name must not be empty", (*IDLE, "--name", "")),
    (INVALID, NAME, (*IDLE, "--name", "sp ace")),
    (INVALID, NAME, (*IDLE, "--name", "a" * 300)),
    (EXISTS, "\"web\" already exists on network \"shop\" (node h1)", (*IDLE, "--name", "web")),
    (EXISTS, "\"web\" already exists on network \"shop\" (node h1)", (*IDLE, "--name", "WEB")),
    (INVALID, "not-an-address", (*IDLE, "--name", "x", "--ip", "not-an-address")),
    (INVALID, "not inside a subnet of network \"shop\" (10.99.0.0/24)",
     (*IDLE, "--name", "x", "--ip", "10.98.0.7")),
    (INVALID, "is the gateway", (*IDLE, "--name", "x", "--ip", "10.99.0.1")),
    (INVALID, "is the network address", (*IDLE, "--name", "x", "--ip", "10.99.0.0")),
    (EXISTS, "10.99.0.2", (*IDLE, "--name", "x", "--ip", "10.99.0.2")),
    (INVALID, "IPv6", (*IDLE, "--name", "x", "--ip6", "fd00::7")),
    (INVALID, "cannot be an interface name", (*IDLE, "--name", "x", "--ifname", "a/b")),
    (INVALID, "cannot be an interface name",
     (*IDLE, "--name", "x", "--ifname", "sixteen-and-more")),
    (EXISTS, "interface lo already exists", (*IDLE, "--name", "x", "--ifname", "lo")),
]

# Of h4, which is part of no cluster.
ASKED_OF_NOBODY = [
    (CONFLICT, "shoal init", arguments) for arguments in (
        ("network", "inspect", "shop"), ("network", "rm", "shop"), ("node", "ls"), (*CREATE, "x"),
        ("leave",),
        ("raft", "status"), ("init", "--force-new-cluster"),
        ("attach", "shop", "--netns", "/run/netns/x", "--name", "x"), ("detach", "shop", "x"))
]
