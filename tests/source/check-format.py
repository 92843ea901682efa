#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The format of C files: what clang-format makes of them, and at most 109 columns, counted in characters. Python files
have at most 120.

usage: check-format.py ROOT"""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
import tree
from tap import Skip, require

# Versions format differently: the one of Debian 12 decides.
CLANG_FORMAT_MAJOR = 14
COLUMNS_MAX, PYTHON_COLUMNS_MAX = 109, 120
# A table of one line each, between "clang-format off" and "on", may be a little wider before it would need two.
TABLE_COLUMNS_MAX = 120


def clang_format():
    """The program of the right version."""
    found = []
    for program in (f"clang-format-{CLANG_FORMAT_MAJOR}", "clang-format"):
        if shutil.which(program):
            version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
            found.append(version.strip())
            if re.search(rf"version {CLANG_FORMAT_MAJOR}\.", version):
                return program
    raise Skip(f"clang-format {CLANG_FORMAT_MAJOR} is required, found {found or 'none'}")


def check_format(root, names):
    result = subprocess.run([clang_format(), "--dry-run", "-Werror", *names], cwd=root, capture_output=True, text=True)
    require(result.returncode == 0, f"run clang-format -i:\n{result.stderr[:4000]}")


def check_columns(root, names):
    wide = []
    for name in names:
        most = COLUMNS_MAX
        for i, line in enumerate(tree.lines_of(root, name), 1):
            if "clang-format o" in line:
                most = TABLE_COLUMNS_MAX if "clang-format off" in line else COLUMNS_MAX
            elif len(line.rstrip("\\ ")) > most:  # the end of a macro's line says nothing
                wide.append(f"{name}:{i}: {len(line)} columns")
    require(not wide, "\n".join(wide))


def check_python_columns(root, names):
    wide = [f"{name}:{i}: {len(line)} columns" for name in names
            for i, line in enumerate(tree.lines_of(root, name), 1) if len(line) > PYTHON_COLUMNS_MAX]
    require(not wide, "\n".join(wide))


def main():
    root = os.path.realpath(sys.argv[1])
    tracked = tree.tracked_files(root)
    names = [name for name in tracked if name.endswith((".c", ".h"))]
    python = [name for name in tracked
              if name.endswith(".py") or "python" in (tree.lines_of(root, name) or [""])[0]]
    t = tap.Tap()
    t.case(f"clang-format {CLANG_FORMAT_MAJOR} changes nothing", check_format, root, names)
    t.case(f"no line has more than {COLUMNS_MAX} columns", check_columns, root, names)
    t.case(f"no line of Python has more than {PYTHON_COLUMNS_MAX}", check_python_columns, root, python)
    t.done()


if __name__ == "__main__":
    main()
