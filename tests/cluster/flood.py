#!/usr/bin/env python3
"""Runs on a host: one command for each of many names, some at a time.

  flood.py AT_ONCE NAME... -- COMMAND...   COMMAND with {} replaced by the name

Prints a line of JSON as each ends: {"name", "code", "begun", "ended", "out", "err"}; the times are
of the monotonic clock, which all hosts of a lab share.
"""
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

PATIENCE = 60  # seconds for one command
printing = threading.Lock()


def one(name, command):
    begun = time.monotonic()
    done = subprocess.run([word.replace("{}", name) for word in command],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE)
    line = json.dumps({"name": name, "code": done.returncode, "begun": begun,
                       "ended": time.monotonic(), "out": done.stdout, "err": done.stderr})
    with printing:
        print(line, flush=True)


def main():
    at_once, rest = int(sys.argv[1]), sys.argv[2:]
    cut = rest.index("--")
    names, command = rest[:cut], rest[cut + 1:]
    with ThreadPoolExecutor(at_once) as pool:
        for future in [pool.submit(one, name, command) for name in names]:
            future.result()


if __name__ == "__main__":
    main()
