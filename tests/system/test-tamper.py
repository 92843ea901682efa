#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""S11 of the catalogue: root edits the policy, changes the unit by a drop-in, masks it. Nobody can keep root from that; that it was
done is in the journal.

Boots a systemd of its own (tests/lib/systemd-box) and runs itself in it."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))

import harness
import service
import tap
from net import Net
from service import UNIT, Thefts, as_text, configure, journal, show, systemctl, wait_until
from tap import require, require_equal

POLICY = "/etc/barbwire/policy.d"
POLICY_TOLD = "ef3dcd11c978419ab1f2dfe2fa6e2770"
SYSTEMD_STOPPED = "9d1aaa27d60140bd96365438aad20286"  # SD_MESSAGE_UNIT_STOPPED
OTHER = "/etc/other-policy"
BLINDING = "[Destination everything]\nAddress=any\nIgnore=yes\n"


def policies():
    return [entry for entry in journal() if entry.get("MESSAGE_ID") == POLICY_TOLD]


def told_after(before, what):
    """What is told of a policy that comes into force."""
    return wait_until(lambda: policies()[len(before):], f"what is told of {what}")[0]


def honest(thefts):
    systemctl("enable", "--now", UNIT)
    thefts.play()
    require_equal(len(policies()), 1, "policies told of")


def edited(act):
    before = policies()
    os.makedirs(POLICY, exist_ok=True)
    path = f"{POLICY}/99-blind.conf"
    with open(path, "w", encoding="utf-8") as out:
        out.write(BLINDING)
    try:
        systemctl(act, UNIT)
        told = told_after(before, "the edited policy")
        require(told["BARBWIRE_POLICY"] != before[-1]["BARBWIRE_POLICY"], f"the same hash: {told}")
        if act == "reload":
            require_equal(told["BARBWIRE_POLICY_BEFORE"], before[-1]["BARBWIRE_POLICY"], "the one before")
            require_equal(told["PRIORITY"], "5", "PRIORITY of a changed policy")
    finally:
        os.unlink(path)
        systemctl(act, UNIT)


def replaced():
    """Another policy by a drop-in: where the unit says so no longer, the journal says what is in force."""
    before = policies()
    program = re.search(r"path=(\S+)", show("ExecStart"))[1]
    os.mkdir(OTHER)
    with open(f"{OTHER}/10-little.conf", "w", encoding="utf-8") as out:
        out.write("[Class little]\nPath=/nonexistent\nScore=10\n")
    configure(f"[Service]\nExecStart=\nExecStart={program} --policy-dir={OTHER}\n")
    try:
        systemctl("restart", UNIT)
        told = told_after(before, "the other policy")
        require(": 1 files, 1 classes, 0 allow rules" in as_text(told["MESSAGE"]), told["MESSAGE"])
    finally:
        configure(None)
        systemctl("restart", UNIT)


def masked():
    """A unit that is stopped cannot tell; systemd does, under its own PID, which nobody can forge."""
    systemctl("mask", "--now", UNIT)
    try:
        wait_until(lambda: [entry for entry in journal() if entry.get("MESSAGE_ID") == SYSTEMD_STOPPED and
                            entry.get("_PID") == "1" and entry.get("UNIT") == UNIT], "that it was stopped")
    finally:
        systemctl("unmask", UNIT)


def honest_again(thefts):
    systemctl("start", UNIT)
    thefts.play()


def inside():
    service.forget_machine()
    service.install()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        thefts = Thefts(net, home)
        t.case("a theft, and the policy that told it", honest, thefts)
        for act in ("reload", "restart"):
            t.case(f"S11 the policy is edited, {act}", edited, act)
        t.case("S11 a drop-in of the unit has another policy", replaced)
        t.case("S11 masked and stopped", masked)
        t.case("afterwards a theft is told again", honest_again, thefts)
    t.done()


if __name__ == "__main__":
    service.main(__file__, inside)
