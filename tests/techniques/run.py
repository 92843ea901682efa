#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays the technique catalogue for real against one running barbwired and holds each alert against the
truth, and what is missed against expected.py. A case that is rightly missed passes, and its name ends in "[hole]".

usage: run.py PART|all [SHARE]      a part of the catalogue: one meson test each
all: each part but the text output, which is no kernel's matter, against one daemon, for where starting one takes long;
so it also looks at that daemon's privileges, and at what it leaves in the kernel
SHARE: only that share of the cases (play.Dealer)"""

import argparse
import importlib.util
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
from expected import SHARES
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


def system_test(name):
    """One of the tests of tests/system/, as a module."""
    spec = importlib.util.spec_from_file_location(name, os.path.join(harness.HERE, f"../system/test-{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unprivileged(t, bw):
    privileges = system_test("privileges")
    t.case("all five capability sets are empty", privileges.no_capabilities, bw)
    t.case("neither root nor nobody", privileges.no_root, bw)
    t.case("NoNewPrivs", privileges.no_new_privileges, bw)


def end(stage, provoked):
    ids = [a["id"] for a in stage.bw.find(lambda a: a["repeats"] == 0)]
    require_equal(len(ids), len(set(ids)), "alerts with an id of their own")
    summary = stage.bw.stop()
    require_equal(summary["alerts"], len(ids), "alerts in the summary")
    stage.bw.require_whole(provoked)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=(*PARTS, "all"))
    parser.add_argument("share", type=int, nargs="?", choices=range(SHARES))
    options = parser.parse_args()
    alone = options.part == "all"
    played = list(PARTS) if alone else [options.part]
    (harness.require_host if "identity" in played else harness.require_machine)()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        policy_dir = os.path.join(home.root.decode(), "policy.d")
        os.mkdir(policy_dir)
        prepared = {name: PARTS[name][0](net, home, policy_dir) for name in played if PARTS[name][0]}
        remains = system_test("leftovers").Remains() if alone else None
        with harness.Barbwired([harness.DEFAULT_POLICY, policy_dir]) as bw:
            stage = play.Stage(bw, net, home)
            catalogue = play.Catalogue(t, stage, options.share)
            if alone:
                t.case("what it has in the kernel bears its name", remains.look, bw)
                unprivileged(t, bw)
            for name in played:
                PARTS[name][1](catalogue, stage, *([prepared[name]] if name in prepared else []))
            # The paths deeper or longer than any buffer are counted, as they must be.
            provoked = ("lost", "path_truncated") if "get" in played else ()
            provoked += harness.preemption_losses()
            t.case("SIGTERM: exit 0, no loss, every alert counted", end, stage, provoked)
        if alone:
            t.case("nothing is left in the kernel", remains.wait_gone)
        if options.share is not None:
            t.note(f"{catalogue.n_played} of {catalogue.n_cases} cases, of every row")
        if options.part == "get":
            t.case("G14 text output under hostile names", rows_get.text_output, net, home)
    t.done()


if __name__ == "__main__":
    main()
