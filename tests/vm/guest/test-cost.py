#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost of an operation where times mean nothing, as under emulation: the number of our BPF programs that the kernel
runs for it in a process that is not marked, and the number of instructions that the verifier processed.

usage: test-cost.py SENSOR"""

import os
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../harness"), os.path.join(HERE, "../../bench")]

import figures
import harness
import tap
from tap import require

ROUNDS = 1000
# Programs run for other processes of the guest meanwhile.
NOISE = 0.5
# Entry and exit of the system call, and a hook of its own for opens, sends and reads.
LIMITS = {
    "tracepoint": {"stat": 2, "open+close": 4, "write+read of a pipe": 4, "UDP send+receive": 6},
    "fentry": {"stat": 1, "open+close": 3, "write+read of a pipe": 5, "UDP send+receive": 4},
    "lsm": {"stat": 1, "open+close": 3, "write+read of a pipe": 5, "UDP send+receive": 4},
}


def programs(pid):
    """Each program once: the daemon may have several descriptors of one."""
    return {info["prog_id"]: info for info in figures.fdinfo(pid) if "run_cnt" in info}


def runs(pid):
    return sum(int(info["run_cnt"]) for info in programs(pid).values())


def per_operation(pid, operate):
    # Reading the counters runs programs, too.
    first, before = runs(pid), runs(pid)
    for _ in range(ROUNDS):
        operate()
    return (runs(pid) - before - (before - first)) / ROUNDS


def operations():
    ours, theirs = os.pipe()
    sink, source = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    sink.bind(("127.0.0.1", 0))
    source.connect(sink.getsockname())

    def pipe():
        os.write(theirs, b"x")
        os.read(ours, 1)

    def send():
        source.send(b"x")
        sink.recv(1)

    return {"stat": lambda: os.stat("/etc/hostname"),
            "open+close": lambda: os.close(os.open("/etc/hostname", os.O_RDONLY)),
            "write+read of a pipe": pipe, "UDP send+receive": send}


def bounded(t, pid, name, operate, limit):
    count = per_operation(pid, operate)
    t.note(f"{name}: {count:.1f} programs are run")
    require(0 < count <= limit + NOISE, f"{count:.2f} programs for {name}, not {limit}")


def main():
    sensor = sys.argv[1]
    harness.require_machine()
    t = tap.Tap()
    with harness.Barbwired() as bw, figures.bpf_stats():
        followed = [int(info["verified_insns"]) for info in programs(bw.pid).values() if "verified_insns" in info]
        text = f"{len(programs(bw.pid))} programs"
        if followed:
            text += f", {sum(followed):,} instructions processed by the verifier, {max(followed):,} in the largest"
        t.note(text)
        for name, operate in operations().items():
            t.case(f"cost: {name}", bounded, t, bw.pid, name, operate, LIMITS[sensor][name])
    t.done()


if __name__ == "__main__":
    main()
