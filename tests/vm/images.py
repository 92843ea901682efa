# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of guests: qemu, kernels, root file systems. Each is cached with a key of its inputs, and created again
when these have changed."""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import tempfile
import time
from typing import Callable, Optional

from archive import Archive, Unreachable

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST = os.path.join(HERE, "guest")
# Kernels that users may have: the newest one of each of these Debian suites.
SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie", "newest": "sid"}
# After a day, the newest kernel of a suite is looked up again.
RESOLVED_SECONDS = 86400
# The modules that a kernel needs to find its disks, if they are not built in.
DISK_MODULES = ("virtio_mmio", "virtio_blk", "ext4")
# qemu 7.2 (Debian 12) hangs occasionally under emulation.
QEMU_MIN = (8, 2)
QEMU_ATTEMPTS, QEMU_PAUSE_SECONDS = 3, 5
QEMU = {"amd64": ("qemu-system-x86_64", ("qemu-system-x86", "seabios")),
        "arm64": ("qemu-system-aarch64", ("qemu-system-arm",))}  # the program, its packages
# Enough for the files and a run; the image is sparse.
ROOT_MEGABYTES, ROOT_INODES = 1500, 65536
# Files are small and copied once: a journal and checksums would only cost time.
MKE2FS = ("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-O",
          "^has_journal,^metadata_csum,^resize_inode,^64bit")


class Impossible(Exception):
    """This machine cannot have it, which is no failure."""


class Missing(Exception):
    """A part of a guest cannot be created; the message says why."""


class Impossible(Exception):
    """This machine is not one that can create it; the message says why."""


@dataclasses.dataclass(frozen=True)
class Rootfs:
    """Debian 13 with `packages` in addition to those of every guest. prepare(directory) changes it on this machine,
    before it becomes an image. It is cached under `key`, which stands for the inputs of prepare(); None: it is created
    for every run."""
    name: str = "base"
    packages: tuple = ()
    prepare: Optional[Callable[[str], None]] = None
    key: Optional[str] = ""
    megabytes: int = ROOT_MEGABYTES


BASE = Rootfs()


@dataclasses.dataclass(frozen=True)
class Kernel:
    label: str
    version: str  # Debian's: 6.12.117-1
    image: str
    initrd: str
    modules: str


def digest(*parts):
    sums = hashlib.sha256()
    for part in parts:
        sums.update(part if isinstance(part, bytes) else str(part).encode())
        sums.update(b"\0")
    return sums.hexdigest()[:16]


def content(*paths):
    """The bytes of files."""
    def read(path):
        with open(path, "rb") as file:
            return file.read()
    return b"\0".join(read(path) for path in paths)


def tool(*command, **kwargs):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, **kwargs)
    if result.returncode != 0:
        raise Missing(f"{' '.join(command[:3])}…: {result.stderr.decode(errors='replace').strip()[-500:]}")
    return result.stdout


class Cache:
    def __init__(self, directory, say):
        os.makedirs(directory, mode=0o755, exist_ok=True)
        self.directory, self.say = os.path.realpath(directory), say

    def path(self, name):
        return os.path.join(self.directory, name)

    @contextlib.contextmanager
    def locked(self):
        """Two runs at once would compete for the cores, and replace each other's images. (debian-root has a lock of its
        own.)"""
        with open(self.path("lock-run"), "w", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say(f"waiting for another run with {self.directory}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def artefact(self, name, key, make):
        """Returns the directory `name`, which make(directory) fills; a failed make() leaves none."""
        path, begin = self.path(name), time.monotonic()
        with contextlib.suppress(FileNotFoundError):
            if content(f"{path}/key").decode() == key:
                return path
        work = tempfile.mkdtemp(prefix="making.", dir=self.directory)
        try:
            os.chmod(work, 0o755)
            make(work)
            with open(f"{work}/key", "w", encoding="ascii") as out:
                out.write(key)
            shutil.rmtree(path, ignore_errors=True)
            os.rename(work, path)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        self.say(f"created {name} in {time.monotonic() - begin:.0f} s")
        return path


# ---- qemu ----

def qemu_version(command):
    """(major, minor), and why it is (0, 0)."""
    try:
        text = subprocess.run([*command, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=True).stdout
        return tuple(map(int, re.search(r"version (\d+)\.(\d+)", text).groups())), ""
    except subprocess.CalledProcessError as error:
        return (0, 0), f"exit status {error.returncode}: {error.stderr.strip()}"
    except (OSError, AttributeError) as error:
        return (0, 0), str(error)


def qemu_command(directory, program):
    """The command for a qemu that is unpacked there, with its own libraries: Debian 12 has them in two places."""
    libraries = ":".join(f"{directory}/{path}/x86_64-linux-gnu" for path in ("usr/lib", "lib"))
    return ["env", f"LD_LIBRARY_PATH={libraries}", f"{directory}/usr/bin/{program}",
            "-L", f"{directory}/usr/share/qemu", "-L", f"{directory}/usr/share/seabios"]


def qemu_require(command, what):
    """It was installed for this and must run. A busy machine is asked again."""
    for attempt in range(QEMU_ATTEMPTS):
        time.sleep(attempt * QEMU_PAUSE_SECONDS)
        version, why = qemu_version(command)
        if version >= QEMU_MIN:
            return command
    raise Missing(f"{what} does not run: version {version}, {why or 'too old'}")


def qemu(cache, architecture="amd64"):
    """The command for a qemu that is new enough: of this machine, or from the backports of its suite."""
    program, packages = QEMU[architecture]
    if qemu_version([program])[0] >= QEMU_MIN:
        return [program]
    # An unpacked one is used while it works: a newer one is of no advantage.
    kept = qemu_command(cache.path(f"qemu-{architecture}"), program)
    if qemu_version(kept)[0] >= QEMU_MIN:
        return kept
    with open("/etc/os-release", encoding="utf-8") as release:
        codename = re.search(r"^VERSION_CODENAME=(\w+)", release.read(), re.MULTILINE)
    if not codename:
        raise Impossible(f"{program} is older than {'.'.join(map(str, QEMU_MIN))}, and this is not Debian")

    def make(directory):
        with tempfile.TemporaryDirectory(dir=cache.directory) as scratch:
            archive = Archive(scratch, [codename[1], codename[1] + "-backports"])
            archive.update()
            archive.fetch_programs(packages, directory)

    command = qemu_command(cache.artefact(f"qemu-{architecture}", codename[1], make), program)
    return qemu_require(command, f"{program} of {codename[1]}-backports")


# ---- kernels ----

def resolve(cache, archive, name):
    """(version, packages) of the newest kernel of a suite; the last known one if the archive does not answer."""
    path, known = cache.path(f"resolved-{name}.json"), None
    with contextlib.suppress(FileNotFoundError, ValueError):
        known = json.loads(content(path))
        if 0 <= time.time() - known["time"] < RESOLVED_SECONDS:
            return known["version"], known["packages"]
    try:
        archive.update()
        version, packages = archive.kernel()
    except Unreachable as problem:
        if not known:
            raise
        cache.say(f"{name}: {problem}; going on with {known['version']}")
        return known["version"], known["packages"]
    with open(path, "w", encoding="ascii") as out:
        json.dump({"time": time.time(), "version": version, "packages": packages}, out)
    return version, packages


def module_bytes(path):
    if path.endswith(".xz"):
        return lzma.decompress(content(path))
    return tool("zstd", "-qdc", path) if path.endswith(".zst") else content(path)


def disk_modules(root, release):
    """Paths of the modules to load, dependencies first, without those that are built in."""
    paths = []
    for name in DISK_MODULES:
        shown = subprocess.run(["modprobe", "-d", root, "-S", release, "--show-depends", name],
                               capture_output=True, text=True, check=False).stdout
        paths += [line.split()[1] for line in shown.splitlines() if line.startswith("insmod ")]
    return list(dict.fromkeys(paths))


def cpio(entries):
    """An initrd: {name: (mode, bytes)} in the kernel's "newc" format (initramfs-buffer-format.rst)."""
    out = bytearray()
    for inode, (name, (mode, data)) in enumerate([*entries.items(), ("TRAILER!!!", (0, b""))], 1):
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


def kernel_unpack(archive, packages, directory, compiler):
    """vmlinuz, initrd, and the modules as a file system of their own, so that the guest loads what a test needs."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(directory)) as root:
        archive.fetch(packages, root)
        if not os.path.exists(f"{root}/lib"):
            os.symlink("usr/lib", f"{root}/lib")
        release, = os.listdir(f"{root}/lib/modules")
        tool("depmod", "-b", root, release)
        images = [os.path.join(path, name) for path, _, names in os.walk(root) for name in names
                  if name.startswith("vmlinuz")]
        shutil.copyfile(images[0], f"{directory}/vmlinuz")

        tool(*compiler, "-O2", "-static", "-Wall", "-Werror", "-o", f"{root}/init", f"{HERE}/init.c")
        entries = {"init": (0o100755, content(f"{root}/init")), "modules": (0o040755, b"")}
        paths = disk_modules(root, release)
        names = [re.sub(r"\.(xz|zst)$", "", os.path.basename(path)) for path in paths]
        entries["modules/list"] = (0o100644, "".join(name + "\n" for name in names).encode())
        for name, path in zip(names, paths):
            entries[f"modules/{name}"] = (0o100644, module_bytes(path))
        with open(f"{directory}/initrd", "wb") as out:
            out.write(cpio(entries))

        # Headroom for the metadata of the file system.
        used = sum(os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(f"{root}/lib/modules")
                   for name in names if not os.path.islink(os.path.join(path, name)))
        tool(*MKE2FS, "-d", f"{root}/lib/modules", f"{directory}/modules.ext4", f"{(used >> 20) * 5 // 4 + 32}M")


def kernel(cache, label, architecture="amd64", compiler=("gcc",)):
    """compiler: for the program of the initrd."""
    name = f"{SUITES[label]}-{architecture}"
    with tempfile.TemporaryDirectory(dir=cache.directory) as scratch:
        archive = Archive(scratch, [SUITES[label]], architecture)
        version, packages = resolve(cache, archive, name)

        def make(directory):
            if not os.path.exists(f"{scratch}/sources.list"):
                archive.update()
            kernel_unpack(archive, packages, directory, compiler)

        key = digest(packages, DISK_MODULES, content(f"{HERE}/init.c"))
        path = cache.artefact(f"kernel-{name}", key, make)
    return Kernel(label, version, f"{path}/vmlinuz", f"{path}/initrd", f"{path}/modules.ext4")


# ---- root file systems ----

# kmod loads the modules that tests need.
GUEST_PACKAGES = ("kmod",)
# Nothing but the tests should run: under emulation every service costs seconds.
MASKED = """apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer man-db.timer e2scrub_all.timer
        e2scrub_reap.service fstrim.timer systemd-udevd.service systemd-udevd-control.socket
        systemd-udevd-kernel.socket systemd-udev-trigger.service systemd-udev-load-credentials.service
        systemd-hwdb-update.service systemd-firstboot.service systemd-update-done.service
        systemd-machine-id-commit.service systemd-pstore.service ldconfig.service
        systemd-journal-catalog-update.service systemd-journal-flush.service systemd-random-seed.service
        systemd-remount-fs.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount
        sys-kernel-config.mount sys-fs-fuse-connections.mount modprobe@.service systemd-tpm2-setup.service
        systemd-tpm2-setup-early.service systemd-timesyncd.service systemd-networkd.service getty.target
        console-getty.service serial-getty@ttyS0.service run-lock.mount proc-sys-fs-binfmt_misc.automount
        proc-sys-fs-binfmt_misc.mount systemd-binfmt.service systemd-tmpfiles-clean.timer
        systemd-hostnamed.socket systemd-sysext.socket""".split()


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, mode)


def guest_prepare(root):
    """Makes a Debian run our service, whatever target it boots to."""
    write(f"{root}/etc/hostname", "guest\n")
    write(f"{root}/etc/hosts", "127.0.0.1 localhost guest\n::1 localhost\n")
    write(f"{root}/etc/fstab", "")
    write(f"{root}/etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0o444)
    # In memory and without a rate limit, since tests read every line.
    write(f"{root}/etc/systemd/journald.conf.d/vm.conf",
          "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nAudit=no\n")
    os.makedirs(f"{root}/usr/lib/modules", exist_ok=True)
    units = f"{root}/etc/systemd/system"
    for unit in MASKED:
        with contextlib.suppress(FileExistsError):
            os.symlink("/dev/null", f"{units}/{unit}")
    # Each is a program that runs at boot, for units that no guest has.
    for name in os.listdir(f"{root}/usr/lib/systemd/system-generators"):
        os.makedirs(f"{root}/etc/systemd/system-generators", exist_ok=True)
        os.symlink("/dev/null", f"{root}/etc/systemd/system-generators/{name}")
    for name in ("vm.service", "vm.target"):
        shutil.copyfile(f"{GUEST}/{name}", f"{units}/{name}")
    os.makedirs(f"{units}/multi-user.target.wants", exist_ok=True)
    os.symlink("../vm.service", f"{units}/multi-user.target.wants/vm.service")


def debian_root(cache, packages):
    made = subprocess.run([os.path.join(HERE, "../box/debian-root"), *packages], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "BW_CACHE_DIR": cache.directory})
    if made.returncode == 77:
        raise Impossible(made.stderr.strip()[-500:])
    if made.returncode != 0:
        raise Missing(made.stderr.strip()[-500:])
    return made.stdout.strip()


def image_write(root, path, megabytes=ROOT_MEGABYTES):
    tool(*MKE2FS, "-N", str(ROOT_INODES), "-d", root, path, f"{megabytes}M")


def rootfs_key():
    """The key of the parts that all root file systems share."""
    return digest(" ".join(MASKED), content(*(f"{GUEST}/{name}" for name in ("vm.service", "vm.target")), __file__))


def rootfs(cache, variant):
    """The path of the image."""
    directory = debian_root(cache, GUEST_PACKAGES + variant.packages)

    def make(work):
        # The copy is temporary; links, owners and labels are written to the image as they are in it.
        tool("cp", "-a", "--reflink=auto", directory, f"{work}/root")
        guest_prepare(f"{work}/root")
        if variant.prepare:
            variant.prepare(f"{work}/root")
        image_write(f"{work}/root", f"{work}/root.ext4", variant.megabytes)
        shutil.rmtree(f"{work}/root")

    key = digest(rootfs_key(), os.path.basename(directory), variant.packages, variant.megabytes,
                 time.time_ns() if variant.key is None else variant.key)
    return cache.artefact(f"rootfs-{variant.name}", key, make) + "/root.ext4"
