#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Journal files of several hosts: barbwirectl alerts, show, and barbwired --check --replay=. Needs no root and no
daemon."""

import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import journal_files
import tap
from ctl import Ctl
from journal_files import DAY, alert, entry, time_of, BEGIN
from tap import require, require_equal


class Scene:
    def __init__(self, directory):
        self.ctl, self.directory = Ctl(f"{directory}/nobody"), f"{directory}/journal"
        os.mkdir(self.directory)
        self.alpha, self.beta = f"{self.directory}/remote-alpha.journal", f"{self.directory}/remote-beta.journal"
        self.of_alpha = [alert(1), alert(2, 60, incident=1), alert(4, 3 * DAY, severity="low", score=30)]
        repeated = alert(1, repeats=7)
        self.of_beta = [alert(3, DAY, process={"unit": "b.service", "uid": 7, "pid": 9},
                              file={"uid": 7, "pid": 9}),
                        alert(5, 4 * DAY, classes=["cloud-aws"],
                              file={"path": "/srv/x/.aws/credentials", "classes": ["cloud-aws"]})]
        forged = [entry(alert(11, 4 * DAY), uid=1000), entry(alert(12, 4 * DAY), unit="evil.service"),
                  {**entry(alert(13, 4 * DAY)), "BARBWIRE_JSON": '{"time":"%s"}' % time_of(BEGIN + 4 * DAY)}]
        journal_files.write(self.alpha, [entry(self.of_alpha[0]), entry(self.of_alpha[1]),
                                         entry(repeated), entry(self.of_alpha[2])])
        journal_files.write(self.beta, [entry(a, "beta") for a in self.of_beta] + forged)
        self.of_alpha[0] = repeated
        self.all = [{**a, "host": host} for a, host in
                    ((self.of_alpha[0], "alpha"), (self.of_alpha[1], "alpha"), (self.of_beta[0], "beta"),
                     (self.of_alpha[2], "alpha"), (self.of_beta[1], "beta"))]

    def objects(self, *args):
        return self.ctl.objects("alerts", "-D", self.directory, *args)


def ids(alerts):
    return [a["id"].split("-")[1] for a in alerts]


def listing(s):
    require(s.objects() == s.all, f"alerts of a directory: {ids(s.objects())}")
    require_equal(ids(s.ctl.objects("alerts", f"--file={s.beta}")), ["3", "5"], "alerts of a file")
    require_equal(ids(s.ctl.objects("alerts", f"--file={s.beta}", f"--file={s.alpha}")), ids(s.all), "of two files")
    for args, wanted in ((["-r"], s.all[::-1]), (["-n2"], s.all[3:]), (["-p", "medium", "-n2"], [s.all[2], s.all[4]]),
                         (["--class=cloud-aws"], s.all[4:]), (["--unit=b"], [s.all[2]]), (["--uid=7"], [s.all[2]]),
                         (["--pid=9"], [s.all[2]]), (["-S", time_of(BEGIN + DAY), "-U", time_of(BEGIN + 3 * DAY)],
                                                     s.all[2:4]),
                         (["--incident=2-0"], s.all[:2]), (["-S", "9999-12-31"], []), (["-U", "1980-01-01"], [])):
        require_equal(ids(s.objects(*args)), ids(wanted), args)
    out, err = s.ctl.expect(0, "alerts", "-D", s.directory)
    lines = [line.split() for line in out.splitlines()]
    require_equal(lines[0][:3], ["HOST", "TIME", "SEVERITY"], "heading")
    require_equal([line[0] for line in lines[1:5]], ["alpha", "beta", "alpha", "beta"], out)
    require(" high ×2 " in out and out.endswith("5 alerts in 4 incidents; --all shows each.\n"), out)
    require("process wrote them: 1." in err and "can read: 1." in err, err)


def showing(s):
    out, _ = s.ctl.expect(0, "show", "-D", s.directory, "3-0")
    require("    host         beta\n" in out and s.of_beta[0]["summary"] in out, out)
    require_equal(s.ctl.objects("show", "-D", s.directory, s.all[0]["id"]), [s.all[0]], "the last entry of a repeat")
    require("No alert 77-0" in s.ctl.expect(1, "show", "-D", s.directory, "77-0")[1], "an id that is none")
    require("No alert 11-0" in s.ctl.expect(1, "show", "-D", s.directory, "11-0")[1], "a user's own entry")


def long_alerts(s):
    """Of an alert that is too long for journalctl -o json, BARBWIRE_JSON= is cut, and the complete one is read."""
    path, complete = f"{s.directory}-long.journal", alert(21, summary="x" * 5000)
    cut = {**complete, "summary": "x…x", "cut": ["summary"]}
    # The longest value that is shown, and the shortest that is not: daemon/sink/entry.c, JSON_MAX.
    most = 4096 - len("BARBWIRE_JSON=") - 1
    padded = [json.dumps({**alert(22 + i, 60), "summary": "y"}).replace('"y"', '"%s"') for i in range(2)]
    padded = [text.replace("%s", "y" * (most + i - len(text) + 2)) for i, text in enumerate(padded)]
    require_equal([len(text) for text in padded], [most, most + 1], "bytes of JSON")
    journal_files.write(path, [entry(complete, BARBWIRE_JSON=json.dumps(cut),
                                     BARBWIRE_JSON_COMPLETE=json.dumps(complete)),
                               *(entry(json.loads(text), BARBWIRE_JSON=text) for text in padded)])
    require_equal(s.ctl.objects("show", f"--file={path}", complete["id"]), [{**complete, "host": "alpha"}], "show")
    shown = subprocess.run(["journalctl", f"--file={path}", "-o", "json"], capture_output=True, timeout=60, check=True)
    require_equal([json.loads(line)["BARBWIRE_JSON"] for line in shown.stdout.splitlines()],
                  [json.dumps(cut), padded[0], None], "what journalctl shows")


def check(status, *args):
    checked = subprocess.run([harness.BARBWIRED, "--check", *args], capture_output=True, text=True, timeout=60,
                             check=False)
    require_equal(checked.returncode, status, f"exit status of --check {args}\n{checked.stdout}{checked.stderr}")
    return checked.stdout


def replaying(s):
    """The policy on disk and the alerts of the span: which it would raise, silence and change."""
    with tempfile.TemporaryDirectory(prefix="barbwire-policy-") as policy:
        def replay(rules, *args, source=s.directory):
            with open(f"{policy}/site.conf", "w", encoding="ascii") as out:
                out.write(rules)
            out = check(0, f"--policy-dir={harness.DEFAULT_POLICY}", f"--policy-dir={policy}", f"--replay={source}",
                        *args)
            lines = re.findall(r"^(raise|change|silence|unknown) .* ([0-9a-f]+)-0 ", out, re.MULTILINE)
            return {number: result for result, number in lines}, out

        results, out = replay("")
        require_equal(set(results), {"1", "2", "3", "4", "5"}, out)
        require_equal([results[i] for i in "1235"], ["raise"] * 4, out)
        require("\n5 alerts: 4 raised, 1 changed, 0 silenced, 0 unknown.\n" in out, out)
        rule = "[Allow site]\nClass=ssh-private-keys\nExe=/opt/site/backup\n"
        results, out = replay(rule)
        require_equal({i: results[i] for i in "1234"}, dict.fromkeys("1234", "silence"), out)
        require("\n         by [Allow site]\n" in out, out)
        results, out = replay(rule + "User=7\n")
        require_equal((results["1"], results["3"]), ("raise", "silence"), out)
        results, out = replay(rule + "Destination=192.0.2.8\n", source=s.beta)
        require_equal((set(results), results["3"]), ({"3", "5"}, "change"), out)
        require_equal(set(replay("", "--since", time_of(BEGIN + 2 * DAY))[0]), {"4", "5"}, "--since=")
        require_equal(set(replay("", f"--until=@{BEGIN + DAY}")[0]), {"1", "2", "3"}, "--until=")
        check(1, f"--policy-dir={harness.DEFAULT_POLICY}", "--replay=/no/such")
        for args in (["--since=yesterday"], ["--replay=x", "--until=soon"]):
            check(2, *args)
    require_equal(subprocess.run([harness.BARBWIRED, f"--replay={s.directory}"], capture_output=True, timeout=60,
                                 check=False).returncode, 2, "--replay= without --check")


def wrong(s):
    for args in (["-D", f"{s.directory}/nothing"], ["--file=/no/such"], ["--file=/etc/passwd"], ["-M", "nobody"]):
        out, err = s.ctl.expect(1, "alerts", *args)
        require(not out and "ournal" in err, f"{args}: {err}")
    for args in (["alerts", "-D", "/x", "-m"],
                 ["alerts", "-m", "--file=x"], ["status", "-m"], ["alerts", "-m", "-M", "x"]):
        require(not s.ctl.expect(2, *args)[0], args)


def main():
    t = tap.Tap()
    with tempfile.TemporaryDirectory(prefix="barbwire-journal-") as directory:
        s = Scene(directory)
        t.case("alerts of files", listing, s)
        t.case("show of files", showing, s)
        t.case("alerts that are cut", long_alerts, s)
        t.case("--check --replay=", replaying, s)
        t.case("no journal, wrong usage", wrong, s)
    t.done()


if __name__ == "__main__":
    main()
