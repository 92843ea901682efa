#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything at the same time, for a long time: thefts, opens, forks, reloads, queries, followers, hostile clients.
Every theft has exactly one alert, there are no losses, and neither memory nor descriptors grow.

usage: test-soak.py [MINUTES]"""

import contextlib
import itertools
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import varlink
from cases import Scene, cases
from tap import Failure, require, require_equal

MINUTES = 1
# The thieves of a round: each steals its own file, and a few run at a time.
THEFTS, PARALLEL, PORT = 100, 4, 443
# The store of alerts is full after a few rounds; until then memory grows.
ALERTS_MAX = 256
# Rounds until all kept memory is in use: the store, outstanding alerts, two policies.
WARM_UP_ROUNDS = 40
ROUNDS_PER_RELOAD = 4
FOLLOW_SECONDS = 1
RSS_GROWTH_MAX = 256 << 10
# Calls that our client would not make. The last ones are sent in pieces, or their answers are not read.
HOSTILE = (b"nonsense\0", b"{}\0", b"\0" * 100, b'{"method":"\xff"}\0', b"[" * 30000 + b"\0", b"x" * (65 << 10),
           b'{"method":"io.barbwire.Barbwire.ListAlerts","parameters":{"limit":-1}}\0',
           b'{"method":"io.barbwire.Barbwire.ListRules"}\0' * 50,
           b'{"method":"io.barbwire.Barbwire.Follow","more":true}\0',
           b'{"method":', b"")


def policy(n):
    """The policy after the nth reload: every other one has another class."""
    return (f"[Query]\nMaxAlerts={ALERTS_MAX}\n"
            + harness.policy_class(f"filler-{n % 2}", [f"/srv/filler-{n % 2}/**"]))


class Soaked(Scene):
    def __init__(self, net, home):
        super().__init__(net, home, policy(0))
        self.decoys = [home.key(b"id_run_%04d" % n)[0].decode() for n in range(THEFTS)]
        self.rounds = 0

    def resident(self):
        """The memory of the daemon itself, without mapped kernel tables, which do not grow."""
        with open(f"/proc/{self.bw.pid}/status", encoding="ascii", errors="replace") as status:
            return int(re.search(r"^RssAnon:\s+(\d+) kB", status.read(), re.M)[1]) << 10

    def descriptors(self):
        """The descriptors without those of clients, which change."""
        names = []
        for fd in os.listdir(f"/proc/{self.bw.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                names.append(os.readlink(f"/proc/{self.bw.pid}/fd/{fd}"))
        return sorted(name for name in names if not name.startswith("socket:"))

    def play_round(self):
        burglar = self.net.popen([harness.program("load-burglar"), self.home.ssh, str(THEFTS), str(PARALLEL),
                                  str(PORT)],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.rounds % ROUNDS_PER_RELOAD == 0:
            self.write_policy(policy(self.rounds // ROUNDS_PER_RELOAD))
            require("policy reloaded" in self.bw.reload(), "the reload")
        out, err = burglar.communicate(timeout=harness.ARMED_TIMEOUT)
        require_equal(burglar.returncode, 0, f"the thefts\n{err}")
        self.bw.prove_delivered(self.net, self.home)
        os.unlink(os.path.join(self.home.ssh, b"id_decoy_%d" % self.home.count))
        stolen = sorted((self.decoys[n], pid) for n, pid in (map(int, line.split()) for line in out.splitlines()))
        require_equal(len(stolen), THEFTS, "thefts that succeeded")
        self.compare(stolen)
        self.rounds += 1

    def compare(self, stolen):
        with self.bw.changed:
            alerted = sorted((alert["files"][0]["path"], alert["process"]["pid"]) for alert in self.bw.alerts
                          if alert["files"][0]["path"] in self.decoys and alert["repeats"] == 0)
            losses = [state for state in self.bw.states if state["state"] == "loss"]
            # All of these have been checked: keeping them here would be what grows.
            for record in (self.bw.alerts, self.bw.states, self.bw.output, self.bw.stderr):
                record.clear()
        require_equal(losses, [], "losses")
        if alerted != stolen:
            missing, more = [x for x in stolen if x not in alerted], [x for x in alerted if x not in stolen]
            raise Failure(f"round {self.rounds}: no alert: {missing[:5]}; an alert, but not stolen: {more[:5]}; "
                          f"{len(alerted)} alerts for {len(stolen)} thefts")


class Worker(threading.Thread):
    """Calls step() repeatedly until the end; an error in it is a failure of the test."""

    def __init__(self, step, pause):
        super().__init__(daemon=True)
        self.step, self.pause, self.over, self.failure, self.count = step, pause, threading.Event(), None, 0
        self.put_off = 0

    def run(self):
        try:
            while not self.over.wait(self.pause):
                try:
                    self.step()
                    self.count += 1
                except BlockingIOError:
                    # The queue of connections is full: none is accepted while a policy is compiled.
                    self.put_off += 1
        except Exception as error:
            self.failure = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *exception):
        self.over.set()
        self.join()
        require(kind or not self.failure, f"{self.step.__name__}: {self.failure!r}")


class Load:
    """Everything except thefts and reloads."""

    def __init__(self, scene):
        self.scene, self.calls, self.random = scene, itertools.cycle(HOSTILE), random.Random(1)
        self.lingering = []

    def honest(self):
        with varlink.Connection(self.scene.socket) as client:
            client.call("GetStatus")
            client.call("ListRules")
            for _ in client.stream("ListAlerts", limit=20):
                pass

    def follower(self):
        """Follows for a while, then disconnects without an end."""
        with varlink.Connection(self.scene.socket) as client:
            client.send("Follow", more=True)
            client.socket.settimeout(FOLLOW_SECONDS)
            with contextlib.suppress(TimeoutError):
                for _ in range(30):
                    client.receive()

    def hostile(self):
        peer = socket.socket(socket.AF_UNIX)
        peer.setblocking(False)
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            peer.connect(self.scene.socket)
            peer.send(next(self.calls))
        # Ten at a time stay connected, and do not read.
        self.lingering.append(peer)
        if len(self.lingering) > 10:
            self.lingering.pop(self.random.randrange(10)).close()

    def programs(self):
        """Forks, executes and opens, without a theft."""
        subprocess.run(["/bin/sh", "-c", "for i in 1 2 3 4 5; do cat /etc/hostname /etc/services >/dev/null; done"],
                       stdin=subprocess.DEVNULL, check=True, timeout=60)


def soak(t, scene, minutes):
    load = Load(scene)
    scene.bw.prove_delivered(scene.net, scene.home)
    with contextlib.ExitStack() as stack:
        workers = {step.__name__: stack.enter_context(Worker(step, pause))
                   for step, pause in ((load.honest, 0.05), (load.follower, 0.01), (load.hostile, 0.01),
                                       (load.programs, 0.1))}
        for _ in range(WARM_UP_ROUNDS):
            scene.play_round()
        resident, descriptors, first = [scene.resident()], scene.descriptors(), scene.rounds
        deadline = time.monotonic() + minutes * 60
        while time.monotonic() < deadline:
            scene.play_round()
            resident.append(scene.resident())
        rounds = scene.rounds - first
        counts = ", ".join(f"{worker.count} {name} ({worker.put_off} put off)" for name, worker in workers.items())
    for peer in load.lingering:
        peer.close()
    # Of both halves the usual: a reload takes memory for a moment, and returns all that it can.
    half = len(resident) // 2
    grown = int(statistics.median(resident[half:]) - statistics.median(resident[:half + 1]))
    t.note(f"{rounds * THEFTS} thefts, {rounds // ROUNDS_PER_RELOAD} reloads, {counts}")
    t.note(f"own memory {resident[0] >> 10} KiB after the warm-up, grown by {grown >> 10} KiB, "
           f"{max(resident) >> 10} KiB at the most")
    require(rounds > 0 and all(worker.count > 0 for worker in workers.values()), f"idle: {counts}")
    sanitized = b"__asan_init" in open(harness.BARBWIRED, "rb").read()
    require(sanitized or grown < RSS_GROWTH_MAX, f"grown by {grown >> 10} KiB")
    require_equal(scene.descriptors(), descriptors, "descriptors")


def no_loss(scene):
    scene.bw.stop()
    scene.bw.require_no_loss()


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    with cases() as (t, net, home):
        scene = Soaked(net, home)
        with scene.bw:
            t.case(f"{minutes:g} minutes of everything: one alert for each theft, no growth", soak, t, scene, minutes)
            t.case("no loss", no_loss, scene)


if __name__ == "__main__":
    main()
