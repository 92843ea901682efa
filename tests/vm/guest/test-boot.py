#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In a guest that was booted with barbwire enabled: early-thief.service ran as soon as barbwire.service was ready, and
the alert of its theft is in the journal."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../harness"))

import service
import tap
from harness import ARMED_TIMEOUT
from service import UNIT, as_text, journal, last_words, show, systemctl, wait_until
from tap import require, require_equal

THIEF = "early-thief.service"
KEY = b"/root/.ssh/id_early"


def active():
    """At the first attempt. The steps are not ordered after the service, so this waits for it."""
    wait_until(lambda: show("ActiveState") == "active", "active", ARMED_TIMEOUT)
    require_equal(show("NRestarts"), "0", f"restarts\n{last_words()}")
    require_equal(systemctl("is-failed", UNIT, check=False).stdout, "active\n", "is-failed")


def early():
    """The thief started after barbwire and before the network."""
    wait_until(lambda: show("ActiveState", "network-pre.target") == "active", "the network")
    ready = {unit: int(show("ActiveEnterTimestampMonotonic", unit)) for unit in (UNIT, "network-pre.target")}
    thief = int(show("ExecMainStartTimestampMonotonic", THIEF))
    require_equal(show("Result", THIEF), "success", "the theft itself")
    require(0 < ready[UNIT] < thief < ready["network-pre.target"], f"ready: {ready}, thief: {thief}")


def alert_written():
    entry = wait_until(lambda: next((e for e in journal() if service.is_alert_of(e, KEY)), None), "the alert")
    require(" 192.0.2.7:443 " in as_text(entry["MESSAGE"]), f"not the destination: {entry['MESSAGE']}")
    require_equal(entry.get("_SYSTEMD_UNIT"), UNIT, "_SYSTEMD_UNIT")


def main():
    t = tap.Tap()
    t.case("barbwire is active after boot", active)
    t.case("the thief ran after it, before the network", early)
    t.case("its alert is in the journal", alert_written)
    t.done()


if __name__ == "__main__":
    main()
