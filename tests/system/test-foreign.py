#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A client that knows nothing of us: systemd's own varlinkctl, which came with systemd 257, at the service's own
socket; and the same alert wherever an administrator of such a system reads it. Boots Debian 13's systemd
(tests/box/debian-root, tests/box/systemd-box).

usage: test-foreign.py --newer"""

import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import harness
import service
import varlink
from message_ids import MESSAGE_IDS
from service import BUILD, SOCKET_UNIT, UNIT, as_text, journal_entries, run, show, states, systemctl
from tap import require, require_equal
from varlink import INTERFACE, SOCKET

# RFC 7464: before each of several JSON texts.
RECORD_SEPARATOR = "\x1e"


def varlinkctl(*args, check=True):
    return run("varlinkctl", *args, check=check)


def call(method, **parameters):
    result = varlinkctl("call", "--json=short", SOCKET, f"{INTERFACE}.{method}", json.dumps(parameters))
    return json.loads(result.stdout)


def records(text):
    return [json.loads(line) for line in text.split(RECORD_SEPARATOR) if line.strip()]


def barbwirectl(*args):
    """A usual option names the configuration, so that no other one is read."""
    return run(os.path.join(os.path.dirname(installed_program()), "../bin/barbwirectl"), *args).stdout


def installed_program():
    return re.search(r"path=(\S+)", show("ExecStart"))[1]


# ---- the cases ----

def unit_files():
    """test-unit-files.py, with the tools of this systemd."""
    result = run(sys.executable, "-B", os.path.join(HERE, "test-unit-files.py"), check=False)
    cases = re.findall(r"^(ok|not ok) \d+ - (.*)$", result.stdout, re.MULTILINE)
    require(len(cases) > 5 and all(verdict == "ok" and "# SKIP" not in name for verdict, name in cases),
            result.stdout + result.stderr)


def verified():
    """At their installed paths, with their programs and manual pages."""
    manuals = "yes" if os.path.exists(os.path.join(BUILD, "daemon/man/barbwired.8")) else "no"
    for unit in (UNIT, SOCKET_UNIT):
        path = show("FragmentPath", unit)
        result = run("systemd-analyze", "verify", "--recursive-errors=no", f"--man={manuals}", path)
        require_equal((result.stdout, result.stderr), ("", ""), f"what it says of {unit}")


def info():
    """The first query starts the service."""
    systemctl("start", SOCKET_UNIT)
    text = varlinkctl("info", SOCKET).stdout
    require_equal(states(), ("active", "active"), "service and socket after a query")
    wanted = {"Vendor": "Barbwire", "Product": "barbwired"}
    got = dict(re.findall(r"^ *(\w+): (.*)$", text, re.MULTILINE))
    require_equal({name: got.get(name) for name in wanted}, wanted, text)
    require_equal(varlinkctl("list-interfaces", SOCKET).stdout.split(), [INTERFACE, "org.varlink.service"],
                  "list-interfaces")


def introspect():
    """Its parser accepts our description, and prints it in its own format."""
    text = varlinkctl("introspect", SOCKET, INTERFACE).stdout
    methods = set(re.findall(r"^method (\w+)", text, re.MULTILINE))
    require_equal(methods, {"GetStatus", "ListAlerts", "GetAlert", "Follow", "ListRules", "ListMarks",
                            "WatchProcesses"}, text)
    path = "/tmp/io.barbwire.Barbwire.varlink"
    with open(path, "w", encoding="utf-8") as out:
        out.write(varlink.call("org.varlink.service.GetInterfaceDescription", interface=INTERFACE)["description"])
    varlinkctl("validate-idl", path)
    listed = varlinkctl("list-methods", SOCKET, INTERFACE).stdout.split()
    require_equal({name.rsplit(".", 1)[1] for name in listed}, methods, "list-methods")


def status():
    got = call("GetStatus")
    require_equal(got["pid"], service.main_pid(), "status")
    # The box is a cgroup namespace, which is reported; there is no other complaint.
    require_equal([reason for reason in got["degraded"] if "cgroup namespace" not in reason], [], "degraded")
    require_equal(call("ListRules")["classes"], varlink.call("ListRules")["classes"], "ListRules")


def errors():
    result = varlinkctl("call", "--json=short", SOCKET, f"{INTERFACE}.GetAlert", '{"id":"nothing"}', check=False)
    require(result.returncode != 0 and f"{INTERFACE}.NoSuchAlert" in result.stderr, result.stderr)
    require_equal(json.loads(result.stdout), {"id": "nothing"}, "its parameters")
    for method, error in (("Follow", "ExpectedMore"), ("NoSuchMethod", "MethodNotFound")):
        result = varlinkctl("call", SOCKET, f"{INTERFACE}.{method}", "{}", check=False)
        require(result.returncode != 0 and f"org.varlink.service.{error}" in result.stderr, result.stderr)


def same_alert(thefts):
    """In the journal, in its explanation, over Varlink, and by our own client."""
    entry, path = thefts.play()
    logged = json.loads(entry["BARBWIRE_JSON"])
    require_equal(logged["files"][0]["path"], harness.as_text(path), "the file")
    require_equal(call("GetAlert", id=logged["id"])["alert"], logged, "GetAlert")
    require_equal(call("ListAlerts", limit=1)["alerts"], [logged], "ListAlerts")
    more = varlinkctl("call", "--more", "--json=short", SOCKET, f"{INTERFACE}.ListAlerts", "{}").stdout
    require_equal([alert for reply in records(more) for alert in reply["alerts"]][-1], logged, "ListAlerts, more")
    lines = barbwirectl("alerts", "--json=short").splitlines()
    require_equal(json.loads(lines[-1]), logged, "barbwirectl alerts")

    explained = run("journalctl", "-x", "--no-pager", f"BARBWIRE_ALERT_ID={logged['id']}").stdout
    require(f"Process {logged['process']['pid']} may have stolen credentials" in explained, explained)
    require("@BARBWIRE" not in explained, f"a field is not filled in:\n{explained}")


def follow(thefts):
    with subprocess.Popen(["varlinkctl", "call", "--more", "--json=short", SOCKET, f"{INTERFACE}.Follow", "{}"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as client:
        try:
            require_equal(records(client.stdout.readline()), [{}], "the first reply")
            entry, _ = thefts.play()
            require_equal(records(client.stdout.readline()), [{"alert": json.loads(entry["BARBWIRE_JSON"])}],
                          "the second one")
        finally:
            client.terminate()


def policy_explained():
    """The other kind of entry that is always written."""
    entries = journal_entries(f"_SYSTEMD_UNIT={UNIT}", f"MESSAGE_ID={MESSAGE_IDS['POLICY']}")
    require(entries, "nothing about the policy")
    explained = run("journalctl", "-x", "--no-pager", f"MESSAGE_ID={entries[-1]['MESSAGE_ID']}").stdout
    require(as_text(entries[-1]["BARBWIRE_POLICY"]) in explained and "@BARBWIRE" not in explained, explained)


def inside():
    with service.cases() as (t, thefts):
        version = run("systemctl", "--version").stdout.split()[1]
        t.setup("files of a package, by hand", service.install)
        t.case(f"the units, checked by the tools of systemd {version}", unit_files)
        t.case("systemd-analyze verify of the installed units", verified)
        t.case("varlinkctl info starts the service", info)
        t.case("varlinkctl introspect", introspect)
        t.case("varlinkctl call: status and rules", status)
        t.case("varlinkctl call: errors", errors)
        t.case("one alert, wherever it is read", same_alert, thefts)
        t.case("varlinkctl call --more: Follow", follow, thefts)
        t.case("journalctl -x of the policy", policy_explained)


if __name__ == "__main__":
    if not service.NEWER:
        sys.exit(__doc__)
    service.main(__file__, inside)
