# SPDX-License-Identifier: GPL-2.0-or-later
"""H01, H02, H08, H09: the secret goes to descendants, or to another program by its arguments, environment or job."""

import os

from harness import program
from rows import flow
from tap import require_equal


def orphan(stage):
    alert, = stage.theft("hand-lineage", "orphan")
    dead = alert["lineage"][:2]
    exe = program("technique-hand-lineage")
    require_equal([a["exe"] for a in dead], [exe, exe], "exe of the dead ancestors")
    require_equal(alert["lineage"][2]["pid"], os.getpid(), "the dead grandparent's parent")


def exec_after_read(stage):
    alert, = stage.theft("hand-lineage", "exec")
    require_equal(alert["process"]["exe"], program("technique-send"), "process.exe")
    require_equal(alert["files"][0]["exe"], program("technique-hand-lineage"), "files[].exe, as it was then")


def part(t, stage):
    for variant in ("threads", "fork", "vfork-exec", "clone3"):
        t.case(f"H01 {variant}", stage.theft, "hand-lineage", variant)
    for variant, what in (("borrow-read", "reads"), ("borrow-map", "maps"),
                          ("borrow-files", "opens, in shared descriptors"),
                          ("borrow-another", "opens, for one that shares both")):
        t.case(f"H01 a child that borrows the memory {what}", stage.theft, "hand-lineage", variant)
    t.case("H01 honest: the input of a program that it starts", flow.nothing, stage, "hand-lineage", "spawn")
    t.case("H01 double fork, setsid, the parents dead", orphan, stage)
    t.case("H02 exec of another program after the read", exec_after_read, stage)
    for variant in ("environment", "argument"):
        t.case(f"H08 {variant} of a child", stage.theft, "hand-job", variant)
    t.case("H08 argument, read by another process in /proc/PID/cmdline", stage.theft, "hand-job", "cmdline")
    t.case("H09 a crontab, run by the process that reads it", stage.theft, "hand-job", "crontab")
    t.case("H09 a script, run by another shell", stage.theft, "hand-job", "script")
