#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""S11 of the catalogue: root edits the policy, changes the unit by a drop-in, masks it. Root cannot be kept from that,
but it is in the journal.

Boots a systemd of its own (tests/box/systemd-box) and runs itself in it."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import service
from message_ids import MESSAGE_IDS
from service import UNIT, as_text, configure, journal, show, systemctl, wait_until
from tap import require, require_equal

POLICY = "/etc/barbwire/policy.d"
SYSTEMD_STOPPED = "9d1aaa27d60140bd96365438aad20286"  # SD_MESSAGE_UNIT_STOPPED
OTHER = "/etc/other-policy"
IGNORE_ALL = "[Destination everything]\nAddress=any\nIgnore=yes\n"


def policies():
    return [entry for entry in journal() if entry.get("MESSAGE_ID") == MESSAGE_IDS["POLICY"]]


def entry_after(before, what):
    """The entries about policies that come into force."""
    return wait_until(lambda: policies()[len(before):], f"the entry about {what}")[0]


def honest(thefts):
    systemctl("enable", "--now", UNIT)
    thefts.play()
    require_equal(len(policies()), 1, "policies logged")


def edited(act):
    before = policies()
    os.makedirs(POLICY, exist_ok=True)
    path = f"{POLICY}/99-silent.conf"
    with open(path, "w", encoding="utf-8") as out:
        out.write(IGNORE_ALL)
    try:
        systemctl(act, UNIT)
        entry = entry_after(before, "the edited policy")
        require(entry["BARBWIRE_POLICY"] != before[-1]["BARBWIRE_POLICY"], f"the same hash: {entry}")
        if act == "reload":
            require_equal(entry["BARBWIRE_POLICY_BEFORE"], before[-1]["BARBWIRE_POLICY"], "the previous one")
            require_equal(entry["PRIORITY"], "5", "PRIORITY of a changed policy")
    finally:
        os.unlink(path)
        systemctl(act, UNIT)


def replaced():
    """Another policy by a drop-in: the journal names the policy in force, though the unit file does not."""
    before = policies()
    program = re.search(r"path=(\S+)", show("ExecStart"))[1]
    os.mkdir(OTHER)
    with open(f"{OTHER}/10-little.conf", "w", encoding="utf-8") as out:
        out.write("[Class little]\nPath=/nonexistent\nScore=10\n")
    configure(f"[Service]\nExecStart=\nExecStart={program} --policy-dir={OTHER}\n")
    try:
        systemctl("restart", UNIT)
        entry = entry_after(before, "the other policy")
        require(": 1 files, 1 classes, 0 allow rules" in as_text(entry["MESSAGE"]), entry["MESSAGE"])
    finally:
        configure(None)
        systemctl("restart", UNIT)


def masked():
    """A stopped unit cannot log; systemd does, under its own PID, which cannot be forged."""
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
    with service.cases() as (t, thefts):
        service.install()
        t.setup("a theft, and the policy of its alert", honest, thefts)
        for act in ("reload", "restart"):
            t.case(f"S11 the policy is edited, {act}", edited, act)
        t.case("S11 a drop-in of the unit has another policy", replaced)
        t.case("S11 masked and stopped", masked)
        t.case("afterwards a theft raises an alert again", honest_again, thefts)


if __name__ == "__main__":
    service.main(__file__, inside)
