# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwired under test: start it, wait until it is armed, wait for alerts, end it, read its summary.

Nothing here sleeps to synchronise: a reader thread feeds a condition variable, and that no alert came is
proved by a marker theft that is made afterwards and waited for (records leave the kernel in the order they
were made)."""

import atexit
import datetime
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import tap
from tap import Failure, require

# Under the sanitizers on two shared cores everything takes its time; a wait ends as soon as its event comes.
ARMED_TIMEOUT = 60 * tap.SLOW
ALERT_TIMEOUT = 15 * tap.SLOW
STOP_TIMEOUT = 30 * tap.SLOW

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE_ROOT = os.environ.get("BW_SOURCE_ROOT") or os.path.realpath(os.path.join(HERE, "../.."))
BARBWIRED = os.path.realpath(os.environ.get("BARBWIRED") or os.path.join(SOURCE_ROOT, "build/barbwired"))
# Where meson put the helper programs.
TEST_BIN = os.path.realpath(os.environ.get("BW_TEST_BIN") or os.path.join(SOURCE_ROOT, "build/tests"))


def default_policy():
    """A copy of the default policy that barbwired can read again once it is nobody in particular: the clone may
    be in a directory that is root's alone."""
    directory = tempfile.mkdtemp(prefix="barbwire-policy-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.chmod(directory, 0o755)
    copy = os.path.join(directory, "policy.d")
    shutil.copytree(os.path.join(SOURCE_ROOT, "daemon/policy.d"), copy)
    os.chmod(copy, 0o755)
    for name in os.listdir(copy):
        os.chmod(os.path.join(copy, name), 0o644)
    return copy


DEFAULT_POLICY = default_policy()

# Every counter that means "detection was not whole", as barbwired's last line names them.
LOSSES = ("lost", "ring_full", "mark_refused", "path_truncated", "name_lost", "policy_busy", "file_gone",
          "repeat_gone", "draft_busy", "recursion_misses", "hook_gone")


def require_machine():
    """Ends the program as skipped where barbwired cannot be tested at all."""
    if os.geteuid() != 0:
        tap.skip_all("needs root")
    if not os.access(BARBWIRED, os.X_OK):
        sys.exit(f"{BARBWIRED} is not there: build it, or name it in BARBWIRED=")
    # The PIDs that programs tell must be the kernel's: a nested PID namespace numbers them anew.
    with open("/proc/self/status", encoding="ascii") as status:
        numbers = [line.split()[1:] for line in status if line.startswith("NSpid:")]
    if numbers and len(numbers[0]) != 1:
        tap.skip_all("runs in a nested PID namespace", environment=True)


def sees_host():
    """Is this where [Allow] rules hold: does it see what the init of its PID namespace sees?"""
    def root(process):
        # Device, and the directory of it that is mounted there; the last mount on / is the one that is seen.
        with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            return [line.split()[2:4] for line in mounts if line.split()[4] == "/"][-1:]

    return root("self") == root("1")


def require_host():
    """Ends the program as skipped in a container or a chroot that shares its host's PID namespace."""
    require_machine()
    if not sees_host():
        tap.skip_all("no allow rule holds here: this is not what the machine's init sees", environment=True)


def kernel_version():
    return tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2])


def preemption_losses():
    """What may be counted where kernels preempt tasks lazily, which is the default since 7.0: programs, but those on
    LSM hooks, are skipped when they interrupt themselves, and every sensor has some."""
    return ("lost", "recursion_misses") if kernel_version() >= (7, 0) else ()


def program(name):
    return os.path.join(TEST_BIN, name)


def as_text(raw):
    """Bytes as the alert's JSON shows them: what is not UTF-8 becomes \\xNN, and a backslash two."""
    return raw.replace(b"\\", b"\\\\").decode("utf-8", errors="backslashreplace")


class Home:
    """A home directory with decoys, below /tmp/barbwire-XXXX/home/ana; the default policy knows it by its
    shape."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="barbwire-").encode()
        os.chmod(self.root, 0o755)
        self.path = os.path.join(self.root, b"home/ana")
        self.ssh = os.path.join(self.path, b".ssh")
        os.makedirs(self.ssh)
        self.count = 0

    def secret(self):
        token = secrets.token_hex(32)
        return f"-----BEGIN DECOY, NOT A KEY-----\n{token}\n-----END DECOY-----\n".encode()

    def key(self, name=None):
        """A fresh decoy in ~/.ssh: its path and its bytes."""
        self.count += 1
        return self.decoy(os.path.join(self.ssh, name or b"id_decoy_%d" % self.count))

    def decoy(self, path):
        """path: any that open(2) takes."""
        content = self.secret()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as out:
            out.write(content)
        return path, content

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        shutil.rmtree(self.root, ignore_errors=True)


def policy_class(name, paths, **settings):
    """Forgotten when Window= is over, unless LateWindow= is given."""
    settings.setdefault("LateWindow", "0")
    lines = [f"[Class {name}]"] + [f"Path={path}" for path in paths]
    return "\n".join(lines + [f"{key}={value}" for key, value in settings.items()]) + "\n"


def policy_allow(name, exe, classes, destinations=()):
    lines = [f"[Allow {name}]", f"Exe={exe}", f"Class={' '.join(classes)}"]
    return "\n".join(lines + [f"Destination={d}" for d in destinations]) + "\n"


class Truth:
    """One truth line of a technique program."""

    def __init__(self, line):
        fields = dict(word.split("=", 1) for word in line.split())
        self.toucher, self.sender = int(fields["toucher"]), int(fields["sender"])
        self.tid, self.start_ticks = int(fields["tid"]), int(fields["start"])
        self.lineage = [int(pid) for pid in fields["lineage"].split(",") if pid]
        # How it may have come to the sender, and from whom before: (pid, comm, how).
        own = self.toucher == self.sender
        self.via = fields.get("via", "open" if own else "fork").split("|")
        self.way = [(int(pid), comm, via.split("|"))
                    for pid, comm, via in (hop.split(":") for hop in fields.get("way", "").split(",") if hop)]
        self.file = urllib.parse.unquote_to_bytes(fields["file"])


def truths(output):
    return [Truth(line) for line in output.splitlines() if line.startswith("toucher=")]


def ticks_to_realtime(ticks):
    """Start in clock ticks since boot → seconds since the epoch."""
    offset = time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_BOOTTIME)
    return offset + ticks / os.sysconf("SC_CLK_TCK")


def start_matches(alert, ticks):
    """A tick is 10 ms and cut, not rounded; the realtime offset is read at two moments, here as in the daemon."""
    told = datetime.datetime.fromisoformat(alert["process"]["start_time"]).timestamp()
    return -0.005 * tap.SLOW <= told - ticks_to_realtime(ticks) <= 0.02 + 0.005 * tap.SLOW


class Barbwired:
    """with Barbwired() as bw: it is armed."""

    def __init__(self, policy_dirs=(DEFAULT_POLICY,), alerts="json", args=()):
        self.command = [BARBWIRED, f"--alerts={alerts}", "--log-level=debug"]
        # Which kernel hooks: a matter of who tests this kernel.
        if os.environ.get("BW_SENSOR"):
            self.command.append(f"--sensor={os.environ['BW_SENSOR']}")
        self.command += [f"--policy-dir={directory}" for directory in policy_dirs] + list(args)
        self.parse = alerts == "json"
        self.changed = threading.Condition()
        self.output, self.stderr = [], []  # lines: bytes, text
        self.alerts, self.states, self.malformed = [], [], []
        self.process, self.readers, self.summary = None, [], None

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        for stream, on_line in ((self.process.stdout, self.on_stdout),
                                (self.process.stderr, self.on_stderr)):
            reader = threading.Thread(target=self.read, args=(stream, on_line), daemon=True)
            reader.start()
            self.readers.append(reader)
        return self

    def read(self, stream, on_line):
        for line in stream:
            with self.changed:
                on_line(line.rstrip(b"\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def on_stdout(self, line):
        self.output.append(line)
        if not self.parse:
            return
        try:
            record = json.loads(line)
            {"alert": self.alerts, "state": self.states}[record["kind"]].append(record)
        except (ValueError, KeyError, TypeError):
            self.malformed.append(line)

    def on_stderr(self, line):
        self.stderr.append(line.decode("utf-8", errors="backslashreplace"))

    def wait(self, look, timeout, what):
        """Waits until look() gives something true, and returns it."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                found = look()
                if found:
                    return found
                if self.process.poll() is not None and not any(r.is_alive() for r in self.readers):
                    status = self.process.returncode
                    raise Failure(f"{what}: barbwired has ended with {status}\n{self.tail()}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Failure(f"{what}: not in {timeout} s\n{self.tail()}")
                # Its end wakes the readers before it can be waited for: look again now and then.
                self.changed.wait(min(left, 0.5))

    def tail(self):
        last = [json.dumps(a)[:1500] for a in self.alerts[-2:]]
        return "\n".join(["last diagnostics:"] + self.stderr[-12:] + ["last alerts:"] + last)

    def stderr_since(self, mark, *words):
        return next((line for line in self.stderr[mark:] if any(word in line for word in words)), None)

    def wait_armed(self):
        try:
            self.wait(lambda: self.stderr_since(0, "armed"), ARMED_TIMEOUT, "armed")
        except Failure:
            if self.process.poll() == 3:
                tap.skip_all(f"this kernel cannot: {' '.join(self.stderr[-1:])}", environment=True)
            raise
        return self

    def __enter__(self):
        try:
            return self.start().wait_armed()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *exception):
        self.kill()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wait_alert(self, predicate, what="alert", timeout=ALERT_TIMEOUT):
        return self.wait(lambda: next((a for a in self.alerts if predicate(a)), None), timeout, what)

    def find(self, predicate):
        with self.changed:
            return [alert for alert in self.alerts if predicate(alert)]

    def prove_delivered(self, net, home):
        """Everything that happened before this call has been reported when it returns."""
        key, _ = home.key()
        result = net.run([program("technique-out-tcp"), "blocking", key, "192.0.2.7", "443"])
        require(result.returncode == 0, f"the marker theft failed: {result.stderr}")
        sender = truths(result.stdout)[0].sender
        self.wait_alert(lambda a: touches(a, key) and a["process"]["pid"] == sender, "the marker's alert")

    def expect_no_alert(self, predicate, net, home, what):
        self.prove_delivered(net, home)
        found = self.find(predicate)
        if found:
            raise Failure(f"{what}: alert came\n{json.dumps(found[0])}")

    def reload(self):
        """SIGHUP; returns the diagnostic that says what came of it."""
        with self.changed:
            mark = len(self.stderr)
        self.process.send_signal(signal.SIGHUP)
        return self.wait(lambda: self.stderr_since(mark, "policy reloaded", "policy kept"), ARMED_TIMEOUT,
                         "reload")

    def stop(self):
        """SIGTERM, exit status 0; returns the numbers of its last line."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Failure(f"still there {STOP_TIMEOUT} s after SIGTERM\n{self.tail()}") from None
        for reader in self.readers:
            reader.join()
        require(status == 0, f"exit status {status} after SIGTERM\n{self.tail()}")
        require(self.stderr and "stopped:" in self.stderr[-1], f"no summary\n{self.tail()}")
        words = self.stderr[-1].split("stopped:", 1)[1].split()
        self.summary = {key: int(value) for key, value in (word.split("=", 1) for word in words)}
        return self.summary

    def require_whole(self, provoked=()):
        """After stop(): nothing was lost but by the causes that the test itself provoked, and every line was
        well-formed."""
        missing = [name for name in ("alerts", "repeats") + LOSSES if name not in self.summary]
        require(not missing, f"the summary lacks {missing}: {self.stderr[-1]}")
        lost = {name: self.summary[name] for name in LOSSES if self.summary[name] and name not in provoked}
        require(not lost, f"losses: {lost}")
        require(not self.malformed, f"not JSON of a known kind: {self.malformed[:3]}")


def touches(alert, path):
    return any(entry["path"] == as_text(path) for entry in alert["files"])
