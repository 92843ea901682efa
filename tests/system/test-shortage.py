#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Out of memory: whichever allocation fails, the daemon continues, and a theft has an alert or is counted as lost.
Queries are answered or closed, a policy is loaded or refused, and everything works again once there is memory."""

import mmap
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
import varlink
from harness import program, truths
from net import HOST_V4, Net
from tap import require, require_equal

# More allocations than an alert or an answer needs, so that the last ones do not fail.
ALLOCATIONS_MAX = 3000
# All allocations fail during so many thefts.
THEFTS = 20
# Of the 100,000 allocations in a reload: the first ones one by one, then with growing distances.
FIRST, GROWTH = 200, 1.25
FOR_EVER = 1 << 62
# The names of the counters, and their texts.
COUNTED = ("malformed", "unwritten")


class Scarce(harness.Barbwired):
    """A daemon whose allocations fail on request (scarce.c)."""

    def __init__(self, directory):
        self.listen = f"{directory}/socket"
        super().__init__(args=[f"--listen={self.listen}"])
        path = f"{directory}/scarce"
        with open(path, "xb") as out:
            out.write(bytes(mmap.PAGESIZE))
        with open(path, "r+b") as file:
            self.shared = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.command = ["env", f"LD_PRELOAD={program('librobust-scarce.so')}", f"BW_SCARCE={path}"] + self.command

    def number(self, index):
        return struct.unpack_from("Q", self.shared, 8 * index)[0]

    def pass_hour(self):
        struct.pack_into("Q", self.shared, 24, 3601)

    def fail(self, first, row=1):
        """Lets this allocation and those after it fail; returns how many have failed before."""
        struct.pack_into("Q", self.shared, 8, row)
        failed = self.number(2)
        struct.pack_into("Q", self.shared, 0, first)
        return failed

    def enough(self, failed):
        """Lets allocations succeed from now on; returns how many have failed."""
        struct.pack_into("Q", self.shared, 0, 0)
        return self.number(2) - failed

    def ask(self, method="GetStatus"):
        with varlink.Connection(self.listen) as client:
            return client.call(method)

    def counted(self):
        losses = {loss["cause"]: loss["count"] for loss in self.ask()["losses"]}
        return sum(losses[cause] for cause in COUNTED)


def steal(net, home):
    """Returns the PID of the thief."""
    key, _ = home.key()
    result = net.run([program("technique-out-tcp"), "blocking", key, HOST_V4, "443"])
    require_equal(result.returncode, 0, f"the theft's exit status\n{result.stderr}")
    os.unlink(key)
    return truths(result.stdout)[0].sender


def without_alert(bw, thieves):
    alerted = {alert["process"]["pid"] for alert in bw.find(lambda a: True)}
    return [pid for pid in thieves if pid not in alerted]


def require_accounted(t, bw, thieves, counted_before):
    missing, counted = without_alert(bw, thieves), bw.counted() - counted_before
    t.note(f"{len(thieves)} thefts, {len(missing)} without an alert, {counted} counted")
    # A count that cannot be written is lost, too: that of repeats, or of a loss.
    require(len(missing) <= counted, f"{len(missing)} thefts have no alert and are not counted, except for {counted}")
    require(not bw.malformed, f"not JSON of a known kind: {bw.malformed[:3]}")
    return missing, counted


def warm(bw, net, home):
    """libsystemd needs memory for its own queues: without it the loop exits, and systemd starts another instance, which
    adopts the state."""
    steal(net, home)
    for _ in range(3):
        bw.ask()
        require("policy reloaded" in bw.reload(), "a reload")
    bw.prove_delivered(net, home)


def one_by_one(t, bw, net, home):
    thieves, before = [], bw.counted()
    for n in range(1, ALLOCATIONS_MAX):
        failed = bw.fail(n)
        thieves.append(steal(net, home))
        thieves.append(steal(net, home))
        bw.wait(lambda: bw.number(0) == 0 or not without_alert(bw, thieves[-2:]), harness.ALERT_TIMEOUT,
                "an allocation that fails")
        done = bw.enough(failed) == 0
        bw.prove_delivered(net, home)
        if done:
            break
    require(n > 50 and bw.number(2) >= n - 1,
            f"{n} allocations in all, {bw.number(2)} of which have failed: is it in use?")
    t.note(f"{n - 1} allocations failed, one at a time")
    missing, counted = require_accounted(t, bw, thieves, before)
    require(missing, "no alert is missing, whatever failed")
    require(counted < n, f"{counted} counted, and {n - 1} have failed: one failure has cost more than one alert")


def all_of_them(t, bw, net, home):
    before, failed = bw.counted(), bw.fail(1, FOR_EVER)
    thieves = [steal(net, home) for _ in range(THEFTS)]
    # The record of the last one is behind all others, whenever it is read.
    bw.wait(lambda: bw.number(2) > failed + THEFTS, harness.ALERT_TIMEOUT, "allocations that fail")
    bw.enough(failed)
    bw.prove_delivered(net, home)
    missing, _ = require_accounted(t, bw, thieves, before)
    require(missing, "nothing failed")
    losses = [state for state in bw.states if state["state"] == "loss" and state["cause"] in COUNTED]
    require(losses, "no state alert about the loss")
    require("malformed" in {reason for loss in bw.ask()["losses"] if loss["count"] for reason in [loss["cause"]]},
            "status")


def after(n):
    return n + 1 if n < FIRST else int(n * GROWTH)


def queries(t, bw):
    answered = closed = 0
    for method in ("GetStatus", "ListRules"):
        n, failed = 1, -1
        while bw.enough(failed) or n == 1:
            failed, n = bw.fail(n), after(n)
            try:
                bw.ask(method)
                answered += 1
            except (EOFError, ConnectionError, varlink.VarlinkError):
                closed += 1
        bw.ask(method)
    t.note(f"{closed} queries closed, {answered} answered")
    require(closed > 50, f"only {closed} queries were not answered")


def reloads(t, bw, net, home):
    n, taken, kept = 1, 0, 0
    while True:
        failed = bw.fail(n)
        said = bw.reload()
        if bw.enough(failed) == 0:
            break
        taken, kept = taken + ("reloaded" in said), kept + ("keeping the current policy" in said)
        n = n + 1 if n < FIRST // 10 else int(n * GROWTH) + 1
    t.note(f"{kept} policies refused, {taken} taken; the last needed less than {n} allocations")
    require(kept > 20, "a reload that cannot have its memory is taken")
    require("policy reloaded" in bw.reload(), "a reload with memory")
    bw.prove_delivered(net, home)


def heartbeats(bw):
    return [s for s in bw.states if s["state"] == "heartbeat"]


def hour(bw):
    """At the start an hour passed, as in a sleep. The daemon looks every minute, so a heartbeat has come meanwhile."""
    bw.wait(lambda: len(heartbeats(bw)) > 1, 60 + harness.ALERT_TIMEOUT, "the heartbeat of an hour")
    require_equal([s["event"] for s in heartbeats(bw)], ["start", "hour"], "heartbeats")
    for s in heartbeats(bw):
        require(s["policy"] == bw.ask()["policy"]["hash"] and s["sensor"] == bw.ask()["sensor"] and s["version"], s)


def stopped(bw):
    bw.stop()
    require_equal([s["event"] for s in heartbeats(bw)][2:], ["stop"], "the last heartbeat")
    require_equal(bw.summary["ring_full"], 0, "ring_full")


def main():
    harness.require_machine()
    t = tap.Tap()
    with open(harness.BARBWIRED, "rb") as binary:
        if b"__asan_init" in binary.read():
            tap.skip_all("AddressSanitizer has an allocator of its own", environment=True)
    with Net() as net, harness.Home() as home, Scarce(home.root.decode()) as bw:
        # It comes after "armed", and from it the hour counts.
        bw.wait(lambda: heartbeats(bw), harness.ALERT_TIMEOUT, "the heartbeat of the start")
        bw.pass_hour()
        t.case("there is enough", warm, bw, net, home)
        t.case("each allocation fails once: a theft has an alert or is counted", one_by_one, t, bw, net, home)
        t.case(f"all of them fail under {THEFTS} thefts: an alert, or counted", all_of_them, t, bw, net, home)
        t.case("queries are answered or closed", queries, t, bw)
        t.case("policies are loaded or refused", reloads, t, bw, net, home)
        t.setup("a heartbeat when an hour has passed", hour, bw)
        t.case("SIGTERM: exit 0", stopped, bw)
    t.done()


if __name__ == "__main__":
    main()
