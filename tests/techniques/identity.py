# SPDX-License-Identifier: GPL-2.0-or-later
"""S01-S03: a name is not an identity. Each way to look like an allowed program must alert, and the honest program
beside it must not."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys

from harness import program, truths
from net import HOST_V4
from tap import Skip, require

CLASS = "ssh-private-keys"
PTRACE_SEIZE = 0x4206  # <sys/ptrace.h>
CANNOT = 77  # play.h: PLAY_CANNOT
UNIT = "barbwire-test.service"
# More than the kernel programs look at (bpf/started.bpf.h: ENTRIES_MAX), and as many as a login may well have.
HUGE, LARGE = 3000, 120


class Actors:
    """Copies of one program under allowed names: root's, and nobody else may write them."""

    def __init__(self, home):
        self.directory = os.path.join(home.root.decode(), "identity")
        os.mkdir(self.directory, 0o755)
        for name in ("plain", "gone", "interpreter", "unit", "container", "boxed", "user", "descendant", "evil"):
            setattr(self, name, self.install("beat-identity", name))
        self.ancestor = self.install("beat-launch", "ancestor")
        self.writable = self.install("beat-identity", "writable", 0o757)
        self.foreign_owner = self.install("beat-identity", "foreign-owner")
        os.chown(self.foreign_owner, pwd.getpwnam("nobody").pw_uid, -1)
        self.script = self.file("scripts/good.x")
        self.other = self.file("otherscripts/evil.x")
        libm = next(path for path in os.popen("ldconfig -p").read().split() if path.endswith("/libm.so.6"))
        self.library, self.loose = (os.path.join(self.directory, name) for name in ("lib.so", "loose.so"))
        shutil.copyfile(libm, self.library)
        shutil.copyfile(libm, self.loose)
        os.chmod(self.library, 0o755)
        os.chmod(self.loose, 0o757)

    def install(self, source, name, mode=0o755):
        target = os.path.join(self.directory, name)
        shutil.copyfile(program("technique-" + source), target)
        os.chmod(target, mode)
        return target

    def file(self, name):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii"):
            return path

    def policy(self):
        rules = {
            "plain": (self.plain, {}), "gone": (self.gone, {}), "writable": (self.writable, {}),
            "foreign-owner": (self.foreign_owner, {}),
            "interpreter": (self.interpreter, {"Script": os.path.dirname(self.script) + "/**"}),
            "unit": (self.unit, {"Unit": UNIT}),
            # By its name in any directory: a chroot is one.
            "container": ("/**/identity/container", {"Unit": UNIT, "Container": "yes"}),
            "boxed": ("/**/identity/boxed", {"Unit": UNIT}),
            "user": (self.user, {"User": "nobody"}),
            "descendant": (self.descendant, {"Ancestor": self.ancestor}),
        }
        return "".join(
            f"[Allow identity-{name}]\nExe={exe}\nClass={CLASS}\n" + "".join(f"{k}={v}\n" for k, v in keys.items())
            for name, (exe, keys) in rules.items())


def test_policy(home, directory):
    actors = Actors(home)
    with open(os.path.join(directory, "91-identity.conf"), "w", encoding="utf-8") as out:
        out.write(actors.policy())
    return actors


def play(stage, exe, variant="plain", launch=None, env=None, launcher=None, cwd=None, alerts=True, uid=0):
    """launch: HOW [A [B]] of beat-launch."""
    key, secret = stage.home.key()
    if uid:
        os.chown(key, uid, -1)
    command = [exe, variant, key, HOST_V4, "443"]
    if launch:
        how = list(launch) + ["-"] * (3 - len(launch))
        command = [launcher or program("technique-beat-launch")] + how + command
    result = stage.net.run(command, env={**os.environ, **(env or {})}, cwd=cwd)
    if result.returncode == CANNOT:
        raise Skip(f"{launch}: {result.stderr.strip()}", environment=True)
    require(result.returncode == 0, f"{command}: status {result.returncode}\n{result.stderr}")
    judge(stage, truths(result.stdout), key, secret, alerts, uid)


def judge(stage, told, key, secret, alerts, uid=0):
    require(told, "no truth line")
    stage.net.sink.wait_arrived(secret)
    for truth in told:
        if alerts:
            alert = stage.bw.wait_alert(
                # The end of the path: in another root it begins elsewhere.
                lambda a, pid=truth.sender: a["process"]["pid"] == pid and any(
                    (entry["path"] or "").endswith(key.decode()) for entry in a["files"]), "the alert")
            require(alert["process"]["uid"] == uid, f"uid: {alert['process']['uid']}")
        else:
            stage.expect_silence(truth.sender, "an honest program")


def play_paused(stage, exe, variant, between, alerts, env=None):
    """It has started, between(pid) happens, then it steals."""
    key, secret = stage.home.key()
    process = stage.net.popen([exe, variant, key, HOST_V4, "443"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, env={**os.environ, "BEAT_PAUSE": "1", **(env or {})})
    require(process.stdout.readline() == "ready\n", "the program is not ready")
    helper = between(process.pid)
    out, _ = process.communicate("go\n", timeout=30)
    if helper:
        helper.communicate(timeout=30)
    judge(stage, truths(out), key, secret, alerts)


# Until what it traces has ended. A process of its own: who traces a thief holds what the thief reads.
SEIZE = f"""
import ctypes, os, sys
libc, pid = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
print("seized" if libc.ptrace({PTRACE_SEIZE}, pid, None, None) == 0 else os.strerror(ctypes.get_errno()), flush=True)
os.waitpid(pid, 0x40000000)  # __WALL
"""


def seize(pid):
    tracer = subprocess.Popen([sys.executable, "-c", SEIZE, str(pid)], stdout=subprocess.PIPE, text=True)
    require(tracer.stdout.readline() == "seized\n", "PTRACE_SEIZE")
    return tracer


def reload(stage):
    answer = stage.bw.reload()
    require("policy reloaded" in answer, f"reload said: {answer}")


def cgroup2_root():
    with open("/proc/self/mounts", encoding="ascii", errors="replace") as mounts:
        return next(line.split()[1] for line in mounts if line.split()[2] == "cgroup2")


@contextlib.contextmanager
def cgroup(path):
    """Made with its parents, and removed again."""
    made, at = [], cgroup2_root()
    for name in path.split("/"):
        at = os.path.join(at, name)
        if not os.path.isdir(at):
            os.mkdir(at)
            made.append(at)
    try:
        yield at
    finally:
        for directory in reversed(made):
            os.rmdir(directory)


def in_cgroup(stage, path, exe, alerts, *how):
    with cgroup(path) as directory:
        # The outer launcher moves into the cgroup, the inner one does the rest.
        launcher = program("technique-beat-launch")
        key, secret = stage.home.key()
        inner = [exe, "plain", key, HOST_V4, "443"]
        if how:
            inner = [launcher] + list(how) + ["-"] * (3 - len(how)) + inner
        result = stage.net.run([launcher, "cgroup", directory, "-"] + inner)
        require(result.returncode == 0, result.stderr)
        judge(stage, truths(result.stdout), key, secret, alerts)


@contextlib.contextmanager
def other_root(actors):
    """A directory to be a root: the system's directories, and the test's, seen below it."""
    root = os.path.join(actors.directory, "root")
    mounted = []
    os.mkdir(root, 0o755)
    try:
        # The whole machine, on a root of its own.
        subprocess.run(["mount", "-t", "tmpfs", "none", root], check=True)
        mounted.append(root)
        for name in ("usr", "tmp", "proc", "dev"):
            os.mkdir(os.path.join(root, name))
            subprocess.run(["mount", "--bind", "/" + name, os.path.join(root, name)], check=True)
            mounted.append(os.path.join(root, name))
        for name in ("lib", "lib64", "bin"):
            os.symlink("usr/" + name, os.path.join(root, name))
        yield root
    finally:
        for at in reversed(mounted):
            subprocess.run(["umount", "-l", at], check=True)
        os.rmdir(root)


def in_other_root(stage, actors, exe, path, alerts):
    with other_root(actors) as root:
        in_cgroup(stage, path, exe, alerts, "chroot", root)


def part(t, stage, a):
    nobody = pwd.getpwnam("nobody").pw_uid
    case = t.case

    # the object
    case("S01 honest: an allowed program", play, stage, a.plain, alerts=False)
    case("S01 honest: in a mount namespace that root made", play, stage, a.plain, launch=["namespace"], alerts=False)
    case("S01 honest: its child", play, stage, a.plain, f"dlopen-fork:{a.library}", alerts=False)
    case("S01 comm of an allowed program", play, stage, a.evil, "comm:plain")
    case("S01 argv[0] of an allowed program", play, stage, a.evil, launch=["argv0", a.plain])
    case("S01 allowed path, anyone may write it", play, stage, a.writable)
    case("S01 allowed path, owned by a user", play, stage, a.foreign_owner)
    case("S01 memfd", play, stage, a.plain, launch=["memfd", a.evil])
    case("S01 honest: before it is removed", play, stage, a.gone, alerts=False)
    case("S01 allowed path, removed before exec", play, stage, a.gone, launch=["deleted", a.gone])

    # the namespace
    case("S02 bind mount over an allowed path", play, stage, a.plain, launch=["bind", a.plain, a.evil])
    case("S02 the allowed program itself in a user's namespaces", play, stage, a.plain,
         launch=["bind", a.evil, a.plain])
    case("S02 from outside, by /proc/PID/root", play, stage, a.plain, launch=["proc-root", a.plain, a.evil])

    # what it is made to run
    for variable in ("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "NODE_OPTIONS", "PYTHONPATH", "PERL5OPT", "RUBYOPT",
                     "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "BASH_ENV", "GCONV_PATH", "OPENSSL_CONF", "PYTHONHOME"):
        value = a.library if variable in ("LD_PRELOAD", "LD_AUDIT") else "/nonexistent"
        case(f"S03 {variable}", play, stage, a.plain, env={variable: value})
    case("S03 honest: LD_PRELOAD= without a value", play, stage, a.plain, env={"LD_PRELOAD": ""}, alerts=False)
    case("S03 honest: names that only begin alike", play, stage, a.plain,
         env={"LD_PRELOADED": "1", "XLD_PRELOAD": "1", "PYTHONPATHS": "1", "V": "x" * 120 + "LD_PRELOAD=1"},
         alerts=False)
    case("S03 honest: a large environment", play, stage, a.plain,
         env={f"VARIABLE_{i}": "x" * (i * 7 % 500) for i in range(LARGE)}, alerts=False)
    case("S03 a huge environment", play, stage, a.plain, env={f"V{i}": "1" for i in range(HUGE)})
    case("S03 LD_PRELOAD, last of a large environment", play, stage, a.plain,
         env={**{f"VARIABLE_{i}": "x" * (i * 7 % 500) for i in range(LARGE)}, "LD_PRELOAD": a.library})
    case("S03 the environment overwritten after the start", play, stage, a.plain, "scrub",
         env={"LD_PRELOAD": a.library})
    case("S03 honest: the environment overwritten", play, stage, a.plain, "scrub", alerts=False)
    case("S03 code from a file that others may write", play, stage, a.plain, f"dlopen:{a.loose}")
    case("S03 the same, in a child", play, stage, a.plain, f"dlopen-fork:{a.loose}")
    case("S03 honest: code from root's file", play, stage, a.plain, f"dlopen:{a.library}", alerts=False)
    case("S03 under ptrace", play, stage, a.plain, launch=["trace"])
    case("S03 under ptrace until it runs", play, stage, a.plain, launch=["trace-past"])
    case("S03 ptrace comes later", play_paused, stage, a.plain, "plain", seize, True)

    # Script=
    case("S03 honest: Script=", play, stage, a.interpreter, a.script, alerts=False)
    case("S03 Script=: another script", play, stage, a.interpreter, a.other)
    case("S03 Script=: an option before it", play, stage, a.interpreter, "-x")
    case("S03 Script=: a relative path", play, stage, a.interpreter, "scripts/good.x", cwd=a.directory)
    for what, infix in (("dot-dot", "/../scripts/"), ("dot", "/./"), ("two slashes", "//")):
        case(f"S03 Script=: {what}", play, stage, a.interpreter,
             a.script.replace("/good", infix + "good"))
    case("S03 Script=: the argument overwritten", play, stage, a.interpreter, a.other, env={"BEAT_REWRITE": a.script})
    case("S03 honest: Script=, overwritten by another", play, stage, a.interpreter, a.script,
         env={"BEAT_REWRITE": a.other}, alerts=False)
    case("S03 honest: Script=, a reload on the way", play_paused, stage, a.interpreter, a.script,
         lambda _: reload(stage), False)
    case("S03 Script=: the argument overwritten, a reload on the way", play_paused, stage, a.interpreter, a.other,
         lambda _: reload(stage), True, {"BEAT_REWRITE": a.script})
    case("S03 honest: a reload on the way", play_paused, stage, a.plain, "plain", lambda _: reload(stage), False)
    case("S03 LD_PRELOAD, scrubbed, a reload on the way", play_paused, stage, a.plain, "scrub",
         lambda _: reload(stage), True, {"LD_PRELOAD": a.library})

    # Unit=, User=, Ancestor=, Container=
    system = "system.slice/" + UNIT
    case("S03 honest: Unit=", in_cgroup, stage, system, a.unit, False)
    case("S03 honest: Unit=, below it", in_cgroup, stage, system + "/sub/group", a.unit, False)
    case("S03 Unit=: no unit", play, stage, a.unit)
    case("S03 Unit=: the name below a user's manager", in_cgroup, stage,
         "user.slice/user-1000.slice/user@1000.service/app.slice/" + UNIT, a.unit, True)
    case("S03 honest: User=", play, stage, a.user, launch=["user", str(nobody)], uid=nobody, alerts=False)
    case("S03 User=: another", play, stage, a.user)
    case("S03 honest: Ancestor=", play, stage, a.descendant, launch=["fork"], launcher=a.ancestor, alerts=False)
    case("S03 honest: Ancestor=, which has ended", play, stage, a.descendant, launch=["orphan"], launcher=a.ancestor,
         alerts=False)
    case("S03 Ancestor=: another", play, stage, a.descendant, launch=["fork"])
    case("S03 Ancestor=: not the process itself", play, stage, a.descendant, launch=["exec"], launcher=a.ancestor)
    case("S03 Ancestor=: one that was made to run other code", play, stage, a.descendant, launch=["fork"],
         launcher=a.ancestor, env={"NODE_OPTIONS": "x"})
    case("S03 honest: Container=yes", in_other_root, stage, a, a.container, system, False)
    case("S03 Container=yes: another unit", in_other_root, stage, a, a.container, "system.slice/other.service", True)
    case("S03 a chroot without Container=yes", in_other_root, stage, a, a.boxed, system, True)
    case("S03 honest: the same without chroot", in_cgroup, stage, system, a.boxed, False)
