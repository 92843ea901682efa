# SPDX-License-Identifier: GPL-2.0-or-later
"""What is run where. A job is one guest: a kernel, its arguments, a root file system, and the steps that run in it
one after the other, each a program that tells its cases as TAP. Whoever adds a job adds it to full() below."""

import dataclasses
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../techniques")]

import harness
import selinux_rootfs
import service
from expected import SHARES
from images import BASE, GUEST, Missing, Rootfs, write

# The best first: what "auto" takes where it works.
SENSORS = ("lsm", "fentry", "tracepoint")
KERNELS = ("5.10", "6.1", "6.12", "newest")
# Debian's 5.10 has BPF's security module, but not in the list of those that are used.
WITH_BPF_LSM = {"5.10": "lsm=lockdown,yama,apparmor,bpf"}
# What only the kernel of tomorrow breaks is to be seen, but nobody's change is to wait for it.
TOMORROW = "newest"
THEFTS = 100


@dataclasses.dataclass(frozen=True)
class Step:
    name: str
    command: tuple  # relative to the source tree, which is where it runs
    sensor: str = ""
    environment: dict = dataclasses.field(default_factory=dict)
    seconds: int = 300


@dataclasses.dataclass(frozen=True)
class Job:
    name: str
    kernel: str
    steps: tuple
    arguments: str = ""  # of the kernel, beside those that every guest has
    architecture: str = "amd64"
    rootfs: Rootfs = BASE
    target: str = "vm.target"
    cpus: int = 1
    megabytes: int = 1024
    # About how many seconds it takes, to begin with what takes longest.
    weight: int = 1


def python(path, *args):
    return ("python3", "-B", path, *args)


def guest(name, *args):
    return python(f"tests/vm/guest/{name}", *args)


def theft(sensor, wanted=None, *options):
    return Step("theft", guest("test-theft.py", *options, wanted or sensor), sensor)


def techniques(sensor, *share):
    """All that a sensor must pass on a kernel, against one barbwired: each start takes ten seconds, of which the kernel's
    verifier has most."""
    return Step("techniques", python("tests/techniques/run.py", "all", *map(str, share)), sensor, seconds=600)


def whole(kernel, sensors, everything):
    """Shares of the cases make a Latin square: each case is played with each sensor, and on each kernel."""
    turn = KERNELS.index(kernel)
    steps = [techniques(sensor, *(() if everything else [(turn + SENSORS.index(sensor)) % SHARES])) for sensor in sensors]
    # A killed one leaves no more than one that was asked to end (techniques): one sensor's start is enough.
    killed = sensors[turn % len(sensors)]
    return (*steps, Step("killed", python("tests/system/test-leftovers.py"), killed, {"BW_ONLY": "SIGKILL"}))


def enabled_prepare(root):
    """barbwire installed and enabled as a package and an administrator do it, and a thief that boots with it."""
    def run(*command):
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise Missing(f"{' '.join(command)}: {result.stderr.strip()}")

    run("cp", "-a", f"{service.FILES}/.", root)
    os.makedirs(f"{root}/usr/local/libexec", exist_ok=True)
    shutil.copy(harness.program("technique-out-udp"), f"{root}/usr/local/libexec/early-thief")
    shutil.copyfile(f"{GUEST}/early-thief.service", f"{root}/etc/systemd/system/early-thief.service")
    write(f"{root}/root/.ssh/id_early", "DECOY, NOT A KEY\n", 0o600)
    run("chroot", root, "systemd-sysusers")
    run("chroot", root, "systemctl", "enable", "barbwire.service", "early-thief.service")


# Of the build that is tested: made for each run.
ENABLED = Rootfs("enabled", prepare=enabled_prepare, key=None)


def preempted(sensor, *modes):
    return Step(f"preempt={','.join(modes)}", guest("test-preempt.py", ",".join(modes), str(THEFTS)), sensor, seconds=400)


def scenarios():
    """Steps that leave the machine as they found it share a guest; lockdown, which only rises, comes last."""
    return [
        Job("machine", "6.12",
            (preempted("tracepoint", "full"),
             *(Step("cost", guest("test-cost.py", sensor), sensor) for sensor in SENSORS),
             Step("no BTF", guest("test-cannot.py", "btf")),
             Step("service", guest("test-pid1.py", "--newer")),
             theft("auto", "lsm", "--lockdown=integrity"),
             Step("confidentiality", guest("test-cannot.py", "confidentiality"))), cpus=2, weight=90),
        Job("preempt", "newest",
            (preempted("tracepoint", "full", "lazy"), preempted("auto", "lazy")),
            cpus=2, weight=80),
        Job("boot", "6.12", (Step("boot", guest("test-boot.py")),), rootfs=ENABLED, target="multi-user.target",
            weight=30),
        Job("no-bpf-lsm", "5.10", (Step("no BPF LSM", guest("test-cannot.py", "lsm")), theft("auto", "fentry")),
            weight=20),
        Job("selinux", "6.12", (Step("selinux", python("tests/vm/selinux-test.py"), seconds=900),),
            selinux_rootfs.ARGUMENTS, rootfs=selinux_rootfs.SELINUX, target="multi-user.target", weight=70),
        # A processor's own part is small: each row.
        Job("arm64", "6.12", (techniques("tracepoint", 0),), architecture="arm64", weight=60),
    ]


def matrix(kernel, prefix, steps):
    """A boot and the unpacking are ten seconds: one guest for all sensors of a kernel."""
    return Job(prefix + kernel, kernel, steps, WITH_BPF_LSM.get(kernel, ""), weight=100 + KERNELS.index(kernel))


def full(sensors, everything=False):
    """Every kernel with every sensor, and what else can be different about a machine."""
    return [matrix(kernel, "", whole(kernel, sensors, everything)) for kernel in KERNELS] + scenarios()


def short(sensors):
    """Each kernel boots, each sensor is loaded, each tells a theft."""
    return [matrix(kernel, "short-", tuple(theft(sensor) for sensor in sensors)) for kernel in KERNELS]
