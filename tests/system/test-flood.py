#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storm of correlations by one user must not hide the theft of another: its alert is written within a second, and
every correlation of the storm is in a count.

usage: test-flood.py [CORRELATIONS]     (default 100000, by one program of one user)"""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
from cases import cases
from harness import program, touches, truths
from net import HOST_V4
from tap import require, require_equal

FLOODER_UID = 64001
# The ports below the range that one address offers.
PER_ADDRESS = 50000
FIRST_PORT = 1024
# From the start of the thief to the alert on standard output: the limit for most thefts and for the slowest one, as a
# part of the time that the storm takes. An alert that waited for all of that would take as long; one that waits for
# the alerts of the storm before it is limited takes half of it, since this program reads them slowly.
LATENCY_MEDIAN, LATENCY_MAX = 0.25, 0.9
THEFTS = 5
# bpf/egress/egress.bpf.h: FLOOD_INTERVAL_NS.
FLOOD_SECONDS = 10


class Storm:
    """tests/system/flooder.c as a user of its own: every datagram has a new destination."""

    def __init__(self, net, secret, correlations):
        self.correlations = correlations
        self.process = net.popen([program("robust-flooder"), secret], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 text=True, user=FLOODER_UID, group=FLOODER_UID, extra_groups=[])
        self.answer("opened")

    def answer(self, wanted):
        require_equal(self.process.stdout.readline(), wanted + "\n", "the flooder's answer")

    def begin(self):
        self.began = time.monotonic()
        left, address, self.lines = self.correlations, 0, 0
        while left:
            count = min(left, PER_ADDRESS)
            self.process.stdin.write(f"198.18.0.{address + 1} {FIRST_PORT} {count}\n")
            left, address, self.lines = left - count, address + 1, self.lines + 1
        self.process.stdin.flush()

    def end(self):
        for _ in range(self.lines):
            self.answer("done")
        self.seconds = time.monotonic() - self.began
        self.process.stdin.close()
        require_equal(self.process.wait(), 0, "the flooder's exit status")


def steal(bw, net, home):
    """One theft by another user, and the delay of its alert."""
    key, _ = home.key()
    began = time.monotonic()
    result = net.run([program("technique-out-tcp"), "blocking", key, HOST_V4, "443"])
    require_equal(result.returncode, 0, f"the thief: {result.stderr}")
    truth, = truths(result.stdout)
    alert = bw.wait_alert(lambda a: touches(a, key) and a["process"]["pid"] == truth.sender, "the theft's alert")
    require_equal(alert["flood"], False, "the thief's alert is a flood's")
    return time.monotonic() - began


def drowned(t, bw, net, home, correlations):
    secret, _ = home.key()
    os.chown(secret, FLOODER_UID, FLOODER_UID)
    for directory in (home.root, home.root + b"/home", home.path, home.ssh):
        os.chmod(directory, 0o755)
    storm = Storm(net, secret, correlations)
    storm.begin()
    latencies = sorted(steal(bw, net, home) for _ in range(THEFTS))
    storm.end()
    t.note(f"{correlations} correlations in {storm.seconds:.1f} s; alerts of thefts after "
           f"{', '.join(f'{latency:.2f}' for latency in latencies)} s, the thief's own time included")

    def of_storm():
        return [a for a in bw.alerts if a["process"]["pid"] == storm.process.pid]

    def sums_up():
        last = {}
        for alert in of_storm():
            last[alert["id"]] = alert["repeats"]
        return len(last), sum(last.values())

    def complete():
        alerts, repeated = sums_up()
        return alerts + repeated >= correlations and (alerts, repeated)

    alerts, repeated = bw.wait(complete, FLOOD_SECONDS + harness.ALERT_TIMEOUT, "counts that add up")
    require_equal(alerts + repeated, correlations, "alerts and the correlations that they count")
    floods = [a for a in of_storm() if a["flood"] and a["repeats"]]
    t.note(f"{alerts} alerts of the storm, {len(floods)} of which count {sum(a['repeats'] for a in floods)} more")
    require(floods, "every correlation of the flood has an alert: it was too small for this machine")
    require("more by the same user and executable within 10 s, rate-limited" in floods[0]["summary"],
            floods[0]["summary"])
    require(any(reason["text"].startswith("flood: ") for reason in floods[0]["reasons"]), floods[0]["reasons"])
    require(latencies[len(latencies) // 2] < LATENCY_MEDIAN * storm.seconds and
            latencies[-1] < LATENCY_MAX * storm.seconds,
            f"alerts of thefts after {latencies} s of a storm of {storm.seconds:.1f} s")


def main():
    correlations = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with cases() as (t, net, home), harness.Barbwired() as bw:
        t.case(f"{correlations} correlations by one user hide no theft by another, and all are counted", drowned, t,
               bw, net, home, correlations)
        t.case("no loss", lambda: bw.stop() and bw.require_no_loss())


if __name__ == "__main__":
    main()
