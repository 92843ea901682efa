#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The headers of bpf/: a folder includes only itself and the folders above it in the table of bpf/README.md, and each
header includes what it uses, so that it compiles by itself.

usage: includes.py SOURCE_ROOT CLANG [ARGUMENT]..."""

import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
from tap import require

# Each may include itself and those before it.
FOLDERS = ("abi", "lib", "mark", "process", "egress", "files")


def check_folders(root, headers):
    require({header.split("/")[0] for header in headers} == set(FOLDERS), f"folders of bpf/: {headers}")
    for header in headers:
        with open(os.path.join(root, "bpf", header), encoding="utf-8") as file:
            included = re.findall(r'^#include "([^"/]*)/', file.read(), re.MULTILINE)
        allowed = FOLDERS[:FOLDERS.index(header.split("/")[0]) + 1]
        require(set(included) <= set(allowed), f"bpf/{header} includes {included}, and may include {allowed}")


def check_header(root, header, command):
    # What a header offers need not be used by itself.
    result = subprocess.run(command + ["-Wno-unused-function", "-Wno-unused-const-variable",
                                       "-Wno-pragma-once-outside-header",
                                       "-fsyntax-only", "-x", "c", os.path.join(root, "bpf", header)],
                            capture_output=True, text=True)
    require(result.returncode == 0, result.stderr[:2000])


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    root, command = sys.argv[1], sys.argv[2:]
    headers = sorted(os.path.relpath(path, f"{root}/bpf") for path in glob.glob(f"{root}/bpf/*/*.h"))
    t = tap.Tap()
    t.case("a folder includes only those above it in the table", check_folders, root, headers)
    for header in headers:
        t.case(f"{header} compiles by itself", check_header, root, header, command)
    t.done()


if __name__ == "__main__":
    main()
