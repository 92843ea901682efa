#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The time from the connect() of a thief to the entry in the journal, and the rate of alerts that the journal accepts:
in a systemd of its own (tests/box/systemd-box), with the installed service. Prints one line of JSON.

usage: journal.py [--short]"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../harness"), HERE]

import figures
import service
from message_ids import MESSAGE_IDS
from service import UNIT, journal_entries, systemctl, wait_until
from tap import require

SHORT = "--short" in sys.argv
# Alerts at a low rate; and the same while another process causes so many per second.
IDLE = 10 if SHORT else 200
PER_SECOND = 50
# Destinations of the storms: storm.c has 64,000 for each address.
STORM_FIRST = 64000
# The journal is complete when it has not grown for this time: a flood is one entry for many, so their number is
# unknown.
SETTLE_SECONDS = 1
LOADS = (500,) if SHORT else (1000, 2000, 5000, 10000, 20000)
SECONDS = 1 if SHORT else 4
POLICY = "/etc/barbwire/policy.d/bench.conf"


def written(since):
    """The alerts of the thieves since a moment: [(address, port, µs since the epoch by journald's clock)]. Only theirs
    have destinations on loopback."""
    found = journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"MESSAGE_ID={MESSAGE_IDS['ALERT']}", f"--since=@{since:.6f}",
                            "--output-fields=BARBWIRE_DESTINATION_ADDRESS,BARBWIRE_DESTINATION_PORT")
    return [(e["BARBWIRE_DESTINATION_ADDRESS"], int(e["BARBWIRE_DESTINATION_PORT"]), int(e["__REALTIME_TIMESTAMP"]))
            for e in found if e.get("BARBWIRE_DESTINATION_ADDRESS", "").startswith("127.")]


def waits(moments, found):
    """The delay of each alert in ms; those of the storm have other addresses."""
    by_port = {}
    for address, port, moment in found:
        if address == "127.0.0.1":
            by_port.setdefault(port, moment)
    return [(by_port[port] - moment) / 1000 for port, moment in moments if port in by_port]


def victim(directory, name):
    path = f"{directory}/{name}"
    with open(path, "w", encoding="ascii") as out:
        out.write("decoy\n")
    return path


def idle(directory):
    since = time.time()
    with figures.Storm(victim(directory, "idle"), IDLE, PER_SECOND) as storm:
        moments = storm.go()[1]
    found = wait_until(lambda: (lambda found: len(found) >= IDLE and found)(written(since)), f"{IDLE} entries")
    took = waits(moments, found)
    return {"journal_idle_p50_ms": statistics.median(took), "journal_idle_p99_ms": figures.percentile(took, 0.99)}


def processor_seconds():
    return [figures.cpu_seconds(int(service.show("MainPID", unit))) for unit in (UNIT, "systemd-journald.service")]


def loaded(directory, rate):
    """The alerts of another thief during a storm; those of the storm are counted when the journal is complete."""
    used_before = processor_seconds()
    since, count = time.time(), rate * SECONDS
    with figures.Storm(victim(directory, "storm"), count, rate, first=STORM_FIRST) as storm, \
            figures.Storm(victim(directory, "loaded"), PER_SECOND * SECONDS, PER_SECOND) as single:
        storm.begin()
        moments = single.go()[1]
        took, _ = storm.end()
    found, before = written(since), -1
    while len(found) not in (before, count + len(moments)):
        before = len(found)
        time.sleep(SETTLE_SECONDS)
        found = written(since)
    ours, journalds = ((after - used) * 1e6 / len(found) for after, used in zip(processor_seconds(), used_before))
    waited = waits(moments, found)
    require(waited, "no entry of the single thief")
    arrived = [moment for _, _, moment in found]
    return {"made_per_second": count / took, "made": count + len(moments), "written": len(found),
            "written_per_second": len(found) / max(1e-6, (max(arrived) - min(arrived)) / 1e6),
            "us_each": ours, "journald_us_each": journalds,
            "single_made": len(moments), "single_written": len(waited),
            "p50_ms": statistics.median(waited), "p99_ms": figures.percentile(waited, 0.99)}


def inside():
    service.forget_machine()
    service.install()
    directory = tempfile.mkdtemp(prefix="barbwire-bench-", dir="/tmp")
    os.chmod(directory, 0o755)
    os.makedirs(os.path.dirname(POLICY), exist_ok=True)
    with open(POLICY, "w", encoding="ascii") as out:
        out.write(f"[Class bench]\nPath={directory}/*\n")
    systemctl("start", UNIT)
    result = idle(directory)
    result["journal_loaded"] = [loaded(directory, rate) for rate in LOADS]
    shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps(result))
    sys.exit(0)


if __name__ == "__main__":
    service.main(__file__, inside)
