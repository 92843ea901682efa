#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwirectl with a real barbwired and real thefts, and with a false daemon for answers that a real one never
sends."""

import contextlib
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
from ctl import CTL, TIMEOUT, Ctl, FalseDaemon, environment, error, read_all, reply
from net import HOST_V4, Net
from tap import Skip, require, require_equal

STANDARD_SOCKET = "/run/barbwire/io.barbwire.Barbwire"
DECOY = "/run/barbwire/selftest-decoy"
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
HOSTILE = b"id\n\x1b]0;x\x07\x1b[2J\xc2\x9b31m\xe2\x80\xaexx\xff\\x"
HOSTILE_TEXT = r"id\x0a\x1b]0;x\x07\x1b[2J\xc2\x9b31m\xe2\x80\xaexx\xff\\x"
VERBS = [verb.split() for verb in "status,alerts,show x,follow,marks,top,rules,suggest x,selftest".split(",")]


@contextlib.contextmanager
def decoy_kept():
    """Restores the decoy of the machine afterwards."""
    before, directory_there = None, os.path.isdir(os.path.dirname(DECOY))
    with contextlib.suppress(FileNotFoundError), open(DECOY, "rb") as decoy:
        before = decoy.read()
    subprocess.run(["install", "-D", "-m", "444", "/dev/null", DECOY], check=True)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(DECOY)
        if before is not None:
            with open(DECOY, "wb", opener=lambda path, flags: os.open(path, flags, 0o444)) as decoy:
                decoy.write(before)
        if not directory_there:
            os.rmdir(os.path.dirname(DECOY))


def require_harmless(text):
    """No control bytes other than newlines, and no characters that change the direction of text."""
    found = re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", text)
    require(not found, f"{found} in {text!r}")


# ---- without a daemon ----

def usage(directory):
    ctl = Ctl(f"{directory}/nobody")
    for args in ([], ["nonsense"], ["status", "x"], ["show"], ["show", "a", "b"], ["--nonsense", "status"],
                 ["--json=yaml", "alerts"], ["alerts", "-n", "0"], ["alerts", "--lines=x"], ["alerts", "-p", "worst"],
                 ["alerts", "--since=noon"], ["alerts", "-U", ""], ["alerts", "--pid=-1"], ["alerts", "--pid=1x"],
                 ["alerts", "--uid=no-such-user"], ["alerts", "--uid=4294967295"], ["status", "-r"],
                 ["status", "--alarm"], ["follow", "-n1"], ["rules", "--class=x"], ["rules", "a", "b"],
                 ["rules", "-uy"], ["show", "x", "-S", "now"], ["alerts", "--class=\udcff"],
                 ["explain", "/x", "--user=no-such-user"], ["explain", "/x", *["--ancestor=/x"] * 99],
                 ["show", "\udcff"], ["--json=ocsf", "status"], ["explain", "/x", "--json=ocsf"]):
        out, err = ctl.expect(2, *args)
        require(not out and err, f"{args}: {out!r} {err!r}")
        require_harmless(err)
    out, err = ctl.expect(0, "--help")
    require("barbwirectl [OPTIONS" in out and not err, out)
    require(re.match(r"barbwirectl \d", ctl.expect(0, "--version")[0]), "version")


def not_running(directory):
    ctl = Ctl(f"{directory}/nobody")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(f"{directory}/stale")
    stale.close()
    for other in (ctl, Ctl(f"{directory}/stale")):
        for verb in VERBS:
            out, err = other.expect(3, *verb)
            require(not out and f"barbwired --listen={other.path}" in err, f"{verb}: {out}{err}")
    require("too long" in Ctl("/" + "x" * 200).expect(1, "status")[1], "a path that is too long")


def standard_socket():
    program, script = shutil.which("python3"), os.path.join(harness.SOURCE_ROOT, "tests/harness/standard-socket.py")
    result = subprocess.run(["unshare", "--mount", "--propagation=private", program, script, CTL,
                             STANDARD_SOCKET, str(NOBODY)], capture_output=True, text=True, timeout=TIMEOUT,
                            env=environment())
    require_equal(result.returncode, 0, f"exit status\n{result.stderr}")


def strange_answers(directory):
    path = f"{directory}/false"
    service = "org.varlink.service."
    other_version = "of another version"
    for answer, said in ((b"nonsense\0", "Malformed"), (b"[]\0", "Malformed"), (b"\0", "Malformed"),
                         (reply({}), "Malformed"), (reply({"state": 1}), "Malformed"), (None, "Connection closed"),
                         (error(service + "MethodNotFound", method="GetStatus"), other_version),
                         (error(service + "InvalidParameter", parameter="\x1b[2J"), other_version),
                         (error("com.example.\x1b[2J\n"), "refused the request"),
                         (b"x" * (17 << 20), "Reply too large"),
                         (error("io.barbwire.Barbwire.TooManyClients", max=64), "Too many clients")):
        with FalseDaemon(path, GetStatus=answer) as (ctl, _):
            out, err = ctl.expect(1, "status")
            require(not out and said in err, f"{answer and answer[:99]}: {out}{err}")
            require_harmless(err)
    lacking = {"ListAlerts": reply(), "ListRules": reply({"classes": 1}), "GetAlert": reply({"alert": []}),
               "ListMarks": reply({"marks": []}), "WatchProcesses": reply({"processes": []})}
    with FalseDaemon(path, **lacking) as (ctl, _):
        for verb in (["alerts"], ["marks"], ["top"], ["rules"], ["show", "x"], ["suggest", "x"]):
            require("Malformed" in ctl.expect(1, *verb)[1], verb)
    with FalseDaemon(path, GetAlert=error("io.barbwire.Barbwire.AmbiguousAlert", id="1-0")) as (ctl, _):
        require("several boots" in ctl.expect(1, "show", "1-0")[1], "an ambiguous id")


def no_such_alert(directory):
    """The suggested command works when it is copied: it names the requested id, and finds the alert."""
    boot, short = "0123456789abcdef" * 2, "8712345678901-3"
    full, unit = f"{boot}-{short}", "_SYSTEMD_UNIT=barbwire.service"
    for asked in (full, short, "x", "x; rm -rf /", "1-2-3-4", "\x1b[2J", "-"):
        none = error("io.barbwire.Barbwire.NoSuchAlert", id=asked)
        with FalseDaemon(f"{directory}/false", GetAlert=none) as (ctl, _):
            out, err = ctl.expect(1, "show", "--", asked)
        require_harmless(err)
        require(not out and "=ID" not in err and ("journalctl" in err) == (asked in (full, short)), err)
        if asked == full:
            require(err.endswith(f": journalctl -o verbose {unit} BARBWIRE_ALERT_ID={full}\n"), err)
        if asked == short:
            command = re.search(rf": journalctl -a -o cat --output-fields=BARBWIRE_JSON {unit} \| (grep .*)\n", err)
            require(command, err)
            lines = [json.dumps({"id": f"{boot}-{found}"}) for found in (short, "1" + short, short + "1")]
            found = subprocess.run(["sh", "-c", command[1]], input="\n".join(lines), capture_output=True, text=True,
                                   timeout=TIMEOUT, check=False).stdout.splitlines()
            require_equal(found, lines[:1], command[1])


def filters_sent(directory):
    """The exact calls that the daemon receives."""
    with FalseDaemon(f"{directory}/false", ListAlerts=reply({"alerts": []})) as (ctl, false):
        for args, parameters in ((["-n5", "-pmedium"], {"severity": "medium"}),  # it counts incidents
                                 (["--all", "-n5"], {"limit": 5}),
                                 (["-n5", "--incident=1-0"], {"incident": "1-0", "limit": 5}),
                                 (["--unit=ssh"], {"unit": "ssh.service"}), (["-u", "ssh"], {"unit": "ssh.service"}),
                                 (["--unit=a.socket"], {"unit": "a.socket"}),
                                 (["--unit=a.b"], {"unit": "a.b.service"}), (["--uid=root"], {"uid": 0}),
                                 (["--uid=12", "--pid=7"], {"uid": 12, "pid": 7}), (["--class=a"], {"class": "a"}),
                                 (["-S@1.5", "-U@2"], {"since": 1500000, "until": 2000000}),
                                 (["-S", "2026-11-22 10:00", "--utc"], {"since": 1795341600000000})):
            for zone in ("UTC", "XXX-1"):
                require_equal(ctl.expect(0, "alerts", *args, TZ=zone)[0], "0 alerts.\n", "alerts of nothing")
                call = false.calls.pop()
                require_equal((call["parameters"], call["more"]), (parameters, True), f"the call of {args}")


def shown_by_follow(directory):
    """Losses, policies, missed alerts, and a daemon that exits."""
    loss = {"kind": "state", "state": "loss", "time": "2026-11-22T10:00:00.000000Z", "summary": "lost \x1b[2J"}
    alert = {"id": "0-1-2", "time": "2026-11-22T10:00:00.000000Z", "severity": "high", "summary": "opened a\nb"}
    policy = {"kind": "state", "state": "policy", "time": "2026-11-22T10:00:00.000000Z", "summary": "in \x1b force"}
    replies = ({}, {"loss": loss}, {"policy": policy}, {"missed": 3}, {"new": 1}, {"alert": alert})
    answer = b"".join(reply(parameters, continues=True) for parameters in replies)
    with FalseDaemon(f"{directory}/false", Follow=answer + reply()) as (ctl, _):
        out, err = ctl.expect(1, "follow")
        require_equal(out.splitlines(), ["Nov 22 10:00:00 loss lost \\x1b[2J", "Nov 22 10:00:00 policy in \\x1b force",
                                         '3 entries missed: they were raised faster than they were read; '
                                         '"barbwirectl alerts" lists them.',
                                         "Nov 22 10:00:00 high opened a\\x0ab (1-2)"], "follow")
        require("Connection closed" in err, err)
        out, _ = ctl.expect(1, "follow", "--json=short")
        require_equal([json.loads(line) for line in out.splitlines()],
                      [loss, policy, {"kind": "missed", "missed": 3}, alert], "follow --json=short")
        # A collector of findings gets findings alone; the rest is for the person that started it.
        out, err = ctl.expect(1, "follow", "--json=ocsf")
        require_equal([json.loads(line)["metadata"]["uid"] for line in out.splitlines()], ["0-1-2"], "findings")
        require("lost \\x1b[2J\nin \\x1b force\n3 entries missed" in err, err)


def follow_greets(directory):
    """On a terminal it prints when it starts to follow; in a pipe it does not."""
    with FalseDaemon(f"{directory}/false", Follow=reply(continues=True)) as (ctl, false):
        near, far = pty.openpty()
        process = subprocess.Popen(ctl.command("follow"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=far,
                                   env=environment())
        os.close(far)
        patience = threading.Timer(TIMEOUT, process.kill)
        patience.start()
        said = os.read(near, 4096).decode()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
        patience.cancel()
        os.close(near)
        require_equal((out, process.returncode), (b"", 0), "the end of follow")
        require(re.fullmatch(r"Following alerts since [A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC; "
                             r"press Ctrl-C to stop\.\r\n", said), said)
        false.answers["Follow"] = reply(continues=True) * 2 + reply()
        require("Following" not in ctl.expect(1, "follow")[1], "a pipe is greeted")


def narrow(directory):
    """PIDs, files and ids are complete even on a narrow terminal."""
    def alert(comm, pid, path):
        return {"id": f"{'0' * 32}-8712345678901-3", "time": "2026-11-22T10:00:00.000000Z", "severity": "medium",
                "score": 55, "classes": ["ssh-private-keys"], "process": {"comm": comm, "pid": pid, "uid": 1000},
                "files": [{"path": path, "classes": ["ssh-private-keys"]}],
                "destination": {"address": "203.0.113.77", "port": 443}}

    alerts = [alert("bash", 2066, "/home/ana/.ssh/id_ed25519"), alert("a[0]", 1234567, "/x"),
              alert("python3.11-long", 7, "/root/.aws/credentials")]
    with FalseDaemon(f"{directory}/false", ListAlerts=reply({"alerts": alerts})) as (ctl, _):
        for columns, shown in ((80, ("bash[2066]", "…[1234567]", "…[7]", "…d25519 ")),
                               (88, ("bash[2066]", "…[1234567]", "…[7]", "/id_ed25519 ", "credentials ")),
                               (40, ("bash[2066]", "…[1234567]", "…[7]", "…519 ")),
                               (300, ("bash[2066]", "a[0][1234567]", "python3.11-long[7]",
                                      "/home/ana/.ssh/id_ed25519"))):
            out = re.sub(r"\x1b\[[0-9;]*m", "", ctl.terminal("alerts", columns=columns, SYSTEMD_PAGER=""))
            for wanted in shown:
                require(wanted in out, f"{columns}: no {wanted!r} in\n{out}")
            require_equal(out.count(" 8712345678901-3\n"), 3, f"{columns}: ids in\n{out}")
            width = max(len(line) for line in out.splitlines())
            require(columns < 80 or width <= columns, f"{width} columns of {columns}:\n{out}")


def folded(directory):
    """One line for an incident: its worst alert, how many there are, and when the latest was; each with --all."""
    def alert(number, severity, score, incident):
        return {"id": f"{'0' * 32}-{number}", "incident": f"{'0' * 32}-{incident}", "severity": severity,
                "score": score, "time": f"2026-11-22T10:00:{number:02}.000000Z", "classes": ["x"], "files": [],
                "process": {"comm": "sh", "pid": number, "uid": 0}, "destination": {}}

    alerts = [alert(1, "low", 30, 1), alert(2, "high", 80, 2), alert(3, "high", 70, 1), alert(4, "high", 75, 1),
              alert(5, "medium", 99, 1)]
    del alerts[1]["incident"]  # of an earlier version
    with FalseDaemon(f"{directory}/false", ListAlerts=reply({"alerts": alerts})) as (ctl, _):
        def rows(*args):
            lines = ctl.expect(0, "alerts", *args)[0].splitlines()
            return [(line.split()[2], " ".join(line.split()[3:6]), line.split()[-1]) for line in lines[1:-2]], lines[-1]

        second, first = ("10:00:02", "high 80 sh[2]", "2"), ("10:00:05", "high ×4 75", "4")
        require_equal(rows(), ([second, first], "5 alerts in 2 incidents; --all shows each."), "folded")
        require_equal(rows("-r"), ([first, second], "5 alerts in 2 incidents; --all shows each."), "-r")
        require_equal(rows("-n1"), ([first], "4 alerts in 1 incident; --all shows each."), "-n1")
        require_equal(rows("-n1", "-r"), ([first], "4 alerts in 1 incident; --all shows each."), "-n1 -r")
        each, end = rows("--all")
        require_equal(([row[2] for row in each], end), (list("12345"), "5 alerts."), "--all")
        require_equal(len(rows("--incident=1")[0]), 5, "--incident= shows each")
        require_equal(ctl.objects("alerts"), alerts, "JSON has each")


def degraded(directory):
    status = {"version": "9", "pid": 1, "armed": "2026-11-22T10:00:00.000000Z", "sensor": "x", "state": "degraded",
              "degraded": ["One reason.", "Another\x1b[2J."],
              "hooks": [{"name": "gone", "attached": False, "misses": 2},
                        {"name": "still", "attached": True, "fires": False, "misses": 0},
                        {"name": "busy", "attached": True, "fires": True, "misses": 2}],
              "marks": {"live": 1, "max": 2}, "alerts": {"below": 17, "ignored": 4},
              "policy": {"errors": 1, "files": ["/a\n"], "hash": "h", "loaded": "?"},
              "losses": [{"cause": "c", "count": 4, "meaning": "m", "remedy": "r",
                          "last": "2026-11-22T10:00:00.000000Z"},
                         {"cause": "none", "count": 0, "meaning": "m"}]}
    with FalseDaemon(f"{directory}/false", GetStatus=reply(status)) as (ctl, _):
        out, _ = ctl.expect(1, "status")
        require_harmless(out)
        for wanted in ("State: degraded\n     Degraded: One reason.\n               Another\\x1b[2J.\n",
                       "● gone: not attached\n", "● still: does not fire\n", "● busy: missed 2 times\n",
                       "● c, 4: m; r (last Sun 2026-11-22 10:00:00 UTC; ",
                       "Armed: since Sun 2026-11-22 10:00:00 UTC; ", "/a\\x0a\n", " 1 errors\n",
                       "Not raised: 17 below Alert=, 4 to ignored destinations\n"):
            require(wanted in out, f"no {wanted!r} in\n{out}")
        require("Losses: none" not in out and "none" not in out, out)
        require_equal(json.loads(ctl.expect(1, "status", "--json=short")[0]), status, "JSON of a degraded status")


def rules_shown(directory):
    """Every condition of a rule is shown: without one of them the rule would seem to allow more."""
    origin = {"origin": "/p:1"}
    allows = [{"name": "wg", "classes": ["vpn"], "exes": ["/usr/bin/bash"], "scripts": ["/usr/bin/wg-quick", "/s/*"],
               "units": ["wg@*.service"], "users": ["root"], "ancestors": ["/usr/bin/\x1b"], "container": True,
               "destinations": ["0.0.0.0/0:443", "[::/0]:443", "127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128",
                                "0.0.0.0/0:1-2", "[::/0]:3", "0.0.0.0/0", "::/0"], **origin},
              {"name": "all", "classes": ["vpn"], "exes": ["/x"], "scripts": [], "units": [], "users": [],
               "ancestors": [], "container": False, "destinations": [], **origin}]
    lineages = [{"name": "web", "exes": ["/usr/sbin/nginx"], "units": ["a.service", "b.service"], "score": 15,
                 **origin}]
    destinations = [{"name": "lo", "addresses": ["127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128"], "ports": ["53"],
                     "score": -30, "ignore": False, **origin},
                    {"name": "gone", "addresses": ["0.0.0.0/0", "::/0", "10.0.0.0/8"], "ports": [], "score": 0,
                     "ignore": True, **origin}]
    answer = reply({"classes": [], "allows": allows, "lineages": lineages, "destinations": destinations,
                    "scoring": {"alert": 21, "medium": 42, "high": 73}})
    with FalseDaemon(f"{directory}/false", ListRules=answer) as (ctl, _):
        out, _ = ctl.expect(0, "rules")
        shown = {name: ctl.expect(0, "rules", name)[0] for name in ("wg", "all", "web", "lo", "gone")}
        selected = ctl.objects("rules", "web")[0]
        out_none, err = ctl.expect(1, "rules", "nothing\x1b")
    require_harmless(out)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for wanted in ("NAME KIND CLASS MATCHES", "wg Allow vpn /usr/bin/bash", "all Allow vpn /x",
                   "web Lineage - /usr/sbin/nginx", "lo Destination - loopback", "gone Destination - any +1",
                   "Scores: alert from 21, medium from 42, high from 73."):
        require(wanted in lines, f"no {wanted!r} in\n{out}")
    destinations_shown = "".join(f"Destination={d}\n" for d in ("any:443", "loopback:*", "0.0.0.0/0:1-2", "[::/0]:3",
                                                                "any:*"))
    for name, wanted in (("wg", "[Allow wg]\nClass=vpn\nExe=/usr/bin/bash\nScript=/usr/bin/wg-quick\nScript=/s/*\n"
                                "Unit=wg@*.service\nUser=root\nAncestor=/usr/bin/\\x1b\nContainer=yes\n"
                                + destinations_shown),
                         ("all", "[Allow all]\nClass=vpn\nExe=/x\n"),
                         ("web", "[Lineage web]\nExe=/usr/sbin/nginx\nUnit=a.service\nUnit=b.service\nScore=15\n"),
                         ("lo", "[Destination lo]\nAddress=loopback\nPort=53\nScore=-30\n"),
                         ("gone", "[Destination gone]\nAddress=any\nAddress=10.0.0.0/8\nIgnore=yes\nScore=0\n")):
        require_equal(shown[name], f"# /p:1\n{wanted}", name)
    require_equal(selected, {"classes": [], "allows": [], "lineages": lineages, "destinations": []}, "rules web, JSON")
    require(not out_none and "named 'nothing\\x1b'" in err, err)


def selftest_fails(directory):
    rules = reply({"classes": [{"name": "barbwire-selftest"}], "allows": []})
    with FalseDaemon(f"{directory}/false", ListRules=reply({"classes": [], "allows": []})) as (ctl, _):
        require("00-selftest.conf" in ctl.expect(1, "selftest")[1], "without the class")
    answers = {"ListRules": rules, "GetStatus": reply({"enforcement": {"mode": "off"}}),
               "Follow": reply(continues=True)}
    with decoy_kept(), FalseDaemon(f"{directory}/false", **answers) as (ctl, _):
        began = time.monotonic()
        out, err = ctl.expect(1, "selftest")
        require(not out and "Selftest failed: no alert within 10 s" in err and "barbwirectl status" in err,
                f"{out}{err}")
        require(9 < time.monotonic() - began < 20, "it did not wait for 10 s")


# ---- with a daemon ----

class Scene:
    """A daemon that answers queries, with alerts of thefts."""

    def __init__(self, ctl, bw, net, home):
        self.ctl, self.bw, self.net, self.home = ctl, bw, net, home

    def steal(self, path=None):
        path = path or self.home.key()[0]
        seen = len(self.bw.alerts)
        result = self.net.run([harness.program("technique-out-tcp"), "blocking", path, HOST_V4, "443"])
        require_equal(result.returncode, 0, f"the theft's exit status\n{result.stderr}")
        return self.bw.wait(lambda: next((a for a in self.bw.alerts[seen:] if harness.touches(a, path)), None),
                            harness.ALERT_TIMEOUT, "the theft's alert")


def short_id(alert):
    return alert["id"].split("-", 1)[1]


def status_ok(s):
    out, err = s.ctl.expect(0, "status")
    require(out.startswith("● barbwired ") and not err, out + err)
    for wanted in ("State: ok\n", f"Main PID: {s.bw.pid}\n", "Losses: none\n", "Sensor: tracepoint\n",
                   "s ago\n",
                   "● cgroup/connect4\n", "20-ssh.conf\n", " 0 errors\n"):
        require(wanted in out, f"no {wanted!r} in\n{out}")
    require("\x1b" not in out, "colours in a pipe")
    lines = s.ctl.expect(0, "status", "--json=short")[0].splitlines()
    require_equal(len(lines), 1, "lines of --json=short")
    pretty = s.ctl.expect(0, "status", "--json=pretty")[0]
    require("\n  \"" in pretty, pretty)
    # Programs of this machine start and end meanwhile.
    answers = [json.loads(answer) for answer in (pretty, lines[0])]
    for table in answers[0]["tables"] + answers[1]["tables"]:
        del table["live"], table["bytes"]
    require_equal(answers[0], answers[1], "--json=pretty and short")


def listing(s):
    key, aws = s.steal(), s.steal(s.home.decoy(os.path.join(s.home.path, b".aws/credentials"))[0])
    last = s.steal()
    require_equal(s.ctl.objects("alerts"), s.bw.alerts, "alerts --json=short, and the alerts of the daemon")
    require_equal(s.ctl.objects("alerts", "-r"), s.bw.alerts[::-1], "--reverse")
    require_equal(s.ctl.objects("alerts", "-n1"), [last], "-n1")
    require_equal(s.ctl.objects("alerts", "-rn2"), [last, aws], "-rn2")
    require_equal(s.ctl.objects("alerts", "--class=cloud-aws"), [aws], "--class")
    pid = key["process"]["pid"]
    require_equal(s.ctl.objects("alerts", f"--pid={pid}", "--uid=root", "-p", "low"), [key], "--pid, --uid, -p")
    require_equal(s.ctl.objects("alerts", "--uid=nobody"), [], "--uid of another")
    require_equal(s.ctl.objects("alerts", "-S", aws["time"], "-U", aws["time"]), [aws], "-S and -U")
    require_equal(s.ctl.objects("alerts", "-S", "9999-12-31"), [], "-S of a time to come")
    require_equal(s.ctl.objects("alerts", "--unit=ssh"), [], "--unit of another")

    # All of them come from the process group of this test.
    require_equal({alert["incident"] for alert in (key, aws, last)}, {key["incident"]}, "incidents")
    require_equal(s.ctl.objects("alerts", f"--incident={short_id(last)}")[-3:], [key, aws, last], "--incident=")
    require_equal(s.ctl.objects("alerts", "--incident=1-0"), [], "--incident= of none")
    folded_line = s.ctl.expect(0, "alerts", "-n1")[0].splitlines()
    require(re.search(r" ×\d+ ", folded_line[1]) and len(folded_line) == 4, folded_line)

    out, _ = s.ctl.expect(0, "alerts", "--all", "-n3")
    lines = out.splitlines()
    require_equal(lines[0].split(), "TIME SEVERITY SCORE PROCESS UID CLASS FILE DESTINATION ID".split(), "heading")
    require_equal(lines[-2:], ["", "3 alerts."], "end")
    for line, alert in zip(lines[1:4], (key, aws, last)):
        cells = line.split()
        require_equal(cells[3:], [alert["severity"], str(alert["score"]),
                                  f"{alert['process']['comm']}[{alert['process']['pid']}]", "0", alert["classes"][0],
                                  alert["files"][0]["path"], f"{HOST_V4}:443", short_id(alert)], "cells")
        require(re.match(r"[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d ", line), line)


def sender_digest(alert, digest, text):
    """This test runs as root, so the digest of the sender's program is there, where its file system allows."""
    exe = alert["process"]["exe"]
    require_equal((digest["role"], digest["kind"], digest["path"]), ("sender", "executable", exe), "whose digest")
    require_equal(alert["process"]["exe_object"].split("/")[1], str(os.stat(exe).st_ino), "the inode")
    with open(exe, "rb") as program:
        same = digest["sha256"] == hashlib.sha256(program.read()).hexdigest()
    require(same or re.match(r"on (btrfs|an overlay|a read-only)", digest["text"]), digest)
    require(f"sender's executable {exe}: " in text and (digest["sha256"] or digest["text"]) in text, text)


def showing(s):
    alert = s.steal()
    full = s.ctl.expect(0, "show", alert["id"])[0]
    require_equal(s.ctl.expect(0, "show", short_id(alert))[0], full, "show by the short and by the full id")
    shown = s.ctl.objects("show", alert["id"])[0]
    sender_digest(alert, shown.pop("digests")[0], full)
    require_equal(shown, alert, "show --json=short")
    finding = json.loads(s.ctl.expect(0, "show", alert["id"], "--json=ocsf")[0])
    evidence = finding["evidences"][0]
    require_equal((finding["class_uid"], finding["metadata"]["uid"], finding["finding_info"]["uid"],
                   finding["device"]["hostname"], evidence["file"]["path"], evidence["dst_endpoint"]["ip"],
                   evidence["actor"]["process"]["pid"]),
                  (2004, alert["id"], alert["incident"], socket.gethostname(), alert["files"][0]["path"], HOST_V4,
                   alert["process"]["pid"]), "show --json=ocsf")
    findings = [json.loads(line) for line in s.ctl.expect(0, "alerts", "--json=ocsf")[0].splitlines()]
    require_equal([f["metadata"]["uid"] for f in findings], [a["id"] for a in s.ctl.objects("alerts")], "alerts")
    for wanted in (alert["summary"], "└─", "↓ opened by ", "↓ connected", f"tcp {HOST_V4}:443", alert["id"], " UTC "):
        require(wanted in full, f"no {wanted!r} in\n{full}")
    require(" XXX " in s.ctl.expect(0, "show", alert["id"], TZ="XXX-1")[0], "not in local time")
    require(" UTC " in s.ctl.expect(0, "show", alert["id"], "--utc", TZ="XXX-1")[0], "--utc")
    require("No alert 1234-0" in s.ctl.expect(1, "show", "1234-0")[1], "an id that is none")


class Follower:
    def __init__(self, scene, *args):
        self.process = subprocess.Popen(scene.ctl.command("follow", *args), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        self.lines, self.changed = [], threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        # The first alert is of a theft after its call was accepted: play some until one comes.
        deadline = time.monotonic() + harness.ALERT_TIMEOUT
        while not self.lines:
            require(time.monotonic() < deadline, f"{args}: follow tells nothing")
            scene.steal()
            self.wait(1, 0.5)
        self.began = len(self.lines)

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.decode().rstrip("\n"))
                self.changed.notify_all()

    def wait(self, count, timeout=harness.ALERT_TIMEOUT):
        with self.changed:
            self.changed.wait_for(lambda: len(self.lines) >= count, timeout)
            return self.lines[:count]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        require_equal((self.process.wait(TIMEOUT), self.process.stderr.read()), (0, b""), "the end of follow")


def following(s):
    text, jsons = Follower(s), Follower(s, "--json=short")
    alerts = [s.steal(), s.steal(s.home.key(HOSTILE)[0]), s.steal()]

    def wait_for(follower, mark):
        deadline = time.monotonic() + harness.ALERT_TIMEOUT
        while not any(mark in line for line in follower.lines):
            require(time.monotonic() < deadline, f"follow does not tell {mark}: {follower.lines}")
            follower.wait(len(follower.lines) + 1, 1)
        return list(follower.lines)

    lines = [line for line in wait_for(text, short_id(alerts[2])) if any(short_id(a) in line for a in alerts)]
    for line, alert in zip(lines, alerts):
        require(line.endswith(f" {alert['severity']} {alert['summary']} ({short_id(alert)})"), line)
        require_harmless(line)
    objects = [json.loads(line) for line in wait_for(jsons, alerts[2]["id"])]
    require_equal([a for a in objects if a in alerts], alerts, "follow --json=short")
    text.stop()
    jsons.stop()


def hostile_names(s):
    alert = s.steal(s.home.key(HOSTILE)[0])
    for args in (["alerts", "--all", "-n1"], ["show", alert["id"]]):
        out, _ = s.ctl.expect(0, *args)
        require_harmless(out)
        require(HOSTILE_TEXT in out, f"{args}: {out}")
    require_equal(len(s.ctl.expect(0, "alerts", "--all", "-n1")[0].splitlines()), 4, "lines")
    for mode in ("short", "pretty"):
        out, _ = s.ctl.expect(0, "alerts", "--all", "-n1", f"--json={mode}")
        require(out.isascii(), "JSON on a terminal is to be ASCII")
        require_equal(json.loads(out), alert, mode)
    require_harmless(re.sub(r"\x1b\[[0-9;]*m", "", s.ctl.terminal("alerts", "--all", "-n1", SYSTEMD_PAGER="cat")))


def rules(s):
    shown = s.ctl.objects("rules")[0]
    names = [c["name"] for c in shown["classes"]]
    require("ssh-private-keys" in names and "barbwire-selftest" in names, names)
    out, _ = s.ctl.expect(0, "rules")
    for name in names + [rule["name"] for kind in ("allows", "lineages", "destinations") for rule in shown[kind]]:
        require(re.search(rf"^{re.escape(name)} ", out, re.MULTILINE), f"no {name} in\n{out}")
    require(out.endswith(f"\n{len(names)} classes, {len(shown['allows'])} allow rules.\n"), out[-80:])
    width = max(len(line) for line in out.splitlines())
    require(width <= 80, f"{width} columns:\n{out}")
    # Every key of a section is shown by its name.
    keys = next(c for c in shown["classes"] if c["name"] == "ssh-private-keys")
    out, _ = s.ctl.expect(0, "rules", "ssh-private-keys")
    require(out.startswith(f"# {keys['origin']}\n[Class ssh-private-keys]\n"), out)
    for wanted in [f"Path={path}" for path in keys["paths"]] + [f"ExcludePath={path}" for path in keys["excludes"]]:
        require(f"\n{wanted}\n" in out, f"no {wanted} in\n{out}")


def terminal(s):
    alert = s.steal()
    wide = s.ctl.terminal("alerts", "--all", "-n1", columns=400, SYSTEMD_PAGER="")
    require("\x1b[4m" in wide and f"\x1b[31m{alert['severity']}\x1b[0m" in wide, wide)
    require(alert["files"][0]["path"] in wide and "…" not in wide, wide)
    for columns, changes in ((110, {}), (80, {}), (110, {"COLUMNS": "120"})):
        said = s.ctl.terminal("alerts", "--all", "-n1", columns=columns, PAGER="cat", **changes)
        narrow = re.sub(r"\x1b\[[0-9;]*m", "", said)
        require_equal(max(len(line) for line in narrow.splitlines()), int(changes.get("COLUMNS", columns)),
                      f"width in\n{narrow}")
        path = alert["files"][0]["path"]
        require("…" in narrow and short_id(alert) in narrow and path[-3:] in narrow, narrow)
    for changes in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"SYSTEMD_COLORS": "0"}):
        require("\x1b" not in s.ctl.terminal("alerts", SYSTEMD_PAGER="cat", **changes), f"colours with {changes}")
    require("\x1b[32m●" in s.ctl.terminal("status"), "no green dot")
    require("\x1b[31m" in s.ctl.expect(0, "alerts", "--all", "-n1", SYSTEMD_COLORS="1")[0], "no colours in a pipe")

    # A pager that reports its input, and copies it.
    pager = os.path.join(os.fsdecode(s.home.root), "pager")
    with open(pager, "w", encoding="ascii") as out:
        out.write('#!/bin/sh\necho "pager $1 $LESS $LESSSECURE"\nexec cat\n')
    os.chmod(pager, 0o755)
    for args in (["alerts"], ["show", alert["id"]], ["rules"], ["alerts", "--json=pretty"]):
        require(s.ctl.terminal(*args, SYSTEMD_PAGER=f"{pager} x").startswith("pager x FRSXMK 1\n"), f"{args}: no pager")
    require(s.ctl.terminal("rules", PAGER=pager, SYSTEMD_LESS="R").startswith("pager  R 1\n"), "$PAGER, $SYSTEMD_LESS")
    require(short_id(alert) in s.ctl.terminal("alerts", PAGER="/no/such/pager"), "no pager: less must do")
    for args, changes in ((["status"], {}), (["--no-pager", "rules"], {}), (["rules"], {"TERM": "dumb"})):
        require(not s.ctl.terminal(*args, PAGER=pager, **changes).startswith("pager "), f"{args}: a pager")


def unwritten(s):
    with open("/dev/full", "wb") as full:
        result = subprocess.run(s.ctl.command("alerts"), stdout=full, stderr=subprocess.PIPE, env=environment(),
                                timeout=TIMEOUT)
    require(result.returncode == 1 and b"No space left" in result.stderr, f"/dev/full: {result}")
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run(s.ctl.command("alerts"), stdout=write_end, stderr=subprocess.PIPE, env=environment(),
                            timeout=TIMEOUT, restore_signals=False)
    os.close(write_end)
    require_equal(result.stderr, b"", "when nobody reads")


def no_permission(s):
    out, err = s.ctl.expect(1, "alerts", prefix=AS_NOBODY)
    require(not out and "Access denied: " in err, f"{out}{err}")


def selftest(s):
    with decoy_kept():
        out, err = s.ctl.expect(0, "selftest")
        require(re.search(r"\nSelftest passed: alert received after \d+\.\d ms\.\n\Z", out) and not err, out + err)
        require("└─selftest-" in out and f"{DECOY} [barbwire-selftest]" in out, out)
        alert, = s.ctl.objects("selftest")
        # The severity depends on earlier plays of this test.
        require_equal(alert["classes"], ["barbwire-selftest"], "classes")
        require(re.fullmatch(r"selftest-[0-9a-f]{6}", alert["process"]["comm"]), alert["process"]["comm"])
        require_equal(s.ctl.objects("alerts", "-n1", "--class=barbwire-selftest"), [alert], "the alert is kept")
        require(alert not in s.ctl.objects("alerts"), "the selftest is listed among the others")
        # Root creates the decoy again, but not through a link that was put there.
        os.unlink(DECOY)
        s.ctl.expect(0, "selftest")
        require_equal(os.stat(DECOY).st_mode & 0o777, 0o444, "mode of the decoy")
        os.unlink(DECOY)
        os.symlink(os.path.join(os.fsdecode(s.home.root), "nothing"), DECOY)
        said = s.ctl.expect(1, "selftest")[1]
        require("tmpfiles" in said, f"{said}: a link in the decoy's place")


def selftest_unprivileged(s):
    """As a user with access to the socket."""
    with decoy_kept():
        os.chmod(s.ctl.path, 0o666)
        result = s.ctl.run("selftest", prefix=AS_NOBODY)
        os.chmod(s.ctl.path, 0o600)
    if b"run it as root" in result.stderr:
        raise Skip("users may not make namespaces here", environment=True)
    require_equal(result.returncode, 0, f"exit status\n{result.stderr.decode()}")
    require(f"uid {NOBODY}" in result.stdout.decode(), "by another user")


def completion_file(name):
    """The completion as built, from the tables of --help."""
    return os.path.join(os.path.dirname(CTL), "units", name)


def completion(s):
    """The completions in an interactive bash."""
    script = completion_file("barbwirectl")
    near, far = pty.openpty()
    path = f"{os.path.dirname(CTL)}:{os.environ['PATH']}"
    bash = subprocess.Popen(["bash", "--norc", "--noprofile", "-i"], stdin=far, stdout=far, stderr=far,
                            start_new_session=True, env=environment(PATH=path, TERM="dumb", PS1="$ ", HISTFILE=""))
    os.close(far)

    # Alerts of the selftest are not offered, since they are not listed.
    last = short_id([alert for alert in s.bw.alerts if alert["classes"] != ["barbwire-selftest"]][-1])
    # Each line is completed, and turned into a comment (readline: M-#), so that it is only shown.
    wanted = (("barbwirectl sta\t", "#barbwirectl status "),
              ("barbwirectl alerts --sev\t", "#barbwirectl alerts --severity="),
              ("barbwirectl alerts --severity=m\t", "--severity=medium "), ("barbwirectl alerts -p h\t", "-p high "),
              ("barbwirectl --json=p\t", "--json=pretty "), ("barbwirectl --json=oc\t", "--json=ocsf "),
              ("barbwirectl status --no\t", "status --no-pager "),
              ("barbwirectl status --rev\t", "status --rev"),
              (f"barbwirectl --socket={s.ctl.path} rules cloud-aw\t", "rules cloud-aws "),
              (f"barbwirectl --socket={s.ctl.path} alerts --class=ssh-p\t", "--class=ssh-private-keys "),
              ("barbwirectl explain --anc\t", "explain --ancestor="), ("barbwirectl alerts --anc\t", "alerts --anc"),
              ("barbwirectl explain /etc/pass\t", "explain /etc/passwd"),
              (f"barbwirectl --socket={s.ctl.path} show {last[:-1]}\t", last),
              (f"barbwirectl --socket={s.ctl.path} suggest {last[:-1]}\t", last))
    os.write(near, f". {script}\n".encode())
    for line, _ in wanted:
        os.write(near, line.encode() + b"\x1b#")
    os.write(near, b"exit\n")
    said = read_all(near).decode(errors="replace").replace("\r", "")
    bash.wait(TIMEOUT)
    for line, completed in wanted:
        require(completed in said, f"{line!r} was not completed to {completed!r}: {said}")


def completions_agree():
    """Both shells offer the options of --help."""
    said = subprocess.run([CTL, "--help"], capture_output=True, text=True, check=True, timeout=TIMEOUT).stdout
    options = set(re.findall(r"^ +(?:-\w )?(--[a-z-]+=?)", said, re.MULTILINE))
    commands = re.findall(r"^  ([a-z]+)(?: ID| PATH| \[NAME\])?  ", said, re.MULTILINE)
    require(len(options) > 16 and len(commands) == 13, f"{options} {commands}")
    for name in ("barbwirectl", "_barbwirectl"):
        with open(completion_file(name), encoding="utf-8") as file:
            text = file.read()
        for option in options:
            require(re.search(rf"{re.escape(option)}(?![a-z-])", text), f"{name} lacks {option}")
        for command in commands:
            require(re.search(rf"\b{command}\b", text), f"{name} lacks {command}")


def main():
    harness.require_machine()
    t = tap.Tap()
    with tempfile.TemporaryDirectory(prefix="barbwire-ctl-") as directory:
        os.chmod(directory, 0o755)
        t.case("wrong usage", usage, directory)
        t.case("not running", not_running, directory)
        t.case("the standard socket: not running, not started, not permitted", standard_socket)
        t.case("answers of another program", strange_answers, directory)
        t.case("show: no such alert", no_such_alert, directory)
        t.case("calls of the filters", filters_sent, directory)
        t.case("follow: losses, missed alerts, the end", shown_by_follow, directory)
        t.case("follow: since when", follow_greets, directory)
        t.case("status: degraded", degraded, directory)
        t.case("alerts: a narrow terminal", narrow, directory)
        t.case("alerts: one line for an incident", folded, directory)
        t.case("rules: every condition", rules_shown, directory)
        t.case("selftest: no class, no alert", selftest_fails, directory)
        t.case("completions and --help name the same", completions_agree)
        path = f"{directory}/socket"
        with Net() as net, harness.Home() as home, harness.Barbwired(args=(f"--listen={path}",)) as bw:
            scene = Scene(Ctl(path), bw, net, home)
            for name, case in (("status: ok", status_ok), ("alerts", listing), ("show", showing),
                               ("follow", following), ("hostile names", hostile_names), ("rules", rules),
                               ("colour, pager, width", terminal), ("output that cannot be written", unwritten),
                               ("no permission", no_permission), ("selftest", selftest),
                               ("selftest as a user", selftest_unprivileged), ("bash completion", completion)):
                t.case(name, case, scene)
            t.case("the daemon exits successfully", lambda: (bw.stop(), bw.require_no_loss()))
    t.done()


if __name__ == "__main__":
    main()
