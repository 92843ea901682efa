#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The files in units/, checked by the tools of systemd, without starting anything. Needs no PID 1."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
from tap import Skip, require, require_equal

UNITS = os.path.join(harness.SOURCE_ROOT, "units")
# Of 10: systemd calls up to 1.9 "safe".
EXPOSURE_MAX = 1.0
# It reads one file and uses one socket.
SELFTEST_EXPOSURE_MAX = 0.5

# Like cloud-init.service on Debian and Ubuntu, it configures the network before sysinit.target.
EARLY_NETWORK = """[Unit]
DefaultDependencies=no
Wants=network-pre.target
After=network-pre.target
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=true
"""
BOOT = """[Unit]
Requires=sysinit.target sockets.target early-network.service barbwire.service
"""
OURS = ("barbwire.service", "barbwire.socket")
SELFTEST = ("barbwire-selftest.service", "barbwire-selftest.timer")


def run(*args):
    result = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return result.returncode, result.stdout + result.stderr


class Directory:
    """A directory with the units as installed with the program under test."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="barbwire-units-")
        for name, variable in (("barbwire.service", "@SBINDIR@"), ("barbwire-selftest.service", "@BINDIR@")):
            with open(os.path.join(UNITS, name + ".in"), encoding="utf-8") as template:
                text = template.read()
            require(variable in text, f"{name} does not name its program's directory")
            for name_in, value in ((variable, os.path.dirname(harness.BARBWIRED)), ("@NOTIFY@", "notify"),
                                   ("@KILL@", "ExecReload=sh -c 'kill -HUP $MAINPID'")):
                text = text.replace(name_in, value)
            self.write(name, text)
        for name in ("barbwire.socket", "barbwire-selftest.timer"):
            shutil.copy(os.path.join(UNITS, name), self.path)
        return self

    def __exit__(self, *exception):
        shutil.rmtree(self.path)

    def write(self, name, text):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def verify(self, name, *options):
        # The manual pages may not be installed here; test-service.py checks them.
        return run("systemd-analyze", "verify", "--man=no", *options, os.path.join(self.path, name))


def exposure(name, most):
    with Directory() as directory:
        unit = os.path.join(directory.path, name)
        _, text = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    found = re.search(rf"Overall exposure level for {re.escape(name)}: ([\d.]+)", text)
    require(found, text)
    reasons = "\n".join(line for line in text.splitlines() if line.startswith("✗"))
    require(float(found[1]) <= most, f"exposure {found[1]}\n{reasons}")


def verify(name):
    with Directory() as directory:
        status, text = directory.verify(name, "--recursive-errors=no")
        ours = [line for line in text.splitlines() if "barbwire" in line]
        require(status == 0 and not ours, f"exit status {status}\n{text}")
        # It would tell.
        with open(os.path.join(directory.path, name), "a", encoding="utf-8") as unit:
            unit.write("\n[Unit]\nNoSuchSetting=yes\n")
        _, text = directory.verify(name, "--recursive-errors=no")
        require("NoSuchSetting" in text, f"systemd-analyze verify misses an unknown setting:\n{text}")


def no_cycle():
    for name in OURS:
        with Directory() as directory:
            directory.write("early-network.service", EARLY_NETWORK)
            directory.write("boot-of-test.target", BOOT)
            _, text = directory.verify("boot-of-test.target")
            require("cycle" not in text, text)
            # It would tell.
            with open(os.path.join(directory.path, name), "a", encoding="utf-8") as unit:
                unit.write("\n[Unit]\nDefaultDependencies=yes\n")
            _, text = directory.verify("boot-of-test.target")
            require("cycle" in text, f"{name}: systemd-analyze verify misses a cycle:\n{text}")


def early():
    """Checks the ordering itself; systemd does the rest."""
    wanted = {"barbwire.service.in": [("Wants", "network-pre.target"), ("Before", "network-pre.target")],
              "barbwire.socket": [("Before", "sockets.target")]}
    for name, settings in wanted.items():
        with open(os.path.join(UNITS, name), encoding="utf-8") as unit:
            found = re.findall(r"^(Wants|Before|Conflicts)=(.*)$", unit.read(), re.MULTILINE)
        # The latter two, since DefaultDependencies= would have added them.
        for setting in settings + [("Before", "shutdown.target"), ("Conflicts", "shutdown.target")]:
            require(setting in found, f"{name}: {'='.join(setting)} is not set")


def sysusers():
    if os.geteuid() != 0:
        raise Skip("needs root")
    with tempfile.TemporaryDirectory(prefix="barbwire-root-") as root:
        os.makedirs(f"{root}/etc")
        os.makedirs(f"{root}/usr/lib/sysusers.d")
        shutil.copy(os.path.join(UNITS, "barbwire.sysusers"), f"{root}/usr/lib/sysusers.d/barbwire.conf")
        status, text = run("systemd-sysusers", f"--root={root}")
        require_equal(status, 0, f"exit status\n{text}")
        with open(f"{root}/etc/passwd", encoding="utf-8") as passwd:
            users = [line.rstrip("\n").split(":") for line in passwd]
    require_equal([user[0] for user in users], ["barbwire"], "users")
    name, _, uid, gid, _, home, shell = users[0]
    require(0 < int(uid) < 1000 and uid == gid, f"{name}: not a system user: {uid}, {gid}")
    require(shell.endswith("/nologin") and home == "/", f"{name}: can log in: {home}, {shell}")


def tmpfiles():
    if os.geteuid() != 0:
        raise Skip("needs root")
    with tempfile.TemporaryDirectory(prefix="barbwire-root-") as root:
        os.makedirs(f"{root}/usr/lib/tmpfiles.d")
        shutil.copy(os.path.join(UNITS, "barbwire.tmpfiles"), f"{root}/usr/lib/tmpfiles.d/barbwire.conf")
        # Twice: at every boot, and after every installation.
        for _ in range(2):
            status, text = run("systemd-tmpfiles", f"--root={root}", "--create")
            require_equal((status, text), (0, ""), "exit status and output")
        found = {}
        for directory, _, names in os.walk(f"{root}/run"):
            for path in [directory] + [os.path.join(directory, name) for name in names]:
                status = os.stat(path)
                found[path[len(root):]] = (oct(status.st_mode), status.st_uid, status.st_gid)
        del found["/run"]
        require_equal(found, {"/run/barbwire": ("0o40755", 0, 0), "/run/barbwire/selftest-decoy": ("0o100444", 0, 0)},
                      "made")
        with open(f"{root}/run/barbwire/selftest-decoy", encoding="ascii") as decoy:
            text = decoy.read()
        require(text.startswith("This is no secret. ") and text.endswith("\n"), f"the decoy says {text!r}")


def preset():
    """No installed unit is enabled without a decision of the administrator."""
    with Directory() as directory, tempfile.TemporaryDirectory(prefix="barbwire-root-") as root:
        for target in ("system", "system-preset"):
            os.makedirs(f"{root}/usr/lib/systemd/{target}")
        for name in OURS:
            shutil.copy(f"{directory.path}/{name}", f"{root}/usr/lib/systemd/system")
        shutil.copy(os.path.join(UNITS, "barbwire.preset"),
                    f"{root}/usr/lib/systemd/system-preset/90-barbwire.preset")
        status, text = run("systemctl", f"--root={root}", "preset-all")
        require_equal(status, 0, f"exit status\n{text}")
        for name in OURS:
            require_equal(run("systemctl", f"--root={root}", "is-enabled", name), (1, "disabled\n"),
                          f"{name} after preset-all")
        for name in OURS:
            # Each by itself.
            status, text = run("systemctl", f"--root={root}", "enable", name)
            require_equal(status, 0, f"exit status\n{text}")
            enabled = [each for each in OURS if run("systemctl", f"--root={root}", "is-enabled", each)[0] == 0]
            require_equal(enabled, [name], "enabled")
            run("systemctl", f"--root={root}", "disable", name)


def main():
    for tool in ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles", "systemctl"):
        if not shutil.which(tool):
            tap.skip_all(f"needs {tool}", environment=True)
    t = tap.Tap()
    for name, most in ((OURS[0], EXPOSURE_MAX), (SELFTEST[0], SELFTEST_EXPOSURE_MAX)):
        t.case(f"systemd-analyze security {name}: at most {most}", exposure, name, most)
    for name in OURS + SELFTEST:
        t.case(f"systemd-analyze verify {name}", verify, name)
    t.case("they start early, and stop at shutdown", early)
    t.case("no ordering cycle where the network comes before sysinit.target", no_cycle)
    t.case("sysusers creates the user", sysusers)
    t.case("tmpfiles creates the directory and the decoy", tmpfiles)
    t.case("the preset leaves all disabled", preset)
    t.done()


if __name__ == "__main__":
    main()
