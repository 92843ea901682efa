#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwired leaves nothing in the kernel: no program, map or link, whether it was asked to end or was
killed."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import bpf_objects
import harness
import tap
from net import Net
from tap import Failure, require

# The kernel frees programs and maps after RCU grace periods and from work queues.
GONE_TIMEOUT = 5 * tap.SLOW
# Between two looks at the kernel's lists: there is nothing to wait on.
POLL_SECONDS = 0.1


def ours():
    """What bears our names: {(kind, id): name}. Links have no name: theirs is their program's."""
    found = {(kind, number): name for kind in ("prog", "map") for number, name in bpf_objects.objects(kind).items()
             if name.startswith(("bw_", "barbwire"))}
    for number, program in bpf_objects.objects("link").items():
        if ("prog", program) in found:
            found["link", number] = "link of " + found["prog", program]
    return found


def held_by(pid):
    """Ids in the process's descriptors, which are beyond doubt its own."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as info:
                fields = dict(line.split(":", 1) for line in info if ":" in line)
        except FileNotFoundError:
            continue
        for kind in ("prog", "map", "link"):
            if kind + "_id" in fields:
                found.add((kind, int(fields[kind + "_id"])))
    return found


class Remains:
    """What a barbwired brings into the kernel: to be made before it starts."""

    def __init__(self):
        self.before, self.mine = ours(), set()

    def look(self, bw):
        now, held = ours(), held_by(bw.pid)
        named = {key: name for key, name in now.items() if key not in self.before}
        for kind in ("prog", "map"):
            require(any(key[0] == kind for key in named), f"no {kind} with a name of ours: {named}")
        strays = {key for key in held if key[0] != "link"} - set(now)
        require(not strays, f"objects whose names do not begin with bw_: {strays}")
        self.mine = held | set(now)

    def wait_gone(self):
        deadline = time.monotonic() + GONE_TIMEOUT
        while True:
            left = {key: name for key, name in ours().items() if key in self.mine and key not in self.before}
            if not left:
                return
            if time.monotonic() > deadline:
                raise Failure(f"left after {GONE_TIMEOUT} s: {left}")
            time.sleep(POLL_SECONDS)


def leftovers(end, net, home):
    remains = Remains()
    with harness.Barbwired() as bw:
        remains.look(bw)
        bw.prove_delivered(net, home)
        end(bw)
    remains.wait_gone()


def end_by_kill(bw):
    bw.process.send_signal(signal.SIGKILL)
    bw.process.wait()


def main():
    harness.require_machine()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        t.case("nothing is left after SIGTERM", leftovers, lambda bw: bw.stop(), net, home)
        t.case("nothing is left after SIGKILL", leftovers, end_by_kill, net, home)
        t.case("it starts again after that", leftovers, lambda bw: bw.stop(), net, home)
    t.done()


if __name__ == "__main__":
    main()
