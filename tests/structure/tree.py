"""The source tree as the rules see it: files, includes, and which files belong to PURE targets."""
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

SKIPPED_DIRECTORIES = {"build", ".git", "__pycache__", "third_party"}
CPP = {".h", ".cc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LIBRARY = re.compile(r"shoal_library\(\s*(\w+)\s+(PURE|SHELL)\b([^)]*)\)")


@dataclass(frozen=True)
class Violation:
    path: str
    line: int
    rule: str
    why: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.why}"


@dataclass
class Tree:
    root: Path
    files: list = field(default_factory=list)      # paths relative to root, sorted
    pure: set = field(default_factory=set)         # of them, those of PURE targets
    shell: set = field(default_factory=set)        # of them, those of SHELL targets
    _texts: dict = field(default_factory=dict)

    def text(self, path):
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self._texts[path]

    def lines(self, path):
        return self.text(path).split("\n")

    def cpp(self):
        return [path for path in self.files if Path(path).suffix in CPP]

    def includes(self, path):
        """(line number, "<" or a quote, what is included) of each include."""
        for number, line in enumerate(self.lines(path), 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match[1], match[2]


def load(root):
    tree = Tree(Path(root))
    for directory, names, files in os.walk(root):
        names[:] = sorted(n for n in names if n not in SKIPPED_DIRECTORIES)
        base = os.path.relpath(directory, root)
        tree.files += [os.path.normpath(os.path.join(base, name)) for name in files]
    tree.files.sort()
    for path in tree.files:
        if os.path.basename(path) == "CMakeLists.txt":
            _read_libraries(tree, os.path.dirname(path))
    _sort_headers(tree)
    return tree


def _read_libraries(tree, folder):
    text = re.sub(r"#[^\n]*", "", tree.text(os.path.join(folder, "CMakeLists.txt")))
    for _, kind, rest in LIBRARY.findall(text):
        words = rest.split()
        if "SOURCES" not in words:
            continue
        for word in words[words.index("SOURCES") + 1:]:
            if word == "DEPS":
                break
            stem = os.path.join(folder, os.path.splitext(word)[0])
            (tree.pure if kind == "PURE" else tree.shell).update((stem + ".h", stem + ".cc"))


def _sort_headers(tree):
    """A header without a source file of its name is what all others of its folder are."""
    known = tree.pure | tree.shell
    for path in tree.cpp():
        if path in known or not path.endswith(".h"):
            continue
        folder = os.path.dirname(path)
        neighbours = {p for p in known if os.path.dirname(p) == folder}
        if neighbours and neighbours <= tree.pure:
            tree.pure.add(path)
        elif not neighbours and folder in ("base/ports", "manager/model"):
            tree.pure.add(path)  # header-only PURE targets
    existing = set(tree.files)
    tree.pure &= existing
    tree.shell &= existing
