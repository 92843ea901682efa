#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The service on a real machine: those cases of tests/system/test-service.py that can run once, with the guest's own
PID 1 instead of a box.

usage: test-pid1.py --newer     (tests/harness/service.py: installs like a package, since the guest has no meson)"""

import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../harness"))

import harness
import tap
from net import Net
from service import Thefts

spec = importlib.util.spec_from_file_location("test_service", os.path.join(HERE, "../../system/test-service.py"))
cases = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)


def main():
    harness.require_machine()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        thefts = Thefts(net, home)
        t.case("installed: user, unit, disabled", cases.installed)
        t.case("enable --now: ready when armed", cases.enabled, thefts)
        t.case("no capability, no root, seccomp", cases.unprivileged)
        t.case("an alert in the journal", cases.alert_fields, thefts)
        t.case("restart", cases.restarted, thefts)
        t.case("stop: nothing stays in the kernel", cases.stopped)
    t.done()


if __name__ == "__main__":
    main()
