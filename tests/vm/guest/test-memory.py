#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory that Barbwire takes on a machine of 4 GiB with 8 processors, whose tables are sized for that."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../harness"), os.path.join(HERE, "../../bench")]

import bpf_objects
import figures
import harness
import tap
import varlink
from tap import require, require_equal

# The goals of a machine of this size.
RSS_KIB_MAX, BPF_KIB_MAX = 24 << 10, 32 << 10
PROCESSORS, MEMORY_KIB_MIN = 8, 3600 << 10
LARGEST = 40


def machine_is():
    require_equal(os.cpu_count(), PROCESSORS, "processors")
    with open("/proc/meminfo", encoding="ascii") as info:
        total = int(info.readline().split()[1])
    require(total >= MEMORY_KIB_MIN, f"{total} KiB of memory")


def within(value, limit, what):
    require(0 < value <= limit, f"{what}: {value} KiB, more than {limit}")


def ours():
    """[(KiB, name)] of all BPF objects of Barbwire, the largest first: also those that only the programs use, which the
    daemon has no descriptor of."""
    found = []
    for kind in "map", "prog":
        names, held = bpf_objects.objects(kind), bpf_objects.memory(kind)
        found += [(held[number] >> 10, name) for number, name in names.items()
                  if number in held and name.startswith(("bw_", "barbwire"))]
    return sorted(found, reverse=True)


def tables_have_room(path):
    with varlink.Connection(path) as c:
        tables = {table["name"]: table for table in c.call("GetStatus")["tables"]}
    require(tables, "no tables")
    small = [table for table in tables.values() if table["max"] < 1000]
    require(not small, f"tables of less than 1,000 entries: {small}")


def main():
    harness.require_machine()
    t = tap.Tap()
    t.case("the machine has 8 processors and 4 GiB", machine_is)
    with harness.Home() as home, \
            harness.Barbwired(args=[f"--listen={os.fsdecode(home.root)}/socket"]) as bw:
        held = figures.memory(bw.pid)
        t.note(f"memory: {held}")
        t.note(f"BPF objects: {sum(kib for kib, _ in ours())} KiB in all, the largest: {ours()[:LARGEST]}")
        t.case("resident memory, with mapped tables", within, held["rss_kib"], RSS_KIB_MAX, "RSS")
        t.case("memory of the BPF programs and tables", within, held["bpf_memory_kib"], BPF_KIB_MAX, "BPF")
        t.case("every table has room", tables_have_room, f"{os.fsdecode(home.root)}/socket")
        bw.stop()
    t.done()


if __name__ == "__main__":
    main()
