# SPDX-License-Identifier: GPL-2.0-or-later
"""The jobs of a run. A job is one guest: a kernel, its arguments, a root file system, and the steps that run in it one
after the other, each a program that prints its cases as TAP. full() below lists all jobs."""

import dataclasses
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../harness"), os.path.join(HERE, "../techniques")]

import deal
import harness
import selinux_rootfs
import service
from rows.expected import SHARES
from images import BASE, GUEST, Missing, Rootfs, write

# The best first, which is the order in which "auto" tries them.
SENSORS = ("lsm", "fentry", "tracepoint")
KERNELS = ("5.10", "6.1", "6.12", "newest")
# Debian's 5.10 has the BPF LSM, but not in its default list of LSMs.
WITH_BPF_LSM = {"5.10": "lsm=lockdown,yama,apparmor,bpf"}
# A failure that only the newest kernel causes is shown, but does not fail a short run.
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
    arguments: str = ""  # of the kernel, in addition to those of every guest
    architecture: str = "amd64"
    rootfs: Rootfs = BASE
    target: str = "vm.target"
    cpus: int = 1
    # Whether the clock of the guest counts its instructions, a nanosecond for each; then it has one processor.
    counts_instructions: bool = False
    megabytes: int = 1024
    # Roughly its duration in seconds: jobs that take longest begin first.
    weight: int = 1


def python(path, *args):
    return ("python3", "-B", path, *args)


def guest(name, *args):
    return python(f"tests/vm/guest/{name}", *args)


def theft(sensor, wanted=None, *options):
    """Most of its time is the verifier's, which a busy machine emulates slowly."""
    return Step("theft", guest("test-theft.py", *options, wanted or sensor), sensor, seconds=600)


def techniques(sensor, *share):
    """All cases that a sensor must pass on a kernel, against one barbwired: each start takes ten seconds, most of it in
    the verifier."""
    return Step("techniques", python("tests/techniques/run.py", "all", "--guest", *map(str, share)), sensor,
                seconds=600)


def all_steps(kernel, sensors, everything):
    """Shares of the cases make a Latin square: each case is played with each sensor, and on each kernel."""
    turn = KERNELS.index(kernel)
    steps = [techniques(sensor, *(() if everything else [(turn + SENSORS.index(sensor)) % SHARES]))
             for sensor in sensors]
    # What a daemon leaves behind when it is killed does not depend on the sensor: one start is enough.
    killed = sensors[turn % len(sensors)]
    return (*steps, Step("killed", python("tests/system/test-leftovers.py"), killed, {"BW_ONLY": "SIGKILL"}))


def enabled_prepare(root):
    """Installs barbwire like a package, enables it, and adds a thief that starts at boot."""
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


# Contains the build under test, so it is created for each run.
ENABLED = Rootfs("enabled", prepare=enabled_prepare, key=None)


def preempted(sensor, *modes):
    return Step(f"preempt={','.join(modes)}", guest("test-preempt.py", ",".join(modes), str(THEFTS)), sensor,
                seconds=400)


def scenarios():
    """Steps that restore the machine share a guest; lockdown, which cannot be lowered, comes last."""
    return [
        Job("machine", "6.12",
            (preempted("tracepoint", "full"),
             *(Step("cost", guest("test-cost.py", sensor), sensor) for sensor in SENSORS),
             Step("no BTF, no JIT", guest("test-cannot.py", "btf", "jit")),
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
        # Little depends on the architecture: one share of the cases, with cases of every row.
        Job("arm64", "6.12", (techniques("tracepoint", 0),), architecture="arm64", weight=60),
    ]


def counted(kernel, sensors):
    """Instructions of operations, on one processor."""
    steps = tuple(Step("instructions", guest("test-instructions.py", sensor), sensor, seconds=900)
                  for sensor in sensors)
    return Job("instructions", kernel, steps, WITH_BPF_LSM.get(kernel, ""), counts_instructions=True, weight=110)


def large():
    """More processors than any other guest, and the memory for which the goals of the tables are given."""
    return Job("large", "6.12", (Step("memory", guest("test-memory.py"), "lsm"), theft("auto", "lsm")), cpus=8,
               megabytes=4096, weight=85)


def renamed():
    """What only these sensors know of a user whose files have no room: that one was renamed."""
    steps = tuple(Step(f"names, {sensor}", python("tests/system/test-names.py"), sensor,
                       {"BW_ONLY": "a user fills their share"}) for sensor in ("lsm", "fentry"))
    # Other programs take all places of a function: this machine may not load them.
    steps += tuple(Step(f"beside, {sensor}", python("tests/system/test-beside.py"), sensor, seconds=900)
                   for sensor in ("lsm", "fentry"))
    return Job("names", "6.12", steps, weight=90)


def denied(kernel, sensors):
    """Action=deny by the sensors that this machine may not load, and by the other one where it decides about data on
    connections without the hook that reports it (before 6.5)."""
    steps = tuple(step for sensor in sensors if sensor != "tracepoint" or kernel == KERNELS[0] for step in (
        *(Step(f"{name}, {sensor}", python(f"tests/system/test-{name}.py"), sensor, seconds=900)
          for name in ("access", "enforcement", "fail-closed")),
        Step(f"techniques, denied, {sensor}", python("tests/techniques/run.py", "out", "--deny"), sensor, seconds=900)))
    return matrix(kernel, "deny-", steps)


def matrix(kernel, prefix, steps):
    """Boot and unpacking take ten seconds: one guest for all sensors of a kernel."""
    return Job(prefix + kernel, kernel, steps, WITH_BPF_LSM.get(kernel, ""), weight=100 + KERNELS.index(kernel))


def full(sensors, everything=False):
    """Every kernel with every sensor, and the other properties in which machines differ."""
    return ([matrix(kernel, "", all_steps(kernel, sensors, everything)) for kernel in KERNELS] + scenarios()
            + [denied(kernel, sensors) for kernel in (KERNELS[0], KERNELS[-1])]
            + [counted("6.12", sensors), large(), renamed()])


def short(sensors):
    """Each kernel boots, and its sensors load and detect a theft; and one sensor's instructions are counted. The
    verifier takes most of the time: of the sensors each run deals one to each kernel, all of them in so many runs."""
    def dealt(n):
        return [sensor for k, sensor in enumerate(sensors) if deal.is_dealt(n + k, len(sensors))]
    return ([matrix(kernel, "short-", tuple(theft(sensor) for sensor in dealt(n))) for n, kernel in enumerate(KERNELS)]
            + [counted("6.12", ["tracepoint"])])
