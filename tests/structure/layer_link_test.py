#!/usr/bin/env python3
"""The layer link test of cmake/ShoalTargets.cmake, tried on a project of its own: it must pass a
PURE library that keeps its promise and fail one that calls what none of its dependencies has.

usage: layer_link_test.py CMAKE_DIR CXX_COMPILER
"""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CMAKE_DIR, COMPILER = (sys.argv + ["", ""])[1:3]
PROJECT = """
cmake_minimum_required(VERSION 3.25)
set(CMAKE_CXX_COMPILER_WORKS TRUE)
project(planted LANGUAGES CXX)
enable_testing()
include({cmake}/ShoalTargets.cmake)
add_library(elsewhere STATIC elsewhere.cc)
shoal_library(below PURE SOURCES below.cc)
shoal_library(core PURE SOURCES core.cc DEPS below)
shoal_layer_link_tests()
"""
SOUND = {"elsewhere.cc": "int elsewhere() { return 1; }\n",
         "below.cc": "int below() { return 2; }\n",
         "core.cc": "int below();\nint core() { return below(); }\n"}


class LayerLink(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        for path, text in {**SOUND, "CMakeLists.txt": PROJECT.format(cmake=CMAKE_DIR)}.items():
            (self.root / path).write_text(text)

    def run_tool(self, *command):
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True)

    def link(self):
        return self.run_tool("ctest", "--test-dir", "b", "-R", "layer_link", "--output-on-failure")

    def test_a_call_past_the_dependencies_is_seen(self):
        made = self.run_tool("cmake", "-G", "Ninja", "-B", "b", f"-DCMAKE_CXX_COMPILER={COMPILER}")
        self.assertEqual(made.returncode, 0, made.stderr)
        linked = self.link()
        self.assertEqual(linked.returncode, 0, linked.stdout)
        (self.root / "core.cc").write_text(
            "int elsewhere();\nint core() { return elsewhere(); }\n")
        linked = self.link()
        self.assertNotEqual(linked.returncode, 0, linked.stdout)
        self.assertIn("elsewhere", linked.stdout)

    def test_a_dependency_on_what_is_not_pure_is_refused(self):
        project = PROJECT.format(cmake=CMAKE_DIR).replace("DEPS below", "DEPS elsewhere")
        (self.root / "CMakeLists.txt").write_text(project)
        made = self.run_tool("cmake", "-G", "Ninja", "-B", "b", f"-DCMAKE_CXX_COMPILER={COMPILER}")
        self.assertNotEqual(made.returncode, 0)
        self.assertIn("may not depend on elsewhere", made.stderr.replace("\n  ", " "))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
