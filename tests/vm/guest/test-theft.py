#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The minimum that must work on a kernel: barbwired is armed with the requested sensor, and raises the alert of one
theft.

usage: test-theft.py [--lockdown=MODE] SENSOR
--lockdown    set at run time; it cannot be lowered again
SENSOR        the sensor that barbwired must report; BW_SENSOR= is the requested one (also "auto")
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../harness"))

import harness
import tap
import varlink
from net import Net
from tap import require, require_equal

LOCKDOWN = "/sys/kernel/security/lockdown"


def locked_down(mode):
    with open(LOCKDOWN, "w", encoding="ascii") as file:
        file.write(mode)
    with open(LOCKDOWN, encoding="ascii") as file:
        require(f"[{mode}]" in file.read(), f"this kernel is not under lockdown={mode}")


def armed(bw, sensor):
    line = bw.stderr_since(0, "armed: ")
    require(f"sensor {sensor}," in line, f"armed with another sensor: {line}")


def status_tells(sensor, path):
    """What this kernel has not is no surprise: rows/expected.py has the cases that are missed for it."""
    with varlink.Connection(path) as c:
        not_monitored = c.call("GetStatus")["not_monitored"]
    kernel = harness.kernel_version()
    require_equal(any("mapped and closed before" in what for what in not_monitored), kernel < (5, 12),
                  f"mappings: {not_monitored}")
    require_equal(any("io_uring connects" in what for what in not_monitored),
                  sensor == "tracepoint" and kernel < (5, 19),
                  f"requests: {not_monitored}")
    require_equal(any("renamed or linked" in what for what in not_monitored),
                  sensor == "tracepoint" and kernel < (6, 13),
                  f"names: {not_monitored}")


def ends(bw):
    bw.stop()
    bw.require_no_loss(harness.preemption_losses())


def main():
    sensor = sys.argv[-1]
    harness.require_machine()
    t = tap.Tap()
    for option in sys.argv[1:-1]:
        t.case(f"{option[2:]} is in force", locked_down, option.removeprefix("--lockdown="))
    with Net() as net, harness.Home() as home, \
            harness.Barbwired(args=[f"--listen={os.fsdecode(home.root)}/socket"]) as bw:
        t.case(f"armed with {sensor}", armed, bw, sensor)
        t.case("status tells what this kernel has not", status_tells, sensor,
               f"{os.fsdecode(home.root)}/socket")
        t.case("a theft raises an alert", bw.prove_delivered, net, home)
        t.case("exit 0, no loss", ends, bw)
    t.done()


if __name__ == "__main__":
    main()
