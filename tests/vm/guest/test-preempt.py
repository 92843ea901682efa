#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where tasks are preempted inside the kernel, programs on tracepoints are skipped when the same program already runs
on that CPU. Thefts are played while several tasks on each CPU open files: each has its alert, or the loss is counted
and raised.

usage: test-preempt.py MODE[,MODE...] THEFTS     (preemption modes of the kernel; one barbwired for all)"""

import contextlib
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../harness"))

import harness
import tap
from net import Net
from tap import require, require_equal

TASKS_PER_CPU = 4
PARALLEL = 4
DEBUGFS = "/sys/kernel/debug"
# A loss of a cause that was raised before is raised again after 10 s at the earliest.
STATE_TIMEOUT = 30 * tap.SLOW


@contextlib.contextmanager
def preempted(mode):
    """Switches the preemption mode of the running kernel (PREEMPT_DYNAMIC), and restores it afterwards."""
    if not os.path.exists(f"{DEBUGFS}/sched"):
        subprocess.run(["mount", "-t", "debugfs", "none", DEBUGFS], check=True)
    before = re.search(r"\((\w+)\)", modes())[1]
    mode_switch(mode)
    try:
        yield
    finally:
        mode_switch(before)


def modes():
    """All modes of this kernel, the current one in brackets."""
    with open(f"{DEBUGFS}/sched/preempt", encoding="ascii") as file:
        return file.read()


def mode_switch(mode):
    with open(f"{DEBUGFS}/sched/preempt", "w", encoding="ascii") as file:
        file.write(mode)


def in_force(mode):
    require(f"({mode})" in modes(), f"the kernel has: {modes()}")


@contextlib.contextmanager
def crowd(path):
    """load-opener starts a task on each CPU."""
    openers = [subprocess.Popen([harness.program("load-opener"), path], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True) for _ in range(TASKS_PER_CPU)]
    try:
        for opener in openers:
            require_equal(opener.stdout.readline(), "ready\n", "opener")
        yield
    finally:
        output = [opener.communicate()[0].strip() for opener in openers]
    require(all(opener.returncode == 0 for opener in openers), f"an opener died: {output}")


def thefts_alerted(t, bw, net, home, mode, thefts):
    directory = os.path.join(home.ssh, mode.encode())
    decoys = [home.decoy(os.path.join(directory, b"id_run_%04d" % n)) for n in range(thefts)]
    busy, _ = home.decoy(os.path.join(home.root, b"busy/with/opens"))
    n_before = len(bw.states)
    with crowd(busy):
        result = net.run([harness.program("load-burglar"), directory, str(thefts), str(PARALLEL), "443"])
    require_equal(result.returncode, 0, f"burglar: {result.stderr}")
    for _, secret in decoys:
        net.sink.wait_arrived(secret)
    bw.prove_delivered(net, home)
    missing = [path for path, _ in decoys if not bw.find(lambda a, p=path: harness.touches(a, p))]
    t.note(f"preempt={mode}: {thefts - len(missing)} of {thefts} thefts have an alert")
    if missing:
        losses = bw.wait(lambda: [s for s in bw.states[n_before:] if s.get("cause") == "recursion_misses"],
                         STATE_TIMEOUT, f"{len(missing)} thefts were lost, the loss must be raised")
        t.note(f"the loss was raised: {losses[-1]}")


def ends(t, bw):
    summary = bw.stop()
    t.note(f"recursion_misses={summary['recursion_misses']}")
    bw.require_no_loss(("lost", "recursion_misses"))


def main():
    modes, thefts = sys.argv[1].split(","), int(sys.argv[2])
    harness.require_machine()
    t = tap.Tap()
    with Net() as net, harness.Home() as home, harness.Barbwired() as bw:
        for mode in modes:
            with preempted(mode):
                t.case(f"preempt={mode}: {thefts} thefts, {TASKS_PER_CPU} tasks on each CPU: an alert, or a loss",
                       thefts_alerted, t, bw, net, home, mode, thefts)
                t.case(f"preempt={mode} was in force", in_force, mode)
        t.case("no other loss", ends, t, bw)
    t.done()


if __name__ == "__main__":
    main()
