#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules about the source tree that a tool can hold: licence headers, the include graph, sizes, script
syntax.

usage: check-source.py ROOT"""

import ast
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import tap
from tap import require

SPDX = "SPDX-License-Identifier: GPL-2.0-or-later"
# A file that is longer has more than one job.
FILE_LINES_MAX = 600
# What runs in user space in front of hostile bytes must stay small enough to be read. A third of the daemon's is the
# policy's reader and its messages, a sixth the automaton's compiler. The client (barbwirectl, ctl-*) is counted apart.
DAEMON_LINES_MAX = 13560
CLIENT_LINES_MAX = 3200

# Take bytes and give values: they are fuzzed, so they may reach neither the kernel nor systemd.
PURE = ("alert", "alert-json", "alert-ring", "alert-show", "alert-state", "alert-text", "counters", "ctl-policy", "ctl-rule", "ctl-time", "enrich", "event-decode", "harvest-watch", "lineage-match",
        "glob-automaton", "glob-pack", "glob-parse", "glob-positions", "glob-reference", "journal-entry",
        "json-line", "losses", "policy-build", "policy-compile", "policy-file", "policy-finish", "policy-json", "policy-key", "policy-match",
        "policy-values", "query-interface", "query-methods", "status-json", "text", "varlink",
        "repeat-watch", "score", "utf8")
IMPURE_HEADERS = re.compile(r"^(bpf/|systemd/|cap-ng\.h)|\.skel\.h$")
SKELETON = re.compile(r"\.skel\.h$")

# Text of no program: prose, the licence itself, and bytes that fuzzers and tests read as they are.
NO_HEADER = re.compile(r"(^|/)(LICENSE|COPYING|NEWS)$|\.md$|^tests/fuzz/corpus/|^LICENSES/")


def tracked_files(root):
    """What git knows, and what is new and not ignored; without git, everything but build directories."""
    # The clone may belong to another user than the one who tests it.
    command = ["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z", "--cached", "--others",
               "--exclude-standard"]
    if os.path.exists(f"{root}/.git"):
        listing = subprocess.run(command, capture_output=True, check=True).stdout
        names = {os.fsdecode(name) for name in listing.split(b"\0") if name}
    else:
        names = set()
        for directory, children, files in os.walk(root):
            children[:] = [c for c in children if c != ".git" and not c.startswith("build")]
            names |= {os.path.relpath(os.path.join(directory, name), root) for name in files}
    return sorted(name for name in names if os.path.isfile(os.path.join(root, name)))


def lines_of(root, name):
    with open(os.path.join(root, name), encoding="utf-8", errors="surrogateescape") as file:
        return file.read().splitlines()


def code_lines(root, name):
    """Without comments and what is blank."""
    text = re.sub(r"/\*.*?\*/", "", "\n".join(lines_of(root, name)), flags=re.DOTALL)
    return [line for line in text.splitlines() if line.strip()]


def check_headers(root, names):
    missing = []
    for name in names:
        # The second line where the first is an interpreter's.
        if not NO_HEADER.search(name) and not any(SPDX in line for line in lines_of(root, name)[:2]):
            missing.append(name)
    require(not missing, f"without the SPDX line: {missing}")


def includes(root, names):
    """{file: [(as written, file in the tree or None)]} for C sources and headers of bpf/ and daemon/."""
    graph = {}
    for name in names:
        if re.match(r"(bpf|daemon)/.*\.[ch]$", name):
            written = [m.group(1) for m in (re.match(r'\s*#\s*include\s*[<"]([^>"]+)', line)
                                            for line in lines_of(root, name)) if m]
            local = [os.path.normpath(os.path.join(os.path.dirname(name), w)) for w in written]
            graph[name] = [(w, l if l in names else None) for w, l in zip(written, local)]
    return graph


def check_acyclic(graph):
    done, path = set(), []

    def visit(name):
        require(name not in path, f"include cycle: {' → '.join(path + [name])}")
        if name in done:
            return
        path.append(name)
        for _, target in graph[name]:
            if target:
                visit(target)
        path.pop()
        done.add(name)

    require(graph, "no source files")
    for name in graph:
        visit(name)


def check_skeleton(graph):
    users = [name for name, entries in graph.items()
             if any(SKELETON.search(written) for written, _ in entries)]
    require(users == ["daemon/sensor-load.c"], f"files that include a skeleton: {users}")


def check_pure(graph):
    for stem in PURE:
        for name in (f"daemon/{stem}.c", f"daemon/{stem}.h"):
            if name not in graph:
                continue
            pending, seen = [name], set()
            while pending:
                current = pending.pop()
                if current in seen:
                    continue
                seen.add(current)
                for written, target in graph[current]:
                    require(not IMPURE_HEADERS.search(written),
                            f"{name} is to be pure, but {current} includes {written}")
                    if target:
                        pending.append(target)
    stale = [stem for stem in PURE if f"daemon/{stem}.c" not in graph]
    require(not stale, f"listed as pure, but not there: {stale}")


def check_sizes(root, names):
    counts = {name: len(lines_of(root, name)) for name in names
              if re.search(r"\.([ch]|py|sh|build)$|^tests/(check|quickstart|bench/run)$", name)}
    long = {name: n for name, n in counts.items() if n > FILE_LINES_MAX}
    require(not long, f"longer than {FILE_LINES_MAX} lines: {long}")
    for what, pattern, most in (("the daemon", r"daemon/(?!barbwirectl|ctl-|ctl\.).*\.[ch]$", DAEMON_LINES_MAX),
                                ("the client", r"daemon/(barbwirectl|ctl-|ctl\.).*[ch]$", CLIENT_LINES_MAX)):
        code = sum(len(code_lines(root, name)) for name in names if re.match(pattern, name))
        require(0 < code <= most, f"{what} has {code} lines of code: beyond {most} ask what does not belong")


def check_scripts(root, names):
    checked = 0
    for name in names:
        path = os.path.join(root, name)
        lines = lines_of(root, name) or [""]
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


def main():
    root = os.path.realpath(sys.argv[1])
    names = tracked_files(root)
    graph = includes(root, set(names))
    t = tap.Tap()
    t.case("every file has its SPDX line", check_headers, root, names)
    t.case("the include graph has no cycle", check_acyclic, graph)
    t.case("only sensor-load.c includes the skeleton", check_skeleton, graph)
    t.case("pure files include neither libbpf nor systemd", check_pure, graph)
    t.case(f"no file over {FILE_LINES_MAX} lines, nor the daemon over {DAEMON_LINES_MAX} lines of code", check_sizes, root,
           names)
    t.case("scripts are well-formed and executable", check_scripts, root, names)
    t.done()


if __name__ == "__main__":
    main()
