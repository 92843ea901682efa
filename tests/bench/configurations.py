# SPDX-License-Identifier: GPL-2.0-or-later
"""The configurations under which operations are measured: the bare machine, empty programs, barbwired with policies of
several sizes, and peers. Each is a context that is entered once it is active, which is proved by an act that it must
report.

A peer is set up to monitor what barbwired monitors, as far as it can: opens of the same files, and the network. None of
them follows a secret from process to process."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time

import figures
import harness
import scene as stage
from tap import SLOW

READY_TIMEOUT = 30 * SLOW
POLL_SECONDS = 0.05
# From Debian; those that are not installed are left out, and named.
PACKAGES = {"bpftrace": "bpftrace", "audit": "auditd", "opensnoop": "libbpf-tools", "fatrace": "fatrace"}
# The files that peers with a list of paths monitor, in addition to that of the scene: well-known ones of the default
# policy.
WATCHED = ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh/ssh_host_ed25519_key", "/root/.ssh/id_rsa",
           "/root/.ssh/id_ed25519", "/root/.aws/credentials", "/root/.netrc", "/root/.git-credentials",
           "/root/.kube/config")


class Unavailable(Exception):
    """This machine cannot run the peer; the message says why."""


class Configurations:
    """The configurations by name, for one run. `sensor` and `hooks` are those that barbwired uses here."""

    def __init__(self, scene, keep=None):
        self.scene, self.stack = scene, contextlib.ExitStack()
        self.all = {
            "bare": lambda: contextlib.nullcontext(), "empty": self.empty,
            "barbwire-0": lambda: self.barbwire(0), "barbwire": self.barbwire,
            "barbwire-10000": lambda: self.barbwire(10000),
            "bpftrace": self.bpftrace, "audit": self.audit, "opensnoop": self.opensnoop, "fatrace": self.fatrace}
        unknown = sorted(set(keep or ()) - set(self.all))
        if unknown:
            sys.exit(f"no such configuration: {', '.join(unknown)}; there are {', '.join(self.all)}")
        self.names, self.missing = list(keep or self.all), {}
        self.sensor, self.hooks = None, None

    def __enter__(self):
        with self.barbwire() as bw:
            self.sensor = bw.stderr_since(0, "armed").split("sensor ")[1].split(",")[0]
            self.hooks = figures.hooks_of(bw.pid)
        if "audit" in self.names:
            self.audit_prepare()
        return self

    def leave_out(self, name, reason):
        """Records that this peer is not available here."""
        self.names.remove(name)
        self.missing[name] = str(reason)

    def __exit__(self, *exception):
        self.stack.close()

    def enter(self, name):
        return self.all[name]()

    # ---- ours ----

    @contextlib.contextmanager
    def empty(self):
        command = [harness.program("bench-empty"), self.sensor, stage.cgroup2_mount()]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                if not process.stdout.readline().startswith("armed "):
                    raise RuntimeError("the empty programs do not load")
                yield process
            finally:
                process.stdin.close()
                process.wait()

    @contextlib.contextmanager
    def barbwire(self, n_patterns=None):
        with harness.Barbwired(self.scene.policies(n_patterns),
                               args=[f"--listen={self.scene.root}/socket"]) as bw:
            thief = self.scene.steal()
            bw.wait_alert(lambda a: a["process"]["pid"] == thief, "the alert that proves it")
            yield bw

    # ---- peers ----

    @contextlib.contextmanager
    def tracer(self, name, command, wanted):
        """A program that prints the events it monitors. It is active when its output contains the word `wanted`, which
        the event of `steal` has."""
        heard = threading.Event()

        def listen(stream):
            for line in stream:
                if wanted in line:
                    heard.set()

        # Tracepoints need tracefs, which may not be mounted: it is, in a mount namespace of the peer.
        outside = ["unshare", "--mount", "sh", "-c",
                   'mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"', "sh"]
        with subprocess.Popen(outside + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as process:
            said = []
            reader = threading.Thread(target=listen, args=(keep_first(process.stdout, said),), daemon=True)
            reader.start()
            try:
                deadline = time.monotonic() + READY_TIMEOUT
                while not heard.is_set():
                    self.scene.steal()
                    if process.poll() is not None or time.monotonic() > deadline:
                        text = b"".join(said[:3]).decode(errors="replace").strip()
                        raise Unavailable(f"{name} does not report an open: {text or 'no output'}")
                    heard.wait(POLL_SECONDS)
                yield process
            finally:
                # bpftrace 0.17 hangs when another signal comes at the wrong moment. Killing a tracer leaves nothing
                # behind.
                process.kill()
                process.wait()
                reader.join()

    def need(self, name, program):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            raise Unavailable(f"not installed (Debian's package {PACKAGES[name]})")

    @contextlib.contextmanager
    def bpftrace(self):
        """The same correlation as a script: an open of one of these paths marks the process, forks inherit the mark,
        and then egress is printed."""
        self.need("bpftrace", "bpftrace")
        script = f"{self.scene.root}/correlate.bt"
        tests = " || ".join(f'str(args->filename) == "{path}"' for path in WATCHED + (self.scene.stolen,))
        with open(script, "w", encoding="ascii") as out:
            out.write(BPFTRACE.replace("TESTS", tests))
        with self.tracer("bpftrace", ["env", "BPFTRACE_STRLEN=64", "bpftrace", script],
                         b"theft by bench-storm") as process:
            yield process

    @contextlib.contextmanager
    def opensnoop(self):
        self.need("opensnoop", "opensnoop")
        with self.tracer("opensnoop", ["stdbuf", "-oL", "opensnoop"], self.scene.stolen.encode()) as process:
            yield process

    @contextlib.contextmanager
    def fatrace(self):
        self.need("fatrace", "fatrace")
        with self.tracer("fatrace", ["stdbuf", "-oL", "fatrace", "--filter=O"], self.scene.stolen.encode()) as process:
            yield process

    def audit_prepare(self):
        """Once the audit of the kernel was enabled, every new process pays for it until the next boot, unless a rule
        says "never". All configurations but that of audit have this rule, and it is kept, as nothing else undoes the
        cost. The package of Debian has the same rule."""
        if not shutil.which("auditctl", path="/usr/sbin:/sbin:/usr/bin"):
            return
        status = audit("-s")
        rules = audit("-l") if status else None
        if not status or "enabled 0" not in status or "pid 0" not in status \
                or rules not in ("No rules\n", AUDIT_NEVER_SHOWN):
            return
        if rules == "No rules\n":
            audit("-a", "never,task")
        audit("-e", "1")
        audit("-e", "0")
        self.stack.callback(audit, "-e", "0")

    @contextlib.contextmanager
    def audit(self):
        """Audit rules for the same files and for connect(2). No daemon reads the records, so the kernel prints as many
        as it can, and drops the rest."""
        self.need("audit", "auditctl")
        if audit("-l") != AUDIT_NEVER_SHOWN or "enabled 0" not in (audit("-s") or ""):
            raise Unavailable("the kernel's audit is in use, or this machine may not use it")
        rules = [("always,exit", "-F", f"path={path}", "-F", "perm=r")
                 for path in WATCHED + (self.scene.secret, self.scene.stolen) if os.path.exists(path)]
        rules.append(("always,exit", "-F", "arch=b64", "-S", "connect"))
        audit("-d", "never,task")
        try:
            for rule in rules:
                if audit("-a", *rule) is None:
                    raise Unavailable(f"auditctl -a {' '.join(rule)}: refused")
            if audit("-e", "1") is None:
                raise Unavailable("auditctl -e 1: refused")
            yield None
        finally:
            audit("-e", "0")
            for rule in rules:
                audit("-d", *rule)
            audit("-a", "never,task")


AUDIT_NEVER_SHOWN = "-a never,task\n"

BPFTRACE = """
tracepoint:syscalls:sys_enter_open, tracepoint:syscalls:sys_enter_openat, tracepoint:syscalls:sys_enter_openat2
/TESTS/ { @touched[pid] = nsecs; }
tracepoint:sched:sched_process_fork /@touched[args->parent_pid]/
{ @touched[args->child_pid] = @touched[args->parent_pid]; }
tracepoint:sched:sched_process_exit { delete(@touched[pid]); }
tracepoint:syscalls:sys_enter_connect, tracepoint:syscalls:sys_enter_sendto, tracepoint:syscalls:sys_enter_sendmsg
/@touched[pid] && nsecs - @touched[pid] < 300000000000/ { printf("theft by %s %d\\n", comm, pid); }
"""


def keep_first(stream, said):
    """Reads the lines of a stream; the first ones are kept for messages."""
    for line in stream:
        if len(said) < 20:
            said.append(line)
        yield line


def audit(*args):
    """The output of auditctl; None: it failed."""
    result = subprocess.run(("auditctl",) + args, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                            env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
    return result.stdout if result.returncode == 0 else None
