#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does every chain of calls fit the stack? The verifier of kernels before 6.13, and of later ones for programs that are not
skipped when they are interrupted by themselves, adds up the frames of all functions in a chain, each rounded up to 32 bytes, and
allows 512 bytes in at most 8 frames (kernel/bpf/verifier.c check_max_stack_depth()). This kernel may not be one of them.

usage: stack-depth.py LLVM-OBJDUMP OBJECT      (as the compiler made it: calls are still named)"""

import re
import subprocess
import sys

STACK_MAX, FRAMES_MAX, FRAME_ROUND = 512, 8, 32

FUNCTION = re.compile(r"[0-9a-f]+ <(.+)>:")
ACCESS = re.compile(r"\(r10 - (0x[0-9a-f]+|\d+)\)")
ADDRESS = re.compile(r"(r\d) \+= -(\d+)\s*$")
CALL = re.compile(r"R_BPF_64_32\s+(\S+)")


def functions(objdump, path):
    """Bytes of stack and callees of each."""
    text = subprocess.run([objdump, "-dr", "--no-show-raw-insn", path], capture_output=True, text=True, check=True).stdout
    sizes, callees, current, before = {}, {}, None, ""
    for line in text.splitlines():
        if match := FUNCTION.match(line):
            if not match[1].startswith("LBB"):
                current = match[1]
                sizes[current], callees[current] = 0, set()
        elif current:
            if match := ACCESS.search(line):
                sizes[current] = max(sizes[current], int(match[1], 0))
            if (match := ADDRESS.search(line)) and f"{match[1]} = r10" in before:
                sizes[current] = max(sizes[current], int(match[2]))
            if match := CALL.search(line):
                callees[current].add(match[1])
            before = line
    return sizes, callees


def deepest(name, sizes, callees, known):
    if name not in known:
        below = [deepest(c, sizes, callees, known) for c in callees[name] if c in sizes]
        size = -(-max(sizes[name], 1) // FRAME_ROUND) * FRAME_ROUND
        stack = max(below, key=lambda d: d[0], default=(0, 0, []))
        known[name] = (size + stack[0], 1 + max((d[1] for d in below), default=0), [f"{name} ({sizes[name]})"] + stack[2])
    return known[name]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sizes, callees = functions(*sys.argv[1:])
    called = {c for cs in callees.values() for c in cs}
    programs = sorted(name for name in sizes if name not in called)
    known, failed = {}, 0
    print(f"1..{len(programs)}")
    for number, name in enumerate(programs, 1):
        stack, frames, chain = deepest(name, sizes, callees, known)
        good = stack <= STACK_MAX and frames <= FRAMES_MAX
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}: {stack} bytes, {frames} frames")
        if not good:
            print("# " + " → ".join(chain))
    sys.exit(failed > 0)


main()
