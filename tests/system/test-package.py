#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian package, as an administrator meets it: installed by apt in an empty Debian 12 (--newer: 13), enabled,
upgraded twice under 500 thefts, removed, installed again, purged. What it leaves is compared with what was there.

Boots the systemd of that Debian (tests/box/systemd-box --root) and runs itself in it. The packages are those that
test-package-build.py left. --policy: also a policy of SELinux, which takes a minute to install. --root: only creates
the file system of the box, which needs no quiet machine."""

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
from stream import Stream, logged, now
from tap import require, require_equal

POLICY = "--policy" in sys.argv
PACKAGES = os.path.join(BUILD, "packages")
SUITE = "trixie" if service.NEWER else "bookworm"
# What the packages depend on, which the archive's own names: apt finds the rest itself.
NEEDED = ["libbpf1", "libcap-ng0", "libjansson4", "libnettle8t64" if service.NEWER else "libnettle8", "libsystemd0",
          "policycoreutils"] + (["selinux-policy-default"] if POLICY else [])
THEFTS = 500
CONFIGURED = ("/etc/barbwire", "/etc/barbwire/policy.d", SITE, CONFIGURATION)
# What dpkg knows of a package that is removed and not purged, and what was enabled, which waits for its return.
WANTS = "multi-user.target.wants"
HELPER = "/var/lib/systemd/deb-systemd-helper-enabled"
KEPT_BY_REMOVE = ("/var/lib/dpkg/info/barbwire.list", "/var/lib/dpkg/info/barbwire.postrm",
                  f"/etc/systemd/system/{WANTS}", f"/etc/systemd/system/{WANTS}/barbwire.service",
                  f"{HELPER}/{WANTS}", f"{HELPER}/{WANTS}/barbwire.service", f"{HELPER}/barbwire.service.dsh-also",
                  f"{HELPER}/barbwire.socket.dsh-also")
# The kernel frees programs and maps after RCU grace periods and from work queues.
GONE_TIMEOUT = 5 * tap.SLOW


def main():
    if "--inside" in sys.argv:
        inside()
    if "--root" in sys.argv:
        t = tap.Tap()
        t.case(f"an empty {SUITE}", empty_root)
        t.done()
    harness.require_machine()
    if not deb("barbwire"):
        built = subprocess.run([os.path.join(HERE, "../package"), "deb", PACKAGES], check=False,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               env=os.environ | {"DEB_BUILD_OPTIONS": "nocheck"})
        if built.returncode != 0:
            sys.exit("tests/package deb failed")
    box = os.path.join(service.BOX, "systemd-box")
    os.execv(box, [box, "--root", empty_root(), "-b", harness.SOURCE_ROOT, "-b", BUILD,
                   "--", "python3", "-B", os.path.abspath(__file__), *sys.argv[1:], "--inside"])


def empty_root():
    return service.debian_root("--empty", SUITE, *NEEDED)


def deb(name):
    """The package that was built, or None."""
    return next(iter(glob.glob(f"{PACKAGES}/{name}_*.deb")), None)


def apt(*args):
    return run("env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C",
               "apt-get", "-y", "--no-install-recommends", *args).stdout


def version():
    return run("dpkg-query", "-W", "-f", "${Version}", "barbwire").stdout


class Newer:
    """A later version of the package, with other bytes in the BPF programs, or the same."""

    def __init__(self, number, old=b"", new=b""):
        self.version, self.path = f"{version_of(deb('barbwire'))}+{number}", f"/tmp/newer-{number}.deb"
        tree = f"/tmp/newer-{number}"
        run("dpkg-deb", "-R", deb("barbwire"), tree)
        with open(f"{tree}/DEBIAN/control", encoding="utf-8") as file:
            text = file.read()
        with open(f"{tree}/DEBIAN/control", "w", encoding="utf-8") as out:
            out.write(re.sub(r"^Version: .*$", f"Version: {self.version}", text, flags=re.MULTILINE))
        with open(f"{tree}/usr/sbin/barbwired", "rb") as file:
            code = file.read()
        if old:
            require(code.count(old) >= 1 and len(old) == len(new), f"{old} in barbwired")
            with open(f"{tree}/usr/sbin/barbwired", "wb") as out:
                out.write(code.replace(old, new))
        os.unlink(f"{tree}/DEBIAN/md5sums")
        run("dpkg-deb", "-Znone", "-b", tree, self.path)
        shutil.rmtree(tree)


def version_of(path):
    return run("dpkg-deb", "-f", path, "Version").stdout.strip()


# ---- the cases, in the order of an administrator ----

def installed():
    apt("install", deb("barbwire"))
    require_equal((show("LoadState"), show("ActiveState")), ("loaded", "inactive"), "the unit")
    for unit in (UNIT, SOCKET_UNIT):
        require_equal(systemctl("is-enabled", unit, check=False).stdout, "disabled\n", f"{unit}: is-enabled")
    require_equal(run("systemctl", "preset", UNIT).returncode, 0, "preset")
    require_equal(systemctl("is-enabled", UNIT, check=False).stdout, "disabled\n", "is-enabled, after the preset")
    require(pwd.getpwnam("barbwire").pw_uid != 0, "the user barbwire is root")
    require(os.path.exists("/run/barbwire/selftest-decoy"), "tmpfiles.d was not applied")
    require_equal(run("dpkg", "--verify", "barbwire").stdout, "", "dpkg --verify")
    with open(os.path.join(harness.SOURCE_ROOT, "units/barbwire.catalog"), encoding="utf-8") as source:
        for message_id in re.findall(r"^-- ([0-9a-f]{32})$", source.read(), re.MULTILINE):
            require(message_id in run("journalctl", "--list-catalog", message_id).stdout, f"catalog: no {message_id}")
    require_equal(run("barbwired", "--check").returncode, 0, "the default policy")


def verified():
    for name in (UNIT, SOCKET_UNIT, "barbwire-selftest.service", "barbwire-selftest.timer"):
        said = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", show("FragmentPath", name))
        require("barbwire" not in said.stdout + said.stderr, said.stdout + said.stderr)


def enabled(thefts):
    systemctl("enable", "--now", UNIT)
    require_equal((show("ActiveState"), show("ActiveState", SOCKET_UNIT)), ("active", "active"), "states")
    require_equal(os.readlink(f"/proc/{main_pid()}/exe"), "/usr/sbin/barbwired", "the program")
    run("barbwirectl", "selftest")
    thefts.play()


def upgraded(thefts, t):
    """First to other BPF programs, then to a version with the same. One thief has read before, and sends afterwards."""
    others, same = Newer("1", b"bw_sys_exit", b"bw_sys_exiT"), Newer("2", b"bw_sys_exit", b"bw_sys_exiT")
    path, since = thefts.home.key()[0], now()
    with PatientThief(thefts.net, path) as thief:
        with Stream(thefts, pace=0.02) as thieves:
            for number, newer in enumerate((others, same)):
                thieves.wait_for(THEFTS * (number + 1) // 3)
                pid = main_pid()
                apt("install", newer.path)
                require_equal(version(), newer.version, "version")
                require(main_pid() not in (0, pid) and show("ActiveState") == "active", f"not restarted: {main_pid()}")
                require_equal(os.readlink(f"/proc/{main_pid()}/exe"), "/usr/sbin/barbwired", "the program")
            thieves.wait_for(THEFTS)
        thief.send()
        thefts.wait_alert(path)
    t.note(stream.require_all_alerted(thieves, since, "two upgrades by apt"))
    require_equal(stream.faults(since), [], "losses")
    said = stream.messages_of(since)
    require_equal((sum(m.startswith("Replaced the BPF programs") for m in said),
                   sum(m.startswith("Adopted the BPF programs") for m in said),
                   sum("Starting with empty state" in m for m in said)), (1, 1, 0), "replaced, adopted, empty")
    require_equal([e for e in logged(since) if e.get("BARBWIRE_SELFTEST") == "failed"], [], "alarms of the selftest")


def kept_by_upgrade(thefts):
    require_equal(systemctl("is-enabled", UNIT).stdout, "enabled\n", "is-enabled")
    with open(CONFIGURATION, encoding="utf-8") as file:
        require("MaxAlerts=5000" in file.read(), "the changed conffile was replaced")
    thefts.play(thefts.home.decoy(b"/srv/payroll/2025.csv")[0])
    run("barbwirectl", "selftest")


def upgraded_while_stopped():
    """A service that is disabled and stopped is not started."""
    systemctl("disable", "--now", UNIT)
    newer = Newer("3")
    apt("install", newer.path)
    require_equal((version(), show("ActiveState")), (newer.version, "inactive"), "version, state")
    require_equal(systemctl("is-enabled", UNIT, check=False).stdout, "disabled\n", "is-enabled")


def upgraded_by_hand(thefts):
    """One that is disabled, but was started by hand, goes on."""
    systemctl("start", UNIT)
    pid = main_pid()
    apt("install", Newer("4").path)
    require(main_pid() not in (0, pid), "not restarted")
    thefts.play()
    systemctl("enable", UNIT)


def in_kernel():
    return {(kind, number) for kind in ("prog", "map", "link") for number in bpf_objects.ids(kind)}


def removed(before):
    mine = bpf_objects.held_by(main_pid())
    require({kind for kind, _ in mine} == {"prog", "map", "link"}, f"holds {mine}")
    apt("remove", "--autoremove", "barbwire")
    for unit in (UNIT, SOCKET_UNIT, "barbwire-selftest.timer"):
        require_equal(show("ActiveState", unit), "inactive", unit)
    wait_until(lambda: not mine & in_kernel(), "BPF objects gone", GONE_TIMEOUT)
    require_equal(show("LoadState", "barbwire-selftest.timer"), "not-found", "the timer")
    packaged.require_files(before, CONFIGURED + KEPT_BY_REMOVE, "after the removal")


def installed_again(thefts):
    """By what has namespaces of its own and enters those of PID 1, as a DaemonSet does (barbwired(8), PACKAGES). The
    conffile is as it was changed, and what was enabled starts."""
    spaces = ("--mount", "--uts", "--ipc", "--net")
    run("unshare", *spaces, "nsenter", "--target", "1", *spaces, "apt-get", "-y", "install", deb("barbwire"))
    require_equal(show("ActiveState"), "active", "the service")
    thefts.play(thefts.home.decoy(b"/srv/payroll/2026.csv")[0])


def purged(before):
    alerts = len(service.journal())
    apt("purge", "--autoremove", "barbwire")
    # conffiles are dpkg's to remove; what somebody else put beside them is not.
    packaged.require_files(before, CONFIGURED[:-1], "after the purge")
    require(len(service.journal()) >= alerts > 0, "the journal is not kept")
    require_equal(systemctl("--failed", "--no-legend").stdout, "", "failed units")
    run("rm", "-r", "/etc/barbwire")


def purged_unchanged(before):
    """Without anything of an administrator's, nothing stays."""
    apt("install", deb("barbwire"))
    apt("purge", "--autoremove", "barbwire")
    packaged.require_files(before, (), "after the purge")


def without_systemd(before):
    """As an image is made: no PID 1 answers, and what was enabled starts when the image boots."""
    def offline(*commands):
        run("unshare", "--mount", "sh", "-ec", "\n".join(("mount -t tmpfs tmpfs /run", *commands)))

    install = "DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends install"
    offline(f"{install} {deb('barbwire')}", "SYSTEMD_OFFLINE=1 systemctl enable barbwire",
            f"{install} {Newer('5').path}")
    require_equal((systemctl("is-enabled", UNIT).stdout, show("ActiveState")), ("enabled\n", "inactive"), "states")
    offline("apt-get -y purge --autoremove barbwire")
    systemctl("daemon-reload")
    packaged.require_files(before, (), "after the purge")


def module_without_policy(before):
    """A machine that has no policy of SELinux's."""
    apt("install", deb("barbwire-selinux"))
    apt("purge", "--autoremove", "barbwire-selinux")
    packaged.require_files(before, (), "after the purge")


def modules():
    return [line.split() for line in run("semodule", "-s", "default", "--list-modules=full").stdout.splitlines()
            if "barbwire" in line]


def module_with_policy():
    """The policy is installed after the module, is installed again, and stays when the module goes."""
    apt("install", deb("barbwire-selinux"))
    apt("install", "selinux-policy-default")
    require_equal(modules(), [["200", "barbwire", "pp"]], "modules")
    run("semodule", "-n", "-s", "default", "-X", "200", "-r", "barbwire")
    apt("install", "--reinstall", "selinux-policy-default")
    require_equal(modules(), [["200", "barbwire", "pp"]], "modules, after a new policy")
    apt("purge", "barbwire-selinux")
    require_equal(modules(), [], "modules, after the purge")


def inside():
    t = tap.Tap()
    # Directories that the tools of the system create when they are first used.
    run("systemd-sysusers")
    before = packaged.files()
    with harness.Home() as home, service.Net() as net:
        thefts = stream.Journal(net, home)
        # What the test itself makes.
        before |= packaged.files()
        if not t.setup("apt install: user, catalog, disabled", installed):
            t.done()
        t.case("systemd-analyze verify of the installed units", verified)
        t.setup("enable --now, selftest, a theft", enabled, thefts)
        t.setup("a changed conffile, a policy of the site", packaged.configure, thefts)
        t.case(f"two upgrades under {THEFTS} thefts: none lost, none twice", upgraded, thefts, t)
        t.case("the upgrades kept what was enabled and changed", kept_by_upgrade, thefts)
        t.case("an upgrade starts nothing that is stopped", upgraded_while_stopped)
        t.setup("an upgrade restarts what was started by hand", upgraded_by_hand, thefts)
        t.setup("apt remove: stopped, nothing in the kernel, configuration kept", removed, before)
        t.case("installed again: as it was configured", installed_again, thefts)
        t.setup("apt purge: nothing but the journal and the site's policy", purged, before)
        t.case("install and purge: nothing", purged_unchanged, before)
        t.case("without systemd, as in an image: install, upgrade, enable, purge: nothing", without_systemd, before)
        if POLICY:
            t.case("SELinux: loaded when a policy is installed", module_with_policy)
        else:
            t.case("SELinux: without a policy, nothing", module_without_policy, before)
    t.done()


if __name__ == "__main__":
    main()
