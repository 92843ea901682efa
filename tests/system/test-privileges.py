#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Once armed, barbwired has no privilege left, and still works."""

import os
import pwd
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
from cases import cases
from tap import require, require_equal

NOBODY = 65534
# A user that every Debian has, which owns none of our files.
OTHER_USER = "daemon"


def status_of(path):
    with open(path + "/status", encoding="ascii", errors="replace") as status:
        return {key: value.split() for key, value in (line.rstrip("\n").split(":", 1) for line in status)}


def every_thread(bw):
    return [status_of(f"/proc/{bw.pid}/task/{tid}") for tid in os.listdir(f"/proc/{bw.pid}/task")]


def no_capabilities(bw):
    for status in every_thread(bw):
        names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
        sets = {name: int(status[name][0], 16) for name in names}
        require(not any(sets.values()), f"capabilities left: { {k: hex(v) for k, v in sets.items()} }")


def no_root(bw):
    for status in every_thread(bw):
        for name in ("Uid", "Gid"):
            numbers = {int(number) for number in status[name]}
            require_equal(len(numbers), 1, f"{name}: real, effective, saved and fs differ: {status[name]}")
            require(not numbers & {0, NOBODY}, f"{name}: {status[name]}")
        groups = {int(group) for group in status["Groups"]}
        require(0 not in groups, f"supplementary groups: {groups}")


def no_new_privileges(bw):
    for status in every_thread(bw):
        require_equal(status["NoNewPrivs"], ["1"], "NoNewPrivs")


def user_honoured(net, home):
    user = pwd.getpwnam(OTHER_USER)
    with harness.Barbwired(args=[f"--user={OTHER_USER}"]) as bw:
        for status in every_thread(bw):
            require_equal(status["Uid"], [str(user.pw_uid)] * 4, "Uid")
            require_equal(status["Gid"], [str(user.pw_gid)] * 4, "Gid")
        no_capabilities(bw)
        bw.prove_delivered(net, home)
        bw.stop()


def works(bw, net, home):
    """Alerts, a reload and the exit need no privilege."""
    bw.prove_delivered(net, home)
    answer = bw.reload()
    require("policy reloaded" in answer, answer)
    bw.prove_delivered(net, home)
    bw.stop()
    bw.require_no_loss()


def main():
    with cases() as (t, net, home):
        with harness.Barbwired() as bw:
            t.case("all five capability sets are empty", no_capabilities, bw)
            t.case("neither root nor nobody", no_root, bw)
            t.case("NoNewPrivs", no_new_privileges, bw)
            t.case("alerts, reload and exit without privilege", works, bw, net, home)
        t.case(f"--user={OTHER_USER}", user_honoured, net, home)


if __name__ == "__main__":
    main()
