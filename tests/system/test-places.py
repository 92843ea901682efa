#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Secrets where sites have them: in homes that no passwd file lists, and below directories that the policy writes as
people do, through links. The program that a link leads to is allowed, and another one beside it is not."""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
from cases import Scene, cases
from harness import program, touches
from net import HOST_V4
from tap import Skip, require, require_equal

UNIQUE = f"bw-{os.getpid()}-{secrets.token_hex(4)}"
# As winbind, sssd, autofs, ostree and images of containers have them.
SSH = "ssh-private-keys"
PLACES = (
    ("a domain's users below /home", f"/home/{UNIQUE}/ana/.ssh/id_ed25519", SSH),
    ("initials below /home", f"/home/{UNIQUE}/a/ana/.aws/credentials", "cloud-aws"),
    ("a file server's users", f"/{UNIQUE}/ana/.ssh/id_ed25519", SSH),
    ("root's home of an ostree host", f"/var/{UNIQUE}/roothome/.ssh/id_ed25519", SSH),
    ("the home of a container's program", f"/{UNIQUE}/app/.kube/config", "kubernetes"),
    ("a runner's home", f"/{UNIQUE}/github/home/.docker/config.json", "container-registries"),
    ("a backup", f"/srv/{UNIQUE}/backup/home/ana/.netrc", "netrc"),
)
CLASSES = """
[Class linked]
Path=/var/run/{unique}/*.key /etc/{unique}-link/*
Score=80
[Allow reader]
Class=linked
Exe=/{unique}-bin/reader
Passes=nothing
"""


def steal(net, path, exe=None):
    theft = program("technique-out-tcp")
    result = net.run([exe or theft, "blocking", path, HOST_V4, "443"])
    require_equal(result.returncode, 0, f"the theft's exit status\n{result.stderr}")


@contextlib.contextmanager
def places():
    """Root's directories, so that links in them are followed."""
    made = [f"/home/{UNIQUE}", f"/{UNIQUE}", f"/var/{UNIQUE}", f"/srv/{UNIQUE}", f"/run/{UNIQUE}", f"/usr/{UNIQUE}"]
    links = {f"/{UNIQUE}-bin": f"usr/{UNIQUE}", f"/etc/{UNIQUE}-link": f"/run/{UNIQUE}/linked"}
    try:
        for directory in made:
            os.makedirs(directory, 0o755)
        os.mkdir(f"/run/{UNIQUE}/linked", 0o755)
        for link, to in links.items():
            os.symlink(to, link)
        for name in "reader", "other":
            shutil.copy(program("technique-out-tcp"), f"/usr/{UNIQUE}/{name}")
        yield
    finally:
        for link in links:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(link)
        for directory in made:
            shutil.rmtree(directory, ignore_errors=True)


def stolen(scene, path, name):
    scene.home.decoy(path.encode())
    steal(scene.net, path)
    alert = scene.bw.wait_alert(lambda a: touches(a, path.encode()), f"the alert of {path}")
    require_equal([entry["class"] for entry in alert["files"]], [name], "the class")


def linked(scene, written, path):
    """The policy has `written`, which leads to `path`."""
    if not os.path.samefile(os.path.dirname(written), os.path.dirname(path)):
        raise Skip(f"{os.path.dirname(written)} is no link here")
    stolen(scene, path, "linked")


def allowed(scene):
    path = f"/run/{UNIQUE}/allowed.key"
    scene.home.decoy(path.encode())
    steal(scene.net, path, f"/usr/{UNIQUE}/reader")
    scene.bw.expect_no_alert(lambda a: touches(a, path.encode()), scene.net, scene.home, "the program that is allowed")
    steal(scene.net, path, f"/usr/{UNIQUE}/other")
    scene.bw.wait_alert(lambda a: touches(a, path.encode()), "the alert of the other program")


def reloaded(scene):
    """Without privileges, too."""
    require("policy reloaded" in scene.bw.reload(), "the reload")
    stolen(scene, f"/run/{UNIQUE}/linked/after", "linked")


# barbwired, with users of a directory, by the NSS module of libnss-extrausers(8).
DIRECTORY = """
mount --make-rprivate / && mount -t tmpfs -o mode=755 none /var/lib/extrausers && mount -t tmpfs none /mnt || exit 77
echo '{user}:x:4242:4242::{home}:/bin/sh' >/var/lib/extrausers/passwd
sed 's/^passwd:.*/passwd: files extrausers/' /etc/nsswitch.conf >/mnt/nsswitch
mount --bind /mnt/nsswitch /etc/nsswitch.conf && getent passwd '{user}' >/dev/null || exit 77
exec "$0" "$@"
"""
USER, USER_HOME = f"{UNIQUE}-ana", f"/{UNIQUE}/people/ana"


def directory(*command):
    """The command, where NSS lists that user."""
    return ["unshare", "--mount", "sh", "-c", DIRECTORY.format(user=USER, home=USER_HOME), *command]


def run(*command):
    return subprocess.run([*command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def has_directory():
    """Whether this machine can have such users."""
    tried = run(*directory("true"))
    return None if tried.returncode == 0 else f"needs libnss-extrausers: {tried.stderr}"


def directory_user(scene, missing):
    policy = f"{scene.directory}/users"
    os.mkdir(policy)
    with open(f"{policy}/1.conf", "w", encoding="ascii") as out:
        out.write(f"[Class a]\nPath=/a\n[Allow a]\nClass=a\nExe=/usr/bin/a\nUser={USER}\n")
    unknown = run(harness.BARBWIRED, "--check", f"--policy-dir={policy}")
    require(unknown.returncode == 2 and f"there is no user {USER}" in unknown.stderr, unknown.stderr)
    if missing:
        raise Skip(missing)
    known = run(*directory(harness.BARBWIRED, "--check", f"--policy-dir={policy}"))
    require_equal((known.returncode, known.stderr), (0, ""), "--check with that user")


def directory_home(scene, missing):
    """What is secret only in a home, of a user whom only NSS lists, and of one who comes later."""
    if missing:
        raise Skip(missing)
    stolen(scene, f"{USER_HOME}/.npmrc", "npm-registries")
    # Whose home is a link of root's.
    link, other = f"/{UNIQUE}/people/ben", f"/srv/{UNIQUE}/staff/ben"
    os.makedirs(other)
    os.symlink(other, link)
    with open(f"/proc/{scene.bw.pid}/root/var/lib/extrausers/passwd", "a", encoding="ascii") as out:
        out.write(f"{UNIQUE}-ben:x:4243:4243::{link}:/bin/sh\n")
    require("policy reloaded" in scene.bw.reload(), "the reload")
    stolen(scene, f"{other}/.m2/settings.xml", "package-registries")


# A directory whose server does not answer.
WAITS = """
mount --make-rprivate / && mount -t tmpfs -o mode=755 none /var/lib/extrausers && mount -t tmpfs none /mnt || exit 77
mkfifo /var/lib/extrausers/passwd && sed 's/^passwd:.*/passwd: files extrausers/' /etc/nsswitch.conf >/mnt/nsswitch
mount --bind /mnt/nsswitch /etc/nsswitch.conf && exec "$0" --check --policy-dir="$1"
"""


def waits(scene, missing):
    if missing:
        raise Skip(missing)
    policy = f"{scene.directory}/waits"
    os.mkdir(policy)
    with open(f"{policy}/1.conf", "w", encoding="ascii") as out:
        out.write("[Class a]\nPath=~/a\n")
    checked = run("unshare", "--mount", "sh", "-c", WAITS, harness.BARBWIRED, policy)
    require(checked.returncode == 0 and "not all users could be listed" in checked.stderr, checked.stderr)


def mounted(scene, mount, path, name):
    """A home that an automounter or systemd-homed mounts while barbwired runs."""
    at = mount[-1]
    os.makedirs(at, exist_ok=True)
    require_equal(run("mount", *mount).returncode, 0, f"mount {mount}")
    try:
        stolen(scene, path, name)
    finally:
        run("umount", at)


def main():
    with cases() as (t, net, home), places():
        scene, missing = Scene(net, home, CLASSES.format(unique=UNIQUE)), has_directory()
        if not missing:
            scene.bw.command[:0] = directory()
        with scene.bw:
            for what, path, name in PLACES:
                t.case(f"{what}: {path.replace(UNIQUE, '*')}", stolen, scene, path, name)
            t.case("Path=/var/run/…, where /var/run is a link", linked, scene, f"/var/run/{UNIQUE}/x.key",
                   f"/run/{UNIQUE}/x.key")
            t.case("Path= below a link", linked, scene, f"/etc/{UNIQUE}-link/x", f"/run/{UNIQUE}/linked/x")
            t.case("Exe= below a link allows that program, and no other", allowed, scene)
            t.case("links are followed after a reload, too", reloaded, scene)
            t.case("User= that only NSS knows", directory_user, scene, missing)
            t.case("~/ of users that only NSS lists", directory_home, scene, missing)
            t.case("a directory that does not answer", waits, scene, missing)
            auto, store, homed = f"/{UNIQUE}/net/ana", f"/{UNIQUE}/ana.homedir", f"/home/{UNIQUE}"
            os.mkdir(store)
            t.case("a home that is mounted later", mounted, scene, ["-t", "tmpfs", "none", auto],
                   f"{auto}/.aws/credentials", "cloud-aws")
            t.case("a home of systemd-homed", mounted, scene, ["--bind", store, homed], f"{homed}/.npmrc",
                   "npm-registries")
            t.case("no loss", lambda: scene.bw.stop() and scene.bw.require_no_loss())


if __name__ == "__main__":
    main()
