#!/usr/bin/env python3
"""The commands of README.md do what it says: its sh blocks are run, in a lab of their own."""
import os
import re
import subprocess
import unittest

from lab import SOURCE, Lab, main

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 1500  # the first block installs and builds


class Readme(unittest.TestCase):
    def test_its_commands(self):
        blocks = BLOCK.findall((SOURCE / "README.md").read_text(encoding="utf-8"))
        self.assertGreaterEqual(len(blocks), 3)
        lab = Lab()
        self.addCleanup(lab.down)
        for block in blocks:
            with self.subTest(block):
                # Tests are root already, and sudo would drop the lab's name.
                script = 'sudo() { "$@"; }\n' + block
                done = subprocess.run(["bash", "-euxo", "pipefail", "-c", script], cwd=SOURCE,
                                      env={**os.environ, "SHOAL_LAB": lab.name}, text=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, timeout=SECONDS)
                self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(lab("status").stdout, f"no lab {lab.name}; try: deploy/lab up 3\n")


if __name__ == "__main__":
    main()
