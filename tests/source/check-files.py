#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for every file: its licence header, how long it and its folder may be, and that scripts are well-formed.

usage: check-files.py ROOT"""

import ast
import builtins
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
import tree
from tap import require

SPDX = "SPDX-License-Identifier: GPL-2.0-or-later"
# A file that is longer has more than one job.
FILE_LINES_MAX = 700
# One family of secrets, with the reason of every rule: more is read by nobody.
POLICY_LINES_MAX = 150
# What an administrator reads in two minutes; details are in the manual. A new entry has one to four lines.
NEWS_WORDS_MAX = 720
# Lines of .c and .h that a folder may have, comments included, and what they are spent on. A folder that outgrows its
# budget has taken on another job, or does its own in a roundabout way: then the budget is raised here, with the reason.
BUDGETS = {
    "daemon/basic": (1500, "helpers that know nothing of the product, each with two callers or more"),
    "daemon/event": (910, "one record format to decode, and cgroup paths, with the ids of eight engines"),
    "daemon/glob": (2400, "one compiler from patterns to an automaton, and a reference to test it against"),
    "daemon/policy": (5950, "a language with sections, its check, and the tables that the kernel reads"),
    "daemon/sensor": (3700, "loading, attaching and handing over programs of three kinds, what others have in their "
                            "way, and sweeps of their tables"),
    "daemon/alert": (6400, "an event's way to an alert: evidence, action, score, sentence, JSON, incidents, scripts, "
                           "losses; and what a policy makes of an access (explain) or of an alert again (replay)"),
    "daemon/sink": (2800, "three outputs, a queue, an alert cut to what every reader shows, and alerts read "
                          "back from journals, also of other hosts"),
    "daemon/query": (1850, "one Varlink interface and its server"),
    "daemon/client": (9000, "a command each for twelve questions, journals, a drop-in learned from them, findings for "
                            "collectors, digests, and tables that fit a terminal, one of them live"),
    "daemon/man": (200, "a table of the manual that is made of the fields' own"),
    "daemon": (2450, "start, state, what it cannot see or refuse, and the loop that joins the folders"),
    "bpf/abi": (970, "what the kernel's programs and the daemon agree on"),
    "bpf/lib": (3100, "maps, paths, a line for each system call, and records: what every hook uses"),
    "bpf/mark": (2550, "how marks spread over processes, files, sockets, memory and ptrace"),
    "bpf/process": (2850, "who a process is: executable or script, trust at each level, unit, user, arguments"),
    "bpf/files": (4350, "opens, each way to move data, names that files get and lose, what is kept and said of them"),
    "bpf/egress": (2250, "destinations, the verdict and what follows from it, and the listing of marks"),
    "bpf": (660, "the list of all programs"),
}
# Text of no program: prose, the licence itself, bytes that fuzzers and tests read as they are, and formats without
# comments.
NO_HEADER = re.compile(r"(^|/)(LICENSE|COPYING|NEWS)$|\.md$|^tests/fuzz/corpus/|^LICENSES/"
                       r"|^units/debian/(changelog|copyright|source/format)$")


def check_headers(root, names):
    missing = []
    for name in names:
        # The second line where the first is an interpreter's.
        if not NO_HEADER.search(name) and not any(SPDX in line for line in tree.lines_of(root, name)[:2]):
            missing.append(name)
    require(not missing, f"without the SPDX line: {missing}")


def check_sizes(root, names):
    counts = {name: len(tree.lines_of(root, name)) for name in names
              if re.search(r"\.([ch]|py|sh|build)$|^tests/(check|quickstart|bench/run)$", name)}
    long = {name: n for name, n in counts.items() if n > FILE_LINES_MAX}
    require(not long, f"longer than {FILE_LINES_MAX} lines: {long}")
    policies = {name: len(tree.lines_of(root, name)) for name in names if name.startswith("daemon/policy.d/")}
    long = {name: n for name, n in policies.items() if n > POLICY_LINES_MAX}
    require(policies and not long, f"of {len(policies)} policy files, longer than {POLICY_LINES_MAX} lines: {long}")


def check_budgets(root, names):
    counts = {}
    for name in names:
        if re.match(r"(bpf|daemon)/.*\.[ch]$", name):
            folder = os.path.dirname(name)
            counts[folder] = counts.get(folder, 0) + len(tree.lines_of(root, name))
    require(set(counts) == set(BUDGETS),
            f"folders without a budget, or budgets without a folder: {set(counts) ^ set(BUDGETS)}")
    over = [f"{folder}: {n} lines, {BUDGETS[folder][0]} for {BUDGETS[folder][1]}"
            for folder, n in sorted(counts.items()) if n > BUDGETS[folder][0]]
    require(not over, "over budget:\n" + "\n".join(over))


def check_news(root, names):
    """The changes of the newest version."""
    require("NEWS" in names, "no NEWS")
    newest = re.split(r"^CHANGES WITH ", "\n".join(tree.lines_of(root, "NEWS")), flags=re.MULTILINE)[1]
    version = re.search(r"^\s*version: '([^']+)'", "\n".join(tree.lines_of(root, "meson.build")), re.MULTILINE)[1]
    require(newest.startswith(version), f"the newest entries are of {newest.split()[0]}, the version is {version}")
    require(len(newest.split()) <= NEWS_WORDS_MAX, f"{len(newest.split())} words, of {NEWS_WORDS_MAX}: shorten")


def check_scripts(root, names):
    checked = 0
    for name in names:
        path = os.path.join(root, name)
        lines = tree.lines_of(root, name) or [""]
        if name.endswith(".py") or re.match(r"#!.*python", lines[0]):
            ast.parse("\n".join(lines), name)
        elif name.endswith(".sh") or re.match(r"#!.*\b(ba|da)?sh\b", lines[0]):
            result = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
            require(result.returncode == 0, f"{name}: {result.stderr}")
        else:
            continue
        checked += 1
        if lines[0].startswith("#!"):
            require(os.access(path, os.X_OK), f"{name} has an interpreter line but is not executable")
    require(checked > 0, "no scripts found")


def names_of(module):
    """What a script binds anywhere, what it reads anywhere, and what it imports at the top: {name: line}."""
    bound, read, imported = set(dir(builtins)) | {"__file__"}, {}, {}
    for node in ast.walk(module):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                read.setdefault(node.id, node.lineno)
            else:
                bound.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                imported[(alias.asname or alias.name).split(".")[0]] = node.lineno
    return bound | set(imported), read, imported


def check_names(root, names):
    """A name that is not defined is seen when its line runs, which may be the line that reports a failure."""
    wrong = []
    for name in names:
        lines = tree.lines_of(root, name) or [""]
        if name.endswith(".py") or re.match(r"#!.*python", lines[0]):
            bound, read, imported = names_of(ast.parse("\n".join(lines), name))
            wrong += [f"{name}:{line}: {unknown} is not defined" for unknown, line in read.items()
                      if unknown not in bound]
            wrong += [f"{name}:{line}: {unused} is not used" for unused, line in imported.items()
                      if unused not in read]
    require(not wrong, "\n".join(wrong))


def check_listed(root, names):
    """A test that no meson.build names is never run."""
    text = "\n".join(line for name in ("tests/meson.build", "tests/bpf/meson.build")
                     for line in tree.lines_of(root, name) if not line.lstrip().startswith("#"))
    units = {f"{folder}/{name}" for folder, list_ in re.findall(r"'(\w+)': \[([^\]]*)\]", text)
             for name in re.findall(r"'([\w-]+)'", list_)}
    quoted = set(re.findall(r"'([^']+)'", text)) | units
    missing, found = [], 0
    for name in names:
        match = (re.match(r"tests/unit/(\w+/)test-([\w-]+)\.c$", name)
                 or re.match(r"tests/fuzz/()fuzz-([\w-]+)\.c$", name)
                 or re.match(r"tests/()((?:system|benign|vm)/test-[\w-]+\.py)$", name))
        if match:
            found += 1
            missing += [name] if match[1] + match[2] not in quoted else []
    require(found > 50 and not missing, f"{found} tests, not in tests/meson.build: {missing}")


def main():
    root = os.path.realpath(sys.argv[1])
    names = tree.tracked_files(root)
    t = tap.Tap()
    t.case("every file has its SPDX line", check_headers, root, names)
    t.case(f"no file over {FILE_LINES_MAX} lines", check_sizes, root, names)
    t.case("each folder stays within its budget", check_budgets, root, names)
    t.case("NEWS: its newest version, in two minutes", check_news, root, names)
    t.case("scripts are well-formed and executable", check_scripts, root, names)
    t.case("every test is listed in meson.build", check_listed, root, names)
    t.case("names in scripts are defined, and imports used", check_names, root, names)
    t.done()


if __name__ == "__main__":
    main()
