#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays the catalogue of techniques for real against one running barbwired, and compares each alert with the truth, and
what is missed with rows/expected.py. A case that is expected to be missed passes, and its name ends in "[hole]".

usage: run.py PART|all [--guest|--deny] [SHARE]
PART    a part of the catalogue
all     all parts against one daemon, as starting one takes seconds
--guest without the text output, which does not depend on the kernel, but with tests of the daemon's privileges, and of
        what it leaves in the kernel
--deny  the part "out" with Action=deny of the class (denied.py)
SHARE   only this share of the cases (play.Dealer)"""

import argparse
import importlib.util
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import denied
import harness
import play
import tap
from net import Net
from rows import flow, get, hand, identity, out, script, state, uring
from rows import object as objects
from rows.expected import SHARES
from tap import require_equal

# Each part: a function that prepares it before barbwired starts, whose result the cases get; and its cases.
PARTS = {
    "get": (None, get.part),
    "hand": (None, hand.part),
    "flow": (flow.prepare, flow.part),
    "object": (objects.prepare, objects.part),
    "uring": (None, uring.part),
    "out": (out.prepare, out.part),
    "state": (state.prepare, state.part),
    "identity": (lambda net, home, directory: identity.test_policy(home, directory), identity.part),
    "script": (lambda net, home, directory: script.prepare(home, directory), script.part),
}


def system_test(name):
    """A test of tests/system/ as a module."""
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
    stage.bw.require_no_loss(provoked)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=(*PARTS, "all"))
    parser.add_argument("--guest", action="store_true")
    parser.add_argument("--deny", action="store_true")
    parser.add_argument("share", type=int, nargs="?", choices=range(SHARES))
    options = parser.parse_args()
    guest = options.guest
    if options.deny and (options.part != "out" or guest or options.share is not None):
        parser.error("--deny is for the part out alone")
    played = list(PARTS) if options.part == "all" else [options.part]
    (harness.require_host if {"identity", "script"} & set(played) else harness.require_machine)()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        policy_dir = os.path.join(home.root.decode(), "policy.d")
        os.mkdir(policy_dir)
        prepared = {name: PARTS[name][0](net, home, policy_dir) for name in played if PARTS[name][0]}
        if options.deny:
            denied.policy(policy_dir)
        remains = system_test("leftovers").Remains() if guest else None
        with harness.Barbwired([harness.DEFAULT_POLICY, policy_dir]) as bw:
            stage = (denied if options.deny else play).Stage(bw, net, home)
            catalogue = (denied if options.deny else play).Catalogue(t, stage, options.share)
            if guest:
                t.case("its programs and maps in the kernel bear its name", remains.look, bw)
                unprivileged(t, bw)
            for name in played:
                PARTS[name][1](catalogue, stage, *([prepared[name]] if name in prepared else []))
            # Paths that exceed every buffer have to be counted.
            provoked = ("lost", "path_truncated") if "get" in played else ()
            provoked += harness.preemption_losses()
            t.case("SIGTERM: exit 0, no loss, every alert counted", end, stage, provoked)
        if guest:
            t.case("nothing is left in the kernel", remains.wait_gone)
        if options.share is not None:
            t.note(f"{catalogue.n_played} of {catalogue.n_cases} cases, of every row")
        if "get" in played and not guest:
            t.case("G14 text output under hostile names", get.text_output, net, home)
    t.done()


if __name__ == "__main__":
    main()
