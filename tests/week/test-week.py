#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An ordinary week: a developer's laptop, a CI runner, a web server, a database host, a container host and an
administrator's shell, and a second list of jobs that was written without a look at the policy, against one barbwired
with the default policy. Every record is counted for the job that it came from: at most one low alert for each script of
a person's own at its first sight, and what KNOWN lists with its reason, which must occur. Beside the jobs, thieves read
the same files.

The jobs are dealt over seven runs, by the commit; a run says its share, and --share=N plays it again. --long plays all.

usage: test-week.py [--long | --share=N] [--records=FILE]"""

import argparse
import collections
import contextlib
import json
import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../benign")]

import scene as stage
from sshd import Server

import deal
import harness
import jobs
import servers
import tap
from known import KNOWN
from player import Player
from tap import Skip, require

SHARES = 7
NOT_FOUND = 127
SLOWEST = 5
PLAYERS = 4  # most jobs wait for somebody


def dealt(share):
    """The chains of this share; None: all."""
    if share is None:
        return jobs.read_all()
    return [chain for n, chain in enumerate(c for c in jobs.read_all() if not c.long) if n % SHARES == share]


def play_all(player, chains):
    """Those of root one after the other, as they share a home and accounts."""
    own, of_root = ([c for c in chains if (c.user == "root") == root] for root in (False, True))
    lock, errors = threading.Lock(), []

    def run(queue):
        while True:
            with lock:
                if not queue:
                    return
                chain = queue.pop(0)
            try:
                player.play(chain)
            except Exception as error:
                errors.append(f"{chain.name}: {error!r}")

    players = [threading.Thread(target=run, args=(queue,)) for queue in [own] * (PLAYERS - 1) + [of_root]]
    for thread in players:
        thread.start()
    for thread in players:
        thread.join()
    require(not errors, f"could not be played: {errors}")


def described(a):
    def way(f):
        hops = [f"{hop['comm']}:{hop['via']}" for hop in f["route"]]
        return " ".join([f["path"], "by", f["comm"], *hops, "via", f["via"]])

    files = "; ".join(way(f) for f in a["files"][:3])
    return (f"{a['severity']} {a['evidence']} {a['process']['exe']} [{a['process']['cmdline']}] to "
            f"{a['destination']['address']}:{a['destination']['port']}: {files}")


def needs_its_programs(result):
    """Of a script whose last command this machine does not have, bash(1), EXIT STATUS."""
    if result.status == NOT_FOUND:
        raise Skip(" ".join(result.said.split())[-120:] or "a program is missing", environment=True)


def judged(result, first_sights, stale):
    """A job raises nothing but first sights, as many as its chain has scripts, and what is known. Adds to `stale` what
    is known, and has not been raised."""
    allowed = KNOWN.get((result.chain.name, result.name), ())
    left = collections.Counter(dict([allowed[:2]]) if allowed else {})
    bad = []
    # One that is repeated is written again.
    for record in {record["id"]: record for record in result.records}.values():
        if record["severity"] == "info":
            continue
        if record["severity"] == "low" and record["script_sight"] == "first":
            first_sights[result.chain.name] += 1
            if first_sights[result.chain.name] <= result.chain.low:
                continue
        elif left[record["severity"]] > 0:
            left[record["severity"]] -= 1
            continue
        bad.append(record)
    require(not bad, f"{len(bad)} alerts:\n" + "\n".join(described(a) for a in bad))
    needs_its_programs(result)
    require(result.status == 0, f"status {result.status}: {result.said[-1500:]}")
    stale += [f"{result.chain.name}: {result.name}: {n} {severity}" for severity, n in left.items() if n]


def not_stale(stale):
    """What is known still occurs, and each entry is of a job. An alarm that is mended leaves the list, so that it is
    seen when it returns."""
    every = {(chain.name, name) for chain in jobs.read_all() for name, _ in chain.jobs}
    stale = stale + [f"{chain}: {name}: no job" for chain, name in KNOWN if (chain, name) not in every]
    require(not stale, "known alarms that do not occur:\n" + "\n".join(stale))


def stolen(result):
    """A theft has an alert of its severity, and one that is known by its file for that."""
    severity, path = result.theft
    found = [a["severity"] for a in result.records if path is None or harness.touches(a, path.encode())]
    if severity not in found:
        needs_its_programs(result)
    require(severity in found, f"the alerts are {found}, not {severity}\n{result.said[-800:]}")


def missing(names):
    raise Skip(f"{' '.join(names)}: not installed", environment=True)


def report(t, player, rest):
    """How many records there are of each severity, and what took long, for people who read the log."""
    count = collections.Counter(r["severity"] for result in player.results if not result.theft
                                for r in result.records)
    played = sum(not r.theft for r in player.results)
    t.note(f"{played} jobs: " + ", ".join(f"{n} {severity}" for severity, n in sorted(count.items())) +
           f"; {len(rest)} records of no job")
    slow = sorted(player.results, key=lambda result: -result.seconds)[:SLOWEST]
    t.note("the slowest: " + ", ".join(f"{r.chain.name}: {r.name} {r.seconds:.1f} s" for r in slow))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="plays all jobs")
    parser.add_argument("--share", type=int, choices=range(SHARES), help="plays this share")
    parser.add_argument("--records", metavar="FILE", help="writes all records there, as JSON")
    options = parser.parse_args()
    share = None if options.long else options.share if options.share is not None else deal.share_of_today(SHARES) or 0

    t = tap.Tap()
    chains = [c for c in dealt(share) if t.only in f"{c.machine}, {c.name}"]
    present = [c for c in chains if not Player.missing(c)]
    t.note(f"share {share} of {SHARES}" if share is not None else "all jobs")

    # Files are there before barbwired is: what makes them is no job.
    @contextlib.contextmanager
    def before(net, world):
        with servers.serving(net, world), Player(net, world) as player:
            player.prepare(present)
            players.append(player)
            yield

    players = []
    with stage.scene(before=before) as s, Server(s):
        player = players[0]
        t.setup("the jobs are played", play_all, player, present)
        s.bw.prove_delivered(s.net, s.home)
        rest = player.attribute(s.bw.alerts)
        first_sights, stale = collections.Counter(), []
        for chain in chains:
            if chain not in present:
                t.case(f"{chain.machine}, {chain.name}", missing, Player.missing(chain))
            for result in (r for r in player.results if r.chain is chain):
                name = f"{chain.machine}, {chain.name}: {result.name}"
                if result.theft:
                    t.case(f"(theft) {name}", stolen, result)
                else:
                    t.case(name, judged, result, first_sights, stale)
        t.setup("no record of no job", lambda: require(not rest, "\n".join(described(a) for a in rest)))
        t.setup("no known alarm is stale", not_stale, stale)
        report(t, player, rest)
        if options.records:
            with open(options.records, "w", encoding="utf-8") as out:
                json.dump([{"machine": r.chain.machine, "chain": r.chain.name, "job": r.name, "theft": r.theft,
                            "status": r.status, "said": r.said, "records": r.records} for r in player.results], out,
                          indent=1)
        t.setup("no loss", stage.no_loss, s.bw)
    t.done()


if __name__ == "__main__":
    main()
