#!/usr/bin/env python3
"""Every rule is broken once, in a tree made for it, and must be seen; the sound tree passes."""
import json
import subprocess
import tempfile
import unittest
from pathlib import Path

import check
import layering
import symbols
import tree as source_tree

README = "".join(f"line {i}\n" for i in range(12))
SOUND = {
    ".clang-format": "BasedOnStyle: Google\nColumnLimit: 100\n",
    "raft/README.md": README,
    "raft/CMakeLists.txt": "shoal_library(raft_core PURE SOURCES core/core.cc)\n"
                           "shoal_library(raft_storage SHELL SOURCES storage/store.cc)\n",
    "raft/core/core.h": "#pragma once\n\n#include <chrono>\n#include <string>\n",
    "raft/core/core.cc": '#include "raft/core/core.h"\n',
    "raft/storage/store.h": "#pragma once\n",
    "raft/storage/store.cc": '#include "raft/storage/store.h"\n\n#include <thread>\n',
    "gossip/README.md": README,
    "gossip/wire.h": "#pragma once\n",
}


class Planted(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        for path, text in SOUND.items():
            self.plant(path, text)

    def plant(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def ratchet(self, **exceptions):
        self.plant("tests/structure/ratchet.json", json.dumps(exceptions))

    def expect(self, path, rule):
        found = check.violations(self.root)
        self.assertTrue([v for v in found if v.path == path and rule in v.rule],
                        f"{path}: {rule} was not seen among {[str(v) for v in found]}")
        self.assertTrue(all(v.why for v in found))

    def test_the_sound_tree_passes(self):
        self.assertEqual([str(v) for v in check.violations(self.root)], [])

    def test_layers(self):
        self.plant("raft/core/core.cc", '#include "raft/core/core.h"\n\n#include "gossip/wire.h"\n')
        self.expect("raft/core/core.cc", 'may not include "gossip/wire.h"')

    def test_a_try_comes_first_in_its_list(self):
        for statement in ("return Pair{name, SHOAL_TRY(read())};",
                          "return Both(Pair{{1, 2}, text(SHOAL_TRY(read()))});",
                          "const Pair pair = {SHOAL_TRY(one()), SHOAL_TRY(two())};"):
            self.plant("raft/core/core.cc",
                       "Result<Pair> f(int a, int b) {\n  " + statement + "\n}\n")
            self.expect("raft/core/core.cc", "SHOAL_TRY after another element")
        self.plant("raft/core/core.cc",
                   "Foo::Foo() : a_(1), b_(2) {\n"
                   "  const std::map<int, int> all = SHOAL_TRY(read());\n"
                   "  for (const auto& [a, b] : SHOAL_TRY(read())) call(a, SHOAL_TRY(read()));\n"
                   "  return Pair{SHOAL_TRY(read(\"{,\")), 1};\n"
                   "}\n")
        self.assertEqual([str(v) for v in check.violations(self.root) if "SHOAL_TRY" in v.rule], [])

    def test_only_tests_include_tests(self):
        self.plant("tests/README.md", README)
        self.plant("tests/fakes/disk.h", "#pragma once\n")
        self.plant("raft/core/core_test.cc", '#include "tests/fakes/disk.h"\n')
        self.assertEqual([str(v) for v in check.violations(self.root)], [])
        self.plant("raft/storage/store.cc", '#include "raft/storage/store.h"\n\n'
                                            '#include "tests/fakes/disk.h"\n')
        self.expect("raft/storage/store.cc", "may not include")

    def test_every_forbidden_layer_has_a_reason_and_matches_something(self):
        for files, forbidden, why in layering.FORBIDDEN:
            self.assertTrue(why)
            self.assertIn("/", files + forbidden)

    def test_worker_may_use_the_model_but_not_the_store(self):
        self.plant("worker/README.md", README)
        self.plant("worker/a.h", '#pragma once\n\n#include "manager/model/objects.h"\n')
        self.assertEqual(check.violations(self.root), [])
        self.plant("worker/a.h", '#pragma once\n\n#include "manager/store/store.h"\n')
        self.expect("worker/a.h", "may not include")

    def test_pure_files(self):
        for include in ("thread", "mutex", "fstream", "random", "sys/socket.h", "spdlog/spdlog.h",
                        "fmt/format.h", "boost/asio.hpp", "google/protobuf/message.h"):
            with self.subTest(include):
                self.plant("raft/core/core.h", f"#pragma once\n\n#include <{include}>\n")
                self.expect("raft/core/core.h", f"PURE, and may not include {include}")

    def test_pure_files_read_no_clock(self):
        self.plant("raft/core/core.cc", '#include "raft/core/core.h"\n\n'
                                        "auto t = std::chrono::steady_clock::now();\n")
        self.expect("raft/core/core.cc", "may not read steady_clock")

    def test_pure_files_include_no_shell_header_and_no_proto(self):
        for target in ("raft/storage/store.h", "proto/raft.pb.h"):
            with self.subTest(target):
                self.plant("raft/core/core.cc",
                           f'#include "raft/core/core.h"\n\n#include "{target}"\n')
                self.expect("raft/core/core.cc", f"PURE, and may not include {target}")

    def test_own_header_comes_first(self):
        self.plant("raft/core/core.cc", '#include <string>\n\n#include "raft/core/core.h"\n')
        self.expect("raft/core/core.cc", "must include")

    def test_lone_headers_are_found(self):
        self.assertEqual(layering.lone_headers(source_tree.load(self.root)), ["gossip/wire.h"])

    def test_lengths(self):
        self.plant("raft/core/core.cc", '#include "raft/core/core.h"\n' + "\n" * 500)
        self.expect("raft/core/core.cc", "lines, at most 500")
        self.plant("raft/core/core.cc", '#include "raft/core/core.h"\n// ' + "x" * 98 + "\n")
        self.expect("raft/core/core.cc", "101 columns")
        self.plant("deploy/tool", "#!/bin/bash\n# " + "x" * 99 + "\n")
        self.expect("deploy/tool", "101 columns")

    def test_the_ratchet_bounds_and_only_shrinks(self):
        self.plant("raft/core/core.cc",
                   '#include "raft/core/core.h"\n\nint a;\n' + "int b();\n" * 507)
        self.ratchet(file_length={"raft/core/core.cc": 510})
        self.assertEqual([str(v) for v in check.violations(self.root)], [])
        self.ratchet(file_length={"raft/core/core.cc": 505})
        self.expect("raft/core/core.cc", "lines, at most 505")
        self.plant("raft/core/core.cc", SOUND["raft/core/core.cc"])
        self.expect("tests/structure/ratchet.json", "need not name")

    def test_words(self):
        for text in ("/work/x", "see issue 12", "this session wrote it", "TODO",
                     "if (testing) {", "if (config.is_testing) {"):
            with self.subTest(text):
                self.plant("raft/core/core.h", f"#pragma once\n// {text}\n")
                self.expect("raft/core/core.h", '"')

    def test_readmes(self):
        (self.root / "gossip/README.md").unlink()
        self.expect("gossip/README.md", "missing")
        self.plant("gossip/README.md", "one line\n")
        self.expect("gossip/README.md", "1 lines")

    def test_format_also_with_a_cache(self):
        cache = self.root / "cache"
        self.assertEqual(check.violations(self.root, cache), [])
        self.plant("raft/core/core.h", "#pragma once\nint  a( );\n")
        for _ in range(2):
            found = check.violations(self.root, cache)
            self.assertEqual([(v.path, v.rule) for v in found],
                             [("raft/core/core.h", "not formatted")])

    def test_symbols(self):
        source, archive = self.root / "a.cc", self.root / "a.a"
        for call, sound in (
                ('extern "C" long strlen(const char*);\nlong f() { return strlen(""); }', True),
                ('extern "C" int socket(int, int, int);\nint f() { return socket(1, 1, 0); }',
                 False),
                ('extern "C" long time(long*); long f() { return time(nullptr); }', False),
                ("namespace std { struct random_device { unsigned _M_getval(); }; }\n"
                 "unsigned f() { return std::random_device{}._M_getval(); }", False)):
            with self.subTest(call):
                source.write_text(call)
                subprocess.run(["g++", "-w", "-c", source, "-o", self.root / "a.o"], check=True)
                archive.unlink(missing_ok=True)
                subprocess.run(["ar", "rc", archive, self.root / "a.o"], check=True)
                self.assertEqual(not list(symbols.offences(archive)), sound)


if __name__ == "__main__":
    unittest.main()
