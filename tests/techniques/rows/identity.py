# SPDX-License-Identifier: GPL-2.0-or-later
"""S01-S03: a name is not an identity. Each attempt to look like an allowed program must raise an alert, and the honest
program beside it must not."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys

import remote
from harness import program, truths
from net import HOST_V4
from tap import Skip, require

CLASS = "ssh-private-keys"
PTRACE_SEIZE = 0x4206  # <sys/ptrace.h>
CANNOT = 77  # play.h: PLAY_CANNOT
UNIT = "barbwire-test.service"
# An allowed program and a key, in the root file system of a container.
INSIDE, INSIDE_KEY = "/srv/barbwire-inside", "/root/.ssh/id_inside"
# An environment of more bytes than the BPF programs examine (bpf/process/exec-env.bpf.h: ENVIRONMENT_MAX), and as many
# variables as a login may have.
HUGE_BYTES, LARGE = 1100000, 120


class Actors:
    """Copies of one program under allowed names, owned by root, and not writable by others."""

    def __init__(self, home):
        self.directory = os.path.join(home.root.decode(), "identity")
        os.mkdir(self.directory, 0o755)
        for name in ("plain", "gone", "interpreter", "unit", "container", "boxed", "user", "descendant", "evil"):
            setattr(self, name, self.install("beat-identity", name))
        self.ancestor = self.install("beat-launch", "ancestor")
        self.writable = self.install("beat-identity", "writable", 0o757)
        self.foreign_owner = self.install("beat-identity", "foreign-owner")
        os.chown(self.foreign_owner, pwd.getpwnam("nobody").pw_uid, -1)
        # Where another file system will be mounted.
        self.fuse, self.disk = (os.path.join(self.directory, name) for name in ("fuse", "disk"))
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
            "mounted": (f"{self.fuse}/plain {self.disk}/plain", {}),
            "interpreter": (self.interpreter, {"Script": os.path.dirname(self.script) + "/**"}),
            "unit": (self.unit, {"Unit": UNIT}),
            # By its name in any directory, since a chroot has another root.
            "container": ("/**/identity/container", {"Unit": UNIT, "Container": "yes"}),
            "boxed": ("/**/identity/boxed", {"Unit": UNIT}),
            "inside": (INSIDE, {}),
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
    """launch: the arguments HOW [A [B]] of beat-launch."""
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


def huge_environment(stage, exe):
    """It is not read in full: no rule applies, and the alert says why."""
    before = len(stage.bw.alerts)
    play(stage, exe, env={f"V{i}": "x" * 100000 for i in range(HUGE_BYTES // 100000)})
    alert = next(a for a in stage.bw.alerts[before:] if a["process"]["exe"] == exe)
    require("environment-unread" in alert["process"]["flags"], f"flags: {alert['process']['flags']}")
    require(any("environment" in reason["text"] for reason in alert["reasons"]), f"reasons: {alert['reasons']}")


def judge(stage, thefts, key, secret, alerts, uid=0):
    require(thefts, "no truth line")
    stage.net.sink.wait_arrived(secret)
    for truth in thefts:
        if alerts:
            alert = stage.bw.wait_alert(
                # The end of the path, since it begins differently in another root.
                lambda a, pid=truth.sender: a["process"]["pid"] == pid and any(
                    (entry["path"] or "").endswith(key.decode()) for entry in a["files"]), "the alert")
            require(alert["process"]["uid"] == uid, f"uid: {alert['process']['uid']}")
        else:
            stage.expect_silence(truth.sender, "an honest program")


def play_paused(stage, exe, variant, between, alerts, env=None):
    """Starts the program, calls between(pid), then lets it steal."""
    key, secret = stage.home.key()
    command = [exe, *([variant] if variant else []), key, HOST_V4, "443"]
    process = stage.net.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, env={**os.environ, "BEAT_PAUSE": "1", **(env or {})})
    require(process.stdout.readline() == "ready\n", "the program is not ready")
    helper = between(process.pid)
    out, _ = process.communicate("go\n", timeout=30)
    if helper:
        helper.communicate(timeout=30)
    judge(stage, truths(out), key, secret, alerts)


# Traces a process until it exits. A process of its own, since the tracer of a thief gets a mark from it.
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
    """Creates a cgroup with its parents, and removes them again."""
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
    """A directory to be used as a root, with the directories of the system and of the test mounted below it."""
    root = os.path.join(actors.directory, "root")
    mounted = []
    os.mkdir(root, 0o755)
    try:
        # A root file system of its own, with the directories of this machine.
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


@contextlib.contextmanager
def fuse_mounted(a):
    """The directory of the programs once more: its server shows each file as root's."""
    os.makedirs(a.fuse, exist_ok=True)
    with remote.sshfs(None, a.directory, a.fuse):
        yield


def on_fuse(stage, a, name, variant="plain"):
    with fuse_mounted(a):
        play(stage, os.path.join(a.directory, name), variant)


def on_disk(stage, a, options, alerts):
    """A file system as udisks mounts the disk of a user, or as an administrator does."""
    os.makedirs(a.disk, exist_ok=True)
    image = a.disk + ".image"
    with open(image, "wb") as out:
        out.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    mounted = subprocess.run(["mount", "-o", f"loop{options}", image, a.disk], capture_output=True, text=True,
                             check=False)
    if mounted.returncode != 0:
        raise Skip(f"no loop device: {mounted.stderr.strip()}", environment=True)
    try:
        play(stage, a.install("beat-identity", "disk/plain"), alerts=alerts)
    finally:
        subprocess.run(["umount", "-l", a.disk], check=True)


def on_tmpfs(stage, a):
    """As /run and /tmp are mounted: nobody brings files along with it."""
    os.makedirs(a.disk, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,nosuid,nodev", "none", a.disk], check=True)
    try:
        play(stage, a.install("beat-identity", "disk/plain"), alerts=False)
    finally:
        subprocess.run(["umount", "-l", a.disk], check=True)


# As systemd starts a service with NoNewPrivileges=.
NO_SUID = 'mount --bind "$1" "$1" && mount -o remount,bind,nosuid "$1" && shift && exec "$@"'


def as_service(stage, a):
    key, secret = stage.home.key()
    result = stage.net.run(["unshare", "--mount", "sh", "-c", NO_SUID, "sh", a.directory, a.plain, "plain", key,
                            HOST_V4, "443"])
    require(result.returncode == 0, result.stderr)
    judge(stage, truths(result.stdout), key, secret, False)


# As container engines enter a container.
PIVOT = 'mount --rbind "$1" "$1" && cd "$1" && mkdir -p old && pivot_root . old && shift && cd / && exec "$@"'


def in_container(stage, actors, exe=INSIDE, own_key=True, alerts=True, unshare=()):
    """In a mount namespace with another root, in which parts of the host are mounted."""
    with other_root(actors) as root:
        os.mkdir(os.path.dirname(root + INSIDE))
        shutil.copyfile(program("technique-beat-identity"), root + INSIDE)
        os.chmod(root + INSIDE, 0o755)
        key, secret = stage.home.decoy((root + INSIDE_KEY).encode()) if own_key else stage.home.key()
        key = INSIDE_KEY.encode() if own_key else key
        result = stage.net.run(["unshare", "--mount", *unshare, "sh", "-c", PIVOT, "sh", root, exe, "plain", key,
                                HOST_V4, "443"])
        require(result.returncode == 0, result.stderr)
        judge(stage, truths(result.stdout), key, secret, alerts)


def part(t, stage, a):
    nobody = pwd.getpwnam("nobody").pw_uid
    case = t.case

    # the executable as an object
    case("S01 honest: an allowed program", play, stage, a.plain, alerts=False)
    case("S01 honest: in a mount namespace that root created", play, stage, a.plain, launch=["namespace"], alerts=False)
    case("S01 honest: its child", play, stage, a.plain, f"dlopen-fork:{a.library}", alerts=False)
    case("S01 comm of an allowed program", play, stage, a.evil, "comm:plain")
    case("S01 argv[0] of an allowed program", play, stage, a.evil, launch=["argv0", a.plain])
    case("S01 allowed path, writable by others", play, stage, a.writable)
    case("S01 allowed path, owned by a user", play, stage, a.foreign_owner)
    case("S01 memfd", play, stage, a.plain, launch=["memfd", a.evil])
    case("S01 honest: before it is removed", play, stage, a.gone, alerts=False)
    case("S01 allowed path, removed before exec", play, stage, a.gone, launch=["deleted", a.gone])

    # file systems whose owners prove nothing
    case("S01 a FUSE file that claims to be root's", on_fuse, stage, a, "fuse/plain")
    case("S03 code of a FUSE file that claims to be root's", on_fuse, stage, a, "plain", f"dlopen:{a.fuse}/lib.so")
    case("S01 on a disk of a user", on_disk, stage, a, ",nosuid,nodev", True)
    case("S01 honest: on a disk of root", on_disk, stage, a, "", False)
    case("S01 honest: on a file system in memory", on_tmpfs, stage, a)
    case("S01 honest: in a service without set-user-ID programs", as_service, stage, a)

    # mount namespaces
    case("S02 bind mount over an allowed path", play, stage, a.plain, launch=["bind", a.plain, a.evil])
    case("S02 the allowed program itself in a user's namespaces", play, stage, a.plain,
         launch=["bind", a.evil, a.plain])
    case("S02 from outside, by /proc/PID/root", play, stage, a.plain, launch=["proc-root", a.plain, a.evil])

    # containers
    case("S02 honest: a container's program and its own key", in_container, stage, a, alerts=False)
    case("S02 a container's program, and a key of the host", in_container, stage, a, own_key=False)
    case("S02 a container's key, and a program of the host that is mounted there", in_container, stage, a, a.plain)
    case("S02 a container that a user made", in_container, stage, a, unshare=("--user", "--map-root-user"))

    # a program that is made to run other code
    for variable in ("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "NODE_OPTIONS", "PYTHONPATH", "PERL5OPT", "RUBYOPT",
                     "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "BASH_ENV", "GCONV_PATH", "OPENSSL_CONF", "PYTHONHOME",
                     "PYTHONINSPECT", "PYTHONUSERBASE", "PERL5DB", "LUA_INIT_5_4", "LUA_CPATH", "SHELLOPTS",
                     "CLASSPATH", "OPENSSL_MODULES", "PHPRC"):
        value = a.library if variable in ("LD_PRELOAD", "LD_AUDIT") else "/nonexistent"
        case(f"S03 {variable}", play, stage, a.plain, env={variable: value})
    case("S03 honest: LD_PRELOAD= without a value", play, stage, a.plain, env={"LD_PRELOAD": ""}, alerts=False)
    case("S03 honest: names with the same beginning", play, stage, a.plain,
         env={"LD_PRELOADED": "1", "XLD_PRELOAD": "1", "PYTHONPATHS": "1", "V": "x" * 120 + "LD_PRELOAD=1"},
         alerts=False)
    case("S03 honest: a large environment", play, stage, a.plain,
         env={f"VARIABLE_{i}": "x" * (i * 7 % 500) for i in range(LARGE)}, alerts=False)
    case("S03 honest: 700 variables", play, stage, a.plain, env={f"SERVICE_{i}_PORT": "tcp://192.0.2.1:80"
                                                                 for i in range(700)}, alerts=False)
    case("S03 honest: a variable of 70 KB", play, stage, a.plain, env={"LINKS": "x" * 70000}, alerts=False)
    case("S03 honest: half a MiB", play, stage, a.plain, env={f"V{i}": "x" * 100000 for i in range(5)}, alerts=False)
    case("S03 LD_PRELOAD after 700 variables and 70 KB", play, stage, a.plain,
         env={**{f"SERVICE_{i}": "x" * 40 for i in range(700)}, "LINKS": "x" * 70000, "LD_PRELOAD": a.library})
    case("S03 a huge environment", huge_environment, stage, a.plain)
    for what, value in (("CUDA", "/usr/local/cuda/lib64:/usr/local/nvidia/lib"), ("end", "/usr/lib/..x"),
                        ("long", "/opt/x/lib:" * 60 + "/lib64/y")):
        case(f"S03 honest: LD_LIBRARY_PATH of root, {what}", play, stage, a.plain, env={"LD_LIBRARY_PATH": value},
             alerts=False)
    for what, value in (("last", "/usr/lib:/opt/x:/home/ana/lib"), ("dots", "/usr/lib/../../home/ana"),
                        ("dots at the end", "/opt/..:/usr/lib"), ("empty", "/usr/lib:"), ("the first", ":/usr/lib"),
                        ("relative", "/usr/lib:lib"), ("too long", "/usr/lib:" * 120 + "/usr/lib"),
                        ("far", "/usr/lib:" * 60 + "/srv"), ("similar", "/usr2/lib"), ("semicolon", "/usr/lib;/tmp/x")):
        case(f"S03 LD_LIBRARY_PATH: {what}", play, stage, a.plain, env={"LD_LIBRARY_PATH": value})
    case("S03 NODE_PATH of a user", play, stage, a.plain, env={"NODE_PATH": "/home/ana/node_modules"})
    case("S03 honest: NODE_PATH of root", play, stage, a.plain, env={"NODE_PATH": "/usr/lib/node_modules"},
         alerts=False)
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
    case("S03 honest: Script=, the argument overwritten", play, stage, a.interpreter, a.script,
         env={"BEAT_REWRITE": a.other}, alerts=False)
    case("S03 honest: Script=, a reload in between", play_paused, stage, a.interpreter, a.script,
         lambda _: reload(stage), False)
    case("S03 Script=: the argument overwritten, a reload in between", play_paused, stage, a.interpreter, a.other,
         lambda _: reload(stage), True, {"BEAT_REWRITE": a.script})
    case("S03 honest: a reload in between", play_paused, stage, a.plain, "plain", lambda _: reload(stage), False)
    case("S03 LD_PRELOAD, scrubbed, a reload in between", play_paused, stage, a.plain, "scrub",
         lambda _: reload(stage), True, {"LD_PRELOAD": a.library})

    # Unit=, User=, Ancestor=, Container=
    system = "system.slice/" + UNIT
    case("S03 honest: Unit=", in_cgroup, stage, system, a.unit, False)
    case("S03 honest: Unit=, below it", in_cgroup, stage, system + "/sub/group", a.unit, False)
    case("S03 Unit=: no unit", play, stage, a.unit)
    case("S03 Unit=: the same name below a user manager", in_cgroup, stage,
         "user.slice/user-1000.slice/user@1000.service/app.slice/" + UNIT, a.unit, True)
    case("S03 honest: User=", play, stage, a.user, launch=["user", str(nobody)], uid=nobody, alerts=False)
    case("S03 User=: another", play, stage, a.user)
    case("S03 honest: Ancestor=", play, stage, a.descendant, launch=["fork"], launcher=a.ancestor, alerts=False)
    case("S03 honest: Ancestor=, which has ended", play, stage, a.descendant, launch=["orphan"], launcher=a.ancestor,
         alerts=False)
    case("S03 Ancestor=: another", play, stage, a.descendant, launch=["fork"])
    case("S03 Ancestor=: not the process itself", play, stage, a.descendant, launch=["exec"], launcher=a.ancestor)
    case("S03 Ancestor=: an ancestor that was made to run other code", play, stage, a.descendant, launch=["fork"],
         launcher=a.ancestor, env={"NODE_OPTIONS": "x"})
    case("S03 honest: Container=yes", in_other_root, stage, a, a.container, system, False)
    case("S03 Container=yes: another unit", in_other_root, stage, a, a.container, "system.slice/other.service", True)
    case("S03 a chroot without Container=yes", in_other_root, stage, a, a.boxed, system, True)
    case("S03 honest: the same without chroot", in_cgroup, stage, system, a.boxed, False)
