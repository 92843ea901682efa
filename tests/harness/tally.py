#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts the cases in the test logs of meson, and prints those that failed or were skipped, then one last line: N
passed, N failed, N skipped. The exit status is 1 when any failed. With CI=true in the environment a skip is a failure,
unless its reason begins with SKIP-ENV: (this machine cannot run it).

usage: tally.py [--step NAME=passed|failed]... TESTLOG.JSON..."""

import argparse
import json
import os
import re
import sys

TAP_LINE = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*(.*?)(?:\s*#\s*(SKIP|TODO)\b\s*(.*))?$", re.IGNORECASE)
TAP_NONE = re.compile(r"^1\.\.0\s*#\s*SKIP\b\s*(.*)$", re.IGNORECASE)
PASSED = ("OK", "EXPECTEDFAIL")


class Tally:
    def __init__(self, strict):
        self.strict = strict
        self.passed, self.failed, self.skipped = [], [], []

    def skip(self, name, reason):
        if self.strict and not reason.startswith("SKIP-ENV:"):
            self.failed.append(f"{name}: skipped in CI: {reason or 'no reason given'}")
        else:
            self.skipped.append(f"{name}: {reason}")

    def add_test(self, test, where):
        """Reads one line of the testlog.json of meson."""
        name, result, output = f"{where}: {test['name']}", test["result"], test.get("stdout", "")
        failed_before, count, skips = len(self.failed), 0, 0
        for line in output.splitlines():
            none, case = TAP_NONE.match(line), TAP_LINE.match(line)
            if none:
                skips += 1
                self.skip(name, none.group(1))
            elif case:
                count += 1
                if (case.group(3) or "").upper() == "SKIP":
                    # cmocka writes "not ok 9 # SKIP name" for a case that called skip().
                    skips += 1
                    self.skip(f"{name}: {case.group(2) or case.group(4)}", case.group(4))
                elif case.group(1) and (case.group(3) or "").upper() == "TODO":
                    # A failure that the test itself marks as expected: shown, but not counted, also with CI=true.
                    self.skipped.append(f"{name}: {case.group(2)}: failed, {case.group(4)}")
                elif case.group(1):
                    self.failed.append(f"{name}: {case.group(2)}")
                else:
                    self.passed.append(f"{name}: {case.group(2)}")
        plan = re.search(r"^1\.\.(\d+)", output, re.MULTILINE)
        only_skips = skips > 0 and plan and int(plan.group(1)) == count and test["returncode"] in (0, 77)
        if result == "SKIP":
            if skips == 0:
                reason = re.search(r"SKIP-ENV:.*", output + test.get("stderr", ""))
                self.skip(name, reason.group(0) if reason else "")
        elif result not in PASSED and not only_skips:
            # A crash, a time-out or a missing plan fails the test even if each case so far has passed.
            if len(self.failed) == failed_before:
                self.failed.append(f"{name}: {result}")
        elif count == 0 and skips == 0:
            self.passed.append(name)

    def report(self):
        for title, entries in (("skipped", self.skipped), ("FAILED", self.failed)):
            for entry in entries:
                print(f"{title}: {entry}")
        print(f"{len(self.passed)} passed, {len(self.failed)} failed, {len(self.skipped)} skipped")
        return 1 if self.failed or not self.passed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", action="append", default=[], metavar="NAME=passed|failed")
    parser.add_argument("logs", nargs="*")
    options = parser.parse_args()
    tally = Tally(os.environ.get("CI") == "true")
    for step in options.step:
        name, _, outcome = step.rpartition("=")
        (tally.passed if outcome == "passed" else tally.failed).append(name)
    for path in options.logs:
        where = os.path.basename(path).removesuffix(".json")
        with open(path, encoding="utf-8") as log:
            for line in log:
                tally.add_test(json.loads(line), where)
    sys.exit(tally.report())


if __name__ == "__main__":
    main()
