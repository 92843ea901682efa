#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwired as a service of a real systemd: installed, enabled, reloaded, killed, hung, stopped, uninstalled.

Boots a systemd of its own (tests/box/systemd-box; --newer: a newer one) and runs itself in it. Assertions are about
what an administrator sees: systemctl, journalctl, /proc. PIDs are those of the box, and those in alerts the kernel's,
so alerts are recognised by the file."""

import contextlib
import grp
import json
import os
import pwd
import re
import signal
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import bpf_objects
import harness
import service
import tap
from net import HOST_V4
from service import (BUILD, UNIT, PatientThief, as_text, configure, journal, last_words, main_pid, run, show, systemctl,
                     wait_message, wait_until)
from tap import require, require_equal

POLICY = "/etc/barbwire/policy.d"
# The kernel frees programs and maps after RCU grace periods and from work queues.
GONE_TIMEOUT = 5 * tap.SLOW
# One second is too short on a machine that runs other tests as well.
IMPATIENT_SECONDS = 3
# Each a new chance for systemctl to return before its end.
RELOADS = 5
SYSTEMD_STARTED = "39f53479d3a045ac8e11786248231fbf"  # SD_MESSAGE_UNIT_STARTED
FIELDS_PAGE = os.path.join(harness.TEST_BIN, "../daemon/man/barbwire.journal-fields.7.scd")
LOG_AUTHPRIV = 10  # syslog(3)
# In the default policy: the socket of a service that reaches the network for others.
ENGINE = "/run/docker.sock"


# ---- the cases, in the order of an administrator ----

def installed():
    """`meson install` needs no second step."""
    service.install()
    require_equal(show("LoadState"), "loaded", "the unit")
    user = pwd.getpwnam("barbwire")
    require(user.pw_uid != 0, "the user barbwire is root")
    require_equal(systemctl("is-enabled", UNIT, check=False).stdout, "disabled\n", "is-enabled")
    require_equal(systemctl("is-active", UNIT, check=False).stdout, "inactive\n", "is-active")


def catalog():
    with open(os.path.join(harness.SOURCE_ROOT, "units/barbwire.catalog"), encoding="utf-8") as source:
        ids = re.findall(r"^-- ([0-9a-f]{32})$", source.read(), re.MULTILINE)
    require(ids, "no message in the catalog")
    listed = run("journalctl", "--list-catalog", *ids).stdout
    for message_id in ids:
        require(message_id in listed, f"journalctl -x does not know {message_id}")


def verified():
    """Verifies the installed unit, with its programs and, if they were built, its manual pages."""
    manuals = "no"
    path = show("FragmentPath")
    if os.path.exists(os.path.join(BUILD, "daemon/man/barbwired.8")):
        manuals = "yes" if os.access("/usr/bin/man", os.X_OK) else "no"
    result = run("systemd-analyze", "verify", "--recursive-errors=no", f"--man={manuals}", path)
    require("barbwire" not in result.stderr, result.stderr)


def enabled(thefts):
    """Ready means armed: a theft right after systemctl has returned is detected."""
    systemctl("enable", "--now", UNIT)
    require_equal(show("ActiveState"), "active", "state")
    thefts.play()
    armed = started = None
    for number, entry in enumerate(journal()):
        if "armed" in as_text(entry["MESSAGE"]) and armed is None:
            armed = number
        if entry.get("MESSAGE_ID") == SYSTEMD_STARTED:
            started = number
    require(armed is not None and started is not None and armed < started,
            f"armed is entry {armed}, started is entry {started}")


def unprivileged():
    pid = main_pid()
    user = pwd.getpwnam("barbwire")
    # The bits of the names, capabilities(7) and linux/capability.h.
    bits = {"cap_net_admin": 12, "cap_perfmon": 38, "cap_bpf": 39}
    unit_set = sum(1 << bits[name] for name in show("CapabilityBoundingSet").split())
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii", errors="replace") as status:
            fields = {key: value.split() for key, value in (line.split(":", 1) for line in status)}
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            require_equal(int(fields[name][0], 16), 0, name)
        require(int(fields["CapBnd"][0], 16) in (0, unit_set), f"CapBnd: {fields['CapBnd']}, {unit_set:x}")
        require_equal(fields["NoNewPrivs"], ["1"], "NoNewPrivs")
        require_equal(fields["Seccomp"], ["2"], "Seccomp")
        require_equal(fields["Uid"], [str(user.pw_uid)] * 4, "Uid")
        require_equal(fields["Gid"], [str(user.pw_gid)] * 4, "Gid")
        wanted = {user.pw_gid, grp.getgrnam("systemd-journal").gr_gid}
        require_equal({int(gid) for gid in fields["Groups"]}, wanted, "Groups")


def alert_fields(thefts):
    entry, path = thefts.play()
    require(re.search(rf"connected to {re.escape(HOST_V4)}:443 \[ssh-private-keys, \w+\]", as_text(entry["MESSAGE"])),
            f"not the sentence: {entry['MESSAGE']}")
    require_equal(entry.get("_SYSTEMD_UNIT"), UNIT, "_SYSTEMD_UNIT")
    require_equal(entry.get("_UID"), str(pwd.getpwnam("barbwire").pw_uid), "_UID")
    require_equal(entry.get("SYSLOG_IDENTIFIER"), "barbwired", "SYSLOG_IDENTIFIER")
    require(int(entry["PRIORITY"]) <= 5, f"PRIORITY: {entry['PRIORITY']}")
    wanted = {"BARBWIRE_FILE": os.fsdecode(path), "BARBWIRE_CLASS": "ssh-private-keys",
              "BARBWIRE_DESTINATION_ADDRESS": HOST_V4, "BARBWIRE_DESTINATION_PORT": "443"}
    require_equal({name: entry.get(name) for name in wanted}, wanted, "fields")


def documented_fields():
    """{heading: our fields below it}"""
    found, heading = {}, ""
    with open(FIELDS_PAGE, encoding="utf-8") as page:
        for line in page:
            if line.startswith("# "):
                heading = line[2:].strip()
            if line.startswith("*"):
                found.setdefault(heading, set()).update(re.findall(r"\*(BARBWIRE_[A-Z_]+)=\*", line))
    return found


class Contained:
    """A preexec_fn that makes a process one of a container and of a login session, started so that it could run other
    code."""

    def __init__(self):
        self.cgroup = f"/sys/fs/cgroup/system.slice/docker-{'5a' * 32}.scope"

    def __call__(self):
        os.environ["PERL5LIB"] = "/nonexistent"
        os.makedirs(self.cgroup, exist_ok=True)
        for path, value in ((f"{self.cgroup}/cgroup.procs", os.getpid()), ("/proc/self/loginuid", 4711)):
            with open(path, "w", encoding="ascii") as out:
                out.write(str(value))


# Reads argv[1] through another program, then sends to the network, and to a container engine.
HANDED_OVER = """cat "$1" | "$0" -c "
import socket, sys
sys.stdin.read()
socket.create_connection(('$2', 443))
engine = socket.socket(socket.AF_UNIX)
engine.connect('$3')
engine.sendall(b'x')
"
"""


def documented_of_alert(thefts):
    """Alerts with complete information have every documented field, and no other. A destination has either
    an address or a path."""
    known = thefts.home.key()[0]
    # Another name of it: it is known by the first.
    path = os.path.join(thefts.home.root, b"linked")
    os.link(known, path)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as engine:
        engine.bind(ENGINE)
        engine.listen()
        try:
            played = thefts.net.run(["/bin/sh", "-c", HANDED_OVER, sys.executable, path, HOST_V4, ENGINE],
                                    preexec_fn=Contained())
        finally:
            os.unlink(ENGINE)
    require_equal((played.returncode, played.stderr), (0, ""), "the theft")
    both = wait_until(lambda: (lambda found: found if len(found) > 1 else None)(
        {e["BARBWIRE_DESTINATION_FAMILY"]: e for e in journal() if e.get("BARBWIRE_FILE") == os.fsdecode(path)}),
        "its alerts")
    wanted = documented_fields()["FIELDS OF AN ALERT"] | {"BARBWIRE_TIME"}
    require(len(wanted) > 20, f"the manual page documents {wanted}")
    at = {"inet": {"BARBWIRE_DESTINATION_ADDRESS", "BARBWIRE_DESTINATION_PORT"},
          "unix": {"BARBWIRE_DESTINATION_PATH"}}
    # Neither of them was delivered late, is of a script of people's own, or longer than what every reader shows.
    late = {"BARBWIRE_DELAYED_USEC", "BARBWIRE_JSON_COMPLETE", "BARBWIRE_SCRIPT", "BARBWIRE_SCRIPT_OBJECT",
            "BARBWIRE_SCRIPT_SIGHT"}
    for family, other in (("inet", "unix"), ("unix", "inet")):
        got = {name for name in both[family] if name.startswith("BARBWIRE_")}
        require_equal((wanted - got, got - wanted), (at[other] | late, set()), f"{family}: missing, and undocumented")
    require_equal((both["unix"]["BARBWIRE_DESTINATION_PATH"], both["unix"]["BARBWIRE_FILE_ROUTE"].split("|")[:2]),
                  (ENGINE, ["cat", "pipe"]), "the path, the route")
    entry = both["inet"]
    require_equal(entry["BARBWIRE_FILE_REAL_PATH"], os.fsdecode(known), "the name that it is known by")
    require_equal((entry["BARBWIRE_LOGINUID"], entry["BARBWIRE_CONTAINER"]), ("4711", "5a" * 32), "the two rare ones")
    require("injected" in entry["BARBWIRE_EXE_FLAG"], f"BARBWIRE_EXE_FLAG: {entry['BARBWIRE_EXE_FLAG']}")
    alert = json.loads(entry["BARBWIRE_JSON"])
    require_equal((alert["id"], alert["process"]["container"]), (entry["BARBWIRE_ALERT_ID"], "5a" * 32), "in JSON")


def documented_of_loss(thefts):
    """A path that is too deep to be resolved completely."""
    deep, _ = thefts.home.decoy(os.path.join(thefts.home.ssh, b"d/" * 250, b"id_deep"))
    thefts.net.run([harness.program("technique-out-tcp"), "blocking", deep, HOST_V4, "443"])
    # Losses are raised with the next records.
    thefts.play()
    entry = wait_until(lambda: next((e for e in journal() if "BARBWIRE_CAUSE" in e), None), "a loss")
    require_equal({name for name in entry if name.startswith("BARBWIRE_")},
                  documented_fields()["FIELDS OF A LOSS"] | {"BARBWIRE_TIME"}, "fields of a loss")
    require_equal(entry["BARBWIRE_CAUSE"], "path_truncated", "the cause")


@contextlib.contextmanager
def syslog_daemon():
    """The socket to which journald forwards, as that of rsyslog and others."""
    configuration = "/run/systemd/journald.conf.d/50-test.conf"
    address = "/run/systemd/journal/syslog"
    os.makedirs(os.path.dirname(configuration), exist_ok=True)
    with open(configuration, "w", encoding="ascii") as out:
        out.write("[Journal]\nForwardToSyslog=yes\n")
    systemctl("stop", "syslog.socket", check=False)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(service.WAIT_TIMEOUT)
        systemctl("restart", "systemd-journald.service")
        try:
            yield listener
        finally:
            os.unlink(configuration)
            os.unlink(address)
            systemctl("restart", "systemd-journald.service")


def forwarded(thefts):
    with syslog_daemon() as listener:
        entry, _ = thefts.play()
        while True:
            line = listener.recv(1 << 16)
            if b" barbwired[" in line and b" opened " in line:
                break
    priority = int(re.match(rb"<(\d+)>", line)[1])
    require_equal((priority // 8, priority % 8), (LOG_AUTHPRIV, int(entry["PRIORITY"])), f"facility, level of {line}")
    require_equal(line.split(b": ", 1)[1], as_text(entry["MESSAGE"]).encode(), "the sentence")


def restarted(thefts):
    before = main_pid()
    systemctl("restart", UNIT)
    require(main_pid() != before, "the same process after a restart")
    thefts.play()


def reload_good(thefts):
    """A new class works, and earlier marks are kept."""
    old, _ = thefts.home.key()
    pid, since = main_pid(), len(journal())
    with PatientThief(thefts.net, old) as thief:
        os.makedirs(POLICY)
        with open(f"{POLICY}/50-payroll.conf", "w", encoding="utf-8") as out:
            out.write(harness.policy_class("payroll", ["/srv/payroll/**"]))
        systemctl("reload", UNIT)
        wait_message("policy reloaded", since, "reload")
        require_equal(main_pid(), pid, "PID after a reload")
        thefts.play(thefts.home.decoy(b"/srv/payroll/2024.csv")[0])
        thief.send()
    thefts.wait_alert(old)


def reload_bad(thefts):
    """systemctl fails, the journal has the location, and the policy is kept."""
    pid, since = main_pid(), len(journal())
    bad = f"{POLICY}/60-bad.conf"
    with open(bad, "w", encoding="utf-8") as out:
        out.write("[Class bad]\nPath=relative\n")
    try:
        require(systemctl("reload", UNIT, check=False).returncode != 0, "systemctl reload succeeded")
        wait_message(re.escape(bad) + r":2:\d+: ", since, "the error's place")
        require_equal((show("ActiveState"), main_pid()), ("active", pid), "state and PID")
        thefts.play(thefts.home.decoy(b"/srv/payroll/2025.csv")[0])
        heard = [as_text(e["MESSAGE"]) for e in journal()[since:]]
        require(not any("policy reloaded" in m or "Reload failed, keeping" in m for m in heard),
                f"the daemon was asked to reload: {heard}")
    finally:
        os.unlink(bad)


def reload_waits(thefts):
    """With Type=notify-reload: systemctl returns when the policy is in force, again and again."""
    program = re.search(r"path=(\S+)", show("ExecStart"))[1]
    configure(f"[Service]\nType=notify-reload\nExecReload=\nExecReload={program} --check\n")
    try:
        systemctl("restart", UNIT)
        for number in range(RELOADS):
            with open(f"{POLICY}/70-waits.conf", "w", encoding="utf-8") as out:
                out.write(harness.policy_class("waits", [f"/srv/waits/{number}/**"]))
            since = len(journal())
            systemctl("reload", UNIT)
            require_equal(show("ActiveState"), "active", "state")
            heard = [as_text(e["MESSAGE"]) for e in journal()[since:]]
            require(any("policy reloaded" in m for m in heard), f"it returned before: {heard}")
            thefts.play(thefts.home.decoy(b"/srv/waits/%d/file" % number)[0])
        with open(f"{POLICY}/80-bad.conf", "w", encoding="utf-8") as out:
            out.write("[Class bad]\nPath=relative\n")
        require(systemctl("reload", UNIT, check=False).returncode != 0, "systemctl reload succeeded")
        require_equal(show("ActiveState"), "active", "state")
        thefts.play(thefts.home.decoy(b"/srv/waits/%d/other" % (RELOADS - 1))[0])
    finally:
        for name in ("70-waits.conf", "80-bad.conf"):
            if os.path.exists(f"{POLICY}/{name}"):
                os.unlink(f"{POLICY}/{name}")
        configure(None)
        systemctl("restart", UNIT)


def comes_back(pid, restarts, thefts):
    wait_until(lambda: show("ActiveState") == "active" and main_pid() not in (0, pid), "restart by systemd",
               harness.ARMED_TIMEOUT)
    require_equal(int(show("NRestarts")), restarts + 1, "restarts")
    thefts.play()


def killed(thefts):
    pid, restarts = main_pid(), int(show("NRestarts"))
    os.kill(pid, signal.SIGKILL)
    comes_back(pid, restarts, thefts)


def hung(thefts):
    """With a short timeout of the watchdog."""
    require(show("WatchdogUSec") not in ("0", "infinity"), "no WatchdogSec=")
    configure(f"[Service]\nWatchdogSec={IMPATIENT_SECONDS}\n")
    try:
        systemctl("restart", UNIT)
        pid, restarts, since = main_pid(), int(show("NRestarts")), len(journal())
        # It runs longer than the watchdog allows without a keep-alive.
        time.sleep(1.5 * IMPATIENT_SECONDS)
        require_equal(main_pid(), pid, "PID of a healthy daemon")
        os.kill(pid, signal.SIGSTOP)
        comes_back(pid, restarts, thefts)
        wait_message("Watchdog timeout", since, "systemd's reason")
    finally:
        configure(None)
        systemctl("restart", UNIT)


def in_kernel():
    return {(kind, number) for kind in ("prog", "map", "link") for number in bpf_objects.ids(kind)}


def stopped():
    mine, since = bpf_objects.held_by(main_pid()), len(journal())
    require({kind for kind, _ in mine} == {"prog", "map", "link"} and mine <= in_kernel(), f"holds {mine}")
    systemctl("stop", UNIT)
    require_equal((show("ActiveState"), show("Result"), show("ExecMainStatus")), ("inactive", "success", "0"),
                  "after stop")
    wait_message(r"stopped: ", since, "the summary")
    wait_until(lambda: not mine & in_kernel(), "BPF objects gone", GONE_TIMEOUT)


def start_fails(settings, status, state):
    """With SubState "failed" systemd does not retry, with "auto-restart" it waits for RestartSec=."""
    configure("[Service]\nRestartSec=1h\n" + settings)
    try:
        require(systemctl("start", UNIT, check=False).returncode != 0, "systemctl start succeeded")
        require_equal((show("ExecMainStatus"), show("SubState")), (status, state), f"after that\n{last_words()}")
    finally:
        systemctl("stop", UNIT)
        systemctl("reset-failed", UNIT, check=False)
        configure(None)


def disabled():
    systemctl("enable", "--now", UNIT)
    systemctl("disable", "--now", UNIT)
    require_equal(systemctl("is-enabled", UNIT, check=False).stdout, "disabled\n", "is-enabled")
    require_equal(systemctl("is-active", UNIT, check=False).stdout, "inactive\n", "is-active")


def uninstalled():
    with open(os.path.join(BUILD, "meson-logs/install-log.txt"), encoding="utf-8") as log:
        files = [line.rstrip("\n") for line in log if line.startswith("/")]
    require(any(os.path.isfile(name) for name in files), f"nothing was installed: {files}")
    run("ninja", "-C", BUILD, "uninstall")
    left = [name for name in files if os.path.isfile(name)]
    require(not left, f"left: {left}")
    systemctl("daemon-reload")
    require_equal(show("LoadState"), "not-found", "the unit")


def inside():
    with service.cases() as (t, thefts):
        t.setup("meson install: user, unit, disabled", installed)
        t.case("journalctl -x knows every message", catalog)
        t.case("systemd-analyze verify of the installed unit", verified)
        if not t.setup("enable --now: ready when armed", enabled, thefts):
            t.note(last_words())
        t.case("no capability, no root, seccomp", unprivileged)
        t.case("an alert in the journal", alert_fields, thefts)
        t.case("an alert has every documented field", documented_of_alert, thefts)
        t.case("a loss has every documented field", documented_of_loss, thefts)
        t.case("forwarded to syslog, as authpriv", forwarded, thefts)
        t.case("restart", restarted, thefts)
        t.case("reload: a good policy", reload_good, thefts)
        t.case("reload: a bad policy", reload_bad, thefts)
        if service.NEWER:  # as the unit is where it is built on such a machine (units/meson.build)
            t.case("Type=notify-reload: systemctl waits", reload_waits, thefts)
        t.case("SIGKILL: restarted, and armed", killed, thefts)
        t.case("hung: restarted by the watchdog", hung, thefts)
        t.case("stop: nothing stays in the kernel", stopped)
        program = re.search(r"path=(\S+)", show("ExecStart"))[1]
        t.case("wrong usage is not retried", start_fails,
               f"ExecStart=\nExecStart={program} --no-such-option\n", "2", "failed")
        t.case("an unsupported kernel is not retried", start_fails,
               "InaccessiblePaths=/sys/kernel/btf\n", "3", "failed")
        t.case("any other failure is retried", start_fails,
               f"ExecStart=\nExecStart={program} --config=/nonexistent\n", "1", "auto-restart")
        t.case("disable", disabled)
        if not service.NEWER:  # of meson's, not of systemd's
            t.case("ninja uninstall", uninstalled)


if __name__ == "__main__":
    service.main(__file__, inside)
