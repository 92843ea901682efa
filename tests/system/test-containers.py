#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The alert of a theft in a container, with namespaces of its own for mounts, PIDs, users, the network and cgroups, has
the values of the host: PID, cgroup, mount namespace, and the path in the container."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
from tap import require, require_equal

# The path that both containers have.
SECRET = "/home/ana/.ssh/id_rsa"
PORT = 9
SYSTEM_PYTHON = "/usr/bin/python3"

# Executed as the first process of the container. Of the host it only has /usr, which is read-only to it, as it is root
# in its own user namespace only.
ENTER = r"""
set -e
mount -t tmpfs none "$1"
cd "$1"
mkdir -p usr old home/ana/.ssh tmp
mount --rbind /usr usr
for link in bin lib lib64 sbin; do ln -s usr/$link $link; done
ip link set lo up
pivot_root . old
exec """ + SYSTEM_PYTHON + r""" -c "$2"
"""

THIEF = f"""
import ctypes, os, socket, sys
if ctypes.CDLL(None, use_errno=True).umount2(b"/old", 2) != 0:  # MNT_DETACH; umount(8) wants /proc
    raise OSError(ctypes.get_errno(), "umount2")
with open({SECRET!r}, "w") as out:
    out.write("not a key")
with open({SECRET!r}) as key:
    bytes_of_key = key.read().encode()
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(bytes_of_key, ("127.0.0.1", {PORT}))
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def cgroup2():
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        found = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    return found[0] if found else tap.skip_all("no cgroup2 mount", environment=True)


class Container:
    """A cgroup like that of a container engine: a scope below a slice."""

    def __init__(self, root):
        self.id = secrets.token_hex(32)
        self.name = f"/barbwire_test_{os.getpid()}.slice/docker-{self.id}.scope"
        self.cgroup = root + self.name
        os.makedirs(self.cgroup)
        self.directory = tempfile.mkdtemp(prefix="barbwire-container-")
        self.process = subprocess.Popen(
            ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', self.cgroup, "unshare", "--user",
             "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child",
             "sh", "-c", ENTER, "sh", self.directory, THIEF],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stolen(self):
        """Waits for the theft; returns the PID in the container."""
        line = self.process.stdout.readline()
        require(line, f"the container did not come up: {self.process.stderr.read() if not line else ''}")
        return int(line)

    def end(self):
        self.process.communicate(input="")
        os.rmdir(self.cgroup)
        shutil.rmtree(self.directory, ignore_errors=True)


def namespaces_work():
    probe = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--cgroup", "--fork",
                            "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True, text=True, check=False)
    return probe.returncode == 0 or tap.skip_all(f"no user namespaces here: {probe.stderr.strip()}", environment=True)


def numbers_of(pid):
    """The PIDs of a process, from the outermost namespace in."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next([int(n) for n in line.split()[1:]] for line in status if line.startswith("NSpid:"))


def reported(bw, container):
    inner = container.stolen()
    alert = bw.wait_alert(lambda a: a["process"]["container"] == container.id, f"alert of container {container.id}")
    process = alert["process"]
    require_equal([entry["path"] for entry in alert["files"]], [SECRET], "files")
    require_equal(process["cgroup"], container.name, "process.cgroup")
    require_equal(process["unit"], os.path.basename(container.name), "process.unit")
    # It still runs: the host finds its PID.
    require_equal(numbers_of(process["pid"]), [process["pid"], inner], "the PIDs of process.pid")
    require_equal(process["mount_namespace"], os.stat(f"/proc/{process['pid']}/ns/mnt").st_ino,
                  "process.mount_namespace")
    require("not-host" in process["flags"], f"process.flags: {process['flags']}")
    require_equal(process["uid"], 0, "process.uid, the host's: root made the container")
    return alert


def main():
    harness.require_machine()
    namespaces_work()
    t = tap.Tap()
    with harness.Barbwired() as bw:
        root, alerts = cgroup2(), []
        containers = [Container(root), Container(root)]
        try:
            for number, container in enumerate(containers, 1):
                t.case(f"container {number}: the host's PID, its control group, its path",
                       lambda c=container: alerts.append(reported(bw, c)))

            def apart():
                require_equal(len(alerts), 2, "alerts")
                for what in ("id", "process.pid", "process.cgroup", "process.container", "process.mount_namespace"):
                    first, second = (a[what] if "." not in what else a["process"][what.split(".")[1]] for a in alerts)
                    require(first != second, f"{what} is {first} in both")
                require_equal(alerts[0]["files"][0]["path"], alerts[1]["files"][0]["path"], "path")

            t.case("two containers with the same path are distinguished", apart)
        finally:
            for container in containers:
                container.end()
            os.rmdir(os.path.dirname(containers[0].cgroup))
        t.case("no loss", lambda: bw.stop() and bw.require_no_loss())
    t.done()


if __name__ == "__main__":
    main()
