"""Rules on the text of files: lengths, words, READMEs, format. Exceptions: ratchet.json."""
import concurrent.futures
import hashlib
import os
import re
import subprocess
from pathlib import Path

from tree import Violation

MAX_LINE = 100
MAX_FILE = 500
MAX_README, MIN_README = 25, 10
SOURCE = {".h", ".cc", ".py", ".sh", ".proto", ".cmake"}

# (pattern, why). This folder is left out, as it has to name them.
WORDS = [
    (r"/work/", "paths of the machine it was written on mean nothing elsewhere"),
    (r"(?i)\bissues? #?\d+", "the code speaks of itself; such numbers are for commit messages"),
    (r"(?i)\b(this|previous|earlier|next|last) session\b|\bassistant\b|\bchatbot\b|\bLLM\b",
     "the code speaks of itself, not of how it was written"),
    (r"\b(TODO|FIXME|XXX|HACK)\b", "do it, or leave it out"),
    (r"(?i)if ?\(?!?\(?(\w+[.:]+)?(is_)?(testing|under_test|test_mode)\b",
     "production code does not know that it is tested: give it a port and a fake"),
]


# What comes before the brace of a block, as opposed to that of a braced list.
BLOCK = re.compile(r"(\)|:|\b(const|override|noexcept|else|do|try|mutable)|->[^;{}()]*"
                   r"|\b(namespace|struct|class|enum|union)\b[^;{}()]*)\s*$")
QUOTED = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*')
TEMPLATE = re.compile(r"(?<=\w)<[^<>;(){}]*>")


def is_script(tree, path):
    return "." not in os.path.basename(path) and tree.text(path).startswith("#!")


def check(tree, ratchet, cache):
    used = {"file_length": set(), "readme": set()}
    for path in tree.files:
        suffix = Path(path).suffix
        if suffix in SOURCE or is_script(tree, path):
            yield from _check_lengths(tree, path, suffix, ratchet, used)
        if not path.startswith("tests/structure/") and (
                suffix in SOURCE | {".md", ".txt"} or is_script(tree, path)):
            yield from _check_words(tree, path)
    for path in tree.cpp():
        yield from _check_try(tree, path)
    yield from _check_readmes(tree, ratchet, used)
    for kind, names in used.items():
        for name in sorted(set(ratchet.get(kind, [])) - names):
            yield Violation("tests/structure/ratchet.json", 1, f'"{kind}" need not name {name}',
                            "the ratchet only shrinks: remove this exception, the rule is kept")
    yield from _check_format(tree, cache)


def _check_lengths(tree, path, suffix, ratchet, used):
    lines = tree.lines(path)
    bound = ratchet.get("file_length", {}).get(path, MAX_FILE)
    if len(lines) > MAX_FILE and path in ratchet.get("file_length", {}):
        used["file_length"].add(path)
    if len(lines) > bound + 1:
        yield Violation(path, bound, f"{len(lines) - 1} lines, at most {bound}",
                        "a file is read in one sitting: split it by concern")
    if suffix in (".proto", ".cmake"):
        return
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            yield Violation(path, number, f"{len(line)} columns, at most {MAX_LINE}",
                            "two files are read side by side")


def _check_words(tree, path):
    text = tree.text(path)
    for pattern, why in WORDS:
        for match in re.finditer(pattern, text):
            line = text.count("\n", 0, match.start()) + 1
            yield Violation(path, line, f'"{match[0]}"', why)


def _check_try(tree, path):
    if "SHOAL_TRY(" not in tree.text(path):
        return
    blank = lambda match: " " * len(match[0])
    text = QUOTED.sub(blank, tree.text(path))
    while (shorter := TEMPLATE.sub(blank, text)) != text:
        text = shorter
    for match in re.finditer(r"\bSHOAL_TRY\(", text):
        if _later_in_a_list(text, match.start()):
            yield Violation(path, text.count("\n", 0, match.start()) + 1,
                            "SHOAL_TRY after another element of a braced list",
                            "GCC 12 does not destroy what was made before it: name it first")


def _later_in_a_list(text, at):
    """Whether an element comes before this place in a braced list of its statement."""
    inside, comma = 0, False
    for i in range(at - 1, -1, -1):
        char = text[i]
        if char in ")]}":
            inside += 1
        elif inside and char in "([{":
            inside -= 1
        elif inside:
            continue
        elif char == ";":
            return False
        elif char == ",":
            comma = True
        elif char in "([{":
            if char == "{" and BLOCK.search(text, max(0, i - 200), i):
                return False
            if char == "{" and comma:
                return True
            comma = False
    return False


def _check_readmes(tree, ratchet, used):
    tops = {path.split("/")[0] for path in tree.files
            if "/" in path and Path(path).suffix in {".h", ".cc", ".py", ".proto"}}
    existing = set(tree.files)
    for top in sorted(tops):
        readme = f"{top}/README.md"
        if readme not in existing:
            if top in ratchet.get("readme", []):
                used["readme"].add(top)
                continue
            yield Violation(readme, 1, "missing", "a reader enters a folder by its README")
        else:
            count = len(tree.lines(readme)) - 1
            if not MIN_README <= count <= MAX_README:
                yield Violation(readme, 1, f"{count} lines, not {MIN_README} to {MAX_README}",
                                "purpose, who may use it, in what order to read it: no more")


def _check_format(tree, cache):
    """clang-format of what has changed since it was last seen right; `cache`: a file, or None."""
    style = tree.text(".clang-format") if ".clang-format" in tree.files else ""
    digest = {p: hashlib.sha256((style + tree.text(p)).encode()).hexdigest() for p in tree.cpp()}
    known = set()
    if cache and os.path.exists(cache):
        known = set(Path(cache).read_text(encoding="ascii").split())
    changed = [p for p in tree.cpp() if digest[p] not in known]

    def misformatted(paths):
        done = subprocess.run(["clang-format", "--style=file", "--dry-run", *paths],
                              cwd=tree.root, capture_output=True, text=True, check=True)
        return re.findall(r"^(\S+?):\d+:\d+: warning: .*-Wclang-format", done.stderr, re.MULTILINE)

    workers = os.cpu_count() or 1
    chunks = [chunk for chunk in (changed[i::workers] for i in range(workers)) if chunk]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        bad = {path for paths in pool.map(misformatted, chunks) for path in paths}
    if cache:
        good = sorted({digest[p] for p in tree.cpp() if p not in bad})
        Path(cache).write_text("\n".join(good), encoding="ascii")
    for path in sorted(bad):
        yield Violation(path, 1, "not formatted", "run: clang-format -i " + path)
