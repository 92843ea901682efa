#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does every chain of calls fit the stack? The verifier of kernels before 6.13, and of later ones for programs that are
not skipped when they are interrupted by themselves, adds up the frames of all functions in a chain, each rounded up to
32 bytes, and allows 512 bytes in at most 8 frames (kernel/bpf/verifier.c check_max_stack_depth()). This kernel may not
be one of them.

usage: stack-depth.py LLVM-OBJDUMP OBJECT      (as the compiler made it: calls are still named)"""

import re
import subprocess
import sys

STACK_MAX, FRAMES_MAX, FRAME_ROUND = 512, 8, 32

SECTION = re.compile(r"Disassembly of section (.+):")
FUNCTION = re.compile(r"([0-9a-f]+) <(.+)>:")
INSTRUCTION = re.compile(r"\s+(\d+):\s+((?:[0-9a-f]{2}\s)+)(.*)")
ACCESS = re.compile(r"\((r\d+) ([-+]) (0x[0-9a-f]+|\d+)\)")
COPY = re.compile(r"(r\d) = (r\d+)$")
MOVE = re.compile(r"(r\d) \+= (-?\d+)$")
CHANGE = re.compile(r"[rw](\d) \S*=")
# A call of a static function in its own section has no relocation: it says how far away the function is.
CALL_NEAR = re.compile(r"85 10 .*call (-?(?:0x)?[0-9a-f]+)$")
CALL = re.compile(r"R_BPF_64_32\s+(\S+)")


def functions(objdump, path):
    """Bytes of stack and callees of each."""
    text = subprocess.run([objdump, "-dr", path], capture_output=True, text=True, check=True).stdout
    sizes, callees, starts, section, current = {}, {}, {}, None, None
    below = {}  # registers that point into the frame: by how much below its top
    for line in text.splitlines():
        if match := SECTION.match(line):
            section = match[1]
        elif match := FUNCTION.match(line):
            # Blocks of a function follow each other.
            if not match[2].startswith("LBB"):
                current, below = match[2], {"r10": 0}
                sizes[current], callees[current] = 0, set()
                starts[section, int(match[1], 16) // 8] = current
        elif match := CALL.search(line):
            callees[current].add(match[1])
        elif match := INSTRUCTION.match(line):
            at, instruction = int(match[1]), match[3].strip()
            sizes[current] = max(sizes[current], frame_used(instruction, below))
            if (match := CALL_NEAR.search(line.strip())) and int(match[1], 0) != -1:
                callees[current].add((section, at + 1 + int(match[1], 0)))
    return sizes, {name: {starts.get(c, c) for c in found} for name, found in callees.items()}


def frame_used(instruction, below):
    """Bytes of the frame down to where this instruction reaches. Follows copies of its address in `below`."""
    used = 0
    if (match := ACCESS.search(instruction)) and match[1] in below:
        used = below[match[1]] + int(match[3], 0) * (1 if match[2] == "-" else -1)
    if (match := MOVE.match(instruction)) and match[1] in below:
        below[match[1]] -= int(match[2])
        used = max(used, below[match[1]])
    elif (match := COPY.match(instruction)) and match[2] in below:
        below[match[1]] = below[match[2]]
    elif match := CHANGE.match(instruction):
        below.pop(f"r{match[1]}", None)
    return used


def deepest(name, sizes, callees, known):
    if name not in known:
        below = [deepest(c, sizes, callees, known) for c in callees[name] if c in sizes]
        size = -(-max(sizes[name], 1) // FRAME_ROUND) * FRAME_ROUND
        stack = max(below, key=lambda d: d[0], default=(0, 0, []))
        known[name] = (size + stack[0], 1 + max((d[1] for d in below), default=0),
                       [f"{name} ({sizes[name]})"] + stack[2])
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
