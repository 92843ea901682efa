#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""S09: a journal that is frozen, stopped or full. Whatever happens to journald, every theft has exactly one entry,
possibly late; the daemon answers all the time; and alerts that the journal itself discards are at least kept by the
daemon.

In a systemd of its own (tests/box/systemd-box). usage: test-journald.py [--long] (frozen for 30 s instead of 12)"""

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
sys.path.insert(0, os.path.join(HERE, "../harness"))

import harness
import service
import tap
import varlink
from message_ids import MESSAGE_IDS
from service import UNIT, as_text, configure, journal_entries, last_words, main_pid, run, show, systemctl, wait_until
from tap import require, require_equal

THEFTS, PARALLEL, PORT = 1000, 16, 443
# Longer than the limits of status and of the entry about a delay (losses.h).
FROZEN_SECONDS = 30 if "--long" in sys.argv else 12
PATIENCE_SECONDS = 10
MARKED_MS = 5000
# The guaranteed time. The machine is shared and has pauses of its own, and a reload compiles the policy in the loop: a
# few answers may take longer, up to this limit.
ANSWER_SECONDS, SLOW_ANSWERS, ANSWER_MAX_SECONDS = 0.1 * tap.SLOW, 2, 2 * tap.SLOW
DRAIN_TIMEOUT = 60
# Descriptors that the daemon has open for a moment while it loads; fewer than root's clients may be (query/server.c).
START_DESCRIPTORS = 35
JOURNALD = ("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket",
            "systemd-journald-audit.socket")
ALERT_ID, DELAY_ID = MESSAGE_IDS["ALERT"], MESSAGE_IDS["DELAY"]


class Poller(threading.Thread):
    """Calls GetStatus repeatedly, each time on a new connection like barbwirectl, and records the times."""

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
        t.note(f"{len(took)} answers: median {statistics.median(took) * 1000:.1f} ms, "
               f"p99 {took[len(took) * 99 // 100] * 1000:.1f} ms, max {took[-1] * 1000:.1f} ms; "
               f"at most {self.worst_status['alerts']['waiting']} alerts waited")
        require(len(slow) <= max(SLOW_ANSWERS, len(took) // 100) and took[-1] < ANSWER_MAX_SECONDS,
                f"slow answers: {slow[-10:]}")


class Burglary:
    """THEFTS thefts by as many processes, each of its own key."""

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
        """{path: [entries]} in the journal."""
        found = {os.fsdecode(self.path(n)): [] for n in range(self.count)}
        for entry in journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"MESSAGE_ID={ALERT_ID}"):
            if entry.get("BARBWIRE_FILE") in found:
                found[entry["BARBWIRE_FILE"]].append(entry)
        return found

    def require_written_once(self):
        """Waits for the last entry; then each theft has one entry, in the order of the thefts."""
        wait_until(lambda: all(self.entries().values()), f"{self.count} thefts in the journal", DRAIN_TIMEOUT)
        entries = self.entries()
        twice = {path: len(written) for path, written in entries.items() if len(written) != 1}
        require(not twice, f"not written once: {twice}")
        return [written[0] for written in entries.values()]


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
    """The reasons that concern the journal; a box is degraded for others."""
    return [reason for reason in status["degraded"] if "Alerts not delivered" in reason]


def enabled(thefts):
    service.install()
    systemctl("enable", "--now", UNIT)
    thefts.play()


def frozen(t, net, home):
    """SIGSTOP: its socket accepts some hundred entries, and then none."""
    burglary, before, pid = Burglary(net, home, b"frozen"), losses(), main_pid()
    journald = journald_pid()
    with Poller() as poller:
        os.kill(journald, signal.SIGSTOP)
        try:
            burglary.commit()
            wait_until(lambda: poller.worst_status and poller.worst_status["alerts"]["waiting"], "alerts that wait")
            # The frozen state itself: nothing happens meanwhile.
            time.sleep(FROZEN_SECONDS)
            status = varlink.call("GetStatus")
        finally:
            os.kill(journald, signal.SIGCONT)
        require(waits(status), f"not degraded: {status['degraded']}")
        waited = status["alerts"]["waiting"]
        written = burglary.require_written_once()
    poller.require_quick(t)
    require_nothing_lost(before)
    require_equal(main_pid(), pid, "the daemon")
    wait_until(lambda: not waits(varlink.call("GetStatus")), "nothing waits")

    late = [int(entry["BARBWIRE_DELAYED_USEC"]) / 1000 for entry in written if "BARBWIRE_DELAYED_USEC" in entry]
    t.note(f"{waited} waited; {len(late)} of {len(written)} are marked as late, "
           f"by {max(late, default=0):.0f} ms at most")
    # Alerts of other programs on this machine may have waited, too.
    require(THEFTS // 2 < len(late) <= waited, f"{len(late)} alerts are marked as late, {waited} have waited")
    require(min(late) > MARKED_MS and max(late) >= FROZEN_SECONDS * 1000,
            f"late by {min(late):.0f} to {max(late):.0f} ms")
    for entry in written:
        require_equal(json.loads(entry["BARBWIRE_JSON"]).get("delayed_ms"),
                      int(entry["BARBWIRE_DELAYED_USEC"]) // 1000 if "BARBWIRE_DELAYED_USEC" in entry else None,
                      "delayed_ms")
    delays = wait_until(lambda: journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"MESSAGE_ID={DELAY_ID}"),
                        "the entry about the delay")  # written after the last of the alerts
    late = [int(entry["BARBWIRE_DELAYED_USEC"]) for entry in
            journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"MESSAGE_ID={ALERT_ID}", "BARBWIRE_REPEATS=0")
            if "BARBWIRE_DELAYED_USEC" in entry]
    require_equal([(entry["BARBWIRE_COUNT"], entry["BARBWIRE_DELAYED_USEC"]) for entry in delays],
                  [(str(len(late)), str(max(late)))], "the entry about the delay")


def in_order(net, home):
    """Late alerts are written in the order of the events."""
    entries = journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"MESSAGE_ID={ALERT_ID}")
    times = [int(entry["BARBWIRE_TIME"]) for entry in entries if "/frozen/" in as_text(entry.get("BARBWIRE_FILE"))]
    require(len(times) == THEFTS, f"{len(times)} entries")
    # Two CPUs may submit their records in another order than they read the clock.
    late = [b - a for a, b in zip(times, times[1:]) if b < a - 100000]
    require(not late, f"out of order, by µs: {late[:10]}")


def away(t, net, home):
    """Stopped with its sockets, and started again: thefts and loaded policies of that time have their entries."""
    burglary, before = Burglary(net, home, b"away", 200), losses()
    # It must have read what it accepted, since the queue of its socket is lost with it.
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
        burglary.require_written_once()
    poller.require_quick(t)
    require_nothing_lost(before)
    wait_until(lambda: varlink.call("GetStatus")["alerts"]["waiting"] == 0, "nothing waits")


def stopped_while_frozen(thefts, net, home):
    """Alerts that were not accepted until the exit are not written, but logged."""
    burglary, journald = Burglary(net, home, b"stopped"), journald_pid()
    since = show("InactiveExitTimestamp")
    os.kill(journald, signal.SIGSTOP)
    try:
        burglary.commit()
        wait_until(lambda: varlink.call("GetStatus")["alerts"]["waiting"] > 0, "alerts that wait")
        begin = time.monotonic()
        systemctl("stop", "--no-block", UNIT)
        # Without the journal, systemctl asks systemd.
        wait_until(lambda: show("ActiveState") == "inactive", "stopped while the journal is frozen")
        require(time.monotonic() - begin < 5, "it takes too long to stop")
    finally:
        os.kill(journald, signal.SIGCONT)
    require(since, "never started")
    systemctl("start", UNIT)
    thefts.play()


def full(t, net, home):
    """A journal whose disk is full discards entries without notifying the sender: the daemon must continue, keep its
    alerts, and its entries must be stored again when there is room."""
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
        later.require_written_once()
    finally:
        run("umount", "-l", mounted)
        systemctl("restart", JOURNALD[0])
    wait_until(lambda: varlink.call("GetStatus")["alerts"]["waiting"] == 0, "nothing waits")


@contextlib.contextmanager
def no_room_in_run():
    """No room for a byte, nor for a name."""
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
    """A running daemon needs no room there. One that is started then may fail with a reason, and misses nothing once
    there is room."""
    journal = "/run/log/journal"
    run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", journal)
    systemctl("restart", JOURNALD[0])
    burglary, missed, before = Burglary(net, home, b"run", 50), Burglary(net, home, b"missed", 50), losses()
    try:
        with no_room_in_run():
            with Poller() as poller:
                burglary.commit()
                burglary.require_written_once()
            poller.require_quick(t)
            require_nothing_lost(before)
            alone = run(harness.BARBWIRED, "--listen=/run/other.socket", check=False)
            require_equal(alone.returncode, 1, "exit status without room for a socket")
            require("Failed to listen on /run/other.socket: No space left on device" in alone.stderr, alone.stderr)
            pid, restarts = main_pid(), int(show("NRestarts"))
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: main_pid() != pid, "the daemon's end")
            missed.commit()
            # It starts again at once, or systemd retries.
            wait_until(lambda: show("ActiveState") == "active" or int(show("NRestarts")) > restarts + 1,
                       "another start")
            t.note(f"killed while /run is full: {show('ActiveState')}, {show('Result')}")
        wait_until(lambda: show("ActiveState") == "active" and main_pid() not in (0, pid), "back",
                   harness.ARMED_TIMEOUT)
        missed.require_written_once()
    finally:
        run("umount", "-l", journal)
        systemctl("restart", JOURNALD[0])


def no_descriptors():
    """Clients use up all descriptors: others wait, and are answered when one is free."""
    def descriptors():
        # Counted in a daemon that has adopted the state of another one, as the one with few descriptors will: it has
        # those that systemd passed, too. It answers when it has closed what only a start needs.
        systemctl("restart", UNIT)
        with varlink.Connection() as client:
            client.send("GetStatus")
            client.receive()
            return len(os.listdir(f"/proc/{main_pid()}/fd")) - 1  # of this client

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
    with service.cases() as (t, thefts):
        net, home = thefts.net, thefts.home
        if not t.setup("installed", enabled, thefts):
            t.note(last_words())
        t.case(f"frozen for {FROZEN_SECONDS} s under {THEFTS} thefts: each has one entry, late, "
               "and queries are answered", frozen, t, net, home)
        t.case("written in order", in_order, net, home)
        t.case("stopped and started, with its sockets: nothing is lost", away, t, net, home)
        t.case("the disk is full: it continues, and entries are stored again", full, t, net, home)
        t.case("/run is full: it continues to monitor, and starts when there is room", run_full, t, net, home)
        t.case("no descriptors: answers when there are some", no_descriptors)
        t.case("SIGTERM while the journal is frozen", stopped_while_frozen, thefts, net, home)


if __name__ == "__main__":
    service.main(__file__, inside)
