# SPDX-License-Identifier: GPL-2.0-or-later
"""G03, G04, G05, G08, G12, G13, G16: a file is an object, independent of its name and mount, of the call that reads it,
and of the time when it was opened."""

import os
import subprocess
import sys

import harness
from harness import as_text, program, truths
from net import HOST_V4
from play import opened, write
from tap import require, require_equal

AGENTS = "agent-sockets"
NAMES = {
    "link": "G03 a hard link", "link-descriptor": "G03 a hard link created from a descriptor",
    "link-left": "G03 a hard link, its own name removed",
    "link-uring": "G03 a hard link created by io_uring, its own name removed",
    "rename": "G04 moved away", "exchange": "G04 exchanged with another file",
    "rename-directory": "G04 its directory moved away", "rename-uring": "G04 moved away by io_uring",
    "rename-excluded": "G04 renamed to what its class excludes",
    "rename-bound": "G04 renamed by way of a bind mount",
    "bind-renamed": "G05 bind mount of the file, which is renamed",
    "bind-directory": "G05 bind mount of its directory", "bind-file": "G05 bind mount of the file",
    "user-bind": "G05 bind mount in a user's namespaces", "detached": "G05 a detached mount",
    "chroot": "G05 chroot", "overlay-lower": "G05 overlayfs, lower", "overlay-upper": "G05 overlayfs, upper",
    "overlay-copied-up": "G05 overlayfs, lower, copied up by a change of its mode",
    "overlay-renamed": "G05 overlayfs, lower, copied up by a rename",
    "path-only": "G02 named through O_PATH",
    "mmap": "G08 mmap", "sendfile": "G08 sendfile", "splice": "G08 splice", "copy-file-range": "G08 copy_file_range",
}
BELOW = {
    "upper": "G05 the upper layer of an overlay, once the file was read there",
    "written": "G05 the upper layer of an overlay, once the file was written there",
    "lower": "G05 the lower layer of an overlay, once the file was read there",
}
BEFORE = {
    "before-running": "G13 a process that was running before", "before-open": "G13 a file that was open before",
    "before-read": "G13 a file that was open and read before", "before-mapped": "G13 a file that was mapped before",
}


def key_in_directory(home):
    """A decoy in a directory of its own, which may be removed."""
    home.count += 1
    return home.decoy(os.path.join(home.ssh, b"own_%d/id_decoy_%d" % (home.count, home.count)))


def alias_key(home, name):
    """A decoy with a second name that no class names; both exist before barbwired starts."""
    key, secret = key_in_directory(home)
    alias = os.path.join(home.root, b"aliases", name)
    os.makedirs(os.path.dirname(alias), exist_ok=True)
    os.link(key, alias)
    return key, secret, alias


def names_of(key):
    """Accepts its own name in any directory, and the one that the play gave it."""
    known = (os.path.basename(as_text(key)), "alias", "alias.pub")
    return lambda path: os.path.basename(path) in known


def object_theft(stage, variant):
    key, secret = key_in_directory(stage.home)
    alert, = stage.theft("get-object", variant, make_key=lambda: (key, secret), names=names_of(key))
    entry = next(entry for entry in alert["files"] if names_of(key)(entry["path"]))
    require(as_text(key) in (entry["path"], entry["real_path"]), f"known as: {entry}")


def linked_before(stage, alias):
    key, secret, path = alias
    truth, = truths(stage.play("get-object", "at:" + path.decode(), key))
    stage.net.sink.wait_arrived(secret)
    known = (as_text(key), as_text(path))
    alert = stage.check(truth, key, HOST_V4, 443, "tcp", names=lambda name: name in known)
    require_equal((alert["files"][0]["path"], alert["files"][0]["real_path"]), (as_text(path), as_text(key)), "names")
    require(f"{as_text(path)} (known as {as_text(key)})" in alert["summary"], f"summary: {alert['summary']}")


def linked_before_seen(stage, alias):
    """Another process has opened it by its own name since barbwired was started."""
    key, secret, _ = alias
    stage.theft("get-open-calls", "openat", make_key=lambda: (key, secret))
    linked_before(stage, alias)


def replaced(stage):
    """A new file is moved to a name of the class."""
    key, _ = stage.home.key()
    new, secret = stage.home.decoy(os.path.join(stage.home.root, b"new"))
    os.rename(new, key)
    stage.theft("get-open-calls", "openat", make_key=lambda: (key, secret))


def plain(home):
    """A file in a directory of its own, of no class, which was opened there."""
    home.count += 1
    path, secret = home.decoy(os.path.join(home.root, b"plain_%d/id_decoy_%d" % (home.count, home.count)))
    opened(path)
    return path, secret


def becomes(stage, directory):
    """A file of no class, which was opened as such, gets a name of a class: it is renamed, or its directory is."""
    path, secret = plain(stage.home)
    key = os.path.join(stage.home.ssh, b"now_" + os.path.basename(os.path.dirname(path)), os.path.basename(path))
    if directory:
        os.rename(os.path.dirname(path), os.path.dirname(key))
    else:
        os.mkdir(os.path.dirname(key))
        os.rename(path, key)
    stage.theft("get-open-calls", "openat", make_key=lambda: (key, secret))


def below(stage, variant):
    """A file of no class that has one in an overlay, in whose layer it is opened."""
    path, secret = plain(stage.home)
    tree = os.path.join(stage.home.ssh, b"over_%d" % stage.home.count)
    os.mkdir(tree)
    stage.theft("get-object", f"{variant}:{as_text(tree)}", make_key=lambda: (path, secret), names=names_of(path))


def was_once(stage):
    """A file of no class is renamed to a name of a class, opened by that name, and renamed back."""
    path, secret = plain(stage.home)
    key, _ = stage.home.key()
    os.rename(path, key)
    stage.theft("get-open-calls", "openat", make_key=lambda: (key, secret))
    os.rename(key, path)
    stage.theft("get-open-calls", "openat", make_key=lambda: (path, secret))


def links_over(stage):
    """A link gives a secret that was opened before the name of a file of no class, whose name the kernel has cached."""
    key, secret = stage.home.key()
    stage.theft("get-open-calls", "openat", make_key=lambda: (key, secret))
    path, _ = plain(stage.home)
    os.unlink(path)
    os.link(key, path)
    os.unlink(key)
    stage.theft("get-open-calls", "openat", make_key=lambda: (path, secret))


class Before:
    """A thief that is prepared before barbwired is started."""

    def __init__(self, net, home, variant, name="get-object", key=None, cwd=None):
        self.key, self.secret = key or home.key()
        self.process = net.popen([program("technique-" + name), variant, self.key, HOST_V4, "443"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd or home.root)
        self.output = ""
        while (line := self.process.stdout.readline()) != "ready\n":
            require(line, f"the thief ended: {variant}")
            self.output += line

    def theft(self, stage, **kwargs):
        out, _ = self.process.communicate("go\n", timeout=30)
        require_equal(self.process.returncode, 0, "the thief")
        truth, = truths(self.output + out)
        stage.net.sink.wait_arrived(self.secret)
        stage.check(truth, self.key, HOST_V4, 443, "tcp", **kwargs)


def environment(stage, form):
    """The environment of another process, which has its secret there as services have."""
    token = stage.home.secret().split()[5]
    holder = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              env={"TOKEN": token.decode(), "PATH": os.environ["PATH"]})
    try:
        path = form.format(pid=holder.pid).encode()
        stage.theft("get-open-calls", "openat", make_key=lambda: (path, token), class_name="process-secrets")
    finally:
        holder.communicate()


# Waits in read(2), to which the size of a buffer is all that a secret is.
WAITING = ("import ctypes, sys; print(flush=True); "
           "ctypes.CDLL(None).read(0, None, ctypes.c_size_t(int(sys.argv[1], 16)))")


def registers(stage, form):
    """The arguments of the system call in which another process waits."""
    secret = b"0x%x" % (int.from_bytes(os.urandom(5), "big") | 1 << 41)
    holder = subprocess.Popen([sys.executable, "-c", WAITING, secret], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              start_new_session=True)
    try:
        require_equal(holder.stdout.readline(), b"\n", "the other process")
        for _ in range(1_000_000):
            with open(f"/proc/{holder.pid}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] == b"S":
                    break
        path = form.format(pid=holder.pid).encode()
        stage.theft("get-open-calls", "openat", make_key=lambda: (path, secret), class_name="process-memory")
    finally:
        holder.kill()
        holder.communicate()


def memory(stage, variant):
    """The memory of another process, of another session, without its file in /proc."""
    token = stage.home.secret().split()[5]
    kept = token[:32] if variant == "regs" else token
    command = [program("technique-get-memory"), "hold"] if variant == "regs" else ["cat"]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
                              env={"TOKEN": token.decode(), "PATH": os.environ["PATH"]})
    try:
        path = f"/proc/{holder.pid}/mem".encode()
        stage.theft("get-memory", variant, make_key=lambda: (path, kept), class_name="process-memory")
    finally:
        holder.kill()
        holder.communicate()


def memory_honest(stage, variant):
    truth, = truths(stage.play("get-memory", variant, b"/proc/1/mem"))
    stage.net.sink.wait_arrived(b"nothing of %d" % truth.sender)
    stage.expect_silence(truth.sender, "the memory of a child, or of another worker")


# The secret is in the memory of the agent: the class is that of its socket.
ASKED = {"names": lambda name: name.endswith("/agent.sock"), "class_name": AGENTS}


def agent_key(home):
    home.count += 1
    return home.decoy(os.path.join(home.root, b"agent/%d" % home.count))


def agent(stage, variant):
    path, secret = agent_key(stage.home)
    truth, = truths(stage.play("get-agent", variant, path))
    stage.net.sink.wait_arrived(secret)
    stage.check(truth, path, HOST_V4, 443, "tcp", **ASKED)


def agent_before(net, home):
    directory = os.path.join(home.root, b"scratch/before")
    os.makedirs(directory)
    return Before(net, home, "before", "get-agent", agent_key(home), directory)


def prepare(net, home, directory):
    write(os.path.join(directory, "94-object.conf"), harness.policy_class(AGENTS, ["/**/scratch/*/agent.sock"]))
    return {"agent": agent_before(net, home), "link": alias_key(home, b"before"), "link-seen": alias_key(home, b"seen"),
            **{variant: Before(net, home, variant) for variant in BEFORE}}


def part(t, stage, prepared):
    for variant, what in NAMES.items():
        t.case(what, object_theft, stage, variant)
    t.case("G03 an older hard link", linked_before, stage, prepared["link"])
    t.case("G03 an older hard link, once the file was opened", linked_before_seen, stage,
           prepared["link-seen"])
    t.case("G04 replaced by another file", replaced, stage)
    t.case("G04 a file of no class gets a name of a class", becomes, stage, False)
    t.case("G04 the directory of a file of no class gets the name of one of a class", becomes, stage, True)
    t.case("G04 moved back to where it was of no class", was_once, stage)
    t.case("G03 a link at the name of a file of no class, its own name removed", links_over, stage)
    for variant, what in BELOW.items():
        t.case(what, below, stage, variant)
    for variant, what in BEFORE.items():
        t.case(what, prepared[variant].theft, stage)
    for form in ("/proc/{pid}/environ", "/proc/{pid}/task/{pid}/environ"):
        t.case(f"G12 {form.format(pid='PID')}", environment, stage, form)
    for form in ("/proc/{pid}/syscall", "/proc/{pid}/task/{pid}/syscall"):
        t.case(f"G12 {form.format(pid='PID')}", registers, stage, form)
    for variant, what in (("vm", "process_vm_readv"), ("peek", "PTRACE_PEEKDATA"), ("regs", "PTRACE_GETREGSET")):
        t.case(f"G12 its memory, by {what}", memory, stage, variant)
    t.case("G12 honest: a debugger reads its child", memory_honest, stage, "child")
    t.case("G12 honest: a worker reads another", memory_honest, stage, "workers")
    for variant, what in (("ask", "connected to"), ("uring", "connected to by io_uring"),
                          ("received", "whose connection was received")):
        t.case(f"G16 an agent, {what}", agent, stage, variant)
    t.case("G16 an agent, connected to before", prepared["agent"].theft, stage, **ASKED)
