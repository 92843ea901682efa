# SPDX-License-Identifier: GPL-2.0-or-later
"""A stream of thefts during which something happens to the service, and the proof that each has one alert."""

import json
import os
import re
import threading
import time

import harness
import service
from net import HOST_V4
from service import UNIT, Thefts, as_text, journal_entries, run, wait_until
from tap import Failure, require

# The rate of the thieves in a stream: some are at work whenever something happens, and their alerts can be read in
# time.
PACE_SECONDS = 0.05
# Losses that are faults here. Others may be caused by other programs on this machine.
FAULTS = ("ring_full", "mark_refused", "malformed", "unwritten", "marks_dropped")


def now():
    """A position in the journal."""
    run("journalctl", "--sync")
    return run("journalctl", "--lines=0", "--show-cursor", "--quiet").stdout.split("cursor: ")[1].strip()


def logged(since):
    """The entries of the unit since then."""
    return journal_entries("--unit", UNIT, "--after-cursor", since)


def messages_of(since):
    return [as_text(entry["MESSAGE"]) for entry in logged(since)]


def wait_logged(pattern, since, what):
    return wait_until(lambda: next((e for e in logged(since) if re.search(pattern, as_text(e["MESSAGE"]))), None), what)


def faults(since):
    return [as_text(e["MESSAGE"]) for e in logged(since) if e.get("BARBWIRE_CAUSE") in FAULTS]


class Journal(Thefts):
    """Reads only new entries."""

    def wait_alert(self, path, repeats="0", since=None):
        match = f"BARBWIRE_FILE={os.fsdecode(path)}"
        return wait_until(lambda: next(iter(journal_entries("--unit", UNIT, match)), None), f"alert of {path}")


class Stream:
    """with Stream(thefts) as stream: thieves steal, each a file of its own, until its end."""

    def __init__(self, thefts, pace=PACE_SECONDS):
        self.thefts, self.pace, self.paths, self.failed = thefts, pace, [], []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.ended.is_set():
            path = self.thefts.home.key()[0]
            result = self.thefts.net.run([harness.program("technique-out-tcp"), "blocking", path, HOST_V4, "443"])
            (self.failed if result.returncode else self.paths).append(path)
            self.ended.wait(self.pace)

    def wait_for(self, count, timeout=600):
        wait_until(lambda: len(self.paths) >= count, f"{count} thefts", timeout)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.ended.set()
        self.thread.join()


def alerts_by_file(since):
    """{file: [(id, repeats)]} of the alerts after the first `since` entries of the unit."""
    found = {}
    for entry in logged(since):
        if "BARBWIRE_ALERT_ID" in entry:
            files = entry.get("BARBWIRE_FILE", [])
            for path in files if isinstance(files, list) else [files]:
                found.setdefault(path, []).append((entry["BARBWIRE_ALERT_ID"], entry["BARBWIRE_REPEATS"]))
    return found


def barbwirectl(*args):
    return run(os.path.join(service.BUILD, "barbwirectl"), *args).stdout


def require_all_alerted(stream, since, what):
    """Each theft has one id, and is returned to clients once."""
    require(not stream.failed, f"{len(stream.failed)} thefts did not work")
    wanted = {os.fsdecode(path) for path in stream.paths}
    started = time.monotonic()
    try:
        found = wait_until(lambda: (lambda seen: seen if wanted <= set(seen) else None)(alerts_by_file(since)),
                           f"{what}: every theft's alert", 60)
    except Failure as failure:
        missing = sorted(wanted - set(alerts_by_file(since)))
        raise Failure(f"{what}: {len(missing)} of {len(wanted)} thefts have no alert: {missing[:20]}; losses: "
                      f"{faults(since)}") from failure
    took = time.monotonic() - started
    several = {path: ids for path, ids in found.items() if path in wanted and len({number for number, _ in ids}) > 1}
    require(not several, f"alerts under several ids: {several}")
    again = sum(len(ids) - len(set(ids)) for path, ids in found.items() if path in wanted)
    shown = [alert["id"] for alert in map(json.loads, barbwirectl("--json=short", "alerts", "-n", "5000").splitlines())
             if alert.get("kind") != "state"]
    twice = {number for number in shown if shown.count(number) > 1}
    require(not twice, f"barbwirectl shows twice: {twice}")
    return (f"{what}: {len(wanted)} thefts, all alerts {took:.1f} s after the last start, "
            f"{again} written again under their id")
