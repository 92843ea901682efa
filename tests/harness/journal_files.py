# SPDX-License-Identifier: GPL-2.0-or-later
"""Journal files of any host, made by systemd-journal-remote of entries in the export format, with the fields that
journald itself would add; and alerts to put into them."""

import copy
import datetime
import json
import os
import subprocess

import journal_forger
from tap import Skip, require_equal

REMOTE = "/lib/systemd/systemd-journal-remote"
UNIT = "barbwire.service"
BOOT = "0123456789abcdef0123456789abcdef"
DAY = 24 * 3600
# Sun 2026-11-22 00:00:00 UTC.
BEGIN = 1795305600

MODEL = {
    "severity": "high", "score": 80, "evidence": "unbound", "reasons": [{"points": 80, "text": "a reason"}],
    "action": "alert", "classes": ["ssh-private-keys"], "techniques": ["T1552.004"], "repeats": 0,
    "process": {"pid": 100, "tid": 100, "start_time": "2026-11-22T00:00:00.000000Z", "exe": "/opt/site/backup",
                "comm": "backup", "cmdline": "/opt/site/backup", "uid": 0, "loginuid": None, "unit": None,
                "cgroup": "/", "container": None, "mount_namespace": 1, "flags": []},
    "lineage": [], "lineage_more": False,
    "files": [{"path": "/srv/x/.ssh/id_ed25519", "path_lost": False, "real_path": None, "real_path_lost": False,
               "class": "ssh-private-keys", "classes": ["ssh-private-keys"], "age_ms": 5, "pid": 100, "uid": 0,
               "exe": "/opt/site/backup", "comm": "backup", "generation": 0, "via": "open", "truncated": False,
               "route": [], "route_cut": False}],
    "files_more": False, "flood": False, "suspect": False,
    "destination": {"family": "inet", "protocol": "tcp", "address": "192.0.2.7", "port": 443, "act": "connect",
                    "path": None, "text": "192.0.2.7:443"},
}


def time_of(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def alert(number, seconds=0, incident=None, process=None, file=None, files=None, destination=None, **changes):
    """A complete alert, `seconds` after BEGIN. process, file, destination: what differs from the model."""
    a = copy.deepcopy(MODEL)
    a.update(id=f"{BOOT}-{number:x}-0", incident=f"{BOOT}-{incident or number:x}-0", time=time_of(BEGIN + seconds),
             summary=f"alert {number} of a test")
    a["process"].update(process or {})
    a["destination"].update(destination or {})
    a["files"] = [{**copy.deepcopy(MODEL["files"][0]), **f} for f in files or [file or {}]]
    a.update(changes)
    return a


def program(exe, uid=0, pid=100, **more):
    """The process and the file of an alert whose opener sends itself."""
    comm = os.path.basename(exe)[:15]
    return {"process": {"exe": exe, "comm": comm, "cmdline": exe, "uid": uid, "pid": pid, **more},
            "file": {"exe": exe, "comm": comm, "uid": uid, "pid": pid}}


def entry(a, host="alpha", uid=990, unit=UNIT, **fields):
    return {**journal_forger.entry_of(a), "_HOSTNAME": host, "_UID": str(uid), "_SYSTEMD_UNIT": unit, **fields}


def exported(entries):
    """In the export format. An entry is as late as its alert, or as the one before it."""
    out, usec = b"", BEGIN * 10 ** 6
    for e in entries:
        time = json.loads(e["BARBWIRE_JSON"])["time"].replace("Z", "+00:00")
        usec = max(usec + 1, round(datetime.datetime.fromisoformat(time).timestamp() * 1e6))
        out += (f"__REALTIME_TIMESTAMP={usec}\n__MONOTONIC_TIMESTAMP={usec - BEGIN * 10 ** 6}\n"
                f"_BOOT_ID={BOOT}\n").encode()
        out += journal_forger.datagram(e) + b"\n"
    return out


def write(path, entries):
    """Makes a journal file of entries, which are in the order of their time."""
    if not os.access(REMOTE, os.X_OK):
        raise Skip(f"needs {REMOTE}", environment=True)
    made = subprocess.run([REMOTE, "-o", path, "-"], input=exported(entries), capture_output=True, timeout=60,
                          check=False)
    require_equal(made.returncode, 0, f"systemd-journal-remote\n{made.stderr.decode()}")
