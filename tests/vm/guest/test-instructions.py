#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The instructions that Barbwire adds to an operation of an unmarked process, where the clock counts instructions:
alone, and while 300 processes have marks under a rule and 1,000 pipes are marked. Held against
tests/bench/instructions.json, which names how it is written.

usage: test-instructions.py SENSOR"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../harness"))

import harness
import tap
import varlink
from tap import require, require_equal

TABLE = os.path.join(HERE, "../../bench/instructions.json")
PROCESSES, OBJECTS = 300, 1000
# Two runs of the same programs differ by 3 instructions at most, less than this part of any row.
GROWTH_MAX = 0.03
LISTING_SECONDS = 5
POLICY = """[Class allowed]
Path={0}/secrets/allowed
LateWindow=0

[Class other]
Path={0}/secrets/other
LateWindow=0

[Allow crowd]
Class=allowed
Exe={0}/crowd
Destination=192.0.2.1:443
"""


class Scene:
    def __init__(self, home):
        self.root = os.fsdecode(home.root)
        self.allowed, self.other = f"{self.root}/secrets/allowed", f"{self.root}/secrets/other"
        for path in self.allowed, self.other:
            home.decoy(os.fsencode(path))
        self.crowd_program = shutil.copy(harness.program("bench-instructions"), f"{self.root}/crowd")
        os.makedirs(f"{self.root}/policy")
        with open(f"{self.root}/policy/scene.conf", "w", encoding="utf-8") as out:
            out.write(POLICY.format(self.root))
        self.policies = (harness.DEFAULT_POLICY, f"{self.root}/policy")

    @contextlib.contextmanager
    def crowd(self):
        command = [self.crowd_program, "crowd", self.allowed, str(PROCESSES), self.other, str(OBJECTS)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                require_equal(process.stdout.readline(), "ready\n", "the crowd")
                yield
            finally:
                process.stdin.close()


def measured(meanwhile=lambda: None):
    """{operation: instructions}. The process that was measured still lives when `meanwhile` is called."""
    with subprocess.Popen([harness.program("bench-instructions")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        counts = {name: float(count) for name, count in (line.split() for line in process.stdout)}
        meanwhile()
        process.stdin.close()
        require_equal(process.wait(), 0, "exit status of bench-instructions")
    return counts


def added(bare, now):
    return {name: round(now[name] - bare[name]) for name in bare}


def compare(state, got, wanted, kernel):
    grown = [f"{name}: {got[name]} instructions, {wanted[name]} in the table"
             for name in wanted if got[name] > wanted[name] * (1 + GROWTH_MAX)]
    require(not grown, f"{state}: more than {GROWTH_MAX:.0%} above tests/bench/instructions.json (of {kernel}):"
                       f" {'; '.join(grown)}."
                       " If that is worth it: tests/bench/instructions.py --write")
    require_equal(set(got), set(wanted), f"{state}: operations")


def listing(connection, n):
    """The replies, and all marks. For a second the daemon answers from the listing before, which may lack the crowd."""
    deadline = time.monotonic() + LISTING_SECONDS
    while True:
        replies = list(connection.stream("ListMarks"))
        marks = [mark for reply in replies for mark in reply["marks"]]
        if len(marks) == n or time.monotonic() > deadline:
            return replies, marks


def marks_are(path, scene, processes, objects):
    """Nobody is marked but the crowd: who was measured is not, nor is this program."""
    with varlink.Connection(path) as c:
        replies, marks = listing(c, processes + bool(objects))
        live = {table["name"]: table["live"] for table in c.call("GetStatus")["tables"]}
    others = [mark for mark in marks if mark["exe"] != scene.crowd_program]
    require_equal(replies[-1]["complete"], True, "complete")
    require(not others, f"marked: {others[:3]}")
    require_equal(len(marks), processes + bool(objects), "marks")
    bound = [mark for mark in marks if mark["bound"] == ["allowed"]]
    require_equal(len(bound), processes, f"bound marks, of {marks[:1]}")
    require_equal(live["objects"], objects, "marked objects")


def main():
    sensor = sys.argv[1]
    harness.require_machine()
    t = tap.Tap()
    with open(TABLE, encoding="utf-8") as file:
        kept = json.load(file)
    table = kept["added"].get(sensor, {})
    came = {}
    with harness.Home() as home:
        scene, socket = Scene(home), f"{os.fsdecode(home.root)}/socket"
        bare = measured()
        t.note(f"bare: {bare}")
        with harness.Barbwired(scene.policies, args=[f"--listen={socket}"]) as bw:
            for state, crowd, processes, objects in (("no marks", contextlib.nullcontext, 0, 0),
                                                     ("a crowd", scene.crowd, PROCESSES, OBJECTS)):
                with crowd():
                    came[state] = added(bare, measured(lambda: t.case(
                        f"{state}: who is marked", marks_are, socket, scene, processes, objects)))
            bw.stop()
    for state, got in came.items():
        t.case(f"{sensor}, {state}: instructions", compare, state, got, table.get(state, {}), kept["kernel"])
    t.note("instructions " + json.dumps({sensor: came}))
    t.done()


if __name__ == "__main__":
    main()
