# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that enforces SELinux: the reference policy of Debian, our module (selinux/) built against it and installed,
and barbwire installed like a package. It is prepared and labelled on this machine, before it becomes an image: in the
guest, under emulation, either would take a minute."""

import os
import shutil
import subprocess

import harness
import service
from images import HERE, Rootfs, write

PROBE = "usr/local/libexec/barbwire-probe"
MODULES = "usr/src/barbwire"
# Without a rate limit, every denial is in the kernel's log, which the test reads.
ARGUMENTS = "security=selinux selinux=1 enforcing=1 sysctl.kernel.printk_ratelimit=0"


def run(*command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {result.stdout}{result.stderr}")


def prepare(root):
    run("cp", "-a", f"{service.FILES}/.", root)
    run("chroot", root, "systemd-sysusers")
    run("chroot", root, "systemctl", "enable", service.UNIT)
    # Under emulation, beside other guests, loading the programs takes longer than the watchdog allows.
    write(f"{root}/etc/systemd/system/{service.UNIT}.d/emulated.conf",
          "[Service]\nWatchdogSec=10min\nTimeoutStartSec=10min\n")

    os.makedirs(f"{root}/{os.path.dirname(PROBE)}", exist_ok=True)
    run("gcc", "-O2", "-static", "-Wall", "-Werror", "-o", f"{root}/{PROBE}", f"{HERE}/selinux-probe.c")
    modules = f"{root}/{MODULES}"
    shutil.copytree(f"{harness.SOURCE_ROOT}/selinux", modules)
    shutil.copyfile(f"{HERE}/selinux-probe.te", f"{modules}/barbwire_probe.te")
    write(f"{modules}/barbwire_probe.fc", f"/{PROBE}\t--\tgen_context(system_u:object_r:barbwire_probe_exec_t,s0)\n")
    write(f"{modules}/barbwire_probe.if", "## <summary>None.</summary>\n")
    names = ["barbwire.pp", "barbwire_probe.pp"]
    run("chroot", root, "make", "-C", f"/{MODULES}", "-f", "/usr/share/selinux/devel/Makefile", *names)
    # Not loaded, since this machine's kernel has another policy, or none. -D: denials that the policy would not audit
    # are logged, too, so that none of them can hide a permission that barbwire needs.
    run("chroot", root, "semodule", "--noreload", "-D", "-i", *(f"/{MODULES}/{name}" for name in names))

    write(f"{root}/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=default\n")
    run("chroot", root, "setfiles", "-F", "/etc/selinux/default/contexts/files/file_contexts", "/")
    # When a service or the kernel calls them, they run in domains of their own, which do not allow what the test needs:
    # creating network namespaces, reading the journal, loading modules from a disk without labels.
    for name in ("ip", "journalctl", "kmod"):
        os.setxattr(f"{root}/usr/bin/{name}", "security.selinux", b"system_u:object_r:bin_t:s0\0")


# Contains the build under test, so it is created for each run.
SELINUX = Rootfs("selinux", ("selinux-policy-default", "selinux-policy-dev", "policycoreutils", "selinux-utils"),
                 prepare, key=None)
