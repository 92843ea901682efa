#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwired in its SELinux domain. Runs in a guest that enforces and has two modules: selinux/ and selinux-probe.te
(selinux_rootfs.py prepares it).

First the service does everything that it is for, without a single denial. Then programs in its domain attempt what it
never does, and must be denied. Each of these denials is found in the same log, which proves that the log has them, and
each attempt must succeed outside the domain."""

import errno
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import harness
import service
import tap
from net import Net
from service import UNIT, Thefts, as_text, main_pid, run, show, systemctl, wait_message, wait_until
from tap import require, require_equal

POLICY = "/etc/barbwire/policy.d"
SOCKET = "/run/barbwire/io.barbwire.Barbwire"
PROBE = "/usr/local/libexec/barbwire-probe"
DOMAIN = "system_u:system_r:barbwire_t:s0"
# The contexts of administrators' shells: the default of each distribution, and the confined ones.
UNCONFINED, SYSADM = "unconfined_u:unconfined_r:unconfined_t:s0", "root:sysadm_r:sysadm_t:s0"
STAFF = "staff_u:staff_r:staff_t:s0"
USER = "user_u:user_r:user_t:s0"
# A larger entry does not fit into a datagram: it is passed to the journal as a memory file.
TINY_SOCKET_BYTES = 4608  # the minimum of the kernel, net/core/sock.c SOCK_MIN_SNDBUF


def refused(since=0):
    """Every denial that concerns barbwire, by the kernel or by systemd: without an audit daemon, both are in the
    kernel's log."""
    entries = service.journal_entries("_TRANSPORT=kernel")
    found = [as_text(entry["MESSAGE"]) for entry in entries]
    return [line for line in found if re.search(r"avc: +denied", line) and ":barbwire_" in line][since:]


def context_of(pid):
    with open(f"/proc/{pid}/attr/current", encoding="ascii") as attribute:
        return attribute.read().rstrip("\0\n")


def as_context(context, *args, check=True):
    """Runs a command in this context, which is entered through a shell, as at a login."""
    return run("runcon", context, "/bin/sh", "-c", 'exec "$@"', "sh", *args, check=check)


def prefix():
    """The prefix of the installation: /usr/local, for example."""
    return re.search(r"path=(\S+)/sbin/barbwired ", show("ExecStart"))[1]


def ctl(context, *args, check=True):
    return as_context(context, f"{prefix()}/bin/barbwirectl", "--no-pager", *args, check=check)


# ---- what the service does ----

def enforcing():
    with open("/sys/fs/selinux/enforce", encoding="ascii") as flag:
        require_equal(flag.read(), "1", "enforce")


def booted():
    """It was enabled in the image, so it was started at boot."""
    wait_until(lambda: show("ActiveState") == "active", "active", harness.ARMED_TIMEOUT)
    require_equal(context_of(main_pid()), DOMAIN, "domain")


def labels():
    """Of installed files, and of those that tmpfiles and systemd created."""
    wanted = {f"{prefix()}/sbin/barbwired": "barbwire_exec_t", show("FragmentPath"): "barbwire_unit_t",
              f"{prefix()}/lib/barbwire/policy.d/20-ssh.conf": "barbwire_conf_t", "/run/barbwire": "barbwire_runtime_t",
              "/run/barbwire/selftest-decoy": "barbwire_runtime_t", SOCKET: "barbwire_runtime_t"}
    got = {path: os.getxattr(path, "security.selinux").decode().split(":")[2] for path in wanted}
    require_equal(got, wanted, "labels")


def enabled(thefts):
    systemctl("disable", "--now", UNIT)
    require_equal(show("ActiveState"), "inactive", "state")
    systemctl("enable", "--now", UNIT)
    require_equal(context_of(main_pid()), DOMAIN, "domain")
    entry, _ = thefts.play()
    require_equal(entry["_SELINUX_CONTEXT"].rstrip("\0\n"), DOMAIN, "the alert's domain")


def queried(context, thefts):
    """barbwirectl runs in the domain of its caller."""
    _, path = thefts.play()
    ctl(context, "status")
    require(os.fsdecode(path) in ctl(context, "alerts").stdout, "not among the alerts")


def not_queried():
    """The socket denies other users than administrators, whatever its mode."""
    since = len(refused())
    require(ctl(USER, "status", check=False).returncode != 0, "status was printed")
    require(any("user_t" in line and "barbwire_runtime_t" in line for line in refused(since)), f"{refused(since)}")


def selftest(context):
    ctl(context, "selftest")


def reloaded(thefts):
    """A new class and a masked file; then a policy with an error, which --check rejects."""
    pid, since = main_pid(), len(service.journal())
    run("mkdir", "-p", POLICY)
    with open(f"{POLICY}/50-payroll.conf", "w", encoding="utf-8") as out:
        out.write(harness.policy_class("payroll", ["/srv/payroll/**"]))
    os.symlink("/dev/null", f"{POLICY}/64-ai-tools.conf")
    as_context(SYSADM, "systemctl", "reload", UNIT)
    wait_message("policy reloaded", since, "reload")
    require_equal(main_pid(), pid, "PID after a reload")
    thefts.play(thefts.home.decoy(b"/srv/payroll/2024.csv")[0])
    with open(f"{POLICY}/60-bad.conf", "w", encoding="utf-8") as out:
        out.write("[Class bad]\nPath=relative\n")
    try:
        require(systemctl("reload", UNIT, check=False).returncode != 0, "systemctl reload succeeded")
        wait_message(re.escape(f"{POLICY}/60-bad.conf") + r":2:\d+: ", since, "the location of the error")
    finally:
        os.unlink(f"{POLICY}/60-bad.conf")


def restarted(thefts):
    """Earlier alerts are still listed, since they were read back from the journal. The next alert is too large for a
    datagram."""
    _, path = thefts.play()
    sysctl = "/proc/sys/net/core/wmem_default"
    with open(sysctl, encoding="ascii") as value:
        usual = value.read()
    with open(sysctl, "w", encoding="ascii") as value:
        value.write(str(TINY_SOCKET_BYTES))
    try:
        systemctl("restart", UNIT)
    finally:
        with open(sysctl, "w", encoding="ascii") as value:
            value.write(usual)
    require_equal(context_of(main_pid()), DOMAIN, "domain")
    require(os.fsdecode(path) in ctl(UNCONFINED, "alerts").stdout, "the earlier alert")
    entry, _ = thefts.play(thefts.home.key(b"x" * 200 + b"/" + b"y" * 200 + b"/" + b"z" * 200 + b"/id")[0])
    size = sum(len(str(value)) for name, value in entry.items() if not name.startswith("_"))
    require(size > TINY_SOCKET_BYTES, f"{size} bytes fit into a datagram")


def stopped():
    systemctl("stop", UNIT)
    require_equal((show("ActiveState"), show("Result")), ("inactive", "success"), "after stop")


def none_refused():
    """Except those of the user that has to be denied."""
    found = [line for line in refused() if f"scontext={USER} " not in line]
    require(not found, "\n".join(found))


# ---- what the service never does ----

def probe(context, *act):
    return int(run("runcon", context, PROBE, *act).stdout)


def denied(permission, *act):
    since, context = len(refused()), context_of("self")
    require_equal(probe(context, *act), 0, f"errno in {context}")
    if act[0] == "create":
        os.unlink(act[1])
    require_equal(probe(DOMAIN, *act), errno.EACCES, f"errno in {DOMAIN}")
    found = refused(since)
    require(any(re.search(rf"\{{[^}}]*\b{permission}\b[^}}]*\}}.*scontext={DOMAIN} ", line) for line in found),
            f"the denials: {found}")


def never(t):
    key = "/root/.ssh/id_decoy"
    os.makedirs(os.path.dirname(key), exist_ok=True)
    with open(key, "w", encoding="ascii") as out:
        out.write("DECOY, NOT A KEY\n")
    with subprocess.Popen(["sleep", "infinity"]) as other:
        for name, permission, *act in (
                ("read /etc/shadow", "read", "read", "/etc/shadow"),
                ("read a key in a home", "search", "read", key),
                ("make a TCP socket", "create", "socket", "tcp"),
                ("make a UDP socket", "create", "socket", "udp"),
                ("execute a shell", "(search|execute)", "execute", os.path.realpath("/bin/sh")),
                ("write below /etc", "write", "create", "/etc/barbwire-was-here"),
                ("write its own policy", "write", "create", f"{POLICY}/99-quiet.conf"),
                ("trace another process", "ptrace", "trace", str(other.pid)),
        ):
            t.case(f"denied in its domain: {name}", denied, permission, *act)
        other.kill()


def main():
    t = tap.Tap()
    t.case("SELinux enforces", enforcing)
    t.case("started at boot, in its domain", booted)
    t.case("labels", labels)
    with Net() as net, harness.Home() as home:
        thefts = Thefts(net, home)
        if not t.case("enable --now, a theft, its alert", enabled, thefts):
            t.note(service.last_words())
        for context in (UNCONFINED, SYSADM, STAFF):
            t.case(f"barbwirectl as {context}", queried, context, thefts)
        for context in (UNCONFINED, SYSADM):
            t.case(f"barbwirectl selftest as {context}", selftest, context)
        t.case("reload", reloaded, thefts)
        t.case("restart: earlier alerts; an entry too large for a datagram", restarted, thefts)
        t.case(f"barbwirectl as {USER}: denied", not_queried)
        t.case("stop", stopped)
        t.case("nothing was denied that is needed", none_refused)
    never(t)
    t.done()


if __name__ == "__main__":
    main()
