#!/usr/bin/env python3
"""Checks the rules of the source tree and prints every violation with its reason.

usage: check.py [--root DIR] [--cache FILE]   exit code 1 if a rule is broken
       check.py [--root DIR] --lone-headers   list the headers that the build must compile alone
"""
import argparse
import json
import sys
import time
from pathlib import Path

import layering
import text_rules
import tree as source_tree


def violations(root, cache=None):
    tree = source_tree.load(root)
    ratchet_file = Path(root) / "tests/structure/ratchet.json"
    ratchet = json.loads(ratchet_file.read_text()) if ratchet_file.exists() else {}
    return [*layering.check(tree), *text_rules.check(tree, ratchet, cache)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default=Path(__file__).resolve().parents[2])
    parser.add_argument("--cache")
    parser.add_argument("--lone-headers", action="store_true")
    arguments = parser.parse_args()
    if arguments.lone_headers:
        print("\n".join(layering.lone_headers(source_tree.load(arguments.root))))
        return 0
    begun = time.monotonic()
    found = violations(arguments.root, arguments.cache)
    for violation in found:
        print(violation)
    print(f"{len(found)} violations, {time.monotonic() - begun:.2f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
