#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rpm, as far as a Debian can show it: installed by rpm, whose database is empty, into a running system, enabled,
upgraded under thefts, and erased. What rpm calls in a root that is empty, test-package-build.py shows.

Runs itself in a systemd of its own (tests/box/systemd-box). The packages are those that test-package-build.py left."""

import glob
import os
import pwd
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import bpf_objects
import harness
import packaged
import service
import stream
import tap
from packaged import CONFIGURATION, SITE
from service import BUILD, SOCKET_UNIT, UNIT, PatientThief, main_pid, run, show, systemctl, wait_until
from stream import Stream, messages_of, now
from tap import require, require_equal

PACKAGES = os.path.join(BUILD, "packages")
THEFTS = 60
# The kernel frees programs and maps after RCU grace periods and from work queues.
GONE_TIMEOUT = 5 * tap.SLOW


def package(pattern="barbwire-[0-9]*64.rpm", directory=PACKAGES):
    return next(iter(glob.glob(f"{directory}/{pattern}")), None)


def rpm(*args, check=True):
    """What these packages need is here, but no rpm has it; nor is there a key that has signed them."""
    return run("rpm", "--dbpath", "/var/lib/rpm", *args, check=check).stdout


def install(*args):
    rpm("--nodeps", "--nosignature", *args)
    # On Fedora, files of packages trigger systemd to do this.
    systemctl("daemon-reload")
    run("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/barbwire.conf")


def newer():
    """The same files as the next release of the package, by the same spec."""
    top = "/tmp/newer"
    os.makedirs(f"{top}/payload")
    for pattern in ("barbwire-[0-9]*64.rpm", "barbwire-selinux*noarch.rpm"):
        run("sh", "-ec", 'cd "$1" && rpm2cpio "$2" | cpio -id --quiet', "sh", f"{top}/payload", package(pattern))
    with open(os.path.join(harness.SOURCE_ROOT, "units/barbwire.spec"), encoding="utf-8") as file:
        text = re.sub(r"^Release: .*$", "Release: 2", file.read(), flags=re.MULTILINE)
    text = re.sub(r"^%prep$.*?^%pre$", f"%install\ncp -a {top}/payload/. %{{buildroot}}\n\n%pre", text,
                  flags=re.MULTILINE | re.DOTALL)
    with open(f"{top}/barbwire.spec", "w", encoding="utf-8") as out:
        out.write(text)
    run("rpmbuild", "-bb", "--quiet", "--nodeps", "--load", f"{harness.SOURCE_ROOT}/tests/harness/rpm-macros",
        "--define", f"_topdir {top}", "--define", f"_sourcedir {harness.SOURCE_ROOT}/units",
        "--define", "debug_package %{nil}", "--define", "__os_install_post %{nil}", f"{top}/barbwire.spec")
    os.replace(package("*/barbwire-[0-9]*64.rpm", f"{top}/RPMS"), "/tmp/newer.rpm")
    shutil.rmtree(top)
    return "/tmp/newer.rpm"


def release():
    return rpm("-q", "--qf", "%{RELEASE}", "barbwire")


# ---- the cases, in the order of an administrator ----

def installed():
    install("-i", package())
    require_equal((show("LoadState"), show("ActiveState")), ("loaded", "inactive"), "the unit")
    for unit in (UNIT, SOCKET_UNIT):
        require_equal(systemctl("is-enabled", unit, check=False).stdout, "disabled\n", f"{unit}: is-enabled")
    require(pwd.getpwnam("barbwire").pw_uid != 0, "the user barbwire is root")
    require_equal(rpm("-V", "--nodeps", "barbwire", check=False), "", "rpm -V")
    require_equal(run("/usr/bin/barbwired", "--check").returncode, 0, "the default policy")


def enabled(thefts):
    systemctl("enable", "--now", UNIT)
    require_equal((show("ActiveState"), show("ActiveState", SOCKET_UNIT)), ("active", "active"), "states")
    require_equal(os.readlink(f"/proc/{main_pid()}/exe"), "/usr/bin/barbwired", "the program")
    run("/usr/bin/barbwirectl", "selftest")
    packaged.configure(thefts)


def upgraded(thefts, t):
    """One thief has read before, and sends afterwards."""
    path, since, pid, next_release = thefts.home.key()[0], now(), main_pid(), newer()
    with PatientThief(thefts.net, path) as thief:
        with Stream(thefts) as thieves:
            thieves.wait_for(THEFTS // 3)
            install("-U", next_release)
            wait_until(lambda: main_pid() not in (0, pid) and show("ActiveState") == "active", "restarted")
            thieves.wait_for(THEFTS)
        thief.send()
        thefts.wait_alert(path)
    require_equal(release(), "2", "release")
    t.note(stream.require_all_alerted(thieves, since, "an upgrade by rpm"))
    require_equal(stream.faults(since), [], "losses")
    require_equal(sum(m.startswith("Adopted the BPF programs") for m in messages_of(since)), 1, "adopted")
    require_equal(systemctl("is-enabled", UNIT).stdout, "enabled\n", "is-enabled")
    with open(CONFIGURATION, encoding="utf-8") as file:
        require("MaxAlerts=5000" in file.read(), "the changed configuration was replaced")


def while_stopped():
    """To the older release and back: nothing starts."""
    systemctl("disable", "--now", UNIT)
    install("-U", "--oldpackage", package())
    require_equal((release(), show("ActiveState")), ("1", "inactive"), "release, state")
    require_equal(systemctl("is-enabled", UNIT, check=False).stdout, "disabled\n", "is-enabled")
    systemctl("enable", "--now", UNIT)


def erased(before):
    mine, listed = bpf_objects.held_by(main_pid()), rpm("-ql", "barbwire").splitlines()
    require({kind for kind, _ in mine} == {"prog", "map", "link"}, f"holds {mine}")
    require(len(listed) > 60, f"files: {listed}")
    rpm("-e", "--nodeps", "barbwire")
    for unit in (UNIT, SOCKET_UNIT, "barbwire-selftest.timer"):
        require_equal((show("ActiveState", unit), show("LoadState", unit)), ("inactive", "not-found"), unit)
    wait_until(lambda: not mine & {(kind, number) for kind, _ in mine for number in bpf_objects.ids(kind)},
               "BPF objects gone", GONE_TIMEOUT)
    packaged.require_files(before, ("/etc/barbwire", f"{CONFIGURATION}.rpmsave"), "erased", only_ours=True)
    require_equal([path for path in listed if os.path.lexists(path)], ["/etc/barbwire", "/etc/barbwire/policy.d"],
                  "files of the package")
    require(os.path.exists(SITE), "the policy of the site was removed")
    require_equal(systemctl("--failed", "--no-legend").stdout, "", "failed units")


def inside():
    with service.cases(stream.Journal) as (t, thefts):
        os.makedirs("/var/lib/rpm", exist_ok=True)
        before = packaged.files(only_ours=True)
        if t.setup("rpm -i: user, disabled by the preset, as packaged", installed):
            t.setup("enable --now, selftest, a policy of the site, a theft", enabled, thefts)
            t.case(f"rpm -U under {THEFTS} thefts: none lost, none twice", upgraded, thefts, t)
            t.case("rpm -U starts nothing that is stopped", while_stopped)
            t.case("rpm -e: stopped, nothing in the kernel, only what was changed", erased, before)


def main():
    for tool in ("rpm", "rpmbuild", "rpm2cpio", "cpio"):
        if not any(os.access(f"{directory}/{tool}", os.X_OK) for directory in os.get_exec_path()):
            tap.skip_all(f"needs {tool}", environment=True)
    if "--inside" not in sys.argv and os.geteuid() == 0 and not package():
        built = subprocess.run([os.path.join(HERE, "../package"), "rpm", PACKAGES], check=False,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if built.returncode != 0:
            sys.exit("tests/package rpm failed")
    service.main(__file__, inside)


if __name__ == "__main__":
    main()
