"""mutants.py DIRECTORY [--seeds N]: runs the simulator with each of the bugs in mutants/*.patch
put back, until a seed finds it. A bug that no seed of N (1000) finds is a hole in the simulator,
and fails.

DIRECTORY holds the programs: BUILD/tests/sim/raft/mutants.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import time

FOUND = re.compile(r"^seed (\d+): (.*)$|aborted in seed (\d+)", re.MULTILINE)


def catch(program, seeds):
    """The first seed that found the bug and what it saw; nothing when none did."""
    command = [program, f"--seeds=1-{seeds}", "--until-failure"]
    done = subprocess.run(command, capture_output=True, text=True)
    found = FOUND.search(done.stdout + "\n" + done.stderr)
    if done.returncode == 0 or not found:
        return None
    if found.group(3):
        check = [line for line in done.stderr.splitlines() if "aborted" not in line]
        return int(found.group(3)), "check failed: " + (check[0] if check else "abort")
    return int(found.group(1)), found.group(2)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("directory", type=pathlib.Path)
    arguments.add_argument("--seeds", type=int, default=1000)
    options = arguments.parse_args()
    patches = (pathlib.Path(__file__).parent / "mutants").glob("*.patch")
    names = sorted(patch.stem for patch in patches)
    missed = []
    for name in names:
        began = time.monotonic()
        caught = catch(options.directory / f"raft_mutant_{name}", options.seeds)
        took = time.monotonic() - began
        if caught:
            print(f"{name:34} seed {caught[0]:4} {took:6.2f} s  {caught[1]}", flush=True)
        else:
            print(f"{name:34} MISSED by {options.seeds} seeds, {took:.2f} s", flush=True)
            missed.append(name)
    print(f"{len(names)} bugs, {len(missed)} missed")
    return 1 if missed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
