#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Journals of many hosts: outbreaks, heartbeats, and what follows as it is written. Needs no root and no daemon.

usage: test-fleet.py [--long]   (--long: 500 hosts and 200,000 alerts, with the limits of time and memory)"""

import contextlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import fleet
import harness
import journal_files
import journal_forger
import tap
from ctl import CTL, Ctl
from journal_files import BEGIN, DAY, alert, program, time_of
from message_ids import MESSAGE_IDS
from tap import require, require_equal

LONG = "--long" in sys.argv
HOSTS, ALERTS, DAYS = (500, 200000, 10) if LONG else (10, 1000, 10)
HOUR = 3600
NOW = BEGIN + 10 * DAY


def dated(host, alerts):
    """[(usec, entry)] of (seconds since BEGIN, number, what differs from the model)."""
    found = []
    for seconds, number, changes in alerts:
        usec = round((BEGIN + seconds) * 1e6)
        a = alert(host << 16 | number, seconds, **changes)
        found.append((usec, {**journal_forger.entry_of(a), **fleet.OF_HOST, "_HOSTNAME": f"host-{host:04}",
                             "_MACHINE_ID": f"{host:032x}", "BARBWIRE_TIME": str(usec)}))
    return found


def policy_entry(host, seconds, policy, before=None):
    fields = {"MESSAGE": "Policy changed", "MESSAGE_ID": MESSAGE_IDS["POLICY"], "BARBWIRE_POLICY": policy}
    usec = round((BEGIN + seconds) * 1e6)
    return [(usec, {**fleet.OF_HOST, **fields, **({"BARBWIRE_POLICY_BEFORE": before} if before else {}),
                    "_HOSTNAME": f"host-{host:04}", "_MACHINE_ID": f"{host:032x}", "BARBWIRE_TIME": str(usec)})]


def to(address, port=443):
    return {"address": address, "port": port, "text": f"{address}:{port}"}


def script(path, size):
    return {"process": {"exe": "/usr/bin/python3.11", "comm": "python3", "script": path,
                        "script_object": f"8:1/7/1.000000001/{size}"}}


LOW = {"severity": "low", "score": 30}


class Fleet:
    def __init__(self, directory, name):
        self.directory, self.ctl = f"{directory}/{name}", Ctl(f"{directory}/nobody")
        os.mkdir(self.directory)

    def host(self, host, entries):
        fleet.write(f"{self.directory}/remote-host-{host:04}.journal", sorted(entries, key=lambda e: e[0]))

    def clear(self):
        for name in os.listdir(self.directory):
            os.unlink(f"{self.directory}/{name}")

    def alerts(self, *args):
        return self.ctl.objects("alerts", "-D", self.directory, *args)


def outbreaks(directory):
    """A worm on three hosts, its like on two, hours apart, of another size, of another class, of the selftest."""
    f = Fleet(directory, "outbreaks")
    for host in (1, 2, 3):
        mine = program(f"/opt/own-{host}")
        f.host(host, dated(host, [
            (host * 600, 1, {**LOW, **program("/tmp/worm"), "destination": to(f"198.51.100.{host}")}),
            (host * 600 + 5, 2, {**LOW, **mine, "destination": to("203.0.113.9")}),
            (DAY + host * 2 * HOUR, 3, {**LOW, **program("/opt/slow"), "destination": to("203.0.113.1")}),
            (2 * DAY, 4, {**LOW, **script("/opt/job.py", 100 + host), "destination": to("127.0.0.1")}),
            (3 * DAY, 5, {**LOW, **program("/opt/two" if host < 3 else "/opt/three"), "destination": to("10.0.0.7")
                          if host < 3 else to("10.0.0.8")}),
            (4 * DAY, 6, {**LOW, **program("/usr/bin/barbwirectl"), "classes": ["barbwire-selftest"]}),
            (5 * DAY, 7, {"severity": "info", "score": 5, **script("/opt/known.py", 9)}),
            (6 * DAY, 8, {**LOW, **program("/opt/classes"), "classes": [f"class-{host}"],
                          "destination": to(f"10.0.1.{host}")}),
            (7 * DAY + host, 9, {**script("/opt/same.py", 77), "destination": to(f"10.0.2.{host}")}),
        ]) + (policy_entry(2, 60, "b" * 64, "a" * 64) if host == 2 else policy_entry(host, 30, "a" * 64)))
    found = f.alerts()
    number = {int(a["id"].split("-")[1], 16) & 0xffff: a for a in found}
    by_outbreak = {}
    for a in found:
        if "outbreak" in a:
            by_outbreak.setdefault(a["outbreak"]["id"], []).append(a)
    require_equal(sorted({int(a["id"].split("-")[1], 16) & 0xffff for a in found if "outbreak" in a}), [1, 2, 9],
                  "alerts of outbreaks")
    require_equal(sorted(len(members) for members in by_outbreak.values()), [3, 3, 3], "members")
    require_equal([number[i]["severity"] for i in (1, 2, 3, 9)], ["medium", "medium", "low", "high"], "severities")
    worm = number[1]["outbreak"]
    require_equal((worm["hosts"], worm["alerts"], worm["severity_before"], worm["first"], worm["last"]),
                  (3, 3, "low", time_of(BEGIN + 600), time_of(BEGIN + 1800)), "the worm")
    require_equal(worm["causes"], [{"program": "/tmp/worm", "class": "ssh-private-keys"}], "what they have in common")
    require_equal((worm["policy_changed_hosts"], worm["policy_changed"]),
                  (1, {"host": "host-0002", "time": time_of(BEGIN + 60)}), "the policy change before")
    require_equal(number[2]["outbreak"]["causes"], [{"destination": "203.0.113.9 443"}], "the destination")
    require_equal((number[9]["outbreak"]["policy_changed"], number[9]["outbreak"]["causes"]),
                  (None, [{"program": "/opt/same.py (77 bytes)", "class": "ssh-private-keys"}]), "the script")
    # The raised severity counts, whatever else is asked for; and no member is hidden.
    require_equal(len(f.alerts("-p", "medium")), 9, "of medium severity")
    require_equal(len(f.alerts("-S", time_of(BEGIN + 1500), "-U", time_of(BEGIN + 1900), "-p", "medium")), 2,
                  "of the end of an outbreak")
    out, _ = f.ctl.expect(0, "alerts", "-D", f.directory, "-n1")
    require_equal(len(re.findall(r"^Outbreak: 3 alerts on 3 hosts within ", out, re.MULTILINE)), 3, out)
    require_equal(len(re.findall(r"^host-000[123] ", out, re.MULTILINE)), 10, out)
    require("In common: the program /tmp/worm (class ssh-private-keys)." in out
            and "A policy change preceded it: on 1 of these hosts, the last on host-0002, " in out
            and "In common: the destination 203.0.113.9, port 443." in out, out)


NAMED = "[Class keys]\nPath=/k\n\n[Allow backup]\nClass=keys\nExe=/opt/backup\nDestination=203.0.113.9:443\n"


def named(directory):
    """A destination that a rule of this host names is none of an outbreak; the same at another port is one."""
    if os.geteuid() != 0:
        raise tap.Skip("needs root, for a policy of its own", environment=True)
    f, policy = Fleet(directory, "named"), f"{directory}/policy"
    os.makedirs(f"{policy}/barbwire/policy.d")
    for host in (1, 2, 3):
        f.host(host, dated(host, [(60 + 5 * n, n + 1, {**LOW, **program(f"/opt/own-{host}"),
                                                       "destination": to("203.0.113.9", port)})
                                  for n, port in enumerate((443, 8443))]))

    def causes():
        """With this directory as /etc, in a mount namespace of its own."""
        command = f.ctl.command("alerts", "-D", f.directory, "--json=short")
        done = subprocess.run(["unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc && shift && exec "$@"', "sh",
                               policy, *command], capture_output=True, text=True, timeout=60, check=True)
        return sorted({c["destination"] for line in done.stdout.splitlines()
                       for c in json.loads(line).get("outbreak", {"causes": []})["causes"]})

    require_equal(causes(), ["203.0.113.9 443", "203.0.113.9 8443"], "without a rule")
    with open(f"{policy}/barbwire/policy.d/90-test.conf", "w", encoding="ascii") as out:
        out.write(NAMED)
    require_equal(causes(), ["203.0.113.9 8443"], "with a rule")


def hosts(directory):
    """One of many was masked, one is degraded, one has another policy, one was stopped, one never had a daemon."""
    f = Fleet(directory, "hosts")
    for host in range(1, HOSTS + 1):
        moments = [(NOW - HOUR * (3 - i) + host % 60, "hour") for i in range(3)]
        changes = {}
        if host == 2:
            moments = moments[:1]
        elif host == 3:
            changes = {"BARBWIRE_HEALTH": "degraded", "BARBWIRE_DEGRADED": ["Hook x.", "Hook y."],
                       "BARBWIRE_TOTAL": "7"}
        elif host == 4:
            changes = {"BARBWIRE_POLICY": "6f" * 32}
        elif host == 5:
            moments[2] = (moments[2][0], "stop")
        entries = fleet.heartbeats(host, moments, **changes)
        if host == 6:
            entries = [(usec, {**entry, "MESSAGE_ID": "0" * 32}) for usec, entry in entries]
        if host == 7:  # what does not say when it was is no heartbeat: the one before it counts
            entries += fleet.heartbeats(7, [(NOW - HOUR / 4, "stop")], BARBWIRE_TIME="-5")
        if host == 2:  # a login user makes one up
            entries += [(usec, {**entry, "_UID": "1000"}) for usec, entry in
                        fleet.heartbeats(2, [(NOW - 60, "hour")])]
        f.host(host, entries)
    until = f"@{NOW}"
    out, err = f.ctl.expect(1, "hosts", "-D", f.directory, "-U", until)
    lines = [line.split() for line in out.splitlines()]
    require_equal([line[:2] for line in lines[:7]],
                  [["HOST", "STATE"], ["host-0002", "silent"], ["host-0006", "silent"], ["host-0005", "stopped"],
                   ["host-0003", "degraded"], ["host-0004", "policy"], ["host-0001", "ok"]], out)
    require(out.endswith(f"{HOSTS} hosts; 5 need attention.\n") and "process wrote them: 1." in err, out + err)
    require("but it sends its journal" in out and "never had a heartbeat, and sends its journal" in out, out)
    found = f.ctl.run("hosts", "-D", f.directory, "-U", until, "--json=short")
    found = [json.loads(line) for line in found.stdout.splitlines()]
    degraded = next(host for host in found if host["host"] == "host-0003")
    require_equal({name: degraded[name] for name in ("state", "event", "losses", "reasons", "policy", "sensor")},
                  {"state": "degraded", "event": "hour", "losses": 7, "reasons": ["Hook x.", "Hook y."],
                   "policy": fleet.POLICY, "sensor": "lsm"}, "as JSON")
    require("\nOptions of hosts and learn:\n  -S --since=" in f.ctl.expect(0, "--help")[0], "the span in --help")
    # One interval later, only those that fell silent are added; two later, all are silent.
    early, _ = f.ctl.expect(1, "hosts", "-D", f.directory, "-U", f"@{NOW - HOUR}")
    require("host-0002 " in early and not re.search(r"host-0002 +silent", early), early)
    late, _ = f.ctl.expect(1, "hosts", "-D", f.directory, "-U", f"@{NOW + 2 * HOUR}")
    require(late.endswith(f"{HOSTS} hosts; {HOSTS} need attention.\n") and "and no other entry" in late, late[-300:])
    require_equal(f.ctl.expect(0, "hosts", "-D", f.directory, "-U", until, "-S", f"@{NOW}")[0], "0 hosts; 0 need "
                  "attention.\n", "hosts that sent nothing since")


def crowd(directory):
    """More hosts in one file than are read of one: it says so, and does not say that all is well."""
    f, n = Fleet(directory, "crowd"), 65536 + 1
    fleet.write(f"{f.directory}/remote.journal",
                [(BEGIN * 10 ** 6 + i, {"MESSAGE": "x", "_HOSTNAME": f"host-{i}"}) for i in range(n)])
    out, err = f.ctl.expect(1, "hosts", "-D", f.directory, "-S", f"@{NOW}")
    require(out.startswith("0 hosts;") and "so that hosts are left out: 1." in err, out + err)


def forged(entries, host, **changes):
    """What root of a host sends: entries of another one, or of its own, which say something else."""
    found = []
    for usec, entry in entries:
        a = {**json.loads(entry["BARBWIRE_JSON"]), **changes}
        found.append((usec + 1, {**entry, **journal_forger.entry_of(a), "_HOSTNAME": f"host-{host:04}",
                                 "_MACHINE_ID": f"{host:032x}"}))
    return found


def forgeries(directory):
    """No entry replaces, hides or lowers an alert. A repeat beside them is still one alert, and is counted."""
    f = Fleet(directory, "forgeries")
    true = dated(1, [(60, 1, {"summary": "a theft"})])
    [(_, entry)] = true
    number = json.loads(entry["BARBWIRE_JSON"])["id"]

    def shown(*args):
        return sorted((a["host"], a["severity"], a["repeats"], a["process"]["comm"]) for a in f.alerts(*args))

    mine = ("host-0001", "high", 0, "backup")
    repeated = forged(true, 1, repeats=3, summary="a theft (repeated 3 times within its window)")
    f.host(1, true + repeated)
    require_equal(shown(), [("host-0001", "high", 3, "backup")], "a repeat")
    require_equal(f.ctl.objects("show", "-D", f.directory, number)[0]["repeats"], 3, "show")
    other = {**json.loads(entry["BARBWIRE_JSON"])["process"], "comm": "harmless"}
    for name, host, changes in (("its own, as a record", 1, {"severity": "info", "score": 5}),
                                ("its own, another process", 1, {"process": other}),
                                ("its own, in another incident", 1, {"incident": number[:-3] + "fff-0"}),
                                ("another unit", 1, {"process": {**other, "comm": "backup", "unit": "x.service"}}),
                                ("another sentence", 1, {"summary": "nothing (repeated 99 times within its window)"}),
                                ("of another host", 2, {"severity": "low", "score": 30}),
                                ("the same of another host", 2, {})):
        lie = forged(true, host, repeats=99, **changes)
        f.clear()
        f.host(1, true + (lie if host == 1 else []))
        f.host(2, lie if host == 2 else [])
        require(mine in shown() and mine in shown("-p", "high") and mine in shown(f"--incident={number}"),
                f"{name}: {shown()}")
        out, err = f.ctl.expect(0, "show", "-D", f.directory, number, "--json=short")
        require_equal(json.loads(out)["severity"], "high", name)
        require("say something else: 1." in err, f"{name}: {err}")
        out, _ = f.ctl.expect(0, "alerts", "-D", f.directory)
        require(re.search(r"^host-0001 .* high ", out, re.MULTILINE), f"{name}: {out}")
    require_equal([a["host"] for a in f.alerts("--class=ssh-private-keys", f"--incident={number}")],
                  ["host-0001", "host-0002"], "an incident")


def full(directory):
    """JSON is printed of the newest alerts that fit into 32 MiB: what is not asked for takes no room."""
    f, long = Fleet(directory, "full"), "x" * (1 << 20)
    f.host(1, dated(1, [(60, 1, {}), (61, 2, {**LOW})]))
    f.host(2, dated(2, [(120 + i, i, {**LOW, **program("/opt/two"), "destination": to("192.0.2.2"),
                                            "summary": long}) for i in range(1, 41)]))
    f.host(3, dated(3, [(240 + i, i, {"severity": "medium", "score": 50, **program("/opt/three"), "summary": long,
                                      "destination": to("192.0.2.3")}) for i in range(1, 41)]))
    require_equal([a["host"] for a in f.alerts("-p", "high")], ["host-0001"], "of severity high")
    require_equal([a["severity"] for a in f.alerts(f"--incident={(1 << 16) | 2:x}-0")], ["low"], "of an incident")
    out, err = f.ctl.expect(0, "alerts", "-D", f.directory, "--json=short")
    require(f"Only the newest {len(out.splitlines())} alerts are shown" in err and "host-0001" not in out, err)


def follow(directory):
    """New entries of a file, an older one of another host, a new host, a heartbeat that says something."""
    f = Fleet(directory, "follow")
    f.host(1, dated(1, [(60, 1, {})]))
    f.host(2, dated(2, [(60, 1, {})]))
    # Archived files, more than it may open; and more hosts than the soft limit lets it open.
    for host in range(4, 24):
        shutil.copyfile(f"{f.directory}/remote-host-0001.journal", f"{f.directory}/remote-host-{host:04}.journal")
    for i in range(60):
        shutil.copyfile(f"{f.directory}/remote-host-0001.journal", archived(f, 1, i))
    with subprocess.Popen([CTL, "follow", "-D", f.directory, "--json=short"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 48))) as client:
        def opened():
            links = [os.readlink(f"/proc/{client.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{client.pid}/fd")]
            return sorted(link for link in links if "@" in link or "deleted" in link)

        def expect(host, what):
            line = json.loads(client.stdout.readline())
            got = line["host"], line.get("kind", "alert"), line.get("event")
            require_equal(got, (f"host-{host:04}", *what), line)

        try:
            wait_for_watch(client.pid)
            f.host(1, dated(1, [(900, 2, {})]))
            expect(1, ("alert", None))
            f.host(2, dated(2, [(120, 2, {})]))
            expect(2, ("alert", None))
            f.host(3, fleet.heartbeats(3, [(BEGIN + 90, "stop")]))
            expect(3, ("state", "stop"))
            f.host(3, dated(3, [(91, 2, {})]))
            expect(3, ("alert", None))
            # It is archived between two entries; another file is removed. Neither stays open, all entries are shown.
            f.host(1, dated(1, [(901, 3, {})]))
            os.rename(f"{f.directory}/remote-host-0001.journal", archived(f, 1, 60))
            f.host(1, dated(1, [(902, 4, {})]))
            expect(1, ("alert", None))
            expect(1, ("alert", None))
            os.unlink(f"{f.directory}/remote-host-0002.journal")
            f.host(2, dated(2, [(903, 5, {})]))
            expect(2, ("alert", None))
            wait_for_watch(client.pid)
            require_equal(opened(), [], "files that get no more entries")
            # Each kind of entry that there is, by its name.
            names = sorted(name for name in MESSAGE_IDS if name != "ALERT")
            f.host(3, [entry for i, name in enumerate(names) for entry in state_entry(3, 1000 + i, name)])
            lines = [json.loads(client.stdout.readline()) for _ in names]
            require_equal([line["state"] for line in lines], [name.lower() for name in names], "kinds of entries")
        finally:
            client.terminate()


def archived(f, host, number):
    """The name of a full file, as systemd makes it."""
    return f"{f.directory}/remote-host-{host:04}@{host:032x}-{number:016x}-{number:016x}.journal"


def state_entry(host, seconds, name):
    [(usec, entry)] = fleet.heartbeats(host, [(BEGIN + seconds, "hour")], MESSAGE_ID=MESSAGE_IDS[name])
    # The selftest is a unit of its own.
    return [(usec, {**entry, "_SYSTEMD_UNIT": "barbwire-selftest.service"} if name == "SELFTEST" else entry)]


def wait_for_watch(pid):
    """Until it watches the directory, and sleeps."""
    end = time.monotonic() + harness.ALERT_TIMEOUT
    while time.monotonic() < end:
        with open(f"/proc/{pid}/wchan", encoding="ascii") as wchan, open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            links = []
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):  # it has been closed meanwhile
                    links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
            if "anon_inode:inotify" in links and "poll" in wchan.read() and stat.read().split()[2] == "S":
                return
        time.sleep(0.02)
    raise TimeoutError("it does not follow")


def many(t, directory):
    """Today's incidents, with the memory that it takes; with --long, within 3 s and 100 MiB."""
    f = Fleet(directory, "many")
    fleet.make(f.directory, HOSTS, ALERTS, DAYS)
    begin = time.monotonic()
    with subprocess.Popen([CTL, "alerts", "-D", f.directory, "-S", f"@{NOW - DAY}"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as client:
        out = client.stdout.read()
        _, status, used = os.wait4(client.pid, 0)
        client.returncode = os.waitstatus_to_exitcode(status)
    took, memory = time.monotonic() - begin, used.ru_maxrss / 1024
    t.note(f"{HOSTS} hosts, {ALERTS} alerts: {took:.2f} s, {used.ru_utime + used.ru_stime:.2f} s of a processor, "
                f"{memory:.0f} MiB")
    today = ALERTS // DAYS
    require(out.endswith(f"{today} alerts in {today // 2} incidents; --all shows each.\n"), out[-200:])
    require(memory <= 100, f"{memory:.0f} MiB")
    require(not LONG or took <= 3 * tap.SLOW, f"{took:.2f} s")


def main():
    t = tap.Tap()
    if not os.access(journal_files.REMOTE, os.X_OK):
        tap.skip_all(f"needs {journal_files.REMOTE}", environment=True)
    with tempfile.TemporaryDirectory(prefix="barbwire-fleet-", dir="/var/tmp") as directory:
        t.case("outbreaks", outbreaks, directory)
        t.case("an outbreak's destination that a rule names", named, directory)
        t.case("hosts", hosts, directory)
        if LONG:
            t.case("crowd", crowd, directory)
        t.case("forgeries", forgeries, directory)
        t.case("follow", follow, directory)
        t.case("many hosts", many, t, directory)
        t.case("more than is kept", full, directory)  # the last, as a child's peak of memory begins at this one's
    t.done()


if __name__ == "__main__":
    main()
