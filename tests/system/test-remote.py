#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwirectl --host=: a real ssh and a real sshd, joined by a pipe instead of a network, and a false daemon behind."""

import getpass
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import tap
from ctl import CTL, FalseDaemon, reply
from journal_files import alert
from tap import require, require_equal

SSHD = "/usr/sbin/sshd"


class Far:
    """Another host: `ssh` of this environment reaches a sshd whose PATH has barbwirectl."""

    def __init__(self, directory):
        self.directory = directory
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{directory}/{name}"], check=True)
        self.write("sshd_config", f"HostKey {directory}/host\nAuthorizedKeysFile {directory}/user.pub\nUsePAM no\n"
                   "StrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\nPidFile none\n"
                   f"SetEnv PATH={os.path.dirname(CTL)}:/usr/bin:/bin\n")
        self.write("ssh_config", f"Host far.example.org\nProxyCommand {SSHD} -i -f {directory}/sshd_config\n"
                   f"IdentityFile {directory}/user\nIdentitiesOnly yes\nStrictHostKeyChecking no\nBatchMode yes\n"
                   f"UserKnownHostsFile /dev/null\nLogLevel ERROR\n")
        os.mkdir(f"{directory}/bin")
        self.write("bin/ssh", f'#!/bin/sh\nexec /usr/bin/ssh -F {directory}/ssh_config "$@"\n', 0o755)
        self.path = f"{directory}/it's a socket"

    def write(self, name, text, mode=0o600):
        path = f"{self.directory}/{name}"
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
        os.chmod(path, mode)

    def ctl(self, status, *args):
        done = subprocess.run([CTL, f"--socket={self.path}", *args], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False,
                              env={**os.environ, "PATH": f"{self.directory}/bin:{os.environ['PATH']}", "TZ": "UTC"})
        require_equal(done.returncode, status, f"exit status of {args}\n{done.stdout}{done.stderr}")
        return done


def answered(far):
    """As if it were here, though a shell on the other host has read the path of the socket."""
    host = f"{getpass.getuser()}@far.example.org"
    with FalseDaemon(far.path, ListAlerts=reply({"alerts": [alert(1)]}), GetAlert=reply({"alert": alert(1)})) as (_, d):
        out = far.ctl(0, "-H", host, "alerts").stdout
        require("ssh-private-keys" in out and out.endswith("1 alert.\n"), out)
        require("alert 1 of a test" in far.ctl(0, f"--host={host}", "show", "1-0").stdout, "show")
        found = far.ctl(0, "-H", host, "--json=ocsf", "alerts").stdout
        require('"hostname":"far.example.org"' in found, found)
        require_equal([call["method"].rsplit(".", 1)[1] for call in d.calls], ["ListAlerts", "GetAlert", "ListAlerts"],
                      "calls")


def failures(far):
    """A daemon that is not there, a host that is not there, options that do not go together."""
    done = far.ctl(3, "-H", "far.example.org", "status")
    require("No daemon listens on" in done.stderr, done.stderr)
    done = far.ctl(1, "-H", "nowhere.invalid", "status")
    require("No connection to barbwired on nowhere.invalid" in done.stderr, done.stderr)
    for args in (["-H", "x", "-m", "alerts"], ["-H", "-oProxyCommand=x", "status"], ["-H", "x", "explain", "/"],
                 ["-H", "", "status"]):
        far.ctl(2, *args)


def main():
    if not os.access(SSHD, os.X_OK) or not os.access("/usr/bin/ssh", os.X_OK):
        tap.skip_all("needs ssh and sshd", environment=True)
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    t = tap.Tap()
    with tempfile.TemporaryDirectory(prefix="barbwire-remote-") as directory:
        far = Far(directory)
        t.case("another host answers", answered, far)
        t.case("another host does not answer", failures, far)
    t.done()


if __name__ == "__main__":
    main()
