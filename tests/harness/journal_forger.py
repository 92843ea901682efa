# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries for journald by its native protocol, with any fields, from any sender: another user, another cgroup, the
service itself. For tests in a box, since it moves processes to other cgroups and changes their users."""

import copy
import json
import os
import pwd
import socket
import struct
import subprocess
import sys

from message_ids import MESSAGE_IDS
from tap import require_equal

JOURNALD_SOCKET = "/run/systemd/journal/socket"
CGROUPS = "/sys/fs/cgroup"


def alert_like(model, name):
    """A forged alert: a copy of the model with another id."""
    alert = copy.deepcopy(model)
    alert.update(id=f"{0:032x}-{abs(hash(name)) % (1 << 60):016x}-0", summary=f"made by a test: {name}", repeats=0)
    return alert


def entry_of(alert, **fields):
    """Those fields of an alert that are read back; None removes one."""
    entry = {"MESSAGE": alert["summary"], "MESSAGE_ID": MESSAGE_IDS["ALERT"], "PRIORITY": "2",
             "BARBWIRE_ALERT_ID": alert["id"], "BARBWIRE_REPEATS": str(alert["repeats"]),
             "BARBWIRE_JSON": json.dumps(alert)}
    entry.update(fields)
    return {name: value for name, value in entry.items() if value is not None}


def datagram(entry):
    out = b""
    for name, value in entry.items():
        value = value.encode()
        out += name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return out


def become(uid, gids=(), cgroup=None):
    """Moves this process to another cgroup, for the rest of its life."""
    if cgroup:
        os.makedirs(cgroup, exist_ok=True)
        with open(f"{cgroup}/cgroup.procs", "w", encoding="ascii") as procs:
            procs.write(str(os.getpid()))
    os.setgroups(gids)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def send(entries, uid, cgroup=None):
    """Sends it from a process of its own, which stays until journald has examined it."""
    command = [sys.executable, "-B", os.path.abspath(__file__), str(uid)] + ([cgroup] if cgroup else [])
    sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    sender.stdin.write(json.dumps(entries) + "\n")
    sender.stdin.flush()
    require_equal(sender.stdout.readline(), "sent\n", "who writes to journald")
    subprocess.run(["journalctl", "--sync"], check=True)
    sender.communicate()
    require_equal(sender.returncode, 0, "its exit status")


def send_in_this_process(uid, cgroup):
    entries = json.loads(sys.stdin.readline())
    become(uid, cgroup=cgroup)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
        journald.connect(JOURNALD_SOCKET)
        for entry in entries:
            journald.send(datagram(entry))
    print("sent", flush=True)
    sys.stdin.read()


def send_as_unit(unit, entries):
    """Sends it as only the unit itself and root can."""
    send(entries, pwd.getpwnam("barbwire").pw_uid, f"{CGROUPS}/system.slice/{unit}")


if __name__ == "__main__":
    send_in_this_process(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
