#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of the instructions that Barbwire adds to an operation, instructions.json, from a run of the guest that
counts them (tests/vm/guest/test-instructions.py compares with it).

usage: tests/bench/instructions.py --write
--write   runs the guest with every sensor, and replaces the table. The build under test must be of clang 14, as that of
          tests/check: other compilers need other numbers of instructions

BARBWIRED=, BW_TEST_BIN=   the build under test (build/barbwired, build/tests)"""

import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = f"{HERE}/instructions.json"
NOTE = "instructions "
COMPARED = re.compile(": instructions$")  # the cases that hold the result against the table
LICENCE = "SPDX-License-Identifier: GPL-2.0-or-later"


def counted():
    """({sensor: {state: {operation: instructions}}}, the kernel). The guest fails where it differs from the table."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([f"{HERE}/../vm/run", "--job=instructions", f"--json={scratch}/run.json"], check=False)
        with open(f"{scratch}/run.json", encoding="utf-8") as file:
            job, = json.load(file)["jobs"]
    added = {}
    for step in job["steps"]:
        notes = [note.removeprefix(NOTE) for note in step["notes"] if note.startswith(NOTE)]
        wrong = [case["name"] for case in step["cases"]
                 if case["result"] == "failed" and not COMPARED.search(case["name"])]
        if step["problem"] or wrong or len(notes) != 1:
            sys.exit(f"{step['name']} {step['sensor']}: {step['problem'] or wrong or 'not measured'}")
        added |= json.loads(notes[0])
    return added, job["version"]


def main():
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    added, kernel = counted()
    with open(TABLE, "w", encoding="utf-8") as out:
        json.dump({"licence": LICENCE, "kernel": kernel, "added": added}, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
