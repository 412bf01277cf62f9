"""replay.py RAFT_SIM: the same seed is the same life, byte for byte, in another process too (where
addresses differ); another seed is another life."""

import subprocess
import sys

SEEDS = "--seeds=1-24"


def run(*arguments):
    done = subprocess.run([sys.argv[1], *arguments], capture_output=True)
    return done.stdout


def main():
    digests = run(SEEDS, "--digests")
    if digests != run(SEEDS, "--digests"):
        return "two runs of the same seeds have different digests"
    lines = [line.split()[3] for line in digests.splitlines() if line.startswith(b"seed ")]
    if len(lines) != 24 or len(set(lines)) != 24:
        return f"{len(set(lines))} different digests of 24 seeds"
    trace = run("--seed=7", "--trace")
    if trace != run("--seed=7", "--trace"):
        return "two traces of the same seed differ"
    if trace.count(b"\n") < 1000:
        return "the trace is too short to replay anything by"
    return 0


if __name__ == "__main__":
    sys.exit(main())
