#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which alerts are one incident, and that each is written at its own severity; and the digests of what ran."""

import hashlib
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
from cases import Scene, cases
from ctl import Ctl
from net import HOST_V4
from tap import require, require_equal

# Arguments: HOST FIRST-PORT CONNECTIONS FILE..., and "+" before the next of these. Reads each file itself and by a
# child, and connects.
HARVEST = """
import socket, subprocess, sys
for step in " ".join(sys.argv[1:]).split(" + "):
    host, first, connections, *files = step.split()
    for path in files:
        open(path, "rb").read()
        subprocess.run(["cat", path], stdout=subprocess.PIPE, check=True)
    for port in range(int(first), int(first) + int(connections)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((host, port))
"""


def harvest(s, n_alerts, *steps):
    """Its alerts: of a session, and so of a process group, of its own."""
    process = s.net.popen([sys.executable, "-c", HARVEST, *steps], start_new_session=True)
    require_equal(process.wait(), 0, "exit status of the harvester")
    return s.bw.wait(lambda: (lambda mine: len(mine) >= n_alerts and mine)(
        [a for a in s.bw.alerts if a["process"]["pid"] == process.pid]), harness.ALERT_TIMEOUT, "its alerts")


def lines(s):
    """A harvester is one line, two thieves are two."""
    ctl = Ctl(s.socket)
    keys = [s.home.key()[0] for _ in range(10)]
    thieves = harvest(s, 40, HOST_V4, "2000", "40", *keys), harvest(s, 1, HOST_V4, "3000", "1", keys[0])
    for alerts in thieves:
        require_equal({a["incident"] for a in alerts}, {alerts[0]["id"]}, "the incident")
        out = ctl.expect(0, "alerts", f"--incident={alerts[-1]['id']}")[0]
        require_equal(len(out.splitlines()), len(alerts) + 3, out)
        out = ctl.expect(0, "alerts", f"--pid={alerts[0]['process']['pid']}")[0]
        require(len(out.splitlines()) == 4 and (len(alerts) == 1 or f" ×{len(alerts)} " in out), out)
    require(thieves[0][0]["id"] != thieves[1][0]["incident"], "two thieves in one incident")


def follow_up(s):
    """What follows a weak alert is no weaker for that."""
    aws = s.home.decoy(os.path.join(s.home.path, b".aws/credentials"))[0]
    key = s.home.key()[0]
    weak, theft = harvest(s, 2, "127.0.0.1", "2000", "1", aws, "+", HOST_V4, "2000", "1", key)
    require_equal([weak["severity"], theft["severity"], theft["incident"]], ["medium", "high", weak["id"]], "both")


# Reads the file of its first argument, or sends what it is given.
OPENER = b"import sys; print(open(sys.argv[1]).read())\n"
SENDER = "import socket, sys; sys.stdin.read(); socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('%s', 53))"


def digests(s):
    """Of an opener that has ended: its script and executable, until they change, are replaced or removed."""
    directory = os.fsdecode(s.home.path)
    script, interpreter = f"{directory}/opener.py", f"{directory}/python3"
    shutil.copy(sys.executable, interpreter)
    with open(script, "wb") as f:
        f.write(OPENER)

    def steal():
        seen, key = len(s.bw.alerts), s.home.key()[0]
        s.net.run(["sh", "-c", '"$1" "$2" "$3" | "$4" -c "$5"', "sh", interpreter, script, key, sys.executable,
                   SENDER % HOST_V4])
        return s.bw.wait(lambda: next((a for a in s.bw.alerts[seen:] if harness.touches(a, key)), None),
                         harness.ALERT_TIMEOUT, "the theft's alert")

    def shown(alert):
        found = ctl.objects("show", alert["id"])[0]["digests"]
        return {d["kind"]: d["sha256"] or d["text"] for d in found if d["role"] == "opener"}

    def digest(path):
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()

    ctl, alert = Ctl(s.socket), steal()
    [opened] = alert["files"]
    require(opened["pid"] != alert["process"]["pid"], "the sender opened it")
    require_equal((opened["exe"], opened["script"]), (interpreter, script), "what opened it")
    got = shown(alert)
    if re.match("on (btrfs|an overlay|a read-only)", got["script"]):
        return
    require_equal(got, {"executable": digest(interpreter), "script": digest(script)}, "digests")
    require(f"opener's script {script}: SHA-256 {digest(script)}" in ctl.expect(0, "show", alert["id"])[0], "as text")
    # Changed in place, it is another program, also of the next alert.
    with open(script, "ab") as f:
        f.write(b"# changed")
    os.chmod(interpreter, 0o700)
    changed = steal()
    require_equal(shown(alert), {"executable": "changed since", "script": "changed since"}, "of what has changed")
    require_equal(shown(changed), {"executable": digest(interpreter), "script": digest(script)}, "after the change")
    shutil.copy(script, f"{directory}/new")
    os.rename(f"{directory}/new", script)
    os.unlink(interpreter)
    require_equal(shown(changed), {"executable": "gone", "script": "gone: another file has its name"}, "in the end")


def main():
    with cases() as (t, net, home):
        scene = Scene(net, home)
        with scene.bw:
            t.case("one harvester, and another thief", lines, scene)
            t.case("a theft after a weak alert", follow_up, scene)
            t.case("digests of an opener", digests, scene)
            t.case("the daemon exits successfully", lambda: (scene.bw.stop(), scene.bw.require_no_loss()))


if __name__ == "__main__":
    main()
