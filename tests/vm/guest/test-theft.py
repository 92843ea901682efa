#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The least that must work on a kernel: barbwired is armed with the sensor that is wanted, and tells one theft.

usage: test-theft.py [--lockdown=MODE] SENSOR
--lockdown    raised at run time: there is no way back
SENSOR        as it must be told; BW_SENSOR= is how it was asked for ("auto", too)"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))

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
    require(f"sensor {sensor}," in line, f"armed otherwise: {line}")


def status_tells(sensor, path):
    """What this kernel has not is no surprise: expected.py has the cases that are missed for it."""
    with varlink.Connection(path) as c:
        blind = c.call("GetStatus")["blind"]
    kernel = harness.kernel_version()
    require_equal(any("mapped and closed before" in what for what in blind), kernel < (5, 12), f"mappings: {blind}")
    require_equal(any("io_uring connects" in what for what in blind), sensor == "tracepoint" and kernel < (5, 19),
                  f"requests: {blind}")


def ends(bw):
    bw.stop()
    bw.require_whole(harness.preemption_losses())


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
        t.case("a theft is told", bw.prove_delivered, net, home)
        t.case("exit 0, no loss", ends, bw)
    t.done()


if __name__ == "__main__":
    main()
