#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwire-selftest.service of a real systemd: silent while barbwired works or was stopped on purpose, an alarm when
it was killed, hangs or a hook was detached.

Boots a systemd of its own (tests/box/systemd-box) and runs itself in it."""

import json
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import harness
import service
from message_ids import MESSAGE_IDS
from net import HOST_V6
from service import UNIT, configure, journal_entries, main_pid, run, show, systemctl, wait_until
from tap import Skip, require, require_equal

SELFTEST, TIMER = "barbwire-selftest.service", "barbwire-selftest.timer"
CLASS = "barbwire-selftest"
TIMER_DROP_IN = f"/run/systemd/system/{TIMER}.d/50-test.conf"
FIELDS_PAGE = os.path.join(harness.TEST_BIN, "../daemon/man/barbwire.journal-fields.7.scd")
PRIORITY_CRIT, PRIORITY_INFO, LOG_AUTHPRIV = "2", "6", "10"


def alarms():
    return journal_entries(f"_SYSTEMD_UNIT={SELFTEST}", f"MESSAGE_ID={MESSAGE_IDS['SELFTEST']}")


def decoys():
    """Entries of alerts that the selftest has caused."""
    return journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"BARBWIRE_CLASS={CLASS}")


def failed_units():
    return systemctl("--failed", "--plain", "--no-legend").stdout


def listed(*args):
    return [json.loads(line) for line in run("barbwirectl", "--json=short", "alerts", *args).stdout.splitlines()]


def installed():
    service.install()
    systemctl("enable", "--now", "barbwire")
    require_equal((show("ActiveState"), show("ActiveState", TIMER)), ("active", "active"), "the service and its timer")
    require_equal(systemctl("is-enabled", TIMER, check=False).stdout, "static\n", "the timer")
    require_equal((show("Unit", TIMER), show("DynamicUser", SELFTEST)), (SELFTEST, "yes"), "what the timer starts")


def kill_daemon(number):
    pid = main_pid()
    require(pid > 0, "the daemon is not running")  # 0 would be ourselves
    os.kill(pid, number)
    return pid


def passes(thefts):
    """The theft is detected, and nothing is reported."""
    thefts.play()
    before = listed()
    systemctl("start", SELFTEST)
    require_equal((show("Result", SELFTEST), alarms()), ("success", []), "a selftest that is good")
    entry, = decoys()
    require_equal(entry["PRIORITY"], PRIORITY_INFO, "PRIORITY of its alert")
    # The range of dynamic users (systemd.exec(5)).
    require(61184 <= int(entry["BARBWIRE_UID"]) <= 65519, f"played by uid {entry['BARBWIRE_UID']}")
    require_equal(entry["BARBWIRE_UNIT"], SELFTEST, "played in")
    require_equal(listed(), before, "what barbwirectl alerts lists")
    require_equal(listed("-n1"), before[-1:], "the newest one")
    require_equal([alert["id"] for alert in listed(f"--class={CLASS}")], [entry["BARBWIRE_ALERT_ID"]], "by its class")
    run("barbwirectl", "show", entry["BARBWIRE_ALERT_ID"])


def on_time():
    """The timer starts it repeatedly."""
    seen = len(decoys())
    os.makedirs(os.path.dirname(TIMER_DROP_IN))
    with open(TIMER_DROP_IN, "w", encoding="ascii") as out:
        out.write("[Timer]\nOnActiveSec=\nOnUnitActiveSec=\nOnActiveSec=100ms\nOnUnitActiveSec=1s\nAccuracySec=1ms\n")
    try:
        systemctl("daemon-reload")
        systemctl("restart", TIMER)
        wait_until(lambda: len(decoys()) >= seen + 2, "two selftests of the timer")
    finally:
        os.unlink(TIMER_DROP_IN)
        systemctl("daemon-reload")
        systemctl("restart", TIMER)
        wait_until(lambda: show("ActiveState", SELFTEST) == "inactive", "the last one's end")
    require_equal(alarms(), [], "alarms")


def stopped_on_purpose():
    """Also during a selftest."""
    kill_daemon(signal.SIGSTOP)
    systemctl("start", "--no-block", SELFTEST)
    wait_until(lambda: show("SubState", SELFTEST) == "start", "a selftest that waits")
    systemctl("stop", UNIT)
    require_equal([show("ActiveState", unit) for unit in (UNIT, TIMER, SELFTEST)], ["inactive"] * 3, "all of it")
    require_equal((show("Result", SELFTEST), alarms(), failed_units()), ("success", [], ""), "no alarm")
    systemctl("start", UNIT)
    require_equal(show("ActiveState", TIMER), "active", "the timer, with a service that is started")
    systemctl("restart", UNIT)
    require_equal(show("ActiveState", TIMER), "active", "the timer, with a service that is restarted")


def documented_of_alarm():
    with open(FIELDS_PAGE, encoding="utf-8") as page:
        section = re.search(r"^# FIELDS OF A FAILED SELFTEST\n(.*?)^# ", page.read(), re.MULTILINE | re.DOTALL)[1]
    return set(re.findall(r"^\*(BARBWIRE_\w+)=\*", section, re.MULTILINE))


def fails(*causes):
    """It raises one alarm with one of these causes, and the unit fails."""
    seen = len(alarms())
    # So many starts in a short time only occur here: without a limit systemd does not refuse them.
    systemctl("reset-failed", SELFTEST)
    require(systemctl("start", SELFTEST, check=False).returncode != 0, "the selftest has succeeded")
    found = alarms()[seen:]
    require(len(found) == 1 and found[0]["BARBWIRE_CAUSE"] in causes, f"alarms: {found}")
    entry = found[0]
    require_equal((entry["PRIORITY"], entry["SYSLOG_FACILITY"]), (PRIORITY_CRIT, LOG_AUTHPRIV), "PRIORITY, facility")
    require_equal({name for name in entry if name.startswith("BARBWIRE_")}, documented_of_alarm() | {"BARBWIRE_TIME"},
                  "fields")
    require(SELFTEST in failed_units(), "systemctl --failed does not list it")


def hung():
    pid = kill_daemon(signal.SIGSTOP)
    try:
        fails("no_answer")
    finally:
        os.kill(pid, signal.SIGCONT)
    systemctl("start", SELFTEST)
    require_equal(failed_units(), "", "failed units once it works again")


def killed():
    """Like an intruder: by a signal that systemd takes for a regular exit."""
    kill_daemon(signal.SIGTERM)
    wait_until(lambda: show("ActiveState") == "inactive", "its end")
    require_equal(show("ActiveState", TIMER), "active", "the timer")
    fails("not_running")
    require_equal(show("ActiveState"), "inactive", "the service after a selftest")
    systemctl("start", UNIT)
    systemctl("start", SELFTEST)


def not_coming_back():
    configure("[Service]\nRestartSec=1h\n")
    try:
        kill_daemon(signal.SIGKILL)
        wait_until(lambda: show("SubState") == "auto-restart", "its end")
        # The cause depends on whether systemd counts a service that waits for its restart as running.
        fails("not_running", "no_answer")
    finally:
        configure(None)
        systemctl("restart", UNIT)
    systemctl("start", SELFTEST)


def network_link(pid, program):
    """The id of the daemon's link whose program has this attach type, as bpftool prints it."""
    held = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as info:
            held |= set(map(int, re.findall(r"^link_id:\s+(\d+)", info.read(), re.MULTILINE)))
    links = json.loads(run("/usr/sbin/bpftool", "-j", "link", "show").stdout)
    return next(link["id"] for link in links if link["id"] in held and link.get("attach_type") == program)


def detached(thefts):
    """A hook is detached: the selftest detects it, and so does the daemon."""
    if not os.path.exists("/usr/sbin/bpftool"):
        raise Skip("needs bpftool")
    run("/usr/sbin/bpftool", "link", "detach", "id", str(network_link(main_pid(), "cgroup_inet4_connect")))
    fails("not_noticed")
    # Losses are raised with the next record; the hook of the other family is still attached.
    key, _ = thefts.home.key()
    result = thefts.net.run([harness.program("technique-out-tcp"), "blocking", key, HOST_V6, "443"])
    require_equal(result.returncode, 0, f"the theft's exit status\n{result.stderr}")
    thefts.wait_alert(key)
    losses = wait_until(lambda: journal_entries(f"_SYSTEMD_UNIT={UNIT}", "BARBWIRE_CAUSE=hook_gone"), "a loss")
    require_equal([(entry["BARBWIRE_COUNT"], entry["PRIORITY"]) for entry in losses], [("1", "3")], "losses raised")
    status = subprocess.run(["barbwirectl", "status"], capture_output=True, text=True, timeout=60)
    require_equal(status.returncode, 1, "exit status of barbwirectl status")
    require("cgroup/connect4 is not attached" in status.stdout, status.stdout)
    systemctl("restart", UNIT)
    systemctl("start", SELFTEST)
    status = run("barbwirectl", "status", check=False).stdout
    require("cgroup/connect4" in status and "not attached" not in status, status)


def inside():
    with service.cases() as (t, thefts):
        if not t.setup("enable --now starts the timer", installed):
            t.done()
        t.case("passed: silent, and not listed", passes, thefts)
        t.case("the timer starts it repeatedly", on_time)
        t.case("stopped on purpose: no alarm", stopped_on_purpose)
        t.case("hangs: an alarm", hung)
        t.case("killed by SIGTERM: an alarm", killed)
        t.case("killed, and not restarted: an alarm", not_coming_back)
        t.case("a hook detached: an alarm, a loss, degraded", detached, thefts)


if __name__ == "__main__":
    service.main(__file__, inside)
