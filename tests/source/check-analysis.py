#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Static analysis of daemon/: clang-tidy with the checks of .clang-tidy, and gcc -fanalyzer. A finding is mended, or
stands below with the reason why it is none. A run looks at what the latest commits have changed, and at its share of
the rest; BW_SHARE=all at everything.

usage: check-analysis.py ROOT BUILD clang-tidy|gcc"""

import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import deal
import tap
from tap import require

# Versions find different things: those of Debian 12 decide.
VERSIONS = {"clang-tidy": 14, "gcc": 12}
SHARES, COMMITS = 6, 50
# (file, check): why it is none. One that no longer occurs is an error, too.
SUCCESS = "the analyzer does not relate a function's result to the output that it sets on success"
OWNED = "the analyzer loses a pointer that an array or another object owns from there on"
POINTERS = "an array of pointers is meant"
EXCEPTIONS = {
    ("daemon/basic/sigbus-guard.c", "performance-no-int-to-ptr"): "the page of an address is computed",
    ("daemon/sensor/load.c", "misc-redundant-expression"): "macros of <linux/bpf.h>, of which two are 0",
    ("daemon/sensor/load.c", "bugprone-suspicious-missing-comma"): "a name that ends with the number of a version",
    ("daemon/policy/pattern-list.c", "bugprone-sizeof-expression"): POINTERS,
    ("daemon/client/marks.c", "bugprone-sizeof-expression"): POINTERS,
    ("daemon/client/listing.c", "bugprone-sizeof-expression"): POINTERS,
    ("daemon/client/rows.c", "bugprone-sizeof-expression"): POINTERS,
    ("daemon/client/rows.c", "performance-no-int-to-ptr"): "the address of a text is kept as a number",
    ("daemon/client/top-rows.c", "bugprone-sizeof-expression"): POINTERS,
    ("daemon/sensor/sweep.c", "readability-non-const-parameter"): "__atomic_compare_exchange_n() writes to it",
    ("daemon/policy/load.c", "bugprone-branch-clone"): "cases that have the same answer for different reasons",
    ("daemon/client/rule.c", "clang-analyzer-security.insecureAPI.strcpy"): "into a buffer of that length",
    ("daemon/client/explain.c", "clang-analyzer-core.NonNullParamChecker"): SUCCESS,
    ("daemon/client/listing.c", "clang-analyzer-core.NullDereference"): SUCCESS,
    ("daemon/glob/automaton.c", "clang-analyzer-core.NullDereference"): SUCCESS,
    ("daemon/policy/assign.c", "clang-analyzer-core.CallAndMessage"): SUCCESS,
    ("daemon/policy/compile.c", "clang-analyzer-core.NullDereference"): SUCCESS,
    ("daemon/policy/store.c", "clang-analyzer-core.NullDereference"): SUCCESS,
    ("daemon/query/server.c", "clang-analyzer-core.CallAndMessage"): SUCCESS,
    ("daemon/alert/alert.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/alert/ring.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/alert/ring.c", "-Wanalyzer-null-dereference"): "a sequence between begin and end has its item",
    ("daemon/basic/fd-store.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/basic/strv.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/basic/util.h", "-Wanalyzer-use-of-uninitialized-value"): SUCCESS,
    ("daemon/client/explain.c", "-Wanalyzer-null-argument"): SUCCESS,
    ("daemon/client/learn.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/client/listing.c", "-Wanalyzer-null-dereference"): SUCCESS,
    ("daemon/client/top-rows.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/sink/reader.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/client/rule.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/policy/check.c", "-Wanalyzer-null-dereference"): "an array that does not exist has no items",
    ("daemon/policy/compile.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/policy/links.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/policy/names.c", "-Wanalyzer-malloc-leak"): OWNED,
    ("daemon/policy/parse.c", "-Wanalyzer-null-dereference"): SUCCESS,
    ("daemon/sink/queue.c", "-Wanalyzer-malloc-leak"): OWNED,
}
FINDING = re.compile(r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):\d+: (?:warning|error): (?P<text>.*) "
                     r"\[(?P<check>[-\w.,=+]+)\]$", re.MULTILINE)
# Analysis looks at the code as it is built, but finds less in what is optimized beyond recognition.
GCC_OPTIONS = ["-fanalyzer", "-O1", "-fdiagnostics-color=never", "-fno-diagnostics-show-caret",
               "-fdiagnostics-path-format=none", "-Wno-analyzer-too-complex"]


def commands(root, build):
    """{source below daemon/: its compiler command as a list}, each once."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    found = {}
    for entry in entries:
        name = os.path.relpath(os.path.realpath(os.path.join(entry["directory"], entry["file"])), root)
        if re.match(r"daemon/.*\.c$", name):
            found[name] = (entry["directory"], shlex.split(entry["command"]))
    return found


def run_gcc(gcc, directory, command):
    """The build's own command, which neither writes an object nor a list of dependencies."""
    words, skip = [gcc], False
    for word in command[2 if command[0] == "ccache" else 1:]:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MQ", "-MT"):
            skip = True
        elif word not in ("-MD", "-MMD", "-Werror"):
            words.append(word)
    return subprocess.run([*words, *GCC_OPTIONS, "-o", "/dev/null"], cwd=directory, capture_output=True, text=True)


def run_clang_tidy(clang_tidy, root, build, name):
    # gcc's options that clang does not know are no findings.
    return subprocess.run([clang_tidy, "--quiet", "-p", build, "--extra-arg=-Wno-unknown-warning-option",
                           os.path.join(root, name)], capture_output=True, text=True)


def findings(root, directory, result):
    found = {}
    for match in FINDING.finditer(result.stdout + result.stderr):
        name = os.path.relpath(os.path.realpath(os.path.join(directory, match["file"])), root)
        check = match["check"].split(",")[0]
        if not name.startswith(".."):
            found.setdefault((name, check), set()).add(f"{name}:{match['line']}: {match['text']} [{check}]")
    return found


def check(t, root, build, tool):
    sources = commands(root, build)
    require(sources, "no sources of daemon/ in compile_commands.json")
    new, share = deal.changed(root, COMMITS), deal.dealt(sorted(sources), SHARES)
    names = [name for name in sorted(sources) if name in share or name in new]

    t.note(f"{len(names)} of {len(sources)} files")
    is_gcc = tool.startswith("gcc")

    def analyze(name):
        directory, command = sources[name]
        result = run_gcc(tool, directory, command) if is_gcc else run_clang_tidy(tool, root, build, name)
        return name, directory, result

    found = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, directory, result in pool.map(analyze, names):
            got = findings(root, directory, result)
            require(result.returncode == 0 or got, f"{name}: {tool} failed: {result.stderr[-2000:]}")
            for key, lines in got.items():
                found.setdefault(key, set()).update(lines)
    wrong = sorted(line for key, lines in found.items() if key not in EXCEPTIONS for line in lines)
    require(not wrong, "\n".join(wrong))
    stale = sorted(key for key in EXCEPTIONS if key[1].startswith("-W") == is_gcc and key not in found and
                   key[0] in names)
    require(not stale, f"exceptions that nothing needs: {stale}")


def program(tool):
    """The tool of the right version."""
    found = []
    for name in (f"{tool}-{VERSIONS[tool]}", tool):
        if shutil.which(name):
            argument = "-dumpversion" if tool == "gcc" else "--version"
            version = subprocess.run([name, argument], capture_output=True, text=True, check=True).stdout
            found.append(" ".join(version.split()))
            if re.search(rf"(^|version ){VERSIONS[tool]}\b", version):
                return name
    return tap.skip_all(f"{tool} {VERSIONS[tool]} is required, found {found or 'none'}")


def main():
    root, build, tool = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2]), sys.argv[3]
    name = program(tool)
    t = tap.Tap()
    t.case(f"{tool} has no findings in daemon/", check, t, root, build, name)
    t.done()


if __name__ == "__main__":
    main()
