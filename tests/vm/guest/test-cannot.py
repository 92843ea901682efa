#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that cannot: exit status 3, and a sentence that names what is missing, one for each sensor at most.

usage: test-cannot.py btf|lsm|confidentiality...
btf               no BTF: a mount hides it, as a kernel built without it would be one of our own making
lsm               --sensor=lsm where "bpf" is not in the kernel's list of security modules
confidentiality   lockdown=confidentiality (raised at run time: there is no way back), where BPF may not read memory"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))

import harness
import tap
from tap import require, require_equal

BTF = "/sys/kernel/btf"
LOCKDOWN = "/sys/kernel/security/lockdown"


def require_refusal(words, sentences, *args):
    result = subprocess.run([harness.BARBWIRED, f"--policy-dir={harness.DEFAULT_POLICY}", *args],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                            timeout=harness.ARMED_TIMEOUT)
    require_equal(result.returncode, 3, f"exit status\n{result.stderr}")
    told = result.stderr.strip().splitlines()
    require(len(told) <= sentences, f"more than {sentences} sentences: {told}")
    require(any(word in line for line in told for word in words), f"names none of {words}: {told}")
    require_equal(result.stdout, "", "standard output")


def btf():
    subprocess.run(["mount", "-t", "tmpfs", "none", BTF], check=True)
    try:
        require_refusal(["BTF"], 1)
    finally:
        subprocess.run(["umount", BTF], check=True)


def lsm():
    with open("/sys/kernel/security/lsm", encoding="ascii") as modules:
        require("bpf" not in modules.read().strip().split(","), "this kernel has bpf in its list")
    # Why not, and what to do.
    require_refusal(["list of LSMs"], 2, "--sensor=lsm")


def confidentiality():
    with open(LOCKDOWN, "w", encoding="ascii") as out:
        out.write("confidentiality")
    require_refusal(["lockdown"], 3)


CASES = {"btf": ("/sys/kernel/btf is hidden by a mount: exit 3, names BTF", btf),
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
