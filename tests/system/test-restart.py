#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No gap when the daemon is killed, restarted, hung or upgraded. Events in between raise alerts, no alert has two ids,
and marks are kept. After a stop nothing is left.

Runs itself in a systemd of its own (tests/box/systemd-box). --long: more repetitions."""

import json
import os
import re
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import harness
import service
from net import HOST_V4
from service import UNIT, PatientThief, configure, main_pid, run, show, systemctl, wait_until
from stream import (Journal, Stream, alerts_by_file, faults, logged, messages_of, now, require_all_alerted,
                    wait_logged)
from tap import Skip, require, require_equal

LONG = "--long" in sys.argv
# Action=deny: at least so many thefts are refused around each kill.
THEFTS_A_KILL = 5
KILLS, RESTARTS, THEFTS, STARTS = (100, 50, 2000, 5) if LONG else (6, 3, 120, 3)
# From the latest start until all alerts are in the journal.
CAUGHT_UP_SECONDS = 5
# The kernel frees programs and maps after RCU grace periods and from work queues.
GONE_TIMEOUT = 5
IMPATIENT_SECONDS = 3
# Longer than the delay from which on an alert counts as late (barbwire.journal-fields(7)).
AWAY_SECONDS = 6
CONFIGURATION = "/etc/barbwire/barbwire.conf"
POLICY = "/etc/barbwire/policy.d"
QUICK = "[Service]\nRestartSec=100ms\n"


def is_back(pid):
    wait_until(lambda: show("ActiveState") == "active" and main_pid() not in (0, pid), "back", harness.ARMED_TIMEOUT)


def kill(how=signal.SIGKILL):
    pid = wait_until(main_pid, "a daemon to kill")
    os.kill(pid, how)
    return pid


# ---- the cases ----

def started(thefts):
    service.install()
    configure(QUICK)
    systemctl("enable", "--now", UNIT)
    require(int(show("NFileDescriptorStore")) > 30, f"kept: {show('NFileDescriptorStore')}")
    thefts.play()


def again_and_again(thefts, t, times, end, what):
    since = now()
    with Stream(thefts) as stream:
        for number in range(times):
            end()
            # The thieves continue while it starts, and some time after.
            stream.wait_for(THEFTS * (number + 1) // times)
    is_back(0)
    messages = messages_of(since)
    over = sum(m.startswith("Adopted the BPF programs") for m in messages)
    empty = sum("Starting with empty state" in m for m in messages)
    require_equal((over, empty), (times, 0), "adopted, started with empty state")
    summary = require_all_alerted(stream, since, what)
    t.note(summary)
    require(float(re.search(r"all alerts ([0-9.]+) s", summary)[1]) < CAUGHT_UP_SECONDS, summary)
    require_equal(faults(since), [], "losses")


def end_by_kill():
    pid, restarts = kill(), int(show("NRestarts"))
    wait_until(lambda: int(show("NRestarts")) > restarts or main_pid() not in (0, pid), "the kill",
               harness.ARMED_TIMEOUT)
    is_back(pid)


def end_by_restart():
    systemctl("restart", UNIT)


def mark_lives_on(thefts, end):
    path = thefts.home.key()[0]
    with PatientThief(thefts.net, path) as thief:
        end()
        thief.send()
    require_equal(thefts.wait_alert(path)["BARBWIRE_CLASS"], "ssh-private-keys", "the class")


def while_away(thefts):
    configure(f"[Service]\nRestartSec={AWAY_SECONDS}\n")
    try:
        path = thefts.home.key()[0]
        with PatientThief(thefts.net, path) as thief:
            pid = kill()
            wait_until(lambda: show("SubState") == "auto-restart", "no daemon")
            thief.send()
            require_equal(main_pid(), 0, "the daemon, when it was sent")
            is_back(pid)
        entry = thefts.wait_alert(path)
        late = int(entry.get("BARBWIRE_DELAYED_USEC", "0"))
        require(AWAY_SECONDS * 800_000 < late < AWAY_SECONDS * 1_000_000 + 5_000_000, f"BARBWIRE_DELAYED_USEC: {late}")
    finally:
        configure(QUICK)


def denied(thefts, t):
    """Action=deny holds while the daemon is dead, and again and again when it is killed: nothing is delivered, and
    everything has its alert."""
    deny = f"{POLICY}/95-deny.conf"
    os.makedirs(POLICY, exist_ok=True)
    with open(deny, "w", encoding="utf-8") as out:
        out.write(harness.policy_class("zzz-denied", ["/srv/denied/**"], Action="deny"))
    since = now()
    systemctl("reload", UNIT)
    # The reload goes on after systemctl: a daemon that is killed before its end has left the old policy in the kernel.
    wait_logged("^policy reloaded: ", since, "the policy that denies")
    configure(f"[Service]\nRestartSec={AWAY_SECONDS}\n")
    stolen = []

    def steal():
        path, secret = thefts.home.decoy(b"/srv/denied/%d" % len(stolen))
        stolen.append((path, secret))
        result = thefts.net.run([harness.program("technique-out-tcp"), "blocking", path, HOST_V4, "443"])
        require("Operation not permitted" in result.stderr, f"not refused: {result.stderr}")
    try:
        pid = kill()
        wait_until(lambda: show("SubState") == "auto-restart", "no daemon")
        steal()
        require_equal(main_pid(), 0, "the daemon, when it was refused")
        configure(QUICK)
        is_back(pid)
        for number in range(KILLS):
            pid = kill()
            steal()
            while (main_pid() in (0, pid) or show("ActiveState") != "active"
                   or len(stolen) < THEFTS_A_KILL * (number + 1)):
                steal()
        for path, _ in stolen:
            require_equal(thefts.wait_alert(path)["BARBWIRE_ACTION"], "denied", f"action of {path}")
        thefts.play()
        arrived = [secret for _, secret in stolen if any(secret in entry[3] for entry in thefts.net.sink.arrived)]
        require_equal(arrived, [], "delivered")
        t.note(f"{len(stolen)} thefts refused under {KILLS} kills")
    finally:
        os.unlink(deny)
        configure(QUICK)
        systemctl("reload", UNIT)


def hung(thefts):
    configure(QUICK + f"WatchdogSec={IMPATIENT_SECONDS}\n")
    try:
        systemctl("restart", UNIT)
        path, since = thefts.home.key()[0], now()
        with PatientThief(thefts.net, path) as thief:
            pid = kill(signal.SIGSTOP)
            thief.send()
            is_back(pid)
        thefts.wait_alert(path)
        wait_logged("Watchdog timeout", since, "systemd's reason")
        wait_logged("^Adopted the BPF programs", since, "adoption")
    finally:
        configure(QUICK)
        systemctl("restart", UNIT)


def policy_changed(thefts):
    """A new class that sorts before all others must not get the bit of another."""
    path = thefts.home.key()[0]
    os.makedirs(POLICY, exist_ok=True)
    with PatientThief(thefts.net, path) as thief:
        with open(f"{POLICY}/00-first.conf", "w", encoding="utf-8") as out:
            out.write(harness.policy_class("aaa-first", ["/srv/payroll/**"]))
        end_by_kill()
        thief.send()
    require_equal(thefts.wait_alert(path)["BARBWIRE_CLASS"], "ssh-private-keys", "the class of the mark")
    entry, _ = thefts.play(thefts.home.decoy(b"/srv/payroll/2024.csv")[0])
    require_equal(entry["BARBWIRE_CLASS"], "aaa-first", "the new class")


def upgrade(thefts, t, change, what):
    """Other programs, or other tables, while thieves are at work; one has read before and sends afterwards, and one
    sent while no daemon was running."""
    before, away = thefts.home.key()[0], thefts.home.key()[0]
    since = now()
    configure(QUICK + "RestartSec=1\n")
    with PatientThief(thefts.net, before) as thief, PatientThief(thefts.net, away) as other:
        with Stream(thefts) as stream:
            stream.wait_for(5)
            kill()
            wait_until(lambda: show("SubState") == "auto-restart", "no daemon")
            other.send()
            change()
            wait_logged("^Replaced the BPF programs", since, "the upgrade")
            is_back(0)
            stream.wait_for(len(stream.paths) + 5)
        thief.send()
        thefts.wait_alert(before)
        thefts.wait_alert(away)
    t.note(require_all_alerted(stream, since, what))
    require_equal(faults(since), [], "losses")
    # The earlier programs and tables are gone, also from systemd.
    require(30 < int(show("NFileDescriptorStore")) < 64, f"kept: {show('NFileDescriptorStore')}")
    since = now()
    end_by_kill()
    wait_logged("^Adopted the BPF programs", since, "adoption after the upgrade")


def limits(text):
    def change():
        os.makedirs(os.path.dirname(CONFIGURATION), exist_ok=True)
        with open(CONFIGURATION, "w", encoding="utf-8") as out:
            out.write(f"[Correlator]\n{text}\n")
    return change


def patched(name, old, new):
    """A copy of the daemon with other bytes in its BPF programs, or besides them."""
    def change():
        program = re.search(r"path=(\S+)", show("ExecStart"))[1]
        with open(program, "rb") as source:
            code = source.read()
        require(code.count(old) >= 1 and len(old) == len(new), f"{old} in {program}")
        with open(f"/usr/local/sbin/{name}", "wb") as out:
            out.write(code.replace(old, new))
        os.chmod(f"/usr/local/sbin/{name}", 0o755)
        configure(f"{QUICK}ExecStart=\nExecStart=/usr/local/sbin/{name}\n")
    return change


def program_names():
    return {entry.get("name") for entry in json.loads(run("/usr/sbin/bpftool", "-j", "prog", "show").stdout)}


def other_programs(thefts, t):
    if not os.path.exists("/usr/sbin/bpftool"):
        raise Skip("needs bpftool")
    upgrade(thefts, t, patched("barbwired-other", b"bw_sys_exit", b"bw_sys_exiT"), "other programs")
    names = program_names()
    require("bw_sys_exiT" in names and "bw_sys_exit" not in names, f"programs: {names}")


def other_marks(thefts):
    """A version with another layout of marks cannot use the existing ones, and logs that."""
    path, since = thefts.home.key()[0], now()
    with PatientThief(thefts.net, path) as thief:
        patched("barbwired-marks", marks_layout() + b"\0", b"marks.x\0")()
        kill()
        wait_logged("^Replaced the BPF programs", since, "the upgrade")
        is_back(0)
        thief.send()
        thefts.play()
    lost = [e for e in logged(since) if e.get("BARBWIRE_CAUSE") == "marks_dropped"]
    require(len(lost) == 1 and int(lost[0]["BARBWIRE_COUNT"]) >= 1, f"marks_dropped: {lost}")
    require_equal(os.fsdecode(path) in alerts_by_file(since), False, "an alert of a mark that is gone")


# Runs barbwired with the descriptor of that name replaced by /dev/null, or removed from the store.
WRAPPER = r"""#!/usr/bin/python3
import os, socket, sys
names = os.environ["LISTEN_FDNAMES"].split(":")
for i, name in enumerate(names):
    if name.endswith(sys.argv[1]):
        os.dup2(os.open("/dev/null", os.O_RDWR), 3 + i)
        if sys.argv[2] == "missing":
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.sendto(b"FDSTOREREMOVE=1\nFDNAME=" + name.encode(), os.environ["NOTIFY_SOCKET"])
            names[i] = name[:-len(sys.argv[1])] + "nothing.1"
os.environ["LISTEN_FDNAMES"] = ":".join(names)
os.execv(sys.argv[3], sys.argv[3:])
"""


def event_version():
    with open(os.path.join(harness.SOURCE_ROOT, "bpf/abi/event.h"), encoding="utf-8") as source:
        return re.search(r"^#define BW_EVENT_VERSION (\d+)$", source.read(), re.MULTILINE)[1]


def marks_layout():
    """The name under which the table of marks is stored: its number is that of the layout."""
    with open(os.path.join(harness.SOURCE_ROOT, "daemon/sensor/load.c"), "rb") as source:
        return re.search(rb'\[SENSOR_MAP_MARKS\] = "(marks\.\d)"', source.read())[1]


def damaged(thefts, which, how):
    """A stored descriptor is wrong: one clear message, and a sensor that works."""
    program = re.search(r"path=(\S+)", show("ExecStart"))[1]
    with open("/usr/local/sbin/wrapper", "w", encoding="utf-8") as out:
        out.write(WRAPPER)
    os.chmod("/usr/local/sbin/wrapper", 0o755)
    since = now()
    configure(f"{QUICK}ExecStart=\nExecStart=/usr/local/sbin/wrapper {which} {how} {program}\n")
    try:
        systemctl("restart", UNIT)
    finally:
        configure(QUICK)
    thefts.play()
    messages = messages_of(since)
    require_equal(sum(which.removeprefix("link.") in m and "incomplete" in m for m in messages), 1,
                  f"the sentence: {messages}")
    require(any("Starting with empty state" in m for m in messages), f"{messages}")
    since = now()
    systemctl("restart", UNIT)
    wait_logged("^Adopted the BPF programs", since, "the new programs are adopted")


def parts_run(thefts, end):
    """The end of recvmsg(2) is examined by a program that another one calls through a table, which the kernel empties
    when its last descriptor is closed."""
    since = now()
    end()
    wait_logged("^Adopted the BPF programs", since, "the programs are adopted")
    path = thefts.home.key()[0]
    result = thefts.net.run([harness.program("technique-get-passed"), "scm", path, HOST_V4, "443"])
    require_equal(result.returncode, 0, f"the theft's exit status\n{result.stderr}")
    thefts.wait_alert(path)


def parts_gone(thefts, before):
    if not os.path.exists("/usr/sbin/bpftool"):
        raise Skip("needs bpftool")
    since = now()
    table, = (entry["id"] for entry in json.loads(run("/usr/sbin/bpftool", "-j", "map", "show").stdout)
              if ("map", entry["id"]) not in before and entry.get("name") == "bw_tails")
    run("/usr/sbin/bpftool", "map", "delete", "id", str(table), "key", "0", "0", "0", "0")
    pid = kill()
    wait_logged("^File descriptor store is incomplete: the program bw_returned_data has gone", since, "the reason")
    wait_logged("^Starting with empty state", since, "what follows")
    is_back(pid)
    parts_run(thefts, kill)


def back_to_installed(thefts):
    since = now()
    configure(QUICK)
    systemctl("restart", UNIT)
    wait_logged("^Replaced the BPF programs", since, "the way back is an upgrade, too")
    thefts.play()


def ours():
    """Our programs and maps in the kernel, without those of another barbwired that already ran on this machine."""
    return {(kind, entry["id"]) for kind in ("prog", "map")
            for entry in json.loads(run("/usr/sbin/bpftool", "-j", kind, "show").stdout or "[]")
            if entry.get("name", "").startswith(("bw_", "barbwire"))}


def stopped(thefts, before):
    if not os.path.exists("/usr/sbin/bpftool"):
        raise Skip("needs bpftool")
    path = thefts.home.key()[0]
    with PatientThief(thefts.net, path) as thief:
        systemctl("stop", UNIT)
        require_equal(show("NFileDescriptorStore"), "0", "kept")
        wait_until(lambda: not ours() - before, "nothing of ours in the kernel", GONE_TIMEOUT)
        since = now()
        systemctl("start", UNIT)
        thief.send()
        thefts.play()
    messages = messages_of(since)
    require(not any(m.startswith(("Adopted the BPF", "Replaced the BPF", "Starting with empty")) for m in messages),
            f"{messages}")
    require_equal(os.fsdecode(path) in alerts_by_file(since), False, "an alert of a mark from before the stop")


def measured(t):
    """The time from the first message of the daemon to armed."""
    def armed_after(act):
        since = now()
        act()
        entry = wait_logged("^armed: ", since, "armed")
        exec_start = int(show("ExecMainStartTimestampMonotonic"))
        return (int(entry["__MONOTONIC_TIMESTAMP"]) - exec_start) / 1000
    def cold():
        systemctl("stop", UNIT)
        systemctl("start", UNIT)
    over, anew = (sorted(armed_after(act) for _ in range(STARTS))[STARTS // 2] for act in (end_by_restart, cold))
    t.note(f"armed after its start, median of {STARTS}: {over:.0f} ms taking over, {anew:.0f} ms from nothing")
    require(over < anew, "taking over is slower")


def inside():
    before = ours() if os.path.exists("/usr/sbin/bpftool") else set()
    with service.cases(Journal) as (t, thefts):
        t.setup("systemd keeps the programs and tables", started, thefts)
        t.case(f"{KILLS} kills under {THEFTS} thefts: no alert missing", again_and_again, thefts, t, KILLS, end_by_kill,
               "kills")
        t.case(f"{RESTARTS} restarts under {THEFTS} thefts: no alert missing", again_and_again, thefts, t, RESTARTS,
               end_by_restart, "restarts")
        t.case("a mark is kept over a kill", mark_lives_on, thefts, end_by_kill)
        t.case("a mark is kept over a restart", mark_lives_on, thefts, end_by_restart)
        t.case("the parts of programs are kept over a kill", parts_run, thefts, kill)
        t.case("egress while no daemon runs has an alert, delivered late", while_away, thefts)
        t.case("Action=deny while no daemon runs, and under kills", denied, thefts, t)
        t.case("egress while it hangs has an alert by the next instance", hung, thefts)
        t.case("a policy changed meanwhile: marks keep their classes", policy_changed, thefts)
        t.case("upgrade: larger tables", upgrade, thefts, t, limits("MaxMarks=10000\nMaxProcesses=9000"),
               "larger tables")
        t.case("upgrade: another ring", upgrade, thefts, t, limits("RingBuffer=4M"), "another ring, smaller tables")
        t.case("upgrade: other programs", other_programs, thefts, t)
        t.case("upgrade: another layout of marks", other_marks, thefts)
        t.case("back to the installed version", back_to_installed, thefts)
        for which, how in ((f"ring.{event_version()}", "alien"), ("link.tp_btf/sched_process_exit", "missing"),
                           ("names.1", "missing")):
            t.case(f"{which} {how}: the sensor starts with empty state", damaged, thefts, which, how)
        t.case("a part of a program has gone: the sensor starts with empty state", parts_gone, thefts, before)
        t.case("stop: nothing is left; start: empty state", stopped, thefts, before)
        t.case("adopting is faster than a start with empty state", measured, t)


if __name__ == "__main__":
    service.main(__file__, inside)
