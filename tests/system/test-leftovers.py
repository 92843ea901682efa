#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwired leaves nothing in the kernel: no program, map or link, after SIGTERM or SIGKILL."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import bpf_objects
import harness
import tap
from cases import cases
from tap import Failure, require

# The kernel frees programs and maps after RCU grace periods and from work queues.
GONE_TIMEOUT = 5 * tap.SLOW
# Between two polls of the kernel's lists, which offer no event to wait for.
POLL_SECONDS = 0.1


def ours():
    """{(kind, id): name} of programs and maps with our names. A link has no name: it gets that of its program."""
    found = {(kind, number): name for kind in ("prog", "map") for number, name in bpf_objects.objects(kind).items()
             if name.startswith(("bw_", "barbwire"))}
    for number, program in bpf_objects.objects("link").items():
        if ("prog", program) in found:
            found["link", number] = "link of " + found["prog", program]
    return found


class Remains:
    """What a barbwired adds to the kernel: to be created before it starts."""

    def __init__(self):
        self.before, self.mine = ours(), {}

    def look(self, bw):
        now, held = ours(), bpf_objects.held_by(bw.pid)
        named = {key: name for key, name in now.items() if key not in self.before}
        for kind in ("prog", "map"):
            require(any(key[0] == kind for key in named), f"no {kind} with a name of ours: {named}")
        strays = {key for key in held if key[0] != "link"} - set(now)
        require(not strays, f"objects whose names do not begin with bw_: {strays}")
        self.mine = {key: now.get(key, "without a name") for key in held | set(now) if key not in self.before}

    def wait_gone(self):
        deadline = time.monotonic() + GONE_TIMEOUT
        while True:
            there = {(kind, number) for kind in ("prog", "map", "link") for number in bpf_objects.ids(kind)}
            left = {key: name for key, name in self.mine.items() if key in there}
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
    with cases() as (t, net, home):
        t.case("nothing is left after SIGTERM", leftovers, lambda bw: bw.stop(), net, home)
        t.case("nothing is left after SIGKILL", leftovers, end_by_kill, net, home)
        t.case("it starts again afterwards", leftovers, lambda bw: bw.stop(), net, home)


if __name__ == "__main__":
    main()
