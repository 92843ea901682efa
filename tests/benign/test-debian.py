#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No alerts under the default policy on other releases of Debian than this machine's: 13, or with --suite=sid the one
that is in the making. Its own packages are installed and upgraded by apt, with debconf and over the network; its own
sshd, login, sudo, su and cron let users in, who use the network then. Beside them thefts of the same files.

Boots the systemd of that Debian (tests/box/systemd-box --root), whose ssh.service is in the network of the tests.
--root: only creates the file system of the box, which needs no quiet machine."""

import os
import sys
import tempfile
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import logins
import scene as stage
import site_packages
from scene import PASSWORD, URL, USERS
from site_packages import NAME, Repository
from sshd import START_TIMEOUT, Server

import harness
import service
import tap
from net import HOST_V4, Net
from service import BUILD, run, systemctl, wait_until
from tap import require, require_equal

SUITE = next((word.split("=")[1] for word in sys.argv if word.startswith("--suite=")), "trixie")
# Libraries of barbwired, and what is installed while it monitors.
LIBRARIES = ["libbpf1", "libcap-ng0", "libjansson4", "libnettle8t64", "libsystemd0"]
INSTALLED = ["openssh-server", "openssh-client", "sudo", "cron", "curl", "libpam-systemd", "tzdata"]
APT = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "--no-install-recommends"]
APT_TIMEOUT = 240
LOGIN_FILE = "/etc/apt/auth.conf.d/site.conf"
SSHD_CONFIG = "PermitRootLogin yes\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\n"


class World(stage.World):
    """The box itself, which is thrown away."""

    def __init__(self):
        self.root, self.holder = "", types.SimpleNamespace(pid=1)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def home_of(self, user):
        return "/root" if user == "root" else f"/home/{user}"

    def add_users(self):
        self.do("useradd", "--create-home", "--shell", "/bin/bash", "ana")
        self.do("chpasswd", stdin=f"ana:{PASSWORD}\nroot:{PASSWORD}\n")


class Barbwired(harness.Barbwired):
    """In the box, where PIDs are others than those in an alert."""

    def prove_delivered(self, net, home):
        key, _ = home.key()
        result = net.run([harness.program("technique-out-tcp"), "blocking", key, HOST_V4, "443"])
        require_equal(result.returncode, 0, f"the marker theft: {result.stderr}")
        return self.wait_alert(lambda a: harness.touches(a, key), "the marker's alert")


class Scene(stage.Scene):
    """barbwired sees all processes of the machine; the test is about those of the box."""

    def alerts_since(self, before):
        cgroup = self.bw.prove_delivered(self.net, self.home)["process"]["cgroup"].removesuffix("/command.scope")
        return [a for a in super().alerts_since(before) if f"{a['process']['cgroup']}/".startswith(f"{cgroup}/")]


class Service(Server):
    """sshd as ssh.service of the box, whose sessions are those of its logind."""

    def __enter__(self):
        world = self.s.world
        world.do("sh", "-ec", 'mkdir -p "$1"; cat >"$1/test.conf"; systemctl daemon-reload', "sh",
                 "/run/systemd/system/ssh.service.d",
                 stdin=f"[Service]\nNetworkNamespacePath=/run/netns/{self.s.net.host}\n")
        world.do("sh", "-c", "cat >/etc/ssh/sshd_config.d/test.conf", stdin=SSHD_CONFIG)
        for user in USERS:
            world.do("sh", "-ec", f"""
                mkdir -p .ssh; chmod 700 .ssh; ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519
                cp .ssh/id_ed25519.pub .ssh/authorized_keys
            """, user=user)
            world.write(user, "askpass", f"#!/bin/sh\necho {PASSWORD}\n", 0o700)
        # The box has booted to basic.target only: until then nobody but root may log in.
        systemctl("start", "systemd-user-sessions.service")
        systemctl("restart", "ssh.service")
        wait_until(lambda: ":22 " in run("ip", "netns", "exec", self.s.net.host, "ss", "-Htln").stdout, "sshd",
                   START_TIMEOUT)
        self.process = "ssh.service"
        return self

    def __exit__(self, *exception):
        systemctl("stop", "ssh.service")


def installed(s):
    """With what each script of a package does: users, keys of the host, units."""
    s.silent([*APT, "install", *INSTALLED], timeout=APT_TIMEOUT)
    s.silent(["curl", "-sS", URL])
    # It is started in the network of the tests, and then runs what it runs once a boot (@reboot).
    systemctl("stop", "cron.service")
    os.unlink("/run/crond.reboot")
    require(os.path.exists("/etc/ssh/ssh_host_ed25519_key"), "no key of the host")


def repository(s, packages):
    """The packages of a site, by a password, installed and upgraded. Their configuration asks for another one."""
    s.world.do("sh", "-c", "cat >/etc/apt/sources.list.d/site.list",
               stdin=f"deb [trusted=yes] {site_packages.URL} ./\n")
    s.world.do("sh", "-c", f"umask 077; cat >{LOGIN_FILE}",
               stdin=f"machine {site_packages.URL} login {site_packages.LOGIN[0]} password {site_packages.LOGIN[1]}\n")
    s.world.do("debconf-set-selections", stdin=f"{NAME} {NAME}/password password decoy-answer\n")
    only = ["-o", "Dir::Etc::SourceList=/dev/null"]
    for version, verb in (("1", ["install", NAME]), ("2", ["upgrade"])):
        packages.publish(version)
        s.silent([*APT, *only, "update"], timeout=APT_TIMEOUT)
        s.silent([*APT, *only, *verb], timeout=APT_TIMEOUT)
        require_equal(s.world.do("dpkg-query", "-W", "-f", "${Version}", NAME), version, "the version")
        require_equal(s.world.do("cat", f"/etc/{NAME}.conf"), "password=decoy-answer\n", "the answer")
    require(any(packages.logins), "apt has shown no password")
    s.silent(["dpkg-reconfigure", "-f", "noninteractive", NAME], timeout=APT_TIMEOUT)
    s.silent([*APT, "purge", NAME], timeout=APT_TIMEOUT)
    s.silent(["curl", "-sS", URL])


def transient(s, user):
    """PID 1 opens a session for a unit (PAMName=), which uses the network; then another unit does."""
    def start(*options):
        command = ["systemd-run", "--quiet", "--wait", "--pipe", f"--property=User={user}",
                   f"--property=NetworkNamespacePath=/run/netns/{s.net.thief}", *options, "curl", "-sS", URL]
        require_equal(s.silent(command, timeout=60), "hello\n", "what the unit fetched")

    start("--property=PAMName=login")
    start()


def inside():
    t = tap.Tap()
    run(*APT, "install", *LIBRARIES)
    with Net() as net, harness.Home() as home, tempfile.TemporaryDirectory() as directory, \
            Repository(net, f"{directory}/site") as packages, World() as world:
        os.chmod(directory, 0o755)
        world.add_users()
        with Barbwired() as bw:
            s = Scene(bw, net, home, world)
            if t.setup("apt installs sshd, sudo and cron", installed, s):
                cases(t, s, packages)
            t.case("no loss", stage.no_loss, bw)
    t.done()


def cases(t, s, packages):
    t.case("apt, debconf and a repository with a password", repository, s, packages)
    t.case("(theft) the password for the repository", s.theft, LOGIN_FILE, "subscriptions")
    with Service(s) as server:
        logins.cases(t, s, server, users=("ana",), tools=False)
        t.case("a session of PID 1", transient, s, "ana")
        t.case("a restart of PID 1", s.silent, ["systemctl", "daemon-reexec"])


def main():
    if "--inside" in sys.argv:
        inside()
    if "--root" in sys.argv:
        t = tap.Tap()
        t.case(f"an empty {SUITE}", root)
        t.done()
    harness.require_machine()
    box = os.path.join(service.BOX, "systemd-box")
    os.execv(box, [box, "--root", root(), "-b", harness.SOURCE_ROOT, "-b", BUILD, "--", "python3", "-B",
                   os.path.abspath(__file__), *sys.argv[1:], "--inside"])


def root():
    return service.debian_root("--empty", SUITE, *LIBRARIES, *INSTALLED)


if __name__ == "__main__":
    main()
