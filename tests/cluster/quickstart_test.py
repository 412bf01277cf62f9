#!/usr/bin/env python3
"""deploy/quickstart, twice in a row: each step has a result and a time, the second keeps all."""
import re
import subprocess
import unittest

from lab import SOURCE, Lab, main

STEP = re.compile(r"^== (.+)\n((?:.*\n)*?)   done in \d+\.\d{3} s$", re.MULTILINE)
SECONDS = 1500  # it builds when SHOAL_BIN_DIR is not set


class Quickstart(unittest.TestCase):
    def quickstart(self):
        done = subprocess.run([SOURCE / "deploy/quickstart"], env=self.lab.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout)
        steps = dict(STEP.findall(done.stdout))
        self.assertEqual(len(steps), done.stdout.count("\n== "), done.stdout)
        for title, result in steps.items():
            self.assertTrue(result.strip(), f"no result of {title}")
        return steps

    def test_twice(self):
        self.lab = Lab()
        self.addCleanup(self.lab.down)
        first, second = self.quickstart(), self.quickstart()
        self.assertEqual(list(first), list(second))
        for steps in (first, second):
            self.assertIn('"served_by": "h1"', steps["h3: client fetches http://web/ from h1"])
            self.assertRegex(steps["The cluster"], r"Leader[^§]*shop[^§]*client[^§]*alive")
        self.assertIn("in a cluster already", second["h2: shoal join"])
        self.assertEqual(self.addresses(first), self.addresses(second))

    @staticmethod
    def addresses(steps):
        return re.findall(r"asks for (\w+): ([\d.]+)",
                          steps["Names, asked of 127.0.0.11 in the workloads"])


if __name__ == "__main__":
    main()
