#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An unsupported kernel: exit status 3, and a message that names what is missing, one for each sensor at most.

usage: test-cannot.py btf|jit|lsm|confidentiality...
btf               no BTF: a mount hides it, so that no kernel has to be built without it
jit               BPF programs are interpreted: a mount says so, as most kernels always compile them
lsm               --sensor=lsm where "bpf" is not in the kernel's list of security modules
confidentiality   lockdown=confidentiality, where BPF may not read memory (set at run time, cannot be lowered again)"""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../harness"))

import harness
import tap
from tap import require, require_equal

BTF = "/sys/kernel/btf"
JIT = "/proc/sys/net/core/bpf_jit_enable"
LOCKDOWN = "/sys/kernel/security/lockdown"


def require_refusal(words, sentences, *args):
    result = subprocess.run([harness.BARBWIRED, f"--policy-dir={harness.DEFAULT_POLICY}", *args],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                            timeout=harness.ARMED_TIMEOUT)
    require_equal(result.returncode, 3, f"exit status\n{result.stderr}")
    lines = result.stderr.strip().splitlines()
    require(len(lines) <= sentences, f"more than {sentences} sentences: {lines}")
    require(any(word in line for line in lines for word in words), f"names none of {words}: {lines}")
    require_equal(result.stdout, "", "standard output")


def btf():
    subprocess.run(["mount", "-t", "tmpfs", "none", BTF], check=True)
    try:
        require_refusal(["BTF"], 1)
    finally:
        subprocess.run(["umount", BTF], check=True)


def jit():
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("0\n")
        file.flush()
        subprocess.run(["mount", "--bind", file.name, JIT], check=True)
    try:
        require_refusal(["net.core.bpf_jit_enable"], 1)
    finally:
        subprocess.run(["umount", JIT], check=True)


def lsm():
    with open("/sys/kernel/security/lsm", encoding="ascii") as modules:
        require("bpf" not in modules.read().strip().split(","), "this kernel has bpf in its list")
    # One sentence for the reason, one for the remedy.
    require_refusal(["active LSMs"], 2, "--sensor=lsm")


def confidentiality():
    with open(LOCKDOWN, "w", encoding="ascii") as out:
        out.write("confidentiality")
    require_refusal(["lockdown"], 3)


CASES = {"btf": ("/sys/kernel/btf is hidden by a mount: exit 3, names BTF", btf),
         "jit": ("bpf_jit_enable is 0: exit 3, names it", jit),
         "lsm": ("--sensor=lsm without bpf in the list: exit 3, names it", lsm),
         "confidentiality": ("lockdown=confidentiality: exit 3, names it", confidentiality)}


def main():
    harness.require_machine()
    t = tap.Tap()
    for name in sys.argv[1:]:
        t.case(CASES[name][0], CASES[name][1])
    t.done()


if __name__ == "__main__":
    main()
