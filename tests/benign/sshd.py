# SPDX-License-Identifier: GPL-2.0-or-later
"""A real sshd on the stage of the benign tests, and users that may log in to it."""

import contextlib
import os
import subprocess

from scene import PASSWORD, USERS

import tap
from tap import Skip, require

SSHD = "/usr/sbin/sshd"
START_TIMEOUT = 15 * tap.SLOW

SSHD_CONFIG = """
Port 22
HostKey {keys}/ssh_host_ed25519_key
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
StrictModes no
UsePAM yes
PidFile none
Subsystem sftp internal-sftp
"""


class Server:
    """A real sshd in the network of the host, in the same world; its host key is where the policy expects it."""

    def __init__(self, s):
        self.s, self.process = s, None

    def __enter__(self):
        if not os.access(SSHD, os.X_OK):
            return self
        world = self.s.world
        world.do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key",
                 stdin="y\n")
        world.do("sh", "-c", "cat >/etc/ssh/test_config", stdin=SSHD_CONFIG.format(keys="/etc/ssh"))
        for user in USERS:
            home = world.home_of(user)
            world.do("mkdir", "-p", f"{home}/.ssh", user=user)
            world.do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{home}/.ssh/id_ed25519", user=user)
            world.do("cp", f"{home}/.ssh/id_ed25519.pub", f"{home}/.ssh/authorized_keys", user=user)
            world.write(user, "askpass", f"#!/bin/sh\necho {PASSWORD}\n", 0o700)
        # A file: a pipe that no process reads would block sshd after some 270 logins.
        self.log = f"{world.root}/sshd.log"
        with open(self.log, "x", encoding="utf-8") as log:
            self.process = self.s.net.popen(world.command("root", [SSHD, "-D", "-e", "-f", "/etc/ssh/test_config"]),
                                            namespace=self.s.net.host, stdout=subprocess.DEVNULL, stderr=log)
        self.s.bw.wait(lambda: self.process.poll() is not None or "Server listening" in self.said(), START_TIMEOUT,
                       "sshd")
        if self.process.poll() is not None:
            raise RuntimeError(f"sshd did not start: {self.said()}")
        return self

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def __exit__(self, *exception):
        if self.process:
            self.process.terminate()
            self.process.wait()

    def options(self, user):
        if not self.process:
            raise Skip("openssh-server is not installed", environment=True)
        home = self.s.world.home_of(user)
        return ["-F", "none", "-o", "StrictHostKeyChecking=accept-new", "-o", f"IdentityFile={home}/.ssh/id_ed25519",
                "-o", f"UserKnownHostsFile={home}/.ssh/known_hosts"]


@contextlib.contextmanager
def another_sshd(s, user, conf):
    """An sshd of this user's, with this configuration, listens."""
    with s.net.popen(s.world.command(user, [SSHD, "-D", "-e", "-f", conf]), namespace=s.net.host,
                     stderr=subprocess.PIPE, text=True) as own:
        try:
            require("listening" in own.stderr.readline(), f"another sshd, of {user}")
            yield
        finally:
            own.terminate()
