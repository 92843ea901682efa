#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwirectl against a real barbwired and real thefts; what a daemon of ours never answers comes from a false one."""

import contextlib
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

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

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
VERBS = (["status"], ["alerts"], ["show", "x"], ["follow"], ["rules"], ["suggest", "x"], ["selftest"])


@contextlib.contextmanager
def decoy_kept():
    """The machine's decoy is afterwards what it was before."""
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
    """No control bytes but newlines, nothing that turns text around."""
    found = re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", text)
    require(not found, f"{found} in {text!r}")


# ---- without a daemon ----

def usage(directory):
    ctl = Ctl(f"{directory}/nobody")
    for args in ([], ["nonsense"], ["status", "x"], ["show"], ["show", "a", "b"], ["--nonsense", "status"],
                 ["--json=yaml", "alerts"], ["alerts", "-n", "0"], ["alerts", "--lines=x"], ["alerts", "-p", "worst"],
                 ["alerts", "--since=noon"], ["alerts", "-U", ""], ["alerts", "--pid=-1"], ["alerts", "--pid=1x"],
                 ["alerts", "--uid=no-such-user"], ["alerts", "--uid=4294967295"], ["status", "-r"],
                 ["status", "--alarm"], ["follow", "-n1"], ["rules", "--class=x"], ["show", "x", "-S", "now"], ["alerts", "--class=\udcff"],
                 ["show", "\udcff"]):
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
    program, script = shutil.which("python3"), os.path.join(harness.SOURCE_ROOT, "tests/lib/standard-socket.py")
    result = subprocess.run(["unshare", "--mount", "--propagation=private", program, script, CTL,
                             STANDARD_SOCKET, str(NOBODY)], capture_output=True, text=True, timeout=TIMEOUT,
                            env=environment())
    require_equal(result.returncode, 0, f"exit status\n{result.stderr}")


def strange_answers(directory):
    path = f"{directory}/false"
    service = "org.varlink.service."
    other_version = "of another version"
    for answer, said in ((b"nonsense\0", "malformed"), (b"[]\0", "malformed"), (b"\0", "malformed"),
                         (reply({}), "malformed"), (reply({"whole": 1}), "malformed"), (None, "ended the conversation"),
                         (error(service + "MethodNotFound", method="GetStatus"), other_version),
                         (error(service + "InvalidParameter", parameter="\x1b[2J"), other_version),
                         (error("com.example.\x1b[2J\n"), "refuses"), (b"x" * (17 << 20), "something else")):
        with FalseDaemon(path, GetStatus=answer) as (ctl, _):
            out, err = ctl.expect(1, "status")
            require(not out and said in err, f"{answer and answer[:99]}: {out}{err}")
            require_harmless(err)
    lacking = {"ListAlerts": reply(), "ListRules": reply({"classes": 1}), "GetAlert": reply({"alert": []})}
    with FalseDaemon(path, **lacking) as (ctl, _):
        for verb in (["alerts"], ["rules"], ["show", "x"], ["suggest", "x"]):
            require("malformed" in ctl.expect(1, *verb)[1], verb)
    with FalseDaemon(path, GetAlert=error("io.barbwire.Barbwire.AmbiguousAlert", id="1-0")) as (ctl, _):
        require("more than one boot" in ctl.expect(1, "show", "1-0")[1], "an ambiguous id")


def no_such_alert(directory):
    """The advice works when it is copied: it names what was asked for, and finds it."""
    boot, short = "0123456789abcdef" * 2, "8712345678901-3"
    whole, unit = f"{boot}-{short}", "_SYSTEMD_UNIT=barbwire.service"
    for asked in (whole, short, "x", "x; rm -rf /", "1-2-3-4", "\x1b[2J", "-"):
        with FalseDaemon(f"{directory}/false", GetAlert=error("io.barbwire.Barbwire.NoSuchAlert", id=asked)) as (ctl, _):
            out, err = ctl.expect(1, "show", "--", asked)
        require_harmless(err)
        require(not out and "=ID" not in err and ("journalctl" in err) == (asked in (whole, short)), err)
        if asked == whole:
            require(err.endswith(f": journalctl -o verbose {unit} BARBWIRE_ALERT_ID={whole}\n"), err)
        if asked == short:
            command = re.search(rf": journalctl -a -o cat --output-fields=BARBWIRE_JSON {unit} \| (grep .*)\n", err)
            require(command, err)
            lines = [json.dumps({"id": f"{boot}-{found}"}) for found in (short, "1" + short, short + "1")]
            found = subprocess.run(["sh", "-c", command[1]], input="\n".join(lines), capture_output=True, text=True,
                                   timeout=TIMEOUT, check=False).stdout.splitlines()
            require_equal(found, lines[:1], command[1])


def filters_sent(directory):
    """What the daemon is asked for, to the letter."""
    with FalseDaemon(f"{directory}/false", ListAlerts=reply({"alerts": []})) as (ctl, false):
        for args, parameters in ((["-n5", "-pmedium"], {"limit": 5, "severity": "medium"}),
                                 (["--unit=ssh"], {"unit": "ssh.service"}), (["--unit=a.socket"], {"unit": "a.socket"}),
                                 (["--unit=a.b"], {"unit": "a.b.service"}), (["--uid=root"], {"uid": 0}),
                                 (["--uid=12", "--pid=7"], {"uid": 12, "pid": 7}), (["--class=a"], {"class": "a"}),
                                 (["-S@1.5", "-U@2"], {"since": 1500000, "until": 2000000}),
                                 (["-S", "2026-11-22 10:00", "--utc"], {"since": 1795341600000000})):
            for zone in ("UTC", "XXX-1"):
                require_equal(ctl.expect(0, "alerts", *args, TZ=zone)[0], "0 alerts.\n", "alerts of nothing")
                call = false.calls.pop()
                require_equal((call["parameters"], call["more"]), (parameters, True), f"the call of {args}")


def told_by_follow(directory):
    """Losses, policies, and what was missed; a daemon that ends."""
    loss = {"kind": "state", "state": "loss", "time": "2026-11-22T10:00:00.000000Z", "summary": "lost \x1b[2J"}
    alert = {"id": "0-1-2", "time": "2026-11-22T10:00:00.000000Z", "severity": "high", "summary": "opened a\nb"}
    policy = {"kind": "state", "state": "policy", "time": "2026-11-22T10:00:00.000000Z", "summary": "in \x1b force"}
    told = ({}, {"loss": loss}, {"policy": policy}, {"missed": 3}, {"new": 1}, {"alert": alert})
    answer = b"".join(reply(parameters, continues=True) for parameters in told)
    with FalseDaemon(f"{directory}/false", Follow=answer + reply()) as (ctl, _):
        out, err = ctl.expect(1, "follow")
        require_equal(out.splitlines(), ["Nov 22 10:00:00 loss lost \\x1b[2J", "Nov 22 10:00:00 policy in \\x1b force",
                                         '3 missed, as they came faster than they are read; "barbwirectl alerts" has '
                                         "them.", "Nov 22 10:00:00 high opened a\\x0ab (1-2)"], "follow")
        require("ended the conversation" in err, err)
        out, _ = ctl.expect(1, "follow", "--json=short")
        require_equal([json.loads(line) for line in out.splitlines()],
                      [loss, policy, {"kind": "missed", "missed": 3}, alert], "follow --json=short")


def follow_greets(directory):
    """A person is told when silence begins to mean something; a pipe is not."""
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
        require(re.fullmatch(r"Following since [A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC; Ctrl-C ends it\.\r\n", said),
                said)
        false.answers["Follow"] = reply(continues=True) * 2 + reply()
        require("Following" not in ctl.expect(1, "follow")[1], "a pipe is greeted")


def narrow(directory):
    """Whose process, which file, which alert: what is looked for is there however narrow the terminal."""
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
                               (300, ("bash[2066]", "a[0][1234567]", "python3.11-long[7]", "/home/ana/.ssh/id_ed25519"))):
            out = re.sub(r"\x1b\[[0-9;]*m", "", ctl.terminal("alerts", columns=columns, SYSTEMD_PAGER=""))
            for wanted in shown:
                require(wanted in out, f"{columns}: no {wanted!r} in\n{out}")
            require_equal(out.count(" 8712345678901-3\n"), 3, f"{columns}: ids in\n{out}")
            width = max(len(line) for line in out.splitlines())
            require(columns < 80 or width <= columns, f"{width} columns of {columns}:\n{out}")


def degraded(directory):
    status = {"version": "9", "pid": 1, "armed": "2026-11-22T10:00:00.000000Z", "sensor": "x", "whole": False,
              "degraded": ["One reason.", "Another\x1b[2J."],
              "hooks": [{"name": "gone", "attached": False, "misses": 2}],
              "marks": {"live": 1, "max": 2}, "alerts": {"below": 17, "ignored": 4},
              "policy": {"errors": 1, "files": ["/a\n"], "hash": "h", "loaded": "?"},
              "losses": [{"cause": "c", "count": 4, "meaning": "m", "remedy": "r",
                          "last": "2026-11-22T10:00:00.000000Z"},
                         {"cause": "none", "count": 0, "meaning": "m"}]}
    with FalseDaemon(f"{directory}/false", GetStatus=reply(status)) as (ctl, _):
        out, _ = ctl.expect(1, "status")
        require_harmless(out)
        for wanted in ("Watch: degraded\n   Degraded: One reason.\n             Another\\x1b[2J.\n",
                       "● gone, not attached, skipped 2 times\n",
                       "● c, 4: m; r (last Sun 2026-11-22 10:00:00 UTC; ",
                       "Armed: since Sun 2026-11-22 10:00:00 UTC; ", "/a\\x0a\n", " 1 errors\n",
                       "Not told: 17 below Alert=, 4 to ignored destinations\n"):
            require(wanted in out, f"no {wanted!r} in\n{out}")
        require("no losses" not in out and "none" not in out, out)
        require_equal(json.loads(ctl.expect(1, "status", "--json=short")[0]), status, "JSON of a degraded status")


def rules_shown(directory):
    """Every condition of a rule: without one of them it looks as if more were allowed."""
    origin = {"origin": "/p:1"}
    allows = [{"name": "wg", "classes": ["vpn"], "exes": ["/usr/bin/bash"], "scripts": ["/usr/bin/wg-quick", "/s/*"],
               "units": ["wg@*.service"], "users": ["root"], "ancestors": ["/usr/bin/\x1b"], "container": True,
               "destinations": ["0.0.0.0/0:443", "[::/0]:443", "127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128",
                                "0.0.0.0/0:1-2", "[::/0]:3", "0.0.0.0/0", "::/0"], **origin},
              {"name": "all", "classes": ["vpn"], "exes": ["/x"], "scripts": [], "units": [], "users": [],
               "ancestors": [], "container": False, "destinations": [], **origin}]
    lineages = [{"name": "web", "exes": ["/usr/sbin/nginx"], "units": ["a.service", "b.service"], "score": 15, **origin}]
    destinations = [{"name": "lo", "addresses": ["127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128"], "ports": ["53"],
                     "score": -30, "ignore": False, **origin},
                    {"name": "gone", "addresses": ["0.0.0.0/0", "::/0", "10.0.0.0/8"], "ports": [], "score": 0,
                     "ignore": True, **origin}]
    answer = reply({"classes": [], "allows": allows, "lineages": lineages, "destinations": destinations,
                    "scoring": {"alert": 21, "medium": 42, "high": 73}})
    with FalseDaemon(f"{directory}/false", ListRules=answer) as (ctl, _):
        out, _ = ctl.expect(0, "rules")
    require_harmless(out)
    only_if = (r"Script=/usr/bin/wg-quick /s/* Unit=wg@*.service User=root Ancestor=/usr/bin/\x1b Container=yes "
               "any:443 loopback:* 0.0.0.0/0:1-2 [::/0]:3 any:*")
    require(f"/usr/bin/bash {only_if} /p:1\n" in out, f"no {only_if!r} in\n{out}")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for wanted in ("ALLOW CLASSES EXECUTABLES ONLY IF DESTINATIONS ORIGIN", "all vpn /x - any /p:1",
                   "LINEAGE SCORE EXECUTABLES UNITS ORIGIN", "web +15 /usr/sbin/nginx a.service b.service /p:1",
                   "DESTINATION SCORE ADDRESSES PORTS ORIGIN", "lo -30 loopback 53 /p:1",
                   "gone ignored any 10.0.0.0/8 * /p:1", "ALERT FROM MEDIUM FROM HIGH FROM", "21 42 73"):
        require(wanted in lines, f"no {wanted!r} in\n{out}")


def selftest_fails(directory):
    rules = reply({"classes": [{"name": "barbwire-selftest"}], "allows": []})
    with FalseDaemon(f"{directory}/false", ListRules=reply({"classes": [], "allows": []})) as (ctl, _):
        require("00-selftest.conf" in ctl.expect(1, "selftest")[1], "without the class")
    with decoy_kept(), FalseDaemon(f"{directory}/false", ListRules=rules, Follow=reply(continues=True)) as (ctl, _):
        began = time.monotonic()
        out, err = ctl.expect(1, "selftest")
        require(not out and "The watch does not work" in err and "barbwirectl status" in err, f"{out}{err}")
        require(9 < time.monotonic() - began < 20, "it did not wait for 10 s")


# ---- with a daemon ----

class Scene:
    """A daemon that answers queries, and thefts that it has told."""

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


def status_whole(s):
    out, err = s.ctl.expect(0, "status")
    require(out.startswith("● barbwired ") and not err, out + err)
    for wanted in ("Watch: whole\n", f"Main PID: {s.bw.pid}\n", "Losses: no losses\n", "Sensor: tracepoint\n",
                   "s ago\n",
                   "● cgroup/connect4\n", "20-ssh.conf\n", " 0 errors\n"):
        require(wanted in out, f"no {wanted!r} in\n{out}")
    require("\x1b" not in out, "colours in a pipe")
    lines = s.ctl.expect(0, "status", "--json=short")[0].splitlines()
    require_equal(len(lines), 1, "lines of --json=short")
    pretty = s.ctl.expect(0, "status", "--json=pretty")[0]
    require("\n  \"" in pretty, pretty)
    require_equal(json.loads(pretty), json.loads(lines[0]), "--json=pretty and short")


def listing(s):
    key, aws = s.steal(), s.steal(s.home.decoy(os.path.join(s.home.path, b".aws/credentials"))[0])
    last = s.steal()
    require_equal(s.ctl.objects("alerts"), s.bw.alerts, "alerts --json=short, and what the daemon told")
    require_equal(s.ctl.objects("alerts", "-r"), s.bw.alerts[::-1], "--reverse")
    require_equal(s.ctl.objects("alerts", "-n1"), [last], "-n1")
    require_equal(s.ctl.objects("alerts", "-rn2"), [last, aws], "-rn2")
    require_equal(s.ctl.objects("alerts", "--class=cloud-aws"), [aws], "--class")
    pid = key["process"]["pid"]
    require_equal(s.ctl.objects("alerts", f"--pid={pid}", "--uid=root", "-p", "low"), [key], "--pid, --uid, -p")
    require_equal(s.ctl.objects("alerts", "--uid=nobody"), [], "--uid of another")
    require_equal(s.ctl.objects("alerts", "-S", aws["time"], "-U", aws["time"]), [aws], "-S and -U")
    require_equal(s.ctl.objects("alerts", "-S", "tomorrow"), [], "-S tomorrow")
    require_equal(s.ctl.objects("alerts", "--unit=ssh"), [], "--unit of another")

    out, _ = s.ctl.expect(0, "alerts", "-n3")
    lines = out.splitlines()
    require_equal(lines[0].split(), "TIME SEVERITY SCORE PROCESS UID CLASS FILE DESTINATION ID".split(), "heading")
    require_equal(lines[-2:], ["", "3 alerts."], "end")
    for line, alert in zip(lines[1:4], (key, aws, last)):
        cells = line.split()
        require_equal(cells[3:], [alert["severity"], str(alert["score"]),
                                  f"{alert['process']['comm']}[{alert['process']['pid']}]", "0", alert["classes"][0],
                                  alert["files"][0]["path"], f"{HOST_V4}:443", short_id(alert)], "cells")
        require(re.match(r"[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d ", line), line)


def showing(s):
    alert = s.steal()
    whole = s.ctl.expect(0, "show", alert["id"])[0]
    require_equal(s.ctl.expect(0, "show", short_id(alert))[0], whole, "show by the short id, and by the whole one")
    require_equal(s.ctl.objects("show", alert["id"]), [alert], "show --json=short")
    for wanted in (alert["summary"], "└─", "↓ opened by ", "↓ connected", f"tcp {HOST_V4}:443", alert["id"], " UTC "):
        require(wanted in whole, f"no {wanted!r} in\n{whole}")
    require(" XXX " in s.ctl.expect(0, "show", alert["id"], TZ="XXX-1")[0], "not in local time")
    require(" UTC " in s.ctl.expect(0, "show", alert["id"], "--utc", TZ="XXX-1")[0], "--utc")
    require("no alert 1234-0" in s.ctl.expect(1, "show", "1234-0")[1], "an id that is none")


class Follower:
    def __init__(self, scene, *args):
        self.process = subprocess.Popen(scene.ctl.command("follow", *args), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        self.lines, self.changed = [], threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        # What it tells first is a theft of after its call was taken: play some until one comes.
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
    told = [json.loads(line) for line in wait_for(jsons, alerts[2]["id"])]
    require_equal([a for a in told if a in alerts], alerts, "follow --json=short")
    text.stop()
    jsons.stop()


def hostile_names(s):
    alert = s.steal(s.home.key(HOSTILE)[0])
    for args in (["alerts", "-n1"], ["show", alert["id"]]):
        out, _ = s.ctl.expect(0, *args)
        require_harmless(out)
        require(HOSTILE_TEXT in out, f"{args}: {out}")
    require_equal(len(s.ctl.expect(0, "alerts", "-n1")[0].splitlines()), 4, "lines")
    for mode in ("short", "pretty"):
        out, _ = s.ctl.expect(0, "alerts", "-n1", f"--json={mode}")
        require(out.isascii(), "JSON on a terminal is to be ASCII")
        require_equal(json.loads(out), alert, mode)
    require_harmless(re.sub(r"\x1b\[[0-9;]*m", "", s.ctl.terminal("alerts", "-n1", SYSTEMD_PAGER="cat")))


def rules(s):
    shown = s.ctl.objects("rules")[0]
    names = [c["name"] for c in shown["classes"]]
    require("ssh-private-keys" in names and "barbwire-selftest" in names, names)
    out, _ = s.ctl.expect(0, "rules")
    for name in names + [rule["name"] for kind in ("allows", "lineages", "destinations") for rule in shown[kind]]:
        require(re.search(rf"^{re.escape(name)} ", out, re.MULTILINE), f"no {name} in\n{out}")
    require(out.endswith(f"\n{len(names)} classes, {len(shown['allows'])} allow rules.\n"), out[-80:])


def terminal(s):
    alert = s.steal()
    wide = s.ctl.terminal("alerts", "-n1", columns=400, SYSTEMD_PAGER="")
    require("\x1b[4m" in wide and f"\x1b[31m{alert['severity']}\x1b[0m" in wide, wide)
    require(alert["files"][0]["path"] in wide and "…" not in wide, wide)
    for columns, changes in ((110, {}), (80, {}), (110, {"COLUMNS": "120"})):
        said = s.ctl.terminal("alerts", "-n1", columns=columns, PAGER="cat", **changes)
        narrow = re.sub(r"\x1b\[[0-9;]*m", "", said)
        require_equal(max(len(line) for line in narrow.splitlines()), int(changes.get("COLUMNS", columns)),
                      f"width in\n{narrow}")
        path = alert["files"][0]["path"]
        require("…" in narrow and short_id(alert) in narrow and path[-3:] in narrow, narrow)
    for changes in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"SYSTEMD_COLORS": "0"}):
        require("\x1b" not in s.ctl.terminal("alerts", SYSTEMD_PAGER="cat", **changes), f"colours with {changes}")
    require("\x1b[32m●" in s.ctl.terminal("status"), "no green dot")
    require("\x1b[31m" in s.ctl.expect(0, "alerts", "-n1", SYSTEMD_COLORS="1")[0], "SYSTEMD_COLORS=1 in a pipe")

    # A pager says what it was given, and passes it on.
    pager = os.path.join(os.fsdecode(s.home.root), "pager")
    with open(pager, "w", encoding="ascii") as out:
        out.write('#!/bin/sh\necho "pager $1 $LESS $LESSSECURE"\nexec cat\n')
    os.chmod(pager, 0o755)
    for args in (["alerts"], ["show", alert["id"]], ["rules"], ["alerts", "--json=pretty"]):
        require(s.ctl.terminal(*args, SYSTEMD_PAGER=f"{pager} x").startswith("pager x FRSXMK 1\n"), f"{args}: no pager")
    require(s.ctl.terminal("rules", PAGER=pager, SYSTEMD_LESS="R").startswith("pager  R 1\n"), "$PAGER, $SYSTEMD_LESS")
    require(short_id(alert) in s.ctl.terminal("alerts", PAGER="/no/such/pager"), "no pager: less must do")
    for args, changes in ((["status"], {}), (["--no-pager", "rules"], {}), (["rules"], {"TERM": "dumb"})):
        require("pager" not in s.ctl.terminal(*args, PAGER=pager, **changes), f"{args}: a pager")


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
    require(not out and "may not connect" in err, f"{out}{err}")


def selftest(s):
    with decoy_kept():
        out, err = s.ctl.expect(0, "selftest")
        require(re.search(r"\nThe watch works: told after \d+\.\d ms\.\n\Z", out) and not err, out + err)
        require("└─selftest-" in out and f"{DECOY} [barbwire-selftest]" in out, out)
        alert, = s.ctl.objects("selftest")
        # How severe depends on who has played what before it in this test.
        require_equal(alert["classes"], ["barbwire-selftest"], "classes")
        require(re.fullmatch(r"selftest-[0-9a-f]{6}", alert["process"]["comm"]), alert["process"]["comm"])
        require_equal(s.ctl.objects("alerts", "-n1", "--class=barbwire-selftest"), [alert], "the alert is kept")
        require(alert not in s.ctl.objects("alerts"), "the selftest is listed among the others")
        # Root makes the decoy anew, but through no link that somebody has put there.
        os.unlink(DECOY)
        s.ctl.expect(0, "selftest")
        require_equal(os.stat(DECOY).st_mode & 0o777, 0o444, "mode of the decoy")
        os.unlink(DECOY)
        os.symlink(os.path.join(os.fsdecode(s.home.root), "nothing"), DECOY)
        said = s.ctl.expect(1, "selftest")[1]
        require("tmpfiles" in said, f"{said}: a link in the decoy's place")


def selftest_unprivileged(s):
    """As a user who may use the socket."""
    with decoy_kept():
        os.chmod(s.ctl.path, 0o666)
        result = s.ctl.run("selftest", prefix=AS_NOBODY)
        os.chmod(s.ctl.path, 0o600)
    if b"run it as root" in result.stderr:
        raise Skip("users may not make namespaces here", environment=True)
    require_equal(result.returncode, 0, f"exit status\n{result.stderr.decode()}")
    require(f"uid {NOBODY}" in result.stdout.decode(), "by another user")


def completion(s):
    """In an interactive bash: what a person sees."""
    script = os.path.join(harness.SOURCE_ROOT, "units/completions/barbwirectl.bash")
    near, far = pty.openpty()
    path = f"{os.path.dirname(CTL)}:{os.environ['PATH']}"
    bash = subprocess.Popen(["bash", "--norc", "--noprofile", "-i"], stdin=far, stdout=far, stderr=far,
                            start_new_session=True, env=environment(PATH=path, TERM="dumb", PS1="$ ", HISTFILE=""))
    os.close(far)

    # What the selftest has set off is not offered, as it is not listed.
    last = short_id([alert for alert in s.bw.alerts if alert["classes"] != ["barbwire-selftest"]][-1])
    # Each line is completed, made a comment (readline: M-#), and so only shown.
    wanted = (("barbwirectl sta\t", "#barbwirectl status "),
              ("barbwirectl alerts --sev\t", "#barbwirectl alerts --severity="),
              ("barbwirectl alerts --severity=m\t", "--severity=medium "), ("barbwirectl alerts -p h\t", "-p high "),
              ("barbwirectl --json=p\t", "--json=pretty "), ("barbwirectl status --no\t", "status --no-pager "),
              ("barbwirectl status --rev\t", "status --rev"),
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
    """Both shells are offered what --help names."""
    said = subprocess.run([CTL, "--help"], capture_output=True, text=True, check=True, timeout=TIMEOUT).stdout
    options = set(re.findall(r"^ +(?:-\w )?(--[a-z-]+=?)", said, re.MULTILINE))
    commands = re.findall(r"^  ([a-z]+)(?: ID| PATH)?  ", said, re.MULTILINE)
    require(len(options) > 16 and len(commands) == 8, f"{options} {commands}")
    for name in ("barbwirectl.bash", "_barbwirectl"):
        with open(os.path.join(harness.SOURCE_ROOT, "units/completions", name), encoding="utf-8") as file:
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
        t.case("answers that are none of ours", strange_answers, directory)
        t.case("show: no such alert", no_such_alert, directory)
        t.case("filters as they are sent", filters_sent, directory)
        t.case("follow: losses, what was missed, the end", told_by_follow, directory)
        t.case("follow: since when", follow_greets, directory)
        t.case("status: degraded", degraded, directory)
        t.case("alerts: a narrow terminal", narrow, directory)
        t.case("rules: every condition", rules_shown, directory)
        t.case("selftest: no class, no alert", selftest_fails, directory)
        t.case("completions and --help name the same", completions_agree)
        path = f"{directory}/socket"
        with Net() as net, harness.Home() as home, harness.Barbwired(args=(f"--listen={path}",)) as bw:
            scene = Scene(Ctl(path), bw, net, home)
            for name, case in (("status: whole", status_whole), ("alerts", listing), ("show", showing),
                               ("follow", following), ("hostile names", hostile_names), ("rules", rules),
                               ("colour, pager, width", terminal), ("output that cannot be written", unwritten),
                               ("no permission", no_permission), ("selftest", selftest),
                               ("selftest as a user", selftest_unprivileged), ("bash completion", completion)):
                t.case(name, case, scene)
            t.case("the daemon ends well", lambda: (bw.stop(), bw.require_whole()))
    t.done()


if __name__ == "__main__":
    main()
