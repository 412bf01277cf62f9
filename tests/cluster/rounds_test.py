#!/usr/bin/env python3
"""A few rounds of kill_rounds.py: no acknowledged write is lost, the history is linearizable."""
import os
import statistics
import tempfile
import unittest

import kill_rounds
from lab import Lab, main

ROUNDS = 6
SEED = 7
NEW_LEADER = 1.0  # seconds, median, from the kill of a leader to a write that was called after it


class KillRounds(unittest.TestCase):
    def test_managers_are_killed_and_nothing_acknowledged_is_lost(self):
        lab = Lab()
        self.addCleanup(lab.down)
        handle, path = tempfile.mkstemp(prefix="shoal-history-", suffix=".jsonl")
        os.close(handle)
        lab.up(kill_rounds.HOSTS, kill_rounds.MANAGERS)
        try:
            times = kill_rounds.rounds(lab, ROUNDS, SEED, path)
            self.assertGreaterEqual(len(times["leader"]), ROUNDS // kill_rounds.LEADER_EVERY)
            self.assertLess(statistics.median(times["leader"]), NEW_LEADER)
        except BaseException:
            print(f"the history is kept in {path}")
            raise
        os.unlink(path)


if __name__ == "__main__":
    main()
