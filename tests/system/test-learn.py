#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwirectl learn: a week of alerts becomes a drop-in, after which the same week is silent; the thief who was at work
in that week is not learned, and thefts beside the learned programs and through them still raise alerts. Needs no root
and no daemon: the journal is made, and --check --replay= evaluates the policy."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import journal_files
import tap
from ctl import Ctl, environment
from journal_files import DAY, alert, entry, program
from tap import require, require_equal

PROGRAMS, DAYS = 20, 7
HOSTS = ("alpha", "beta")
SERVICE = "/system.slice/{}.service"


def site_program(n):
    """What differs from the model in an alert of program n: plain ones, scripts, servers, units and users."""
    unit = {"cgroup": SERVICE.format(f"job{n}")} if n % 2 else {}
    if n % 5 == 3:
        changes = program("/usr/bin/python3.11", pid=1000 + n, **unit)
        changes["process"]["cmdline"] = f"/usr/bin/python3.11 /opt/site/job{n}.py"
    elif n % 5 == 4:
        changes = program(f"/usr/sbin/server{n}", uid=61200 + n, pid=1000 + n, cgroup=SERVICE.format(f"server{n}"))
        changes["destination"] = {"act": "accept"}
    else:
        changes = program(f"/opt/site/job{n}", uid=1000 if n % 5 == 2 else 0, pid=1000 + n, **unit)
    return changes


def user_program(n):
    """A tool in the home of its user, and a script of hers."""
    token = {"file": {"path": "/home/ana/.aws/credentials", "classes": ["cloud-aws"], "class": "cloud-aws"},
             "classes": ["cloud-aws"]}
    own = program("/home/ana/.local/bin/tool" if n == 0 else "/usr/bin/python3.11", uid=1000, pid=1500 + n,
                  flags=["not-roots", "foreign-code", "users"] if n == 0 else ["foreign-code", "users"])
    if n == 1:
        own["process"]["cmdline"] = "/usr/bin/python3.11 /home/ana/venv/bin/report"
    return {**own, **token, "file": {**own["file"], **token["file"]}}


def handed_on(opener, sender, via="pipe", **more):
    """The alert of data that another process sent than opened the file."""
    changes = program(sender, pid=2, **more)
    changes["file"] = {"exe": opener, "comm": os.path.basename(opener), "pid": 1, "uid": 0, "via": via,
                       "route": [{"pid": 1, "comm": "x", "via": via}] if via != "fork" else [], "generation": 1}
    return changes


# What no rule should allow, and why.
NEVER = {
    "cat": (handed_on("/usr/bin/cat", "/usr/bin/ssh"), "/usr/bin/cat opened the files"),
    "child": (handed_on("/opt/site/starter", "/opt/site/child", "fork"), "/opt/site/starter opened the files"),
    "interpreter": ({**program("/usr/bin/python3.11"),
                     "process": {**program("/usr/bin/python3.11")["process"], "cmdline": "python3 -c x"}},
                    "to every script"),
    "temporary": (program("/tmp/x"), "/tmp/x is a temporary program"),
    "script": ({**program("/usr/bin/perl"),
                "process": {**program("/usr/bin/perl")["process"], "cmdline": "perl /home/ana/x.pl"}},
               "Users other than root can change /home/ana/x.pl"),
    "npm": ({**program("/opt/site/hook"), "lineage": [{"pid": 4, "comm": "npm install", "exe": "/usr/bin/node"}]},
            "ran below npm"),
    "injected": (program("/opt/site/injected", flags=["injected"]), "LD_PRELOAD"),
}


class Scene:
    def __init__(self, directory):
        self.ctl, self.journal = Ctl(f"{directory}/nobody"), f"{directory}/week.journal"
        self.policy, self.output = f"{directory}/policy.d", f"{directory}/policy.d/90-learned.conf"
        self.directory, self.number = directory, 0
        os.mkdir(self.policy)
        self.jobs = [(n, self.alert(day * DAY + n * 60, **site_program(n)), HOSTS[(n + day) % 2])
                     for day in range(DAYS) for n in range(PROGRAMS) if (n + day) % 2 or day < 2 or n < 8]
        self.never = [(name, self.alert(day * DAY + 7200, **changes), "alpha")
                      for day in range(4) for name, (changes, _) in NEVER.items()]
        self.users = [("users", self.alert(day * DAY + 600 + n, **user_program(n)), "alpha")
                      for day in range(DAYS) for n in range(2)]
        curl = program("/usr/bin/curl", uid=1000, pid=77)
        evil = {"destination": {"address": "198.51.100.66"}}
        more = {"cloud-aws": "/srv/x/.aws/credentials", "ssh-private-keys": "/srv/x/.ssh/id_rsa",
                "shell-history": "/root/.bash_history"}
        harvest = program("/usr/bin/harvest")
        opened = harvest.pop("file")
        harvest["files"] = [{**opened, "path": path, "classes": [name]} for name, path in more.items()]
        self.thieves = [
            # Every day, by a program that sends anything.
            *[("tool", self.alert(day * DAY + 9000, **curl, **evil), "alpha") for day in range(DAYS)],
            # On one day, by a program of the system.
            ("seldom", self.alert(9100, **program("/usr/bin/once"), **evil), "alpha"),
            # Several classes; and in one incident with what no rule should allow.
            *[("harvest", self.alert(day * DAY + 9200, classes=list(more), **harvest, **evil), "beta")
              for day in range(DAYS)],
            *[("company", self.alert(day * DAY + 9300, incident=0xbad, **program("/usr/bin/company"), **evil), "beta")
              for day in range(DAYS)],
            ("company", self.alert(9301, incident=0xbad, **program("/dev/shm/dropped")), "beta")]
        self.write(self.journal, self.jobs + self.never + self.thieves + self.users)

    def alert(self, seconds, **changes):
        self.number += 1
        return alert(self.number, seconds, **changes)

    @staticmethod
    def write(path, alerts):
        journal_files.write(path, [entry(a, host) for _, a, host in sorted(alerts, key=lambda item: item[1]["time"])])

    def learn(self, *args, status=0, answers=None):
        journal = [] if any(a.startswith("--file=") for a in args) else [f"--file={self.journal}"]
        command = self.ctl.command("learn", *journal, f"--policy-dir={harness.DEFAULT_POLICY}", *args)
        result = subprocess.run(command, input=answers or "", capture_output=True, text=True, timeout=120, check=False,
                                env=environment())
        require_equal(result.returncode, status, f"exit status of {args}\n{result.stdout}{result.stderr}")
        return result.stdout

    def check(self, *args):
        result = subprocess.run([harness.BARBWIRED, "--check", f"--policy-dir={harness.DEFAULT_POLICY}",
                                 f"--policy-dir={self.policy}", *args], capture_output=True, text=True, timeout=120,
                                check=False)
        said = [line for line in result.stderr.splitlines() if "(note)" not in line and "90-learned" in line]
        require_equal((result.returncode, said), (0, []), f"--check\n{result.stdout}")
        return result.stdout

    def replay(self, alerts):
        """{number: what the policy makes of the alert}"""
        path = f"{self.directory}/replay-{self.number}-{len(os.listdir(self.directory))}.journal"
        self.write(path, alerts)
        out = self.check(f"--replay={path}")
        lines = re.findall(r"^(raise|change|silence|unknown) .* ([0-9a-f]+)-0 \w+ \d+: ", out, re.MULTILINE)
        require_equal(len(lines), len({a["id"] for _, a, _ in alerts}), out)
        return {int(number, 16): result for result, number in lines}


def number_of(a):
    return int(a["id"].split("-")[1], 16)


def results(s, alerts):
    found = s.replay(alerts)
    return [(name, found[number_of(a)]) for name, a, _ in alerts]


def sections(text):
    """The rules in force, by their Exe= and Script=."""
    found = {}
    for section in re.findall(r"^\[Allow \S+\]\n(?:[A-Z]\w+=.*\n)+", text, re.MULTILINE):
        keys = re.findall(r"^(\w+)=(.*)$", section, re.MULTILINE)
        found[dict(keys).get("Script") or dict(keys)["Exe"]] = keys
    return found


def week(s):
    require(len(s.jobs) >= 60, "a week of alerts")
    out = s.learn(f"--output={s.output}")
    require(re.search(r": 20 of 26 rules allowed\.", out), out)
    with open(s.output, encoding="utf-8") as f:
        text = f.read()
    learned = sections(text)
    require_equal(len(learned), PROGRAMS, text)
    require_equal(dict(learned["/opt/site/job13.py"]), {"Class": "ssh-private-keys", "Exe": "/usr/bin/python3.11",
                                                        "Script": "/opt/site/job13.py", "Unit": "job13.service",
                                                        "Destination": "192.0.2.7/32:443"}, text)
    require_equal(dict(learned["/usr/sbin/server4"]), {"Class": "ssh-private-keys", "Exe": "/usr/sbin/server4",
                                                       "Unit": "server4.service"}, text)
    require_equal(dict(learned["/opt/site/job2"])["User"], "1000", text)
    require(" alerts in " in text and " on 7 days, on 2 hosts (alpha, beta)" in text, text)
    s.check()
    require_equal({result for _, result in results(s, s.jobs)}, {"silence"}, "the week again")


def thieves_are_apart(s):
    with open(s.output, encoding="utf-8") as f:
        text = f.read()
    apart = text[text.index("---- Not allowed"):text.index("---- No rule should")]
    for exe, reason in (("curl", "sends any file to any place"), ("once", "fewer days than --min-days="),
                        ("harvest", "files of several classes"), ("company", "alerts that no rule should allow")):
        group = next(g for g in apart.split("\n\n") if f"#Exe=/usr/bin/{exe}\n" in g + "\n")
        require(reason in group and "# learn: undecided " in group, group)
        require(not re.search(r"^[^#\n]", group, re.MULTILINE), group)
    silent = {result for _, result in results(s, s.thieves)} & {"silence", "unknown"}
    require_equal(silent, set(), "thieves of the week")
    never = text[text.index("# ---- No rule should"):]
    require(not re.search(r"^[^#\n]|^#\[", never, re.MULTILINE), never)
    for _, reason in NEVER.values():
        require(reason in never, f"no {reason!r} in\n{never}")
    require_equal({result for _, result in results(s, s.never)}, {"raise"}, "what no rule should allow")


def users(s):
    """Programs of users are apart, after those of the system; a person who allows them gets rules with ~/, which no
    other program, destination or user can use."""
    output = f"{s.policy}/91-users.conf"
    with open(s.output, encoding="utf-8") as f:
        apart = f.read().split("---- Not allowed")[1]
    own = [g for g in apart.split("\n\n") if "A program of the user's own" in g]
    require_equal(len(own), 2, apart)
    require(apart.index("#Exe=~/.local/bin/tool") < apart.index("#Exe=/usr/bin/curl"), apart)
    text = "\n".join(line[1:] for g in own for line in g.splitlines() if line.startswith("#") and line[1] not in " -")
    with open(output, "w", encoding="utf-8") as f:
        f.write(text + "\n")
    rules = sections(text + "\n")
    require_equal({name: dict(keys) for name, keys in rules.items()}, {
        "~/.local/bin/tool": {"Class": "cloud-aws", "Exe": "~/.local/bin/tool", "User": "1000",
                              "Destination": "192.0.2.7/32:443"},
        "~/venv/bin/report": {"Class": "cloud-aws", "Exe": "/usr/bin/python3.11", "Script": "~/venv/bin/report",
                              "User": "1000", "Destination": "192.0.2.7/32:443"}}, text)
    require_equal({result for _, result in results(s, s.users)}, {"silence"}, "the week of users again")
    played = []
    for n in range(2):
        a = user_program(n)

        def but(process=None, file=None, a=a, **more):
            return {**a, "process": {**a["process"], **(process or {})}, "file": {**a["file"], **(file or {})}, **more}

        exe = a["process"]["exe"]
        played += [but({"flags": ["not-roots"]}), but({"flags": ["foreign-code"]}), but({"uid": 1001}, {"uid": 1001}),
                   but(destination={"address": "198.51.100.66"}), but(destination={"port": 25}),
                   but({"exe": exe + "x"}, {"exe": exe + "x"}), but({"flags": a["process"]["flags"] + ["injected"]}),
                   but(file={"path": "/home/ana/.ssh/id_rsa", "classes": ["ssh-private-keys"]},
                       classes=["ssh-private-keys"])]
    played.append(but({"cmdline": f"{exe} /home/ana/venv/bin/other"}))
    found = results(s, [(str(n), s.alert(60, **changes), "alpha") for n, changes in enumerate(played)])
    require_equal([n for n, result in found if result in ("silence", "unknown")], [], "silent thefts")
    os.unlink(output)


def others(n):
    """Thefts beside program n, and through it."""
    changes = site_program(n)
    exe, pid = changes["process"]["exe"], changes["process"]["pid"]
    script = "cmdline" in changes["process"] and " " in changes["process"]["cmdline"]

    def but(process=None, file=None, **more):
        return {**changes, "process": {**changes["process"], **(process or {})},
                "file": {**changes["file"], **(file or {})}, **more}

    beside = {"program": but({"exe": exe + "x"}, {"exe": exe + "x"}),
              "flags": but({"flags": ["not-roots"]}), "traced": but({"flags": ["traced"]})}
    through = {"file": but(file={"path": "/srv/x/.aws/credentials", "classes": ["cloud-aws"],
                                 "class": "cloud-aws"}, classes=["cloud-aws"]),
               "child": but({"pid": pid + 1, "exe": "/usr/bin/x"}, {"via": "fork", "generation": 1}),
               "exec": but({"exe": "/usr/bin/x"}),
               "reader": but({"pid": pid + 1, "exe": "/usr/bin/x"},
                             {"via": "pipe", "route": [{"pid": pid, "comm": "x", "via": "pipe"}]})}
    if changes.get("destination", {}).get("act") != "accept":
        through["destination"] = but(destination={"address": "198.51.100.66"})
        through["port"] = but(destination={"port": 25})
    if script:
        through["script"] = but({"cmdline": f"{exe} /opt/site/other.py"})
        through["options"] = but({"cmdline": f"{exe} -I /opt/site/job{n}.py"})
        through["changed script"] = but({"flags": ["foreign-code"]})
    return beside, through


def thefts(s):
    """At least 12 beside the learned programs and 12 through them."""
    played = []
    for n in (0, 1, 2, 3, 4, 13):
        beside, through = others(n)
        played += [(f"{n} beside: {name}", s.alert(60, **changes), "alpha") for name, changes in beside.items()]
        played += [(f"{n} through: {name}", s.alert(60, **changes), "alpha") for name, changes in through.items()]
    require(sum("beside" in name for name, _, _ in played) >= 12 and
            sum("through" in name for name, _, _ in played) >= 12, "thefts")
    silent = [name for name, result in results(s, played) if result in ("silence", "unknown")]
    require_equal(silent, [], "silent thefts")


def days(s):
    """--min-days=, --dry-run, the time."""
    before = os.listdir(s.policy)
    daily = {f"/opt/site/job{n}" for n in (0, 1, 2, 5, 6, 7)} | {"/opt/site/job3.py", "/usr/sbin/server4"}
    out = s.learn("--min-days=7", f"--output={s.policy}/none", "--dry-run")
    require_equal(set(sections(out)), daily, "7 days")
    require_equal(os.listdir(s.policy), before, "--dry-run")
    require("/usr/bin/once" in sections(s.learn("--min-days=1")), "1 day")
    require(not sections(s.learn("--since=@1795564800", "-U", "@1795564801")), "a second")
    objects = s.ctl.objects("learn", f"--file={s.journal}", f"--policy-dir={harness.DEFAULT_POLICY}")[0]
    require_equal((objects["alerts"], sum(g["allowed"] for g in objects["groups"])),
                  (len(s.jobs + s.never + s.thieves + s.users), PROGRAMS), "JSON")
    # What the policy allows by now is not asked again.
    again = s.learn(f"--policy-dir={s.policy}")
    require(not sections(again) and f"# {len(s.jobs)} of them raise none by the policy on disk." in again, again)


def interactive(s):
    """Answers are kept at once; the next run asks for what is left."""
    output = f"{s.directory}/asked.conf"
    out = s.learn("-i", f"--output={output}", answers="y\nshow\nn\n\nq\n")
    require_equal(re.findall(r"^\[(\d+)/26\]", out, re.MULTILINE), ["1", "2", "2", "3", "4"], out)
    require("↓ opened by " in out and "1 of 26 rules allowed" in out, out)
    with open(output, encoding="utf-8") as f:
        first = f.read()
    answers = re.findall(r"^# learn: (\w+) (\S+)$", first, re.MULTILINE)
    require_equal(sorted(a for a, _ in answers), ["no"] + 24 * ["undecided"] + ["yes"], first)
    out = s.learn("-i", f"--output={output}", answers="y\n")
    require("[1/24]" in out and "2 of 26 rules allowed" in out, out)
    out = s.learn(f"--output={output}")
    require("19 of 26 rules allowed" in out, out)
    no = next(name for answer, name in answers if answer == "no")
    with open(output, encoding="utf-8") as f:
        require(f"# learn: no {no}\n" in f.read(), "a no is kept")
    for args in (["-i"], ["--min-days=0"], ["-n1"], ["x"]):
        s.learn(*args, status=2)
    s.learn(f"--output={s.directory}/no/such", status=1)


def bounds(s):
    """Alerts that are too large, or have too many files or too long an id, are counted, and teach nothing; a drop-in
    that is too large is not cut."""
    path, large = f"{s.directory}/bounds.journal", s.alert(1, **program("/opt/site/large"))
    large["process"]["cmdline"] = "x" * 65536
    files, known = s.alert(2, **program("/opt/site/files")), s.alert(4, **program("/opt/site/known"))
    files["files"] *= 9
    name = s.alert(3, **program("/opt/site/name"))
    name["id"] = "b" * 65 + name["id"]
    s.write(path, [("", a, "alpha") for a in (large, files, name, known)])
    out = s.learn(f"--file={path}", "--min-days=1")
    require("# 3 entries are left out: " in out and set(sections(out)) == {"/opt/site/known"}, out)
    result = subprocess.run([harness.BARBWIRED, "--check", f"--policy-dir={harness.DEFAULT_POLICY}",
                             f"--replay={path}"], capture_output=True, text=True, timeout=120, check=False)
    require("1 alerts: 1 raised" in result.stdout and ": 3 entries are left out" in result.stderr, result.stdout)
    output = f"{s.directory}/large.conf"
    with open(output, "w", encoding="utf-8") as f:
        f.write("# Made by barbwirectl learn\n")
        f.truncate(16 * 1024 * 1024 + 1)
    s.learn(f"--output={output}", status=1)
    require_equal(os.stat(output).st_size, 16 * 1024 * 1024 + 1, "the size of a drop-in that is too large")


def forged(s):
    """Nobody who can send alerts of his own host hides the theft of another one: a copy is what says the same."""
    path, job = f"{s.directory}/forged.journal", program("/opt/site/job1")
    week = [s.alert(day * DAY + 60, **job) for day in range(DAYS)]
    theft = s.alert(9000, **program("/dev/shm/dropped"))
    week[3]["incident"] = theft["incident"]
    hidden = {**theft, "process": week[0]["process"], "files": week[0]["files"], "time": journal_files.time_of(
        journal_files.BEGIN + 8999)}
    repeated = {**week[0], "repeats": 2, "summary": week[0]["summary"] + " (repeated twice within its window)"}
    s.write(path, [("", a, "alpha") for a in week + [theft, repeated]] + [("", hidden, "beta")])
    out = s.learn(f"--file={path}")
    require("learn of 9 alerts of 2 hosts" in out and not sections(out), out)
    require("/dev/shm/dropped is a temporary program" in out, out)
    result = subprocess.run([harness.BARBWIRED, "--check", f"--policy-dir={harness.DEFAULT_POLICY}",
                             f"--replay={path}"], capture_output=True, text=True, timeout=120, check=False)
    require("9 alerts: 9 raised" in result.stdout, result.stdout)


def again(s):
    """The drop-in is no part of the policy that its own alerts are evaluated by: a second run keeps its rules."""
    with open(s.output, encoding="utf-8") as f:
        before = f.read()
    s.learn(f"--policy-dir={s.policy}", f"--output={s.output}")
    with open(s.output, encoding="utf-8") as f:
        after = f.read()
    require_equal(sections(after), sections(before), "the sections after a second run")
    require(sections(before), "no section")
    # A rule that a person allowed by removing the "#" stays allowed.
    name = re.search(r"^# learn: undecided (\S+)$", after, re.MULTILINE)[1]
    lines, on = [], False
    for line in after.splitlines(keepends=True):
        on = line == f"#[Allow {name}]\n" or (on and line.startswith("#") and not line.startswith("# "))
        lines.append(line[1:] if on else line)
    with open(s.output, "w", encoding="utf-8") as f:
        f.writelines(lines)
    s.learn(f"--policy-dir={s.policy}", f"--output={s.output}")
    with open(s.output, encoding="utf-8") as f:
        require(f"\n[Allow {name}]\n" in f.read(), f"{name} is not allowed any more")
    other = f"{s.directory}/other.conf"
    with open(other, "w", encoding="utf-8") as f:
        f.write("[Class x]\nPath=/x\n")
    s.learn(f"--output={other}", status=1)
    with open(other, encoding="utf-8") as f:
        require_equal(f.read(), "[Class x]\nPath=/x\n", "a file of somebody else's")


def main():
    t = tap.Tap()
    with tempfile.TemporaryDirectory(prefix="barbwire-learn-") as directory:
        s = Scene(directory)
        t.setup("a week becomes a drop-in, and is silent", week, s)
        t.case("thieves of the week are shown apart", thieves_are_apart, s)
        t.case("programs of users", users, s)
        t.case("thefts beside the learned programs, and through them", thefts, s)
        t.case("days, time, JSON", days, s)
        t.case("bounds", bounds, s)
        t.case("alerts that another host makes up", forged, s)
        t.case("answers", interactive, s)
        t.case("a second run", again, s)
    t.done()


if __name__ == "__main__":
    main()
