# SPDX-License-Identifier: GPL-2.0-or-later
"""The scene of the benchmark: files, a policy with one of them in a class, and the state of the machine."""

import contextlib
import os
import platform
import shutil
import subprocess
import tempfile

import harness
import patterns

DEEP = "a/b/c/d/e/f"  # below /tmp/barbwire-bench-XXXXXXXX: 8 components
FORTY = "bytes-forty"  # likewise: 40 bytes
# One file is of a class, and a rule allows it to the measuring program.
POLICY = """[Class bench]
Path={0}/watched/secret*
Path={0}/watched/stolen

[Allow bench]
Class=bench
Exe={0}/operations
"""


class Scene:
    """with Scene() as scene: its directory exists, with a copy of the measuring program to which a rule applies: owned
    by root, and not writable by others."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.root = tempfile.mkdtemp(prefix="barbwire-bench-", dir="/tmp")
        self.stack.callback(shutil.rmtree, self.root, ignore_errors=True)
        os.chmod(self.root, 0o755)
        self.short = f"/tmp/{self.root[-8:]}"
        self.operations = shutil.copy(harness.program("bench-operations"), f"{self.root}/operations")
        self.secret, self.stolen = f"{self.root}/watched/secret", f"{self.root}/watched/stolen"
        for path in (self.short, f"{self.root}/{DEEP}", f"{self.root}/{FORTY}", self.secret, self.stolen,
                     f"{self.root}/watched/readme"):
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            with open(path, "wb") as out:
                out.write(b"decoy\n")
        self.stack.callback(os.unlink, self.short)
        self.policy = self.policy_directory("policy", POLICY.format(self.root))
        self.generated = {}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def policy_directory(self, name, text):
        path = f"{self.root}/{name}"
        os.mkdir(path)
        os.chmod(path, 0o755)
        with open(f"{path}/{name}.conf", "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def policies(self, which):
        """Policy directories. None: the default policy; else this many generated patterns. Both with the policy of the
        scene."""
        if which is None:
            return harness.DEFAULT_POLICY, self.policy
        if which and which not in self.generated:
            self.generated[which] = self.policy_directory(f"generated-{which}", patterns.policy(which))
        return tuple(self.generated[which] for _ in range(which > 0)) + (self.policy,)

    def steal(self, path=None):
        """A theft that every correlating configuration must report: the file, then the network. Returns the PID of the
        thief."""
        command = [harness.program("bench-storm"), path or self.stolen, "0", "1", "0"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as thief:
            thief.communicate(b"\n")
        return thief.pid


def operations():
    return subprocess.run([harness.program("bench-operations"), "list"], capture_output=True, text=True,
                          check=True).stdout.split()


def cgroup2_mount():
    with open("/proc/self/mounts", encoding="ascii", errors="replace") as mounts:
        return next(line.split()[1] for line in mounts if line.split()[2] == "cgroup2")


def machine():
    """The facts about the machine that are needed to judge the numbers."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {"kernel": platform.release(), "cpu": models[0] if models else platform.machine(), "cpus": os.cpu_count(),
            "load": list(os.getloadavg())}
