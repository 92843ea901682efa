#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may ask the service, when its socket is there and when it is not, and what it still knows after a restart;
in a systemd of its own (tests/lib/systemd-box; --newer: a newer one)."""

import contextlib
import glob
import grp
import json
import os
import pwd
import re
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))

import harness
import journal_forger
import service
import tap
import varlink
from net import Net
from service import (BUILD, SOCKET_UNIT, UNIT, PatientThief, Thefts, as_text, configure, journal, journal_entries,
                     last_words, main_pid, run, show, states, systemctl, wait_message, wait_until)
from tap import require, require_equal

RUNNING, STOPPED, LISTENING = ("active", "active"), ("inactive", "inactive"), ("inactive", "active")
DIRECTORY = os.path.dirname(varlink.SOCKET)
MEMBER_UID, STRANGER_UID = 4001, 4002
# A service that failed would be started by the next query in the queue within a second.
FAILED_STARTS_MAX = 3
CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
import journal_forger, varlink
uid, *gids = map(int, sys.argv[2:])
journal_forger.become(uid, gids)
try:
    varlink.call("GetStatus")
    print("answered")
except OSError as error:
    print(type(error).__name__)
"""


def ids():
    return [alert["id"] for alert in varlink.list_alerts()]


def query_error():
    """None when a query is answered, else the class of its error."""
    try:
        varlink.call("GetStatus")
    except OSError as error:
        return type(error)
    return None


def asked_by(uid, gids):
    """What comes of a query by another user: "answered", or the error's class. It becomes that user late: Python
    itself may be where only root can read it."""
    return run(sys.executable, "-B", "-c", CLIENT, os.path.join(HERE, "../lib"), str(uid), *map(str, gids)).stdout


# ---- the socket ----

def installed():
    """Right after the installation, with nothing in between."""
    service.install()
    require_equal(states(), STOPPED, "service and socket")
    require_equal(open(f"{DIRECTORY}/selftest-decoy", encoding="ascii").read()[:18], "This is no secret.", "the decoy")
    result = systemctl("enable", "--now", "barbwire")
    require("arning" not in result.stderr, result.stderr)
    require_equal(states(), RUNNING, "service and socket")
    require_equal([systemctl("is-enabled", unit, check=False).stdout for unit in (UNIT, SOCKET_UNIT)],
                  ["enabled\n", "disabled\n"], "is-enabled")
    require_equal(varlink.call("GetStatus")["pid"], main_pid(), "who answers")


def access():
    group = grp.getgrnam("systemd-journal").gr_gid
    for path, mode, gid in ((DIRECTORY, 0o755, 0), (varlink.SOCKET, 0o660, group)):
        status = os.stat(path)
        require_equal((oct(status.st_mode & 0o7777), status.st_uid, status.st_gid), (oct(mode), 0, gid), path)
    require_equal(asked_by(MEMBER_UID, [group]), "answered\n", "a member of systemd-journal")
    require_equal(asked_by(STRANGER_UID, []), "PermissionError\n", "another user")
    require_equal(asked_by(pwd.getpwnam("barbwire").pw_uid, []), "PermissionError\n",
                  "another process of its user")


# ---- what it knows ----

def require_listed(wanted, what):
    """ListAlerts has exactly these, in this order."""
    got = varlink.list_alerts()
    for number, (one, other) in enumerate(zip(got, wanted)):
        require(one == other, f"{what}: alert {number}: got {json.dumps(one)}\nwanted {json.dumps(other)}")
    require_equal(len(got), len(wanted), f"{what}: alerts")


def same_as_journal(thefts):
    """An alert is one object, wherever it is read."""
    entry, _ = thefts.play()
    told = json.loads(entry["BARBWIRE_JSON"])
    require_equal(varlink.call("GetAlert", id=entry["BARBWIRE_ALERT_ID"])["alert"], told, "GetAlert")
    require_equal(varlink.list_alerts()[-1], told, "the last of ListAlerts")


def restart_keeps(thefts, restart):
    """The alert of what was done again is told again after a later one, and keeps its place."""
    first, second = thefts.home.key()[0], thefts.home.key()[0]
    with PatientThief(thefts.net, first) as thief:
        thief.send()
        thefts.wait_alert(first)
        thefts.play(second)
        thief.send()
    repeated = thefts.wait_alert(first, "1")
    thefts.play()
    before = varlink.list_alerts()
    require_equal(before[-3], json.loads(repeated["BARBWIRE_JSON"]), "the repeated one, third from the end")
    restart()
    require_listed(before, "after the restart")
    thefts.play()
    require_equal(ids()[:-1], [alert["id"] for alert in before], "after another alert")


def kill_and_wait():
    pid = main_pid()
    os.kill(pid, 9)
    wait_until(lambda: states() == RUNNING and main_pid() not in (0, pid), "restart by systemd", harness.ARMED_TIMEOUT)


def persistent(thefts):
    """From /var/log/journal, as well as from /run/log/journal where it was until now."""
    thefts.play()
    before = ids()
    run("mkdir", "/var/log/journal")
    run("systemd-tmpfiles", "--create", "--prefix", "/var/log/journal")
    run("journalctl", "--flush")
    require(not glob.glob("/run/log/journal/*/*.journal"), "the journal was not flushed")
    systemctl("restart", UNIT)
    require_equal(ids(), before, "after the restart")


def written_by_unit():
    """Entries that only the unit itself could have written, and the order, the repeats and the faults in them."""
    before = varlink.list_alerts()
    model = before[-1]
    made = {name: journal_forger.alert_like(model, name) for name in "abcdefg"}
    # Told in another order than they happened in.
    made["a"]["time"], made["b"]["time"] = "2026-02-02T00:00:02.000000Z", "2026-02-02T00:00:01.000000Z"
    again = dict(made["a"], repeats=7)
    # Its first report is gone: older than all whose first report is there.
    orphan = dict(made["g"], repeats=3)
    entry, write = journal_forger.entry_of, journal_forger.send_as_unit
    write(UNIT, [
        entry(made["a"]),
        entry(made["b"]),
        entry(made["c"], BARBWIRE_JSON=None),
        entry(made["d"], BARBWIRE_JSON=json.dumps(made["d"])[:-1]),
        entry(made["d"], BARBWIRE_JSON=json.dumps(made["b"])),
        entry(made["d"], BARBWIRE_JSON=json.dumps({"id": made["d"]["id"]})),
        entry(made["e"], BARBWIRE_ALERT_ID=None),
        entry(made["e"], MESSAGE_ID="aba72210cf344422b66c018e0c18b713"),
        entry(orphan),
        entry(made["f"]),
        entry(again),
        # What was told last cannot be read: what was told before counts.
        entry(made["b"], BARBWIRE_JSON="", BARBWIRE_REPEATS="1"),
    ])
    systemctl("restart", UNIT)
    require_listed([orphan] + before + [again, made["b"], made["f"]], "after the restart")
    # journald takes no back: the later cases begin where nothing was forged.
    run("journalctl", "--rotate")
    run("journalctl", "--vacuum-files=1")
    run("rm", "-rf", *glob.glob("/var/log/journal/*/system@*.journal"))
    systemctl("restart", UNIT)


def full_ring(thefts):
    """The newest that fit, by when they were told first."""
    configuration = "/etc/barbwire/barbwire.conf.d/50-test.conf"
    model = json.loads(thefts.play()[0]["BARBWIRE_JSON"])
    made = [journal_forger.alert_like(model, name) for name in "hijklm"]
    told = made[:3] + [dict(made[0], repeats=1)] + made[3:] + [dict(made[1], repeats=1), dict(made[4], repeats=1)]
    journal_forger.send_as_unit(UNIT, [journal_forger.entry_of(alert) for alert in told])
    os.makedirs(os.path.dirname(configuration), exist_ok=True)
    with open(configuration, "w", encoding="ascii") as out:
        out.write("[Query]\nMaxAlerts=3\n")
    try:
        systemctl("restart", UNIT)
        require_listed([made[3], dict(made[4], repeats=1), made[5]], "after the restart")
    finally:
        os.unlink(configuration)
    systemctl("restart", UNIT)


def documented_queries():
    """The matches of every journalctl command that our texts show."""
    root = harness.SOURCE_ROOT
    for path in [f"{root}/README.md", f"{root}/units/barbwire.catalog"] + glob.glob(f"{root}/daemon/man/*.scd"):
        with open(path, encoding="utf-8") as text:
            text = re.sub(r"\\+\n\s*", " ", text.read())
        for line in re.findall(r"^\s+(journalctl .*)|^(journalctl .*)", text, re.MULTILINE):
            yield path, (line[0] or line[1]).split("#")[0].split("|")[0]


def forged(thefts):
    """Entries that say that they are ours: by another user, by the same in a unit of our name, by our own user
    elsewhere, and by root."""
    model = json.loads(thefts.play()[0]["BARBWIRE_JSON"])
    before, own_uid = ids(), pwd.getpwnam("barbwire").pw_uid
    lies = {"_SYSTEMD_UNIT": UNIT, "_SYSTEMD_CGROUP": f"/system.slice/{UNIT}", "_UID": str(own_uid), "UNIT": UNIT,
            "OBJECT_SYSTEMD_UNIT": UNIT, "OBJECT_PID": str(main_pid()), "SYSLOG_IDENTIFIER": "barbwired"}
    users_unit = f"/sys/fs/cgroup/user.slice/user-{STRANGER_UID}.slice/user@{STRANGER_UID}.service/app.slice/{UNIT}"
    senders = {"stranger": {"uid": STRANGER_UID}, "users-unit": {"uid": STRANGER_UID, "cgroup": users_unit},
               "own-user-elsewhere": {"uid": own_uid}, "root": {"uid": 0},
               "root-in-unit": {"uid": 0, "cgroup": f"/sys/fs/cgroup/system.slice/{UNIT}"}}
    for name, sender in senders.items():
        alert = journal_forger.alert_like(model, name)
        journal_forger.send([journal_forger.entry_of(alert, MESSAGE=f"forged by {name}", **lies)], **sender)
    arrived = journal_entries("SYSLOG_IDENTIFIER=barbwired")
    for name in senders:
        require(any(e["MESSAGE"] == f"forged by {name}" for e in arrived), f"journald has not taken what {name} sent")

    systemctl("restart", UNIT)
    require_equal(ids(), before, "ListAlerts after the restart")
    queries = list(documented_queries())
    require(len(queries) > 3, f"found only {queries}")
    for path, query in queries:
        require(re.search(r"_SYSTEMD_UNIT=barbwire(-selftest)?\.service\b|-u barbwire\b", query), f"{path}: matches no unit: {query}")
    # Who is root may write into the unit itself: no match helps against that.
    for match, shown in (((f"_SYSTEMD_UNIT={UNIT}",), {"root-in-unit"}),
                         (("--unit", UNIT), {"root", "root-in-unit"})):
        got = {as_text(e["MESSAGE"])[len("forged by "):] for e in journal_entries(*match)
               if as_text(e["MESSAGE"]).startswith("forged by ")}
        require(got <= shown, f"journalctl {' '.join(match)} shows what was forged by {got}")


def without_journal():
    """It says so, and watches all the same."""
    since = len(journal())
    configure("[Service]\nSupplementaryGroups=\n")
    try:
        systemctl("restart", UNIT)
        wait_message("Cannot read earlier alerts", since, "what it says")
        require_equal(varlink.list_alerts(), [], "alerts")
    finally:
        configure(None)
        systemctl("restart", UNIT)


# ---- when the socket is there ----

class Follower(threading.Thread):
    """Follows until the service ends."""

    def __init__(self):
        super().__init__(daemon=True)
        self.connection = varlink.Connection()
        self.replies = self.connection.stream("Follow")
        self.alerts, self.ended = [], None
        require_equal(next(self.replies), {}, "the first reply")
        self.start()

    def run(self):
        try:
            for reply in self.replies:
                self.alerts += [reply["alert"]] if "alert" in reply else []
        except (EOFError, OSError) as error:
            self.ended = error


def reload_keeps_clients(thefts):
    follower = Follower()
    systemctl("reload", UNIT)
    entry, _ = thefts.play()
    wait_until(lambda: follower.alerts, "the alert after the reload")
    require_equal(follower.alerts, [json.loads(entry["BARBWIRE_JSON"])], "what was followed")
    systemctl("restart", UNIT)
    follower.join(service.WAIT_TIMEOUT)
    require(isinstance(follower.ended, (EOFError, ConnectionResetError)), f"after a restart: {follower.ended}")


def restart_while_asked():
    """Queries that are sent meanwhile wait, and are answered by the new one. A newer systemd restarts the socket as
    well, and they are refused for a moment."""
    before, errors, pids, over = main_pid(), set(), set(), threading.Event()

    def ask():
        while not over.is_set():
            try:
                pids.add(varlink.call("GetStatus")["pid"])
            except (EOFError, ConnectionResetError, BrokenPipeError):
                pass  # it was connected to the one that ends
            except OSError as error:
                errors.add(type(error))

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: pids, "an answer")
    systemctl("restart", UNIT)
    require_equal(varlink.call("GetStatus")["pid"], main_pid(), "who answers afterwards")
    over.set()
    asking.join()
    require(pids <= {before, main_pid()}, f"who answered: {pids}")
    require(errors <= ({ConnectionRefusedError, FileNotFoundError} if service.NEWER else set()), f"refused: {errors}")


def restarted_often():
    """More often than systemd lets other units be."""
    for _ in range(7):
        systemctl("restart", UNIT)
        require_equal((states(), query_error()), (RUNNING, None), "after a restart")


def stopped_means_stopped():
    follower = Follower()
    systemctl("stop", UNIT)
    require_equal(states(), STOPPED, "service and socket")
    require(not os.path.exists(varlink.SOCKET), "the socket's file stays")
    require_equal(query_error(), FileNotFoundError, "a query")
    require_equal(states(), STOPPED, "after the query")
    follower.join(service.WAIT_TIMEOUT)
    require(follower.ended, "a connection outlives the service")


def query_starts():
    """With the socket alone, as after `systemctl enable barbwire.socket` and a boot."""
    systemctl("disable", UNIT)
    systemctl("enable", "--now", SOCKET_UNIT)
    require_equal(states(), LISTENING, "service and socket")
    status = varlink.call("GetStatus")
    require_equal(states(), RUNNING, "after a query")
    require_equal(status["pid"], main_pid(), "who answers")
    # Again, after it was stopped: by the administrator's hand only.
    systemctl("stop", UNIT)
    require_equal(states(), STOPPED, "after stop")
    systemctl("start", SOCKET_UNIT)
    require_equal(varlink.call("GetStatus")["pid"], main_pid(), "who answers")
    systemctl("disable", "--now", SOCKET_UNIT)
    require_equal((states()[1], query_error()), ("inactive", FileNotFoundError), "socket and query after disable")
    # The watch does not depend on it, and a restart brings it back.
    require_equal(states()[0], "active", "the service without its socket")
    systemctl("restart", UNIT)
    require_equal((states(), query_error()), (RUNNING, None), "after a restart")


def start_comes_back():
    systemctl("stop", UNIT)
    systemctl("start", UNIT)
    require_equal((states(), query_error()), (RUNNING, None), "after a start")
    kill_and_wait()
    require_equal(query_error(), None, "a query after SIGKILL")


def failing_is_not_retried():
    """Neither by the queries that wait, nor by the next one."""
    program = re.search(r"path=(\S+)", show("ExecStart"))[1]
    configure(f"[Service]\nExecStart=\nExecStart={program} --no-such-option\n")
    try:
        systemctl("stop", UNIT)
        systemctl("start", SOCKET_UNIT)
        since = len(journal())
        waiting = []
        for _ in range(5):
            with contextlib.suppress(OSError):
                waiting.append(varlink.Connection())
        wait_until(lambda: states() == ("failed", "inactive"), "the end of it")
        for connection in waiting:
            connection.socket.close()
        require_equal(query_error(), FileNotFoundError, "a query")
        starts = [e for e in journal()[since:] if "unrecognized option" in as_text(e["MESSAGE"])]
        require(0 < len(starts) <= FAILED_STARTS_MAX, f"{len(starts)} starts")
    finally:
        systemctl("stop", UNIT)
        systemctl("reset-failed", UNIT, check=False)
        configure(None)


def watch_without_socket(thefts):
    """A socket that cannot be is no reason to be blind."""
    drop_in = f"/run/systemd/system/{SOCKET_UNIT}.d/50-test.conf"
    os.makedirs(os.path.dirname(drop_in), exist_ok=True)
    with open(drop_in, "w", encoding="ascii") as out:
        out.write("[Socket]\nSocketGroup=no-such-group\n")
    systemctl("daemon-reload")
    try:
        systemctl("start", UNIT)
        require_equal(states(), ("active", "failed"), "service and socket")
        thefts.play()
    finally:
        os.unlink(drop_in)
        systemctl("daemon-reload")
        systemctl("reset-failed", SOCKET_UNIT)
        systemctl("stop", UNIT)


# ---- the end ----

def files():
    """Everything that is called like us, and all of /usr/local, where nobody else installs anything meanwhile."""
    named = run("find", "/", "-xdev", "-name", "*barbwire*").stdout
    return set((named + run("find", "/usr/local").stdout).splitlines())


def uninstalled(before):
    """What stays is the administrator's policy, the journal, and the user, whom files may belong to."""
    systemctl("disable", "--now", UNIT)
    run("ninja", "-C", BUILD, "uninstall")
    systemctl("daemon-reload")
    for unit in (UNIT, SOCKET_UNIT):
        require_equal(show("LoadState", unit), "not-found", unit)
    left = sorted(path for path in files() - before if not re.match(r"/etc/barbwire(/|$)", path))
    require_equal(left, [], "left")
    # In /run, which the next boot empties.
    require_equal(sorted(os.listdir(DIRECTORY)), ["selftest-decoy"], DIRECTORY)


def inside():
    service.forget_machine()
    before = files()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        thefts = Thefts(net, home)
        if not t.case("install, enable --now: it answers", installed):
            t.note(last_words())
            t.done()
        t.case("members of systemd-journal may ask, others not", access)
        t.case("the same alert in journal and query", same_as_journal, thefts)
        t.case("a restart keeps alerts, ids, order and repeats", restart_keeps, thefts,
               lambda: systemctl("restart", UNIT))
        t.case("a crash keeps them, too", restart_keeps, thefts, kill_and_wait)
        t.case("so does a journal on disk", persistent, thefts)
        t.case("order, repeats and malformed entries", written_by_unit)
        t.case("more in the journal than are kept", full_ring, thefts)
        t.case("forged entries appear nowhere", forged, thefts)
        t.case("a journal that it may not read", without_journal)
        t.case("reload keeps those who follow, restart lets them go", reload_keeps_clients, thefts)
        t.case("restart while somebody asks", restart_while_asked)
        t.case("restart again and again", restarted_often)
        t.case("stop: a query is refused, and starts nothing", stopped_means_stopped)
        t.case("the socket alone: a query starts the service", query_starts)
        t.case("stop and start, SIGKILL: the socket is there again", start_comes_back)
        t.case("a service that cannot run is not started by queries", failing_is_not_retried)
        t.case("a socket that cannot be does not stop the watch", watch_without_socket, thefts)
        if not service.NEWER:  # of meson's, not of systemd's
            t.case("ninja uninstall leaves nothing of ours", uninstalled, before)
    t.done()


if __name__ == "__main__":
    service.main(__file__, inside)
