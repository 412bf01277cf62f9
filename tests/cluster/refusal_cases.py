"""The refusals' table: exit code, words that the sentence must hold, what is asked."""
INVALID, NOT_FOUND, EXISTS, CONFLICT = 2, 3, 4, 5
UNAUTHENTICATED, DENIED, EXHAUSTED, UNAVAILABLE = 6, 7, 8, 9
CREATE = ("network", "create", "-d", "overlay", "--attachable")
WRONG_TOKEN = "SWMTKN-1-" + "0" * 50 + "-" + "0" * 25

# Of h1, which is a manager with network shop (10.99.0.0/24) and endpoint web.
ASKED_OF_A_MANAGER = [
    (INVALID, "subcommand is required", ()),
    (INVALID, "frobnicate", ("frobnicate",)),
    (INVALID, "NAME is required", ("network", "create")),
    (INVALID, "--nosuch", ("--nosuch",)),
    (INVALID, "is not a command or option here", (*CREATE, "-leading-dash")),
    (INVALID, "1 to 63 letters", (*CREATE, "sp ace")),
    (INVALID, "1 to 63 letters", (*CREATE, "a" * 300)),
    (INVALID, "1 to 63 letters", (*CREATE, "new\nline")),
    (INVALID, "use \"overlay\"", ("network", "create", "-d", "nosuchdriver", "x")),
    (INVALID, "10.77.0.0/33", (*CREATE, "--subnet", "10.77.0.0/33", "x")),
    (INVALID, "--subnet", (*CREATE, "--subnet", "10.77.0.0/24", "--gateway", "10.78.0.1", "x")),
    (CONFLICT, "overlaps subnet 10.99.0.0/24 of network \"shop\"",
     (*CREATE, "--subnet", "10.99.0.0/25", "x")),
    (EXISTS, "network \"shop\" already exists", (*CREATE, "shop")),
    (NOT_FOUND, "no such network: nosuch", ("network", "inspect", "nosuch")),
    (NOT_FOUND, "no such network: nosuch", ("network", "rm", "nosuch")),
    (CONFLICT, "in use by web (node h1): detach them first", ("network", "rm", "shop")),
    (NOT_FOUND, "no such node: nosuch", ("node", "inspect", "nosuch")),
    (NOT_FOUND, "no such endpoint: nosuch", ("endpoint", "inspect", "nosuch")),
    (NOT_FOUND, "no endpoint \"nosuch\" on network \"shop\"", ("detach", "shop", "nosuch")),
    (CONFLICT, "already part of a cluster: use `shoal leave` first", ("init",)),
    (CONFLICT, "already part of a cluster: use `shoal leave` first",
     ("join", "--token", WRONG_TOKEN, "192.0.2.1:2377")),
]

# Flags of `shoal attach` to network shop, which has endpoint web.
ATTACHED = [
    (NOT_FOUND, "no process 4194303", ("--pid", "4194303", "--name", "x")),
    (NOT_FOUND, "there is no namespace at /run/netns/nosuch",
     ("--netns", "/run/netns/nosuch", "--name", "x")),
    (INVALID, "is not a network namespace", ("--netns", "/etc/hostname", "--name", "x")),
    (INVALID, "1 to 63 letters", ("--netns", "/run/netns/idle", "--name", "sp ace")),
    (EXISTS, "\"web\" already exists on network \"shop\" (node h1)",
     ("--netns", "/run/netns/idle", "--name", "web")),
    (EXISTS, "\"web\" already exists on network \"shop\" (node h1)",
     ("--netns", "/run/netns/idle", "--name", "WEB")),
    (INVALID, "not inside a subnet of network \"shop\" (10.99.0.0/24)",
     ("--netns", "/run/netns/idle", "--name", "x", "--ip", "10.98.0.7")),
    (INVALID, "is the gateway", ("--netns", "/run/netns/idle", "--name", "x",
                                 "--ip", "10.99.0.1")),
    (INVALID, "is the network address", ("--netns", "/run/netns/idle", "--name", "x",
                                         "--ip", "10.99.0.0")),
    (INVALID, "cannot be an interface name",
     ("--netns", "/run/netns/idle", "--name", "x", "--ifname", "a/b")),
    (EXISTS, "interface lo already exists",
     ("--netns", "/run/netns/idle", "--name", "x", "--ifname", "lo")),
]
