#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""With a thousand idle clients, a thousand malformed calls per second, or no descriptor left, an honest client is still
answered at once, memory does not grow, and thefts raise alerts.

usage: test-crowd.py"""

import contextlib
import os
import re
import resource
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
import varlink
from cases import Scene, cases
from harness import program, truths
from net import HOST_V4
from tap import Failure, require, require_equal

# daemon/query/server.c: usual_limits.
CLIENTS_MAX, PER_USER_MAX, FOR_ROOT = 64, 16, 8
IDLE = 1000
# Unused user ids; the honest client is root.
USERS = range(61100, 61110)
MALFORMED_PER_SECOND = 1000
FLOOD_SECONDS = 5
# The guaranteed time, and an allowance for the maximum of a thousand on a machine that runs other tests.
SERVED_SECONDS, SERVED_P99_SECONDS = 0.1, 0.5
# malloc keeps freed memory; a leak of one byte per call would be as much.
RSS_GROWTH_MAX = 256 << 10
# Fewer than the clients, and more than loading needs for a moment.
DESCRIPTORS_SPARE = 40
# Out of 100 per second: a loop that retries accept() would use all of them.
BUSY_TICKS_MAX = 30

# Connects argv[2] times to argv[1] as user argv[3], prints how many were accepted, and stays until stdin ends.
CROWD = """
import os, select, socket, sys
path, count, uid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.setgroups([]); os.setgid(uid); os.setuid(uid)
peers = []
for _ in range(count):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    peers.append(peer)
# A refused client gets an error and its connection is closed; an accepted one receives nothing.
refused = 0
waiting = select.poll()
for peer in peers:
    waiting.register(peer, select.POLLIN)
open_peers = {peer.fileno(): peer for peer in peers}
print("connected", flush=True)
while len(open_peers) > int(sys.argv[4]):
    for fd, _ in waiting.poll():
        data = open_peers[fd].recv(4096)
        if data:
            assert b"TooManyClients" in data, data
            refused += 1
        else:
            waiting.unregister(fd)
            del open_peers[fd]
print(len(open_peers), refused, flush=True)
sys.stdin.read()
"""

# Sends argv[2] malformed calls per second to argv[1] for argv[3] s, each on a new connection; prints their number.
FLOOD = """
import itertools, os, socket, sys, time
path, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
calls = itertools.cycle((b"nonsense\\0", b"{}\\0", b"\\0", b"[1]\\0", b'{"method":1}\\0',
                         b"\\xff\\xfe\\0", b"{" * 500 + b"\\0"))
os.setgroups([]); os.setgid(61099); os.setuid(61099)
begin, n = time.monotonic(), 0
while (passed := time.monotonic() - begin) < seconds:
    if n > rate * passed:
        time.sleep(0.001)
        continue
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        try:
            peer.sendall(next(calls))
            while peer.recv(4096):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    n += 1
print(n, flush=True)
"""


class Crowded(Scene):
    def open_to_all(self):
        os.chmod(self.socket, 0o666)

    def client(self):
        return varlink.Connection(self.socket)

    def theft(self):
        key, _ = self.home.key()
        result = self.net.run([program("technique-out-tcp"), "blocking", key, HOST_V4, "443"])
        require_equal(result.returncode, 0, f"the theft's exit status\n{result.stderr}")
        sender = truths(result.stdout)[0].sender
        self.bw.wait_alert(lambda a: a["process"]["pid"] == sender and harness.touches(a, key), "the theft")

    def resident(self):
        with open(f"/proc/{self.bw.pid}/status", encoding="ascii", errors="replace") as status:
            return int(re.search(r"^RssAnon:\s+(\d+) kB", status.read(), re.M)[1]) << 10

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.bw.pid}/fd"))


@contextlib.contextmanager
def helper(source, *args):
    """A process of its own, which exits when its stdin ends."""
    process = subprocess.Popen([sys.executable, "-c", source, *map(str, args)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


class Honest(threading.Thread):
    """Queries again and again, each time on a new connection, like barbwirectl."""

    def __init__(self, scene):
        super().__init__(daemon=True)
        self.scene, self.seconds, self.failure, self.over = scene, [], None, threading.Event()

    def run(self):
        try:
            while not self.over.is_set():
                begin = time.monotonic()
                with self.scene.client() as client:
                    client.call("GetStatus")
                self.seconds.append(time.monotonic() - begin)
                self.over.wait(0.01)
        except Exception as error:
            self.failure = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        self.join()

    def require_served(self, t, what):
        require(not self.failure, f"{what}: {self.failure!r}")
        require(len(self.seconds) > 100, f"{what}: only {len(self.seconds)} answers")
        ordered = sorted(self.seconds)
        p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
        t.note(f"{what}: {len(ordered)} answers, p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, "
               f"max {ordered[-1] * 1e3:.1f} ms")
        require(p50 < SERVED_SECONDS, f"{what}: the median is {p50:.3f} s")
        require(p99 < SERVED_P99_SECONDS, f"{what}: one of a hundred takes {p99:.3f} s")


def flood(t, scene, what):
    with helper(FLOOD, scene.socket, MALFORMED_PER_SECOND, FLOOD_SECONDS) as sender, Honest(scene) as honest:
        scene.theft()
        sent = int(sender.stdout.readline())
    t.note(f"{sent / FLOOD_SECONDS:.0f} malformed calls a second")
    # A slow machine may not reach the rate, but most calls must have been sent.
    require(sent > MALFORMED_PER_SECOND * FLOOD_SECONDS / 2, f"{sent} malformed calls in {FLOOD_SECONDS} s")
    honest.require_served(t, what)


def let_in(stack, scene, uid, count, most):
    """Returns the number of accepted clients, after the others were refused for lack of room."""
    process = stack.enter_context(helper(CROWD, scene.socket, count, uid, most))
    require_equal(process.stdout.readline(), "connected\n", "the crowd")
    stay, refused = map(int, process.stdout.readline().split())
    require_equal((stay, refused), (most, count - most), f"uid {uid}: let in, and refused")


def warm_up(scene):
    """Uses every code path once, so that one-time allocations have been made."""
    scene.theft()
    with contextlib.ExitStack() as stack:
        for n, uid in enumerate(USERS[:4]):
            let_in(stack, scene, uid, PER_USER_MAX, min(PER_USER_MAX, CLIENTS_MAX - FOR_ROOT - n * PER_USER_MAX))
        with scene.client() as client:
            client.call("ListRules")
    wait_alone(scene)
    with helper(FLOOD, scene.socket, MALFORMED_PER_SECOND, 1) as sender:
        sender.stdout.readline()
    wait_alone(scene)


def wait_alone(scene, clients=1):
    """Waits until the daemon has closed the connections of the crowd, too."""
    deadline = time.monotonic() + harness.ALERT_TIMEOUT
    while True:
        with scene.client() as client:
            if client.call("GetStatus")["clients"] == clients:
                return
        require(time.monotonic() < deadline, "clients that have gone are still there")
        time.sleep(0.05)


def one_user(t, scene):
    """A thousand clients of one user: sixteen are accepted."""
    with contextlib.ExitStack() as stack:
        let_in(stack, scene, USERS[0], IDLE, PER_USER_MAX)
        flood(t, scene, f"{IDLE} clients of one user")
    wait_alone(scene)


def ten_users(t, scene):
    """A thousand clients of ten users: as many are accepted as there may be, except for those that are reserved for
    root."""
    left = CLIENTS_MAX - FOR_ROOT
    with contextlib.ExitStack() as stack:
        for uid in USERS:
            most = min(PER_USER_MAX, left)
            let_in(stack, scene, uid, IDLE // len(USERS), most)
            left -= most
        require_equal(left, 0, "places left")
        flood(t, scene, f"{IDLE} clients of {len(USERS)} users")
        with scene.client() as client:
            require(client.call("GetStatus")["clients"] > CLIENTS_MAX - FOR_ROOT, "the idle ones are gone")
    wait_alone(scene)


def no_descriptors(scene, net, home):
    """Accepting fails: connected clients are answered, thefts raise alerts, nothing spins, and waiting clients are
    answered as soon as possible. With a daemon that may have fewer descriptors than clients."""
    with contextlib.ExitStack() as stack:
        few = Crowded(net, home)
        few.bw.command = ["prlimit", f"--nofile={scene.descriptors() + DESCRIPTORS_SPARE}", *few.bw.command]
        stack.enter_context(few.bw)
        crowd = [stack.enter_context(few.client()) for _ in range(CLIENTS_MAX)]
        few.bw.wait(lambda: few.bw.stderr_since(0, "Failed to accept a client"), harness.ALERT_TIMEOUT, "the warning")
        served = crowd[0].call("GetStatus")["clients"]
        # One more or less: the other daemon may have had a client when its descriptors were counted.
        require(0 < served <= DESCRIPTORS_SPARE + 1, f"{served} clients are served")
        last = crowd[-1]
        last.send("GetStatus")
        last.socket.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            raise Failure(f"answered without a descriptor: {last.receive()}")
        few.theft()
        ticks = busy_ticks(few.bw.pid)
        time.sleep(1)  # what is measured is that nothing happens
        require(busy_ticks(few.bw.pid) - ticks < BUSY_TICKS_MAX, "it burns the processor")
        require_equal(crowd[0].call("GetStatus")["clients"], served, "clients, with some that wait")
        for client in crowd[:-1]:
            client.socket.close()
        last.socket.settimeout(varlink.TIMEOUT)
        require_equal(last.receive()[0]["pid"], few.bw.pid, "who has waited")
        wait_alone(few, 2)
        few.theft()
        few.bw.stop()
        few.bw.require_no_loss()


def busy_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def flat(t, scene, before):
    deadline = time.monotonic() + harness.ALERT_TIMEOUT
    # The daemon has to close the connection of the last client, too.
    while scene.descriptors() != before[1]:
        require(time.monotonic() < deadline, f"{scene.descriptors()} descriptors, there were {before[1]}")
        time.sleep(0.05)
    resident = scene.resident() - before[0]
    t.note(f"anonymous memory grew by {resident >> 10} KiB")
    sanitized = b"__asan_init" in open(harness.BARBWIRED, "rb").read()
    require(sanitized or resident < RSS_GROWTH_MAX, f"grown by {resident >> 10} KiB")


def no_loss(scene):
    scene.bw.stop()
    scene.bw.require_no_loss()


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * IDLE:
        tap.skip_all("too few descriptors", environment=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * IDLE), hard))
    with cases() as (t, net, home):
        scene = Crowded(net, home)
        with scene.bw:
            scene.open_to_all()
            descriptors = scene.descriptors()
            warm_up(scene)
            before = scene.resident(), descriptors
            t.case(f"{IDLE} idle clients of one user, a flood, and an honest one", one_user, t, scene)
            t.case(f"{IDLE} idle clients of {len(USERS)} users, a flood, and an honest one", ten_users, t, scene)
            t.case("no descriptor left: goes on, and recovers", no_descriptors, scene, net, home)
            t.case("memory and descriptors are as before", flat, t, scene, before)
            t.case("no loss", no_loss, scene)


if __name__ == "__main__":
    main()
