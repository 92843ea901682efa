#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What must stay silent under the default policy: real programs at their real paths doing their day's
work."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import harness
import tap
from net import HOST_V4, Net
from tap import Skip, require, require_equal

SSH_PORT = 22
FORWARD_PORT = 8022
URL = f"http://{HOST_V4}/"
# apt-get talks to a mirror that may be slow or not there; either way it must not alert.
APT_TIMEOUT = 240


class Scene:
    def __init__(self, bw, net, home):
        self.bw, self.net, self.home = bw, net, home
        self.environment = dict(os.environ, HOME=home.path.decode(), LC_ALL="C")

    def silent(self, command, status=0, namespace=True, timeout=60, needs=None):
        """Runs it, then proves that nothing since the last proof was an alert but the marker thefts."""
        needs = needs or command[0]
        if not shutil.which(needs):
            raise Skip(f"{needs} is not installed", environment=True)
        before = len(self.bw.alerts)
        if namespace:
            result = self.net.run(command, timeout=timeout, env=self.environment, cwd=self.home.path)
        else:
            result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    timeout=timeout, cwd="/")
        if status is not None:
            said = f"{result.stdout[-1000:]}{result.stderr[-1000:]}"
            require_equal(result.returncode, status, f"{command}\n{said}")
        self.require_silence(before)
        return result.stdout

    def require_silence(self, before):
        self.bw.prove_delivered(self.net, self.home)
        noise = [a for a in self.bw.alerts[before:] if a["process"]["comm"] != "technique-out-t"]
        require(not noise, f"{len(noise)} alerts, the first: {noise[:1]}")


def fetch(scene, *command):
    require_equal(scene.silent([*command, URL], needs=command[0]), "hello\n", "what was fetched")


def is_marked_at_all(scene):
    """The same key that ssh may read is a theft in another program's hands: the silence below means
    something."""
    key = os.path.join(scene.home.ssh, b"id_ed25519")
    result = scene.net.run([harness.program("technique-out-tcp"), "blocking", key, HOST_V4, "443"])
    require(result.returncode == 0, result.stderr)
    scene.bw.wait_alert(lambda a: harness.touches(a, key), "the theft of ssh's own key")


class SshServer:
    """A real sshd in the host's namespace, with host keys that are sensitive too."""

    def __init__(self, scene):
        self.scene, self.process, self.made = scene, None, False

    def __enter__(self):
        if not (shutil.which("sshd", path="/usr/sbin") and shutil.which("ssh-keygen")):
            return self
        ssh = self.scene.home.ssh.decode()
        for name in ("host_ed25519_key", "id_ed25519"):
            if not os.path.exists(f"{ssh}/{name}"):
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{ssh}/{name}"],
                               check=True, stdin=subprocess.DEVNULL)
        shutil.copyfile(f"{ssh}/id_ed25519.pub", f"{ssh}/authorized_keys")
        config = os.path.join(self.scene.home.root.decode(), "sshd_config")
        with open(config, "w", encoding="utf-8") as out:
            out.write(f"Port {SSH_PORT}\nHostKey {ssh}/host_ed25519_key\n"
                      f"AuthorizedKeysFile {ssh}/authorized_keys\n"
                      "PermitRootLogin prohibit-password\nStrictModes no\nUsePAM yes\nPidFile none\n"
                      "Subsystem sftp internal-sftp\n")
        # sshd wants its empty directory; where systemd's unit has not made it, it is ours to make and to
        # remove.
        try:
            os.mkdir("/run/sshd", 0o755)
            self.made = True
        except FileExistsError:
            pass
        self.process = self.scene.net.popen(["/usr/sbin/sshd", "-D", "-e", "-f", config],
                                            namespace=self.scene.net.host, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "Server listening" in line:
                break
        else:
            raise RuntimeError("sshd did not start")
        return self

    def __exit__(self, *exception):
        if self.process:
            self.process.terminate()
            self.process.communicate()
        if self.made:
            os.rmdir("/run/sshd")

    def options(self):
        if not self.process:
            raise Skip("openssh is not installed", environment=True)
        ssh = self.scene.home.ssh.decode()
        return ["-F", "none", "-i", f"{ssh}/id_ed25519", "-o", "StrictHostKeyChecking=accept-new",
                "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={ssh}/known_hosts"]


def ssh_login(scene, server, command, wanted, *options):
    out = scene.silent(["ssh", *server.options(), *options, f"root@{HOST_V4}", command])
    require(wanted in out, f"ssh: {out!r}")


def scp(scene, server):
    """From a file that nobody minds."""
    target = os.path.join(scene.home.root.decode(), "copied")
    scene.silent(["scp", *server.options(), "/etc/hostname", f"root@{HOST_V4}:{target}"])
    require(os.path.exists(target), "scp copied nothing")


def compile_project(scene):
    build = os.path.join(scene.home.path.decode(), "project")
    os.mkdir(build)
    for n in range(8):
        with open(f"{build}/part{n}.c", "w", encoding="ascii") as out:
            out.write(f"#include <stdio.h>\nint part{n}(void);\n"
                      f"int part{n}(void) {{ return puts(\"{n}\"); }}\n")
    script = f"cd {build}; for f in *.c; do cc -O2 -c $f; done; ar rc all.a *.o"
    scene.silent(["sh", "-ec", script], needs="cc")


def npm_install(scene):
    """A local package with a lifecycle script, offline, with a token in ~/.npmrc that npm may read."""
    home = scene.home.path.decode()
    with open(f"{home}/.npmrc", "w", encoding="ascii") as out:
        out.write("//registry.npmjs.org/:_authToken=decoy-not-a-token\n")
    os.makedirs(f"{home}/package")
    os.makedirs(f"{home}/application")
    with open(f"{home}/package/package.json", "w", encoding="ascii") as out:
        out.write('{"name":"decoy","version":"1.0.0","scripts":{"postinstall":"true"}}')
    with open(f"{home}/application/package.json", "w", encoding="ascii") as out:
        out.write('{"name":"application","version":"1.0.0"}')
    scene.silent(["npm", "install", "--offline", "--no-audit", "--no-fund", "--no-update-notifier",
                  "--prefix", f"{home}/application", f"{home}/package"], timeout=120)


def whole(bw):
    bw.stop()
    bw.require_whole()


def main():
    harness.require_machine()
    t = tap.Tap()
    with Net() as net, harness.Home() as home, harness.Barbwired() as bw:
        scene = Scene(bw, net, home)
        with SshServer(scene) as server:
            t.case("curl", fetch, scene, "curl", "-sS")
            t.case("wget", fetch, scene, "wget", "-q", "-O", "-")
            t.case("sudo curl", fetch, scene, "sudo", "-n", "-u", "root", "curl", "-sS")
            t.case("sudo curl as another user", fetch, scene, "sudo", "-n", "-u", "nobody", "curl", "-sS")
            t.case("su -c curl", scene.silent, ["su", "-s", "/bin/sh", "-c", f"curl -sS {URL}", "daemon"])
            t.case("getent passwd", scene.silent, ["getent", "passwd", "root"])
            t.case("getent shadow by root, no network", scene.silent, ["getent", "shadow", "root"])
            t.case("getent hosts", scene.silent, ["getent", "ahosts", "barbwire.invalid"], None)
            if server.process:
                t.case("(control) ssh's key is watched", is_marked_at_all, scene)
            t.case("ssh with its own key", ssh_login, scene, server, "echo in", "in\n")
            t.case("ssh, and curl in the session", ssh_login, scene, server, f"curl -sS {URL}", "hello\n")
            # ssh connects once more, by now with the key in its hands.
            t.case("ssh forwarding a port", ssh_login, scene, server,
                   f"curl -sS http://127.0.0.1:{FORWARD_PORT}/", "hello\n",
                   "-R", f"{FORWARD_PORT}:{HOST_V4}:80")
            t.case("scp with its own key", scp, scene, server)
            t.case("apt-get update", scene.silent, ["apt-get", "-q", "-o", "Acquire::Retries=0", "update"],
                   None, False, APT_TIMEOUT)
            t.case("a compile", compile_project, scene)
            t.case("npm --version", scene.silent, ["npm", "--version"])
            t.case("npm install, local and offline", npm_install, scene)
        t.case("no loss", whole, bw)
    t.done()


if __name__ == "__main__":
    main()
