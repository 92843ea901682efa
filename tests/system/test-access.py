#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Access=allowed: a program that no [Allow] names cannot open a file of the class to read, whatever way leads to it,
and that is an alert; the program that it names can. Where the sensor cannot refuse an open, status says so."""

import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import ctl
import harness
import varlink
from cases import Scene, cases
from harness import kernel_version, program, touches
from net import HOST_V4
from tap import Skip, require, require_equal

CLASS, OTHER = "test-locked", "test-other"
USER = 65534


class Stage(Scene):
    def __init__(self, net, home):
        super().__init__(net, home)
        self.places = f"{os.fsdecode(home.root)}/locked"
        self.reader = f"{self.directory}/reader"
        shutil.copy("/bin/cat", self.reader)
        # Before 5.19 the sensor fentry attaches what refuses when it starts, or not at all.
        self.write(Access="any" if kernel_version() >= (5, 19) else "allowed")

    def write(self, enforcement="", **settings):
        settings = {"Access": "allowed", **settings}
        self.write_policy(harness.policy_class(CLASS, [f"{self.places}/**"], **settings)
                          + harness.policy_allow("test-reader", self.reader, [CLASS])
                          + harness.policy_allow("test-keys", "/usr/bin/ssh-keygen", [CLASS]) + enforcement)

    def load(self, *args, **kwargs):
        self.write(*args, **kwargs)
        require("policy reloaded" in self.bw.reload(), "reload")

    def decoy(self):
        return self.home.decoy(os.path.join(os.fsencode(self.places), b"secret-%d" % time.monotonic_ns()))

    def status(self):
        with varlink.Connection(self.socket) as client:
            return client.call("GetStatus")


def run(*command, **kwargs):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, **kwargs)


def names(alert, path):
    """Whether it is about the file, by whatever path: its last component is like no other."""
    return any(entry["path"].endswith(os.path.basename(os.fsdecode(path))) for entry in alert["files"])


def refused(stage, act):
    """act(path): tries to read the file, and returns a CompletedProcess."""
    path, secret = stage.decoy()
    result = act(os.fsdecode(path))
    require(result.returncode != 0, "it was not refused")
    require(b"Permission denied" in result.stderr or b"Errno 13" in result.stderr, f"what it said: {result.stderr}")
    require(secret not in result.stdout, f"it has the secret: {result.stdout}")
    alert = stage.bw.wait_alert(lambda a: names(a, path), f"alert of {path}")
    require_equal((alert["action"], alert["destination"]["act"], alert["destination"]["family"]),
                  ("denied", "open", "none"), "the alert")
    require("was not allowed to open" in alert["summary"], alert["summary"])


def link(path):
    os.link(path, f"{path}.link")
    os.makedirs(os.path.dirname(path) + "-elsewhere", exist_ok=True)
    os.rename(f"{path}.link", os.path.dirname(path) + "-elsewhere/" + os.path.basename(path))
    return run("cat", os.path.dirname(path) + "-elsewhere/" + os.path.basename(path))


def mounted(path):
    return run("unshare", "--mount", "sh", "-c", 'mkdir -p "$1" && mount --bind "$0" "$1" && cat "$1/$2"',
               os.path.dirname(path), os.path.dirname(path) + "-mounted", os.path.basename(path))


def contained(path):
    """Another root, in namespaces of its own, as a container has."""
    inside = os.path.dirname(path) + "-root"
    return run("unshare", "--mount", "--pid", "--fork", "sh", "-c",
               'mkdir -p "$1" && mount --rbind / "$1" && cd "$1" && exec chroot . cat "$0"', path, inside)


def technique(name, variant):
    def act(path):
        result = run(program(f"technique-{name}"), variant, path, HOST_V4, "443")
        if result.returncode == 77:
            raise Skip(result.stderr.decode().strip(), environment=True)
        return result
    return act


def silent(stage, path, what):
    """What the test reads by a pipe it holds itself, and its markers with it: only an open counts."""
    stage.bw.expect_no_alert(lambda a: touches(a, path) and a["destination"]["act"] == "open", stage.net, stage.home,
                             what)


def allowed(stage):
    path, secret = stage.decoy()
    require_equal(run(stage.reader, path).stdout, secret, "what it read")
    # Who owns the file, and its mode, decide about writing, and about stat(2).
    require_equal(run("sh", "-c", 'echo >>"$0" && test -s "$0"', path).returncode, 0, "a program that writes")
    silent(stage, path, "an allowed program")


def marker_free(stage):
    """A process that was refused has read nothing: it is not tracked."""
    path, _ = stage.decoy()
    code = ("import socket, sys\ntry:\n    open(sys.argv[1])\nexcept PermissionError:\n"
            "    socket.create_connection((sys.argv[2], 443)).sendall(b'x')\nelse:\n    sys.exit(1)")
    result = stage.net.run([sys.executable, "-c", code, path, HOST_V4])
    require_equal(result.returncode, 0, f"its exit status\n{result.stderr}")
    stage.bw.wait_alert(lambda a: touches(a, path) and a["destination"]["act"] == "open", "the open's alert")
    acts = {a["destination"]["act"] for a in stage.bw.find(lambda a: touches(a, path))}
    require_equal(acts, {"open"}, "acts")


def repeated(stage):
    path, _ = stage.decoy()
    before = stage.status()["enforcement"]["denied"]
    code = ("import sys\nfor _ in range(5):\n    try:\n        open(sys.argv[1])\n    except PermissionError:\n"
            "        continue\n    sys.exit(1)")
    require_equal(run(sys.executable, "-c", code, path).returncode, 0, "all are refused")
    require_equal(stage.status()["enforcement"]["denied"] - before, 5, "denied, by the status")
    stage.bw.wait_alert(lambda a: touches(a, path), "the alert")
    require_equal(len(stage.bw.find(lambda a: touches(a, path) and not a["repeats"])), 1, "alerts")


def keys(stage):
    """ssh-keygen makes a key, and reads it: its rule says so. cat may not."""
    if not shutil.which("ssh-keygen"):
        raise Skip("no ssh-keygen", environment=True)
    key = f"{stage.places}/id_ed25519"
    made = run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    require_equal(made.returncode, 0, f"ssh-keygen: {made.stderr}")
    shown = run("ssh-keygen", "-y", "-f", key)
    require(shown.stdout.startswith(b"ssh-ed25519 "), f"ssh-keygen -y: {shown}")
    require(run("cat", key).returncode != 0, "cat was not refused")
    stage.bw.wait_alert(lambda a: touches(a, os.fsencode(key)) and a["action"] == "denied", "the alert")


def never(stage):
    path, secret = stage.decoy()
    stage.load(f"[Enforcement]\nNever={os.path.realpath(shutil.which('cat'))}\n")
    require_equal(run("cat", path).stdout, secret, "what it read")
    silent(stage, path, "what Never= names")


def dry_run(stage):
    path, secret = stage.decoy()
    stage.load("[Enforcement]\nEnabled=dry-run\n")
    require_equal(run("cat", path).stdout, secret, "what it read")
    alert = stage.bw.wait_alert(lambda a: touches(a, path), "the alert")
    require_equal(alert["action"], "would-deny", "action")
    require("would be refused without dry-run" in alert["summary"], alert["summary"])


def selftest(stage, action):
    """barbwirectl selftest plays what is refused here, and fails if it is not."""
    done = run(ctl.CTL, f"--socket={stage.socket}", "--json=short", "selftest")
    require_equal((done.returncode, done.stderr), (0, b""), "selftest")
    alert = json.loads(done.stdout)
    require_equal((alert["action"], alert["destination"]["act"]), action, "the selftest's alert")


def anybody(stage):
    path, secret = stage.decoy()
    stage.load(Access="any")
    require_equal(run("cat", path).stdout, secret, "what it read")
    silent(stage, path, "with Access=any")


def cannot(stage):
    """Where an open cannot be refused, it is as with Access=any, and status says so."""
    path, secret = stage.decoy()
    require_equal(run("cat", path).stdout, secret, "what it read")
    # No class has Action=deny: what egress cannot be refused does not matter.
    require_equal(stage.status()["enforcement"]["not_refused"], ["opens of files of classes with Access=allowed"],
                  "what cannot be refused, as status says")


def play(t, stage):
    t.case("the program of a rule", allowed, stage)
    t.case("cat, by root", refused, stage, lambda path: run("cat", path))
    t.case("cat, by another user", refused, stage,
           lambda path: os.chown(path, USER, USER) or run("cat", path, user=USER, group=USER, extra_groups=[]))
    t.case("python", refused, stage, lambda path: run(sys.executable, "-c", "import sys; open(sys.argv[1])", path))
    t.case("cp", refused, stage, lambda path: run("cp", path, f"{path}-elsewhere"))
    t.case("a copy of cat", refused, stage,
           lambda path: shutil.copy("/bin/cat", f"{stage.directory}/cat") and run(f"{stage.directory}/cat", path))
    t.case("a hard link elsewhere", refused, stage, link)
    t.case("a bind mount", refused, stage, mounted)
    t.case("a container", refused, stage, contained)
    for variant in ("openat2", "handle"):
        t.case(f"the call {variant}", refused, stage, technique("get-open-calls", variant))
    t.case("io_uring", refused, stage, technique("get-uring", "openat"))
    if kernel_version() >= (5, 12):
        t.case("io_uring, by a worker", refused, stage, technique("get-uring", "openat-async"))
    t.case("what was refused is not tracked", marker_free, stage)
    t.case("repeats are refused, and counted", repeated, stage)
    t.case("ssh-keygen reads its key", keys, stage)
    t.case("the selftest is refused an open", selftest, stage, ("denied", "open"))
    t.case("Never=", never, stage)
    t.case("Enabled=dry-run", dry_run, stage)
    t.case("the selftest in a dry run", selftest, stage, ("alert", "connect"))
    t.setup("another class denies", stage.load, f"[Class {OTHER}]\nPath={stage.places}-other/**\nAction=deny\n")
    t.case("the selftest is refused a connection", selftest, stage, ("denied", "connect"))


def main():
    with cases() as (t, net, home):
        stage = Stage(net, home)
        with stage.bw:
            if kernel_version() >= (5, 19):
                t.setup("it begins at a reload", stage.load)
            if stage.status()["sensor"] == "tracepoint":
                t.case("the sensor tracepoint cannot refuse it", cannot, stage)
                t.case("the selftest is refused nothing", selftest, stage, ("alert", "connect"))
            else:
                play(t, stage)
            t.case("Access=any", anybody, stage)
            t.case("ends without loss", ended, stage)


def ended(stage):
    stage.bw.stop()
    stage.bw.require_no_loss(harness.preemption_losses())


if __name__ == "__main__":
    main()
