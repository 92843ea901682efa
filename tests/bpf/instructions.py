#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does an object contain only instructions that kernel 5.10 knows? Compilers choose newer ones by themselves: an
addition whose result nobody needs became one that fetches the value before.

usage: instructions.py LLVM-OBJDUMP OBJECT"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
from tap import require

FUNCTION = re.compile(r"[0-9a-f]+ <(.+)>:")
INSTRUCTION = re.compile(r"^\s+\d+:\s+((?:[0-9a-f]{2}\s){8})")
# include/uapi/linux/bpf.h: the class of an instruction, and the mode of one that loads or stores.
CLASS_MASK, LDX, STX, JMP32, ALU64 = 0x07, 0x01, 0x03, 0x06, 0x07
MODE_MASK, MEMSX, ATOMIC = 0xe0, 0x80, 0xc0
OPERATION_MASK, SOURCE_MASK = 0xf0, 0x08
JUMP, DIVIDE, MODULO, MOVE, SWAP = 0x00, 0x30, 0x90, 0xb0, 0xd0
ATOMIC_ADD = 0


def too_new(code):
    """What a kernel after 5.10 has added and this instruction uses; None if it is old enough. code: 8 bytes."""
    opcode, offset, value = code[0], int.from_bytes(code[2:4], "little"), int.from_bytes(code[4:8], "little")
    kind, operation = opcode & CLASS_MASK, opcode & OPERATION_MASK
    if kind == STX and opcode & MODE_MASK == ATOMIC:
        return None if value == ATOMIC_ADD else "an atomic operation that is no addition, or returns a value (5.12)"
    if kind == LDX and opcode & MODE_MASK == MEMSX:
        return "a load that extends the sign (6.6)"
    if kind == JMP32 and operation == JUMP:
        return "a long jump (6.6)"
    if kind == ALU64 and operation == SWAP:
        return "a swap of bytes without condition (6.6)"
    if kind in (0x04, ALU64) and operation in (DIVIDE, MODULO, MOVE) and offset:
        return "a signed division, or a move that extends the sign (6.6)"
    return None


def check(objdump, path):
    text = subprocess.run([objdump, "-d", path], capture_output=True, text=True, check=True).stdout
    function, seen, wrong = None, 0, {}
    for line in text.splitlines():
        if match := FUNCTION.match(line):
            function = match[1]
        elif match := INSTRUCTION.match(line):
            seen += 1
            if why := too_new(bytes.fromhex(match[1])):
                wrong.setdefault(why, []).append(f"{function}: {line.strip()}")
    require(seen > 1000, f"{seen} instructions in {path}")
    require(not wrong, "\n".join(f"{why}: {len(at)} times, such as\n{at[0]}" for why, at in wrong.items()))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    t = tap.Tap()
    t.case("kernel 5.10 knows every instruction", check, *sys.argv[1:])
    t.done()


if __name__ == "__main__":
    main()
