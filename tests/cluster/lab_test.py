#!/usr/bin/env python3
"""The lab itself, with a stand-in that only listens where the daemon would."""
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from lab import SOURCE, Lab, main, run, wait_until
from workload import TRAFFIC

DAEMON = """#!/usr/bin/env python3
import os, signal, socket, sys
path = sys.argv[sys.argv.index("--socket") + 1]
if os.path.exists(path):
    os.unlink(path)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
print("listening", flush=True)
signal.pause()
"""
COMMAND_LINE = '#!/bin/sh\n[ "$1" != join-token ] || echo token\n'


def traces(name):
    """All that a lab of this name would leave: namespaces, mounts, files, processes."""
    found = [line for line in run("ip", "netns").stdout.splitlines() if f"shoal-{name}-" in line]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if f"/{name}/" in line]
    found += [str(p) for p in [Path("/var/lib/shoal-lab") / name] if p.exists()]
    mark = f"SHOAL_LAB_ROOT=/var/lib/shoal-lab/{name}\0".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append(f"{process}: {(process / 'cmdline').read_bytes()}")
        except OSError:
            continue
    return found


class LabTest(unittest.TestCase):
    def setUp(self):
        programs = tempfile.TemporaryDirectory()
        self.addCleanup(programs.cleanup)
        for name, text in (("shoald", DAEMON), ("shoal", COMMAND_LINE)):
            path = Path(programs.name) / name
            path.write_text(text)
            path.chmod(0o755)
        self.lab = Lab()
        self.lab.environment["SHOAL_BIN_DIR"] = programs.name
        self.addCleanup(self.lab.down)

    def reached(self, source, target):
        address = self.lab.env(target)["ADDRESS"]
        probe = self.lab.on(source, "python3", "-B", TRAFFIC, "probe", address, 9, 1)
        return "refused" in probe.stdout

    def test_a_host_has_its_own_network_mounts_and_name(self):
        self.lab.up(2)
        seen = self.lab.on("h2", "sh", "-c", "hostname; ls /sys/class/net; ls -A /var/lib/shoal; "
                           "ls /run; ip netns add inner; ls /run/netns; cat /sys/fs/cgroup/*procs "
                           "/sys/fs/cgroup/*/cgroup.procs 2>/dev/null | head -n 1").stdout.split()
        self.assertEqual(seen[:3], ["h2", "eth0", "lo"])
        self.assertIn("inner", seen)
        self.assertTrue(seen[-1].isdigit(), "cgroups are not visible")
        self.assertFalse(Path("/run/netns/inner").exists())
        env = self.lab.env("h2")
        self.assertTrue(Path(env["SOCKET"]).is_socket())
        self.assertTrue(os.path.samefile(f"/proc/{env['PID']}/root/var/lib/shoal",
                                         env["STATE_DIR"]))
        shown = self.lab.on("h2", "ip", "-br", "addr", "show", "eth0").stdout
        self.assertIn(env["ADDRESS"] + "/24", shown)
        self.assertIn(env["ADDRESS6"] + "/64", shown)

    def test_up_twice_keeps_and_adds(self):
        self.lab.up(2)
        before = self.lab.env("h1")
        self.lab.up(2)
        self.lab.up(3)
        self.assertEqual(self.lab.env("h1"), before)
        self.assertTrue(self.reached("h3", "h1"))
        self.assertEqual(self.lab("status").stdout.count("running"), 3)

    def test_daemons_stop_die_and_start_with_their_state(self):
        self.lab.up(2)
        (Path(self.lab.env("h1")["STATE_DIR"]) / "kept").write_text("x")
        for command in ("kill", "stop"):
            before = self.lab.env("h1")["PID"]
            self.lab(command, "h1")
            self.assertEqual(self.lab.env("h1")["PID"], "")
            self.assertFalse(Path(f"/proc/{before}/ns/net").exists())
            self.lab("start", "h1")
            self.assertNotIn(self.lab.env("h1")["PID"], ("", before))
        self.lab("restart", "all")
        self.assertEqual(self.lab.on("h1", "ls", "/var/lib/shoal").stdout, "kept\n")

    def test_cut_and_heal(self):
        self.lab.up(3)
        self.lab("cut", "h1", "h2")
        self.assertFalse(self.reached("h1", "h2"))
        self.assertFalse(self.reached("h2", "h1"))
        self.assertTrue(self.reached("h1", "h3"))
        self.lab("cut", "h3")
        self.assertFalse(self.reached("h1", "h3"))
        self.assertFalse(self.reached("h3", "h2"))
        self.lab("heal")
        for source, target in (("h1", "h2"), ("h2", "h3"), ("h3", "h1")):
            self.assertTrue(self.reached(source, target))

    def test_down_leaves_nothing_whatever_runs_inside(self):
        self.lab.up(2)
        self.lab.on("h1", "ip", "netns", "add", "inner")
        left = [self.lab.start("h1", *command, "sleep", "1000") for command in
                ([], ["nsenter", "--net=/run/netns/inner"], ["ip", "netns", "exec", "inner"],
                 ["unshare", "--net", "--mount"], ["env", "-i", "/usr/bin/unshare", "--net"])]
        wait_until(lambda: all("sleep" in Path(f"/proc/{p.pid}/cmdline").read_text() for p in left),
                   "all processes run inside")
        self.assertTrue(traces(self.lab.name))
        self.lab.down()
        for process in left:
            self.assertEqual(process.wait(5), -signal.SIGKILL)
            process.stdout.close()
            process.stderr.close()
        self.assertEqual(traces(self.lab.name), [])
        self.lab.down()

    def test_an_up_that_was_killed_is_taken_up_or_removed(self):
        for fraction in (0.05, 0.2, 0.4):
            up = subprocess.Popen([SOURCE / "deploy/lab", "up", "4"], env=self.lab.environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(fraction)  # any moment will do: that is what is tried
            up.kill()
            up.wait()
            if fraction != 0.2:
                self.lab.up(4)
                self.assertEqual(self.lab("status").stdout.count("running"), 4)
                self.assertTrue(self.reached("h1", "h4"))
            self.lab.down()
            self.assertEqual(traces(self.lab.name), [])

    def test_two_labs_do_not_meet(self):
        other = Lab(f"o{os.getpid()}")
        other.environment["SHOAL_BIN_DIR"] = self.lab.environment["SHOAL_BIN_DIR"]
        self.addCleanup(other.down)
        self.lab.up(1)
        other.up(2)
        self.lab.down()
        self.assertEqual(other("status").stdout.count("running"), 2)

    def test_misuse(self):
        self.lab.up(1)
        for code, command in ((2, ("up",)), (2, ("up", "0")), (2, ("up", "26")), (2, ("up", "x")),
                              (2, ("up", "2", "--managers", "3")), (2, ("nonsense",)),
                              (2, ("exec", "h1", "true")), (2, ("env", "x1")), (1, ("env", "h2")),
                              (2, ("kill",)), (1, ("start", "h9")), (1, ("cut", "h1", "h7"))):
            with self.subTest(command):
                self.assertEqual(self.lab(*command, check=False).returncode, code)


if __name__ == "__main__":
    main()
