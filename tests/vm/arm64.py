# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest of the other architecture, and its parts, without a machine of that architecture: packages of Debian are
unpacked, never configured, and the programs are built against them by the clang that also builds the BPF programs."""

import os
import shlex
import shutil
import subprocess

import harness
import images
import payload
from archive import Archive

SUITE = "trixie"
# Nothing is installed by default where nothing is configured: what the boot and the tests execute, and what the build
# needs.
PACKAGES = ("base-files base-passwd bash bpftool coreutils dash dbus diffutils findutils grep gzip "
            "iproute2 kmod libc-bin mount procps python3 sed systemd systemd-sysv tar util-linux "
            "libbpf-dev libc6-dev libcap-ng-dev libcmocka-dev libgcc-14-dev libjansson-dev libsystemd-dev "
            "nettle-dev").split()
CROSS = """
[binaries]
c = 'clang'
ar = 'llvm-ar'
strip = 'llvm-strip'
pkgconfig = 'pkg-config'
pkg-config = 'pkg-config'
[properties]
sys_root = '{root}'
pkg_config_libdir = '{root}/usr/lib/aarch64-linux-gnu/pkgconfig:{root}/usr/share/pkgconfig'
[built-in options]
c_args = {compiler}
c_link_args = {compiler} + ['-fuse-ld=lld']
[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
"""


def compiler(root):
    return ["--target=aarch64-linux-gnu", f"--sysroot={root}"]


def run(*command):
    """A failure here is the project's own, and not a reason to skip."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)}: {result.stdout[-3000:]}{result.stderr[-3000:]}")


def rootfs(cache):
    """The directory with root/, against which programs are built, and its image."""
    def make(directory):
        root = f"{directory}/root"
        archive = Archive(f"{directory}/archive", [SUITE], "arm64")
        archive.update()
        archive.fetch_programs(PACKAGES, root)
        shutil.rmtree(f"{directory}/archive")
        # Files that the configuration of packages would create; systemd creates the others when the guest boots.
        for name in ("passwd", "group"):
            shutil.copyfile(f"{root}/usr/share/base-passwd/{name}.master", f"{root}/etc/{name}")
        images.guest_prepare(root)
        os.unlink(f"{root}/etc/systemd/system/ldconfig.service")
        images.image_write(root, f"{directory}/root.ext4")

    key = images.digest(images.rootfs_key(), images.content(__file__))
    return cache.artefact("rootfs-arm64", key, make)


def build(directory, root):
    """barbwired, its client and what tests play, from the sources as they are."""
    os.makedirs(directory)
    with open(f"{directory}/cross.ini", "w", encoding="utf-8") as out:
        out.write(CROSS.format(root=root, compiler=compiler(root)))
    run("meson", "setup", f"{directory}/build", harness.SOURCE_ROOT, "--cross-file", f"{directory}/cross.ini",
        "-Dtests=enabled", "-Dman=disabled", "-Dwerror=true")
    run("ninja", "-C", f"{directory}/build", "barbwired", "barbwirectl",
        *(f"tests/{name}" for name in payload.played(harness.TEST_BIN)))
    return f"{directory}/build"


def make(cache, wanted, directory):
    """(root, kernel, qemu, payload), one after the other, since most of it waits for the network."""
    if not wanted:
        return None
    made, disk = rootfs(cache), os.path.join(directory, "payload-arm64.tar")
    programs = build(os.path.join(directory, "build-arm64"), f"{made}/root")
    payload.write(disk, wanted, programs, f"{programs}/tests", ("barbwired", "barbwirectl"))
    kernel = images.kernel(cache, wanted[0].kernel, "arm64", ("clang", *compiler(f"{made}/root"), "-fuse-ld=lld"))
    return f"{made}/root.ext4", kernel, images.qemu(cache, "arm64"), disk
