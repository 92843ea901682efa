#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No theft is missed under load: short-lived thieves steal while every core is busy opening files, and each theft is
one alert with the right file, process and destination. A compilation in the same load makes no record.

usage: test-load.py [THEFTS]"""

import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
from cases import cases
from net import HOST_V4
from tap import Failure, require, require_equal

# As many thieves at a time as keep both cores and the sink busy, without exceeding the backlog of the listener.
PARALLEL = 8
PORT = 443
FIRST_ADDRESS = (198 << 24) + (18 << 16) + 1  # burglar.c: 198.18.0.1
LOAD_TIMEOUT = 180
RELOADS = 100
# daemon/sensor/load.c
REPEAT_SLOTS_PER_CPU = 1024


def address_of(n):
    value = FIRST_ADDRESS + n
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


class Openers:
    """opener.c, for the duration of the with block."""

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
        require(n not in seen, f"theft {n} has two alerts")
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
    """Reloads another policy as often as requested, each one when the previous one is in force."""

    def __init__(self, bw, path):
        super().__init__(daemon=True)
        self.bw, self.path, self.failure = bw, path, None

    def run(self):
        try:
            for n in range(RELOADS):
                # Every tenth one must change nothing.
                bad = n % 10 == 9
                with open(self.path, "w", encoding="ascii") as out:
                    out.write(harness.policy_class(f"filler-{n % 3}", [f"/srv/filler-{n}/**"])
                              + ("Nonsense\n" if bad else ""))
                mark = len(self.bw.stderr)
                self.bw.process.send_signal(signal.SIGHUP)
                answer = "Reload failed" if bad else "policy reloaded"
                self.bw.wait(lambda: self.bw.stderr_since(mark, answer), harness.ARMED_TIMEOUT, answer)
        except Failure as failure:
            self.failure = failure


def steal_while_reloading(t, bw, net, filler, thefts):
    """No alert is missing and none is wrong, whichever of the two tables is in force."""
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
                  "policies loaded, and refused ones")


# Connects whenever it reads a line.
WITNESS = """
import os, socket, sys
os.sched_setaffinity(0, [int(sys.argv[4])])
secret = open(sys.argv[1], "rb").read()
for line in iter(sys.stdin.readline, ""):
    with socket.create_connection((sys.argv[2], int(sys.argv[3]))) as connection:
        connection.sendall(secret)
    print("sent", flush=True)
"""


def repeated_late(bw, net, home):
    """A process that still runs has its repeats counted, however many alerts of others have come since on its CPU."""
    key, _ = home.key()
    cpu = min(os.sched_getaffinity(0))
    with net.popen(["python3", "-I", "-c", WITNESS, key, HOST_V4, str(PORT), str(cpu)], stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE, text=True) as witness:
        def send():
            witness.stdin.write("\n")
            witness.stdin.flush()
            require_equal(witness.stdout.readline(), "sent\n", "the witness")

        def alerts(repeats):
            return [a for a in bw.alerts if a["process"]["pid"] == witness.pid and a["repeats"] == repeats]

        send()
        first = bw.wait(lambda: alerts(0), harness.ALERT_TIMEOUT, "the alert of the witness")
        for n in range(REPEAT_SLOTS_PER_CPU + 100):
            home.key(b"id_run_%04d" % n)
        result = net.run(["taskset", "-c", str(cpu), harness.program("load-burglar"), home.ssh,
                          str(REPEAT_SLOTS_PER_CPU + 100), str(PARALLEL), str(PORT)], timeout=LOAD_TIMEOUT)
        require(result.returncode == 0, f"burglar: {result.stderr}")
        send()
        witness.stdin.close()
        require_equal(witness.wait(), 0, "the witness's exit status")
        again = bw.wait(lambda: alerts(1), harness.ALERT_TIMEOUT, "the count of its repeat")
        require_equal([a["id"] for a in again], [a["id"] for a in first], "whose repeat it is")


def emptied(net, home):
    """A reload that would leave no class is refused, and the current policy is kept."""
    directory = os.path.join(home.root.decode(), "emptied.d")
    os.mkdir(directory)
    path = f"{directory}/50-keys.conf"
    with open(path, "w", encoding="ascii") as out:
        out.write(harness.policy_class("keys", [f"{home.ssh.decode()}/*"]))
    with harness.Barbwired((directory,)) as bw:
        os.unlink(path)
        require("Reload failed" in bw.reload(), "the reload of an empty policy")
        require(bw.stderr_since(0, f"{directory}: there is no usable [Class]"), "the directory is not named")
        # The record follows the message that the reload was waited for.
        bw.wait(lambda: any(state["refused"] for state in [s for s in bw.states if s["state"] == "policy"][-1:]),
                harness.ALERT_TIMEOUT, "the record of the refused policy")
        bw.prove_delivered(net, home)
        no_loss(bw)


def compile_quietly(bw, net, home):
    """A compilation opens thousands of files and starts hundreds of processes; none of it may reach the ring buffer."""
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


def no_loss(bw):
    bw.stop()
    bw.require_no_loss()


def main():
    thefts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with cases() as (t, net, home), \
            harness.Barbwired((harness.DEFAULT_POLICY, policy_directory(home))) as bw:
        t.case(f"{thefts} thefts by short-lived processes while every core opens files", steal, t, bw, net,
               home, thefts)
        t.case(f"{RELOADS} reloads meanwhile", steal_while_reloading, t, bw, net,
               f"{policy_directory(home)}/90-filler.conf", thefts)
        t.case("repeats are counted after a thousand alerts of others", repeated_late, bw, net, home)
        t.case("a reload to an empty policy is refused", emptied, net, home)
        t.case("a compilation makes no record", compile_quietly, bw, net, home)
        t.case("every loss counter is 0, recursion misses included", no_loss, bw)


if __name__ == "__main__":
    main()
