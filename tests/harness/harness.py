# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwired under test: start it, wait until it is armed, wait for alerts, stop it, read its summary.

Nothing here sleeps to synchronise: a reader thread feeds a condition variable, and that no alert was raised is proved
by a marker theft that is played afterwards and whose alert is waited for, since records leave the kernel in order."""

import atexit
import datetime
import json
import os
import re
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

# Generous, for the sanitizers on two shared cores; a wait ends as soon as its event comes.
ARMED_TIMEOUT = 60 * tap.SLOW
ALERT_TIMEOUT = 60 * tap.SLOW
STOP_TIMEOUT = 30 * tap.SLOW

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE_ROOT = os.environ.get("BW_SOURCE_ROOT") or os.path.realpath(os.path.join(HERE, "../.."))
BARBWIRED = os.path.realpath(os.environ.get("BARBWIRED") or os.path.join(SOURCE_ROOT, "build/barbwired"))
# The programs of the tests, as built by meson.
TEST_BIN = os.path.realpath(os.environ.get("BW_TEST_BIN") or os.path.join(SOURCE_ROOT, "build/tests"))


def default_policy():
    """A copy of the default policy that barbwired can read after it has dropped root: the clone may be in a directory
    that only root can access."""
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


def loss_names():
    """The causes of losses, from the tables that define them, as in the last line of barbwired."""
    names = []
    for table in "bpf/abi/counters.h", "daemon/event/counters.h":
        with open(os.path.join(SOURCE_ROOT, table), encoding="utf-8") as source:
            names += re.findall(r'^ +X\(\w+, "(\w+)",', source.read(), re.MULTILINE)
    return tuple(names)


# Each is a detection gap; "lost" is their sum.
LOSSES = ("lost",) + loss_names()


def require_machine():
    """Exits as skipped on a machine where barbwired cannot be tested at all."""
    if os.geteuid() != 0:
        tap.skip_all("needs root")
    if not os.access(BARBWIRED, os.X_OK):
        sys.exit(f"{BARBWIRED} does not exist: build it, or set BARBWIRED=")
    # Programs must print the PIDs that the kernel reports: a nested PID namespace has others.
    with open("/proc/self/status", encoding="ascii") as status:
        numbers = [line.split()[1:] for line in status if line.startswith("NSpid:")]
    if numbers and len(numbers[0]) != 1:
        tap.skip_all("runs in a nested PID namespace", environment=True)


def sees_host():
    """Whether [Allow] rules apply here: whether this process has the root of the init of its PID namespace."""
    def root(process):
        # The device, and its directory that is mounted there; the last mount on / is the visible one.
        with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            return [line.split()[2:4] for line in mounts if line.split()[4] == "/"][-1:]

    return root("self") == root("1")


def require_host():
    """Exits as skipped in a container or a chroot that shares the PID namespace of its host."""
    require_machine()
    if not sees_host():
        tap.skip_all("no [Allow] rule applies here: the root differs from that of the machine's init", environment=True)


def kernel_version():
    return tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2])


def preemption_losses():
    """The losses that are accepted on kernels that preempt tasks lazily, which is the default since 7.0: programs,
    except those on LSM hooks, are skipped when they would interrupt themselves, and every sensor has such programs."""
    return ("lost", "recursion_misses") if kernel_version() >= (7, 0) else ()


def program(name):
    return os.path.join(TEST_BIN, name)


def as_text(raw):
    """Bytes as in the JSON of an alert: what is not UTF-8 becomes \\xNN, and a backslash is doubled."""
    return raw.replace(b"\\", b"\\\\").decode("utf-8", errors="backslashreplace")


class Home:
    """A home directory with decoys, /tmp/barbwire-XXXX/home/ana; patterns of the default policy match in it."""

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
        """A new decoy in ~/.ssh: its path and its bytes."""
        self.count += 1
        return self.decoy(os.path.join(self.ssh, name or b"id_decoy_%d" % self.count))

    def decoy(self, path):
        """path: any path that open(2) accepts."""
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
    """Marks expire at the end of Window=, unless LateWindow= is given."""
    settings.setdefault("LateWindow", "0")
    lines = [f"[Class {name}]"] + [f"Path={path}" for path in paths]
    return "\n".join(lines + [f"{key}={value}" for key, value in settings.items()]) + "\n"


def policy_allow(name, exe, classes, destinations=(), passes=None):
    lines = [f"[Allow {name}]", f"Exe={exe}", f"Class={' '.join(classes)}"]
    lines += [f"Passes={passes}"] if passes else []
    return "\n".join(lines + [f"Destination={d}" for d in destinations]) + "\n"


class Truth:
    """One truth line of a technique program."""

    def __init__(self, line):
        fields = dict(word.split("=", 1) for word in line.split())
        self.toucher, self.sender = int(fields["toucher"]), int(fields["sender"])
        self.tid, self.start_ticks = int(fields["tid"]), int(fields["start"])
        self.lineage = [int(pid) for pid in fields["lineage"].split(",") if pid]
        # How the secret may have come to the sender, and the earlier hops: (pid, comm, how).
        own = self.toucher == self.sender
        self.via = fields.get("via", "open" if own else "fork").split("|")
        self.way = [(int(pid), comm, via.split("|"))
                    for pid, comm, via in (hop.split(":") for hop in fields.get("way", "").split(",") if hop)]
        self.file = urllib.parse.unquote_to_bytes(fields["file"])


def truths(output):
    return [Truth(line) for line in output.splitlines() if line.startswith("toucher=")]


def ticks_to_realtime(ticks):
    """Converts clock ticks since boot to seconds since the epoch."""
    offset = time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_BOOTTIME)
    return offset + ticks / os.sysconf("SC_CLK_TCK")


def cgroup2():
    """Where the unified hierarchy of control groups is mounted."""
    with open("/proc/mounts", encoding="ascii") as mounts:
        found = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    if not found:
        raise tap.Skip("no cgroup2 mount", environment=True)
    return found[0]


def start_matches(alert, ticks):
    """A tick is 10 ms, and truncated. The offset to real time is read at two moments, here as in the daemon."""
    start = datetime.datetime.fromisoformat(alert["process"]["start_time"]).timestamp()
    return -0.005 * tap.SLOW <= start - ticks_to_realtime(ticks) <= 0.02 + 0.005 * tap.SLOW


class Barbwired:
    """with Barbwired() as bw: barbwired is armed."""

    def __init__(self, policy_dirs=(DEFAULT_POLICY,), alerts="json", args=(), program=BARBWIRED):
        self.command = [program, f"--alerts={alerts}", "--log-level=debug"]
        # A person who tests a sensor chooses it.
        if os.environ.get("BW_SENSOR"):
            self.command.append(f"--sensor={os.environ['BW_SENSOR']}")
        self.command += [f"--policy-dir={directory}" for directory in policy_dirs] + list(args)
        self.parse = alerts == "json"
        self.refuses = False  # its policy has Action=deny of keys: thefts of them fail, with an alert
        self.changed = threading.Condition()
        self.output, self.stderr = [], []  # lines: bytes, text
        self.alerts, self.states, self.malformed = [], [], []
        self.process, self.readers, self.summary = None, [], None

    @property
    def pid(self):
        return self.process.pid

    def start(self, pass_fds=()):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, pass_fds=pass_fds)
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
        """Waits until look() returns a true value, and returns that."""
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
                # The readers see the end of barbwired before it can be waited for, so look again after a while.
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
                why = " ".join(line.strip() for line in self.stderr[-4:])
                tap.skip_all(f"this kernel cannot: {why}", environment=True)
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
        """When this returns, every alert of earlier events has been read."""
        key, _ = home.key()
        result = net.run([program("technique-out-tcp"), "blocking", key, "192.0.2.7", "443"])
        require(result.returncode == 0 or self.refuses, f"the marker theft failed: {result.stderr}")
        sender = truths(result.stdout)[0].sender
        self.wait_alert(lambda a: touches(a, key) and a["process"]["pid"] == sender, "the marker's alert")

    def expect_no_alert(self, predicate, net, home, what):
        self.prove_delivered(net, home)
        found = self.find(predicate)
        if found:
            raise Failure(f"{what}: alert came\n{json.dumps(found[0])}")

    def reload(self):
        """Sends SIGHUP, and returns the diagnostic with the result: not the text of the state alert, which begins with
        the same words and may follow it."""
        with self.changed:
            mark = len(self.stderr)
        self.process.send_signal(signal.SIGHUP)
        results = "policy reloaded", "Reload failed, keeping the current policy;"
        return self.wait(lambda: self.stderr_since(mark, *results), ARMED_TIMEOUT, "reload")

    def stop(self):
        """Sends SIGTERM, requires exit status 0, and returns the numbers of the last line."""
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

    def require_no_loss(self, provoked=()):
        """After stop(): there are no losses, except for those that the test itself provoked, and every line was
        well-formed."""
        missing = [name for name in ("alerts", "repeats") + LOSSES if name not in self.summary]
        require(not missing, f"the summary lacks {missing}: {self.stderr[-1]}")
        lost = {name: self.summary[name] for name in LOSSES if self.summary[name] and name not in provoked}
        require(not lost, f"losses: {lost}")
        require(not self.malformed, f"not JSON of a known kind: {self.malformed[:3]}")


def touches(alert, path):
    return any(entry["path"] == as_text(path) for entry in alert["files"])
