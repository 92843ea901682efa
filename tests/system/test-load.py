#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No theft is lost under load: short-lived thieves steal while every core is busy opening files, and each
theft is one alert with the right file, process and destination. A compile in the same noise makes no record.

usage: test-load.py [THEFTS]"""

import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import harness
import tap
from net import Net
from tap import Failure, require, require_equal

# As many thieves at a time as keep both cores and the sink busy, without running out of the listener's
# backlog.
PARALLEL = 8
PORT = 443
FIRST_ADDRESS = (198 << 24) + (18 << 16) + 1  # burglar.c: 198.18.0.1
LOAD_TIMEOUT = 180
RELOADS = 100


def address_of(n):
    value = FIRST_ADDRESS + n
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


class Openers:
    """opener.c, as long as the with block lasts."""

    def __init__(self, path):
        self.path, self.process, self.result = path, None, ""

    def __enter__(self):
        self.process = subprocess.Popen([harness.program("load-opener"), self.path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        require_equal(self.process.stdout.readline(), "ready\n", "opener")
        return self

    def __exit__(self, *exception):
        self.result, _ = self.process.communicate(timeout=30)


def steal(t, bw, net, home, thefts):
    decoys = [home.key(b"id_run_%04d" % n) for n in range(thefts)]
    busy = os.path.join(home.root.decode(), "a/b/c/d/e/busy")
    home.decoy(busy.encode())
    with Openers(busy) as openers:
        result = net.run([harness.program("load-burglar"), home.ssh, str(thefts), str(PARALLEL), str(PORT)],
                         timeout=LOAD_TIMEOUT)
    require(result.returncode == 0, f"burglar: {result.stderr}")
    require(openers.process.returncode == 0, "an opener died")
    if t:
        t.note(f"{thefts} thefts under {openers.result.strip()}")
    pids = dict(map(int, line.split()) for line in result.stdout.splitlines())
    require_equal(len(pids), thefts, "thefts that succeeded")
    for n in range(thefts):
        net.sink.wait_arrived(decoys[n][1])
    bw.prove_delivered(net, home)

    seen = {}
    for alert in bw.find(lambda a: a["process"]["comm"] == "load-burglar" and a["repeats"] == 0
                         and any(home.ssh.decode() in str(entry["path"]) for entry in a["files"])):
        names = {entry["path"] for entry in alert["files"]}
        require_equal(len(names), 1, f"files of {alert['id']}")
        n = int(names.pop().rsplit("_", 1)[1])
        require(n not in seen, f"theft {n} was told twice")
        seen[n] = alert["id"]
        require_equal(alert["files"][0]["path"], decoys[n][0].decode(), "path")
        require_equal((alert["process"]["pid"], alert["files"][0]["pid"]), (pids[n], pids[n]),
                      f"theft {n}: PIDs")
        require_equal((alert["destination"]["address"], alert["destination"]["port"]), (address_of(n), PORT),
                      f"theft {n}: destination")
    missing = sorted(set(range(thefts)) - set(seen))
    require(not missing, f"{len(missing)} of {thefts} thefts were lost, the first: {missing[:10]}")
    require_equal(len(set(seen.values())), thefts, "different ids")


class Reloads(threading.Thread):
    """Another policy each time, as often as asked, each one only when the one before is in force."""

    def __init__(self, bw, path):
        super().__init__(daemon=True)
        self.bw, self.path, self.failure = bw, path, None

    def run(self):
        try:
            for n in range(RELOADS):
                # Every tenth is one that must change nothing.
                bad = n % 10 == 9
                with open(self.path, "w", encoding="ascii") as out:
                    out.write(harness.policy_class(f"filler-{n % 3}", [f"/srv/filler-{n}/**"])
                              + ("Nonsense\n" if bad else ""))
                mark = len(self.bw.stderr)
                self.bw.process.send_signal(signal.SIGHUP)
                answer = "policy kept" if bad else "policy reloaded"
                self.bw.wait(lambda: self.bw.stderr_since(mark, answer), harness.ARMED_TIMEOUT, answer)
        except Failure as failure:
            self.failure = failure


def steal_while_reloading(t, bw, net, filler, thefts):
    """Nothing is lost, nothing is invented, whichever of the two tables is in force."""
    reloads, stolen = Reloads(bw, filler), 0
    reloads.start()
    while reloads.is_alive() or stolen < thefts:
        with harness.Home() as home:
            steal(None, bw, net, home, thefts // 10)
        stolen += thefts // 10
    require(not reloads.failure, f"reloads: {reloads.failure}")
    t.note(f"{stolen} thefts")
    policies = [state for state in bw.states if state["state"] == "policy"]
    require_equal((len(policies), sum(state["refused"] for state in policies)), (RELOADS + 1, RELOADS // 10),
                  "policies told, and refused ones")


def compile_quietly(bw, net, home):
    """A compile opens thousands of files and starts hundreds of processes; none of it may cross the ring."""
    marks = len(bw.alerts), len(bw.states)
    build = os.path.join(home.root.decode(), "build")
    os.mkdir(build)
    for n in range(40):
        with open(f"{build}/file{n}.c", "w", encoding="ascii") as out:
            out.write(f"#include <stdio.h>\n#include <stdlib.h>\n#include <sys/socket.h>\nint f{n}(void);\n"
                      f"int f{n}(void) {{ return printf(\"%d\", {n}); }}\n")
    script = "for f in *.c; do cc -O2 -c $f & [ $((++n % 4)) != 0 ] || wait; done; wait; ar rc all.a *.o"
    result = net.run(["/bin/bash", "-ec", script], cwd=build, timeout=LOAD_TIMEOUT)
    require(result.returncode == 0, result.stderr)
    require(os.path.exists(f"{build}/file39.o"), "nothing was compiled")
    bw.prove_delivered(net, home)
    alerts = bw.alerts[marks[0]:]
    states = [state for state in bw.states[marks[1]:] if state["state"] == "loss"]
    require(all(a["process"]["comm"].startswith("technique") for a in alerts), f"alerts: {alerts[:1]}")
    require(not states, f"state records: {states[:3]}")


def policy_directory(home):
    path = os.path.join(home.root.decode(), "policy.d")
    os.makedirs(path, mode=0o755, exist_ok=True)
    return path


def whole(bw):
    bw.stop()
    bw.require_whole()


def main():
    thefts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    harness.require_machine()
    t = tap.Tap()
    with Net() as net, harness.Home() as home, \
            harness.Barbwired((harness.DEFAULT_POLICY, policy_directory(home))) as bw:
        t.case(f"{thefts} thefts by short-lived processes while every core opens files", steal, t, bw, net,
               home, thefts)
        t.case(f"{RELOADS} reloads in the midst of it", steal_while_reloading, t, bw, net,
               f"{policy_directory(home)}/90-filler.conf", thefts)
        t.case("a compile makes no record", compile_quietly, bw, net, home)
        t.case("every loss counter is 0, recursion misses included", whole, bw)
    t.done()


if __name__ == "__main__":
    main()
