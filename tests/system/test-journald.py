#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""S09: a journal that is frozen, away or full. Whatever happens to journald, every theft has its entry, exactly one,
late at worst; the daemon answers all the time; and what the journal itself throws away is at least still known here.

In a systemd of its own (tests/lib/systemd-box). usage: test-journald.py [--long] (frozen for 30 s instead of 12)"""

import contextlib
import errno
import json
import os
import signal
import statistics
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))

import harness
import service
import tap
import varlink
from net import Net
from service import (UNIT, Thefts, as_text, configure, journal_entries, last_words, main_pid, run, show, systemctl,
                     wait_until)
from tap import require, require_equal

THEFTS, PARALLEL, PORT = 1000, 16, 443
# Longer than status, and the alert that tells how late it was, have patience for (losses.h).
FROZEN_SECONDS = 30 if "--long" in sys.argv else 12
PATIENCE_SECONDS = 10
MARKED_MS = 5000
# The promise. The machine is shared, and has pauses of its own; a reload is one, too, as the policy is compiled in the loop: so
# few may take longer, and then so long.
ANSWER_SECONDS, SLOW_ANSWERS, ANSWER_MAX_SECONDS = 0.1 * tap.SLOW, 2, 2 * tap.SLOW
DRAIN_TIMEOUT = 60
# What the daemon has open for a moment while it loads; fewer than the clients that root may have (query-server.c).
START_DESCRIPTORS = 35
JOURNALD = ("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket",
            "systemd-journald-audit.socket")
THEFT_ID, DELAY_ID = (line.split('"')[1] for name in ("THEFT", "DELAY")
                      for line in open(os.path.join(harness.SOURCE_ROOT, "daemon/message-ids.h"), encoding="utf-8")
                      if line.startswith(f"#define MESSAGE_ID_{name} "))


class Poller(threading.Thread):
    """Asks GetStatus over and over, on a new connection each time as barbwirectl does, and notes how long it took."""

    def __init__(self):
        super().__init__(daemon=True)
        self.took, self.worst_status, self.failure, self.ends = [], None, None, threading.Event()

    def run(self):
        try:
            while not self.ends.wait(0.02):
                begin = time.monotonic()
                status = varlink.call("GetStatus")
                self.took.append(time.monotonic() - begin)
                if not self.worst_status or status["alerts"]["waiting"] >= self.worst_status["alerts"]["waiting"]:
                    self.worst_status = status
        except (OSError, EOFError, varlink.VarlinkError) as error:
            self.failure = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.ends.set()
        self.join()

    def require_quick(self, t):
        require(self.failure is None, f"GetStatus: {self.failure}")
        took = sorted(self.took)
        slow = [seconds for seconds in took if seconds > ANSWER_SECONDS]
        t.note(f"{len(took)} answers: median {statistics.median(took) * 1000:.1f} ms, p99 {took[len(took) * 99 // 100] * 1000:.1f} ms, "
               f"max {took[-1] * 1000:.1f} ms; at most {self.worst_status['alerts']['waiting']} alerts waited")
        require(len(slow) <= max(SLOW_ANSWERS, len(took) // 100) and took[-1] < ANSWER_MAX_SECONDS, f"slow answers: {slow[-10:]}")


class Burglary:
    """THEFTS thefts by as many processes, each of a key of its own."""

    def __init__(self, net, home, name, count=THEFTS):
        self.net, self.count = net, count
        self.directory = os.path.join(home.root, b"home", name, b".ssh")
        for n in range(count):
            home.decoy(self.path(n))

    def path(self, n):
        return os.path.join(self.directory, b"id_run_%04u" % n)

    def start(self):
        command = [harness.program("load-burglar"), self.directory, str(self.count), str(PARALLEL), str(PORT)]
        return self.net.popen(command, stdout=service.subprocess.DEVNULL)

    def commit(self):
        require_equal(self.start().wait(harness.ARMED_TIMEOUT), 0, "the burglars' exit status")

    def entries(self):
        """{path: [its entries]} in the journal."""
        found = {os.fsdecode(self.path(n)): [] for n in range(self.count)}
        for entry in journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"MESSAGE_ID={THEFT_ID}"):
            if entry.get("BARBWIRE_FILE") in found:
                found[entry["BARBWIRE_FILE"]].append(entry)
        return found

    def require_told_once(self):
        """Waits until the last one is there; then each is, once, and they are in the order in which they were made."""
        wait_until(lambda: all(self.entries().values()), f"{self.count} thefts in the journal", DRAIN_TIMEOUT)
        entries = self.entries()
        twice = {path: len(told) for path, told in entries.items() if len(told) != 1}
        require(not twice, f"not told once: {twice}")
        return [told[0] for told in entries.values()]


def journald_pid():
    return int(show("MainPID", JOURNALD[0]))


def require_nothing_lost(before):
    losses = {loss["cause"]: loss["count"] for loss in varlink.call("GetStatus")["losses"]}
    grown = {cause: count - before[cause] for cause, count in losses.items()
             if count != before[cause] and cause not in ("recursion_misses", "repeat_gone")}
    require(not grown, f"losses: {grown}")


def losses():
    return {loss["cause"]: loss["count"] for loss in varlink.call("GetStatus")["losses"]}


def waits(status):
    """What it says of that; a box is degraded for other reasons."""
    return [reason for reason in status["degraded"] if "alerts wait" in reason]


def enabled(thefts):
    service.install()
    systemctl("enable", "--now", UNIT)
    thefts.play()


def frozen(t, net, home):
    """SIGSTOP: its socket takes some hundred entries, and then nothing."""
    burglary, before, pid = Burglary(net, home, b"frozen"), losses(), main_pid()
    journald = journald_pid()
    with Poller() as poller:
        os.kill(journald, signal.SIGSTOP)
        try:
            burglary.commit()
            wait_until(lambda: poller.worst_status and poller.worst_status["alerts"]["waiting"], "alerts that wait")
            # The state itself: nothing is to happen.
            time.sleep(FROZEN_SECONDS)
            status = varlink.call("GetStatus")
        finally:
            os.kill(journald, signal.SIGCONT)
        require(waits(status), f"not degraded: {status['degraded']}")
        waited = status["alerts"]["waiting"]
        told = burglary.require_told_once()
    poller.require_quick(t)
    require_nothing_lost(before)
    require_equal(main_pid(), pid, "the daemon")
    wait_until(lambda: not waits(varlink.call("GetStatus")), "nothing waits")

    late = [int(entry["BARBWIRE_DELAYED_MS"]) for entry in told if "BARBWIRE_DELAYED_MS" in entry]
    t.note(f"{waited} waited; {len(late)} of {len(told)} say that they are late, by {max(late, default=0)} ms at most")
    # Others of this machine may have waited, too.
    require(THEFTS // 2 < len(late) <= waited, f"{len(late)} alerts say that they are late, {waited} have waited")
    require(min(late) > MARKED_MS and max(late) >= FROZEN_SECONDS * 1000, f"late by {min(late)} to {max(late)} ms")
    for entry in told:
        require_equal(json.loads(entry["BARBWIRE_JSON"]).get("delayed_ms"),
                      int(entry["BARBWIRE_DELAYED_MS"]) if "BARBWIRE_DELAYED_MS" in entry else None, "delayed_ms")
    delays = journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"MESSAGE_ID={DELAY_ID}")
    late = [int(entry["BARBWIRE_DELAYED_MS"]) for entry in
            journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"MESSAGE_ID={THEFT_ID}", "BARBWIRE_REPEATS=0")
            if "BARBWIRE_DELAYED_MS" in entry]
    require_equal([(entry["BARBWIRE_COUNT"], entry["BARBWIRE_DELAYED_MS"]) for entry in delays],
                  [(str(len(late)), str(max(late)))], "the alert that tells how late it was")


def in_order(net, home):
    """What is told late is told in the order in which it happened."""
    entries = journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"MESSAGE_ID={THEFT_ID}")
    times = [int(entry["BARBWIRE_TIME"]) for entry in entries if "/frozen/" in as_text(entry.get("BARBWIRE_FILE"))]
    require(len(times) == THEFTS, f"{len(times)} entries")
    # Two processors may finish their records the other way round than they read the clock.
    late = [b - a for a, b in zip(times, times[1:]) if b < a - 100000]
    require(not late, f"out of order, by µs: {late[:10]}")


def away(t, net, home):
    """Stopped with its sockets, and started again: what was stolen meanwhile is told, and which policies were loaded."""
    burglary, before = Burglary(net, home, b"away", 200), losses()
    # What it has taken it has read: its socket's queue dies with it.
    run("journalctl", "--sync")
    with Poller() as poller:
        systemctl("stop", *JOURNALD, check=False)
        require(not os.path.exists("/run/systemd/journal/socket") or show("ActiveState", JOURNALD[1]) == "inactive",
                "journald is still there")
        try:
            burglary.commit()
            systemctl("reload", UNIT)
            wait_until(lambda: varlink.call("GetStatus")["alerts"]["waiting"] > burglary.count, "alerts that wait")
        finally:
            systemctl("start", *reversed(JOURNALD))
        burglary.require_told_once()
    poller.require_quick(t)
    require_nothing_lost(before)
    wait_until(lambda: varlink.call("GetStatus")["alerts"]["waiting"] == 0, "nothing waits")


def stopped_while_frozen(thefts, net, home):
    """What nobody has taken at the end is not told, but said."""
    burglary, journald = Burglary(net, home, b"stopped"), journald_pid()
    since = show("InactiveExitTimestamp")
    os.kill(journald, signal.SIGSTOP)
    try:
        burglary.commit()
        wait_until(lambda: varlink.call("GetStatus")["alerts"]["waiting"] > 0, "alerts that wait")
        begin = time.monotonic()
        systemctl("stop", "--no-block", UNIT)
        # Without the journal: systemctl asks systemd.
        wait_until(lambda: show("ActiveState") == "inactive", "stopped while the journal is frozen")
        require(time.monotonic() - begin < 5, "it takes too long to stop")
    finally:
        os.kill(journald, signal.SIGCONT)
    require(since, "never started")
    systemctl("start", UNIT)
    thefts.play()


def full(t, net, home):
    """A journal whose disk is full throws entries away without a word to who sent them: the daemon must live on, know
    its alerts, and be heard again when there is room."""
    mounted = "/run/log/journal" if os.path.isdir("/run/log/journal") else "/var/log/journal"
    run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", mounted)
    filler = os.path.join(mounted, "filler")
    burglary, pid, before = Burglary(net, home, b"full", 50), main_pid(), losses()
    try:
        systemctl("restart", JOURNALD[0])
        run("journalctl", "--sync")
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as out:
            while True:
                out.write(bytes(1 << 16))
        with Poller() as poller:
            burglary.commit()
            wait_until(lambda: len([a for a in varlink.list_alerts() if "/full/" in a["files"][0]["path"]])
                       == burglary.count, "alerts for queries")
        poller.require_quick(t)
        require_equal(main_pid(), pid, "the daemon")
        require_nothing_lost(before)
        os.unlink(filler)
        later = Burglary(net, home, b"room", 50)
        later.commit()
        later.require_told_once()
    finally:
        run("umount", "-l", mounted)
        systemctl("restart", JOURNALD[0])
    wait_until(lambda: varlink.call("GetStatus")["alerts"]["waiting"] == 0, "nothing waits")


@contextlib.contextmanager
def no_room_in_run():
    """Neither for a byte nor for a name."""
    options, room = "remount,nosuid,nodev,mode=755", os.statvfs("/run")
    used, names = (room.f_blocks - room.f_bfree) * room.f_frsize, room.f_files - room.f_ffree
    fillers = []
    run("mount", "-o", f"{options},size={used + (1 << 20)},nr_inodes={names + 64}", "/run")
    try:
        with contextlib.suppress(OSError):
            while True:
                fillers.append(f"/run/filler-{len(fillers)}")
                with open(fillers[-1], "wb", buffering=0) as out:
                    while len(fillers) == 1 and out.write(bytes(4096)):
                        pass
        with contextlib.suppress(OSError):
            while True:
                fillers.append(f"/run/filler-{len(fillers)}")
                os.close(os.open(fillers[-1], os.O_CREAT | os.O_WRONLY, 0o600))
        try:
            os.mkdir("/run/filler-directory")
            raise tap.Failure("/run is not full")
        except OSError as error:
            require_equal(error.errno, errno.ENOSPC, "a directory in /run")
        yield
    finally:
        for filler in fillers:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(filler)
        run("mount", "-o", f"{options},size=50%,nr_inodes=1m", "/run")


def run_full(t, net, home):
    """What runs needs nothing there. What is to be started then may fail, says so, and misses nothing once there is room."""
    journal = "/run/log/journal"
    run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", journal)
    systemctl("restart", JOURNALD[0])
    burglary, unseen, before = Burglary(net, home, b"run", 50), Burglary(net, home, b"unseen", 50), losses()
    try:
        with no_room_in_run():
            with Poller() as poller:
                burglary.commit()
                burglary.require_told_once()
            poller.require_quick(t)
            require_nothing_lost(before)
            alone = run(harness.BARBWIRED, "--listen=/run/other.socket", check=False)
            require_equal(alone.returncode, 1, "exit status without room for a socket")
            require("--listen=/run/other.socket: No space left on device" in alone.stderr, alone.stderr)
            pid, restarts = main_pid(), int(show("NRestarts"))
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: main_pid() != pid, "the daemon's end")
            unseen.commit()
            # It comes back at once, or systemd tries again and again.
            wait_until(lambda: show("ActiveState") == "active" or int(show("NRestarts")) > restarts + 1, "another start")
            t.note(f"killed while /run is full: {show('ActiveState')}, {show('Result')}")
        wait_until(lambda: show("ActiveState") == "active" and main_pid() not in (0, pid), "back", harness.ARMED_TIMEOUT)
        unseen.require_told_once()
    finally:
        run("umount", "-l", journal)
        systemctl("restart", JOURNALD[0])


def no_descriptors():
    """Clients that hold all descriptors there are: others wait, and are answered when one is free."""
    def descriptors():
        # Of a daemon that has taken over from another one, as the one with few will: it holds what systemd passed, too.
        systemctl("restart", UNIT)
        return len(os.listdir(f"/proc/{main_pid()}/fd"))

    used, clients = descriptors(), []
    require_equal(descriptors(), used, "descriptors after one more restart")
    configure(f"[Service]\nLimitNOFILE={used + START_DESCRIPTORS}\n")
    try:
        systemctl("restart", UNIT)
        pid = main_pid()
        clients = [varlink.Connection() for _ in range(START_DESCRIPTORS + 10)]
        for client in clients:
            client.send("GetStatus")
        require_equal(clients[0].receive()[0]["pid"], pid, "who answers")
        clients[-1].socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            clients[-1].receive()
            raise tap.Failure("no descriptor is left, and a client was accepted")
        clients[-1].socket.settimeout(varlink.TIMEOUT)
        for client in clients[:START_DESCRIPTORS]:
            client.socket.close()
        require_equal(clients[-1].receive()[0]["pid"], pid, "who answers")
        require_equal(varlink.call("GetStatus")["pid"], pid, "a new client")
    finally:
        for client in clients:
            client.socket.close()
        configure(None)
        systemctl("restart", UNIT)


def inside():
    service.forget_machine()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        thefts = Thefts(net, home)
        if not t.case("installed", enabled, thefts):
            t.note(last_words())
        t.case(f"frozen for {FROZEN_SECONDS} s under {THEFTS} thefts: each told once, late, and queries answered",
               frozen, t, net, home)
        t.case("told in order", in_order, net, home)
        t.case("stopped and started, with its sockets: nothing is lost", away, t, net, home)
        t.case("the disk is full: it lives, and is heard again", full, t, net, home)
        t.case("/run is full: it watches on, and is back when there is room", run_full, t, net, home)
        t.case("no descriptors: answers come when there are some", no_descriptors)
        t.case("SIGTERM while the journal is frozen", stopped_while_frozen, thefts, net, home)
    t.done()


if __name__ == "__main__":
    service.main(__file__, inside)
