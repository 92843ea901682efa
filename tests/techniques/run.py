#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays the technique catalogue for real against one running barbwired and holds each alert against the
truth, and what is missed against expected.py. A case that is rightly missed passes, and its name ends in "[hole]".

usage: run.py PART|all      a part of the catalogue: one meson test each. all: each part but the text output, which is
no kernel's matter, against one daemon, for where starting one takes long"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import harness
import identity
import play
import rows_flow
import rows_get
import rows_hand
import rows_object
import rows_out
import rows_state
import rows_uring
import tap
from net import Net
from tap import require_equal

# Each: what it needs before barbwired starts, which returns what the cases are given beside the stage; the cases.
PARTS = {
    "get": (None, rows_get.part),
    "hand": (None, rows_hand.part),
    "flow": (rows_flow.prepare, rows_flow.part),
    "object": (rows_object.prepare, rows_object.part),
    "uring": (None, rows_uring.part),
    "out": (rows_out.prepare, rows_out.part),
    "state": (rows_state.prepare, rows_state.part),
    "identity": (lambda net, home, directory: identity.test_policy(home, directory), identity.part),
}


def end(stage, provoked):
    ids = [a["id"] for a in stage.bw.find(lambda a: a["repeats"] == 0)]
    require_equal(len(ids), len(set(ids)), "alerts with an id of their own")
    summary = stage.bw.stop()
    require_equal(summary["alerts"], len(ids), "alerts in the summary")
    stage.bw.require_whole(provoked)


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in (*PARTS, "all"):
        sys.exit(f"{__doc__}\nparts: {' '.join(PARTS)}")
    played = list(PARTS) if sys.argv[1] == "all" else sys.argv[1:]
    (harness.require_host if "identity" in played else harness.require_machine)()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        policy_dir = os.path.join(home.root.decode(), "policy.d")
        os.mkdir(policy_dir)
        prepared = {name: PARTS[name][0](net, home, policy_dir) for name in played if PARTS[name][0]}
        with harness.Barbwired([harness.DEFAULT_POLICY, policy_dir]) as bw:
            stage = play.Stage(bw, net, home)
            catalogue = play.Catalogue(t, play.sensor_in_use(bw))
            for name in played:
                PARTS[name][1](catalogue, stage, *([prepared[name]] if name in prepared else []))
            # The paths deeper or longer than any buffer are counted, as they must be.
            provoked = ("lost", "path_truncated") if "get" in played else ()
            provoked += harness.preemption_losses()
            t.case("SIGTERM: exit 0, no loss, every alert counted", end, stage, provoked)
        if sys.argv[1] == "get":
            t.case("G14 text output under hostile names", rows_get.text_output, net, home)
    t.done()


if __name__ == "__main__":
    main()
