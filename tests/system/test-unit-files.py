#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemd's own tools say of the files in units/, without starting anything. Needs no PID 1."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import harness
import tap
from tap import Skip, require, require_equal

UNITS = os.path.join(harness.SOURCE_ROOT, "units")
# Of 10: systemd calls up to 1.9 "safe".
EXPOSURE_MAX = 1.0

# As cloud-init.service does on Debian and Ubuntu: the network comes up before sysinit.target.
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
Requires=sysinit.target early-network.service barbwire.service
"""


def run(*args):
    result = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return result.returncode, result.stdout + result.stderr


class Directory:
    """A directory with the service as it would be installed beside the program under test."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="barbwire-units-")
        with open(os.path.join(UNITS, "barbwire.service.in"), encoding="utf-8") as template:
            text = template.read()
        require("@SBINDIR@" in text, "the unit does not name its program's directory")
        self.write("barbwire.service", text.replace("@SBINDIR@", os.path.dirname(harness.BARBWIRED)))
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
        # The manual pages may not be installed here; test-service.py looks for them.
        return run("systemd-analyze", "verify", "--man=no", *options, os.path.join(self.path, name))


def exposure():
    with Directory() as directory:
        unit = os.path.join(directory.path, "barbwire.service")
        _, text = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for barbwire\.service: ([\d.]+)", text)
    require(found, text)
    reasons = "\n".join(line for line in text.splitlines() if line.startswith("✗"))
    require(float(found[1]) <= EXPOSURE_MAX, f"exposure {found[1]}\n{reasons}")


def verify():
    with Directory() as directory:
        status, text = directory.verify("barbwire.service", "--recursive-errors=no")
        ours = [line for line in text.splitlines() if "barbwire" in line]
        require(status == 0 and not ours, f"exit status {status}\n{text}")
        # It would tell.
        with open(os.path.join(directory.path, "barbwire.service"), "a", encoding="utf-8") as unit:
            unit.write("\n[Service]\nNoSuchSetting=yes\n")
        _, text = directory.verify("barbwire.service", "--recursive-errors=no")
        require("NoSuchSetting" in text, f"systemd-analyze verify misses an unknown setting:\n{text}")


def no_cycle():
    with Directory() as directory:
        directory.write("early-network.service", EARLY_NETWORK)
        directory.write("boot-of-test.target", BOOT)
        _, text = directory.verify("boot-of-test.target")
        require("cycle" not in text, text)
        # It would tell.
        with open(os.path.join(directory.path, "barbwire.service"), "a", encoding="utf-8") as unit:
            unit.write("\n[Unit]\nDefaultDependencies=yes\n")
        _, text = directory.verify("boot-of-test.target")
        require("cycle" in text, f"systemd-analyze verify misses a cycle:\n{text}")


def early():
    """The order itself; what follows from it is systemd's."""
    with open(os.path.join(UNITS, "barbwire.service.in"), encoding="utf-8") as unit:
        settings = re.findall(r"^(Wants|Before|Conflicts)=(.*)$", unit.read(), re.MULTILINE)
    for setting in (("Wants", "network-pre.target"), ("Before", "network-pre.target"),
                    # What DefaultDependencies= would have brought.
                    ("Before", "shutdown.target"), ("Conflicts", "shutdown.target")):
        require(setting in settings, f"{'='.join(setting)} is not set")


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


def preset():
    """Of everything that is installed, nothing is enabled but by somebody's decision."""
    with Directory() as directory, tempfile.TemporaryDirectory(prefix="barbwire-root-") as root:
        for target in ("system", "system-preset"):
            os.makedirs(f"{root}/usr/lib/systemd/{target}")
        shutil.copy(f"{directory.path}/barbwire.service", f"{root}/usr/lib/systemd/system")
        shutil.copy(os.path.join(UNITS, "barbwire.preset"),
                    f"{root}/usr/lib/systemd/system-preset/90-barbwire.preset")
        status, text = run("systemctl", f"--root={root}", "preset-all")
        require_equal(status, 0, f"exit status\n{text}")
        require_equal(run("systemctl", f"--root={root}", "is-enabled", "barbwire.service"), (1, "disabled\n"),
                      "after preset-all")
        status, text = run("systemctl", f"--root={root}", "enable", "barbwire.service")
        require_equal(status, 0, f"exit status\n{text}")
        require_equal(run("systemctl", f"--root={root}", "is-enabled", "barbwire.service"), (0, "enabled\n"),
                      "after enable")


def main():
    for tool in ("systemd-analyze", "systemd-sysusers", "systemctl"):
        if not shutil.which(tool):
            tap.skip_all(f"needs {tool}", environment=True)
    t = tap.Tap()
    t.case(f"systemd-analyze security: at most {EXPOSURE_MAX}", exposure)
    t.case("systemd-analyze verify", verify)
    t.case("it comes before the network, and goes at shutdown", early)
    t.case("no ordering cycle where the network comes before sysinit.target", no_cycle)
    t.case("sysusers makes the user", sysusers)
    t.case("the preset leaves it disabled", preset)
    t.done()


if __name__ == "__main__":
    main()
