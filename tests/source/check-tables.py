#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No table forgets in silence. A map of the kernel's programs that evicts by itself (LRU) says in the comment above it
why nothing is lost by that, after the word "LRU"; and an insertion whose result is not looked at says why it may fail,
after the words "May fail:". Whether the reason is right is for people to judge; that there is one is checked here.

usage: check-tables.py ROOT"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
import tree
from tap import require, require_equal

# A comment, if there is one, and the map below it.
MAP = re.compile(r"(?P<comment>/\*(?:(?!\*/).)*\*/)?\s*\nstruct \{\n(?P<body>[^}]*)\} (?P<name>\w+) SEC\(\"\.maps\"\);",
                 re.DOTALL)
TYPE = re.compile(r"__uint\(type, BPF_MAP_TYPE_(\w+)\)")
INSERTION = re.compile(r"\b(?:bpf_map_update_elem|bpf_map_push_elem|MAP_INSERT)\(")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
REASON = "May fail:"
# Words that a reason has at least: a name of the mechanism is none.
REASON_WORDS = 6


def sources(root):
    """{file: text} of the programs."""
    return {name: "\n".join(tree.lines_of(root, name)) + "\n" for name in tree.tracked_files(root)
            if re.match(r"bpf/.*\.[ch]$", name)}


def silent_maps(text):
    """Maps that evict by themselves, and do not say why that loses nothing."""
    found = []
    for match in MAP.finditer(text):
        kind = TYPE.search(match["body"])
        if kind and "LRU" in kind[1]:
            reason = re.sub(r"\s*\n \* ?", " ", match["comment"] or "").partition("LRU")[2]
            if len(reason.split()) < REASON_WORDS:
                found.append(match["name"])
    return found


def all_maps(text):
    return [match["name"] for match in MAP.finditer(text)]


def is_used(before):
    """Whether what stands before a call uses its result. A statement begins after one of ; { } else or a condition."""
    before = before.rstrip()
    if not before.endswith(")"):
        return not re.search(r"([;{}]|\belse)$|^$", before)
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        depth += (before[at] == ")") - (before[at] == "(")
        if depth == 0:
            return not re.search(r"\b(if|for|while)$", before[:at].rstrip())
    return True


def unchecked_insertions(text):
    """The lines of insertions whose result nobody looks at, and that give no reason."""
    # Comments become spaces, so that every place stays where it is.
    code = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    code = re.sub(r"^[ \t]*#[^\n]*(\\\n[^\n]*)*", lambda m: re.sub(r"[^\n]", " ", m[0]), code, flags=re.MULTILINE)
    found = []
    for match in INSERTION.finditer(code):
        if is_used(code[:match.start()]):
            continue
        # The comment is right before the statement, or before the condition that it belongs to.
        start = max(code.rfind(c, 0, match.start()) for c in ";{}")
        reason = text[start + 1:match.start()].partition(REASON)[2]
        if len(reason.partition("*/")[0].split()) < REASON_WORDS:
            found.append(text.count("\n", 0, match.start()) + 1)
    return found


def check_maps(files):
    silent = [f"{name}: {map_name}" for name, text in files.items() for map_name in silent_maps(text)]
    require(not silent, f"tables that evict, and do not say why nothing is lost: {silent}")


def check_insertions(files):
    silent = [f"{name}:{line}" for name, text in files.items() for line in unchecked_insertions(text)]
    require(not silent, f"insertions whose result nobody looks at, without “{REASON}”: {silent}")


def check_all_seen(files):
    """Every map is found, whatever is written above it."""
    for name, text in files.items():
        require_equal(sorted(all_maps(text)), sorted(re.findall(r"\} (\w+) SEC\(\"\.maps\"\)", text)), name)


def check_sharp(files):
    """Without any one of the reasons the checks above fail."""
    tried = 0
    for name, text in files.items():
        for match in re.finditer(r"LRU[ :]", text):
            broken = text[:match.start()] + "It is one." + text[match.end():]
            # A reason may be the second mention.
            if silent_maps(text[:match.start()] + "*/\n" + text[match.end():]) or silent_maps(broken):
                tried += 1
        for match in re.finditer(REASON, text):
            require(unchecked_insertions(text[:match.start()] + text[match.end():]), f"{name}: a reason of nothing")
            tried += 1
    require(tried > 10, f"only {tried} reasons were found")


def check_examples(_):
    new = 'struct {\n        __uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);\n} bw_new SEC(".maps");\n'
    require_equal(silent_maps(f"\n{new}"), ["bw_new"], "a new map without a comment")
    require_equal(silent_maps(f"\n/* LRU. */\n{new}"), ["bw_new"], "a comment that says nothing")
    require_equal(silent_maps(f"\n/* LRU: an entry that is missing is\n * made again. */\n{new}"), [], "with a reason")
    for code, lines in (("f();\n        bpf_map_update_elem(&m, &k, &v, 0);", [2]),
                        ("if (x)\n        MAP_INSERT(&m, &k, &v);", [2]),
                        ("if (x)\n        a = 1;\nelse\n        bpf_map_push_elem(&m, &k, 0);", [4]),
                        ("/* May fail: then the next one finds nothing. */\nbpf_map_push_elem(&m, &k, 0);", []),
                        ("r = bpf_map_update_elem(&m, &k, &v, 0);", []),
                        ("if (x || bpf_map_update_elem(&m, &k, &v, 0))", []),
                        ("return MAP_INSERT(&m, &k, &v);", [])):
        require_equal(unchecked_insertions(code), lines, code)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    files = sources(sys.argv[1])
    t = tap.Tap()
    t.case("maps that evict say why nothing is lost", check_maps, files)
    t.case("insertions are checked, or say why they may fail", check_insertions, files)
    t.case("every map is looked at", check_all_seen, files)
    t.case("no reason can be left out", check_sharp, files)
    t.case("what is new is found", check_examples, files)
    t.done()


if __name__ == "__main__":
    main()
