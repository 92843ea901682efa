#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guests are made of: a qemu that starts on a fresh machine, and a failure where it does not; and how long
they may take. Needs no root."""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../harness"), os.path.join(HERE, "guest")]
sys.dont_write_bytecode = True

import images
import machine
import steps
import tap
from tap import require, require_equal

VERSION = "echo 'QEMU emulator version 10.0.2'"
# Debian 12 has libnl and libbrlapi in /lib, everything else in /usr/lib.
NEEDS_BOTH = """case :$LD_LIBRARY_PATH: in
*:{0}/lib/x86_64-linux-gnu:*) ;;
*) echo 'libnl-3.so.200: cannot open shared object file' >&2; exit 127 ;;
esac
"""


def program(directory, body):
    os.makedirs(f"{directory}/usr/bin", exist_ok=True)
    path = f"{directory}/usr/bin/qemu-system-x86_64"
    with open(path, "w", encoding="ascii") as out:
        out.write(f"#!/bin/sh\n{body}\n")
    os.chmod(path, 0o755)
    return images.qemu_command(directory, os.path.basename(path))


def libraries(directory):
    command = program(directory, NEEDS_BOTH.format(directory) + VERSION)
    require_equal(images.qemu_version(command), ((10, 0), ""), "the version")


def second_attempt(directory):
    command = program(directory, f"[ -e {directory}/tried ] || {{ : >{directory}/tried; exit 1; }}\n{VERSION}")
    require_equal(images.qemu_require(command, "qemu"), command, "the command")


def never(directory):
    command = program(directory, "echo 'no such thing' >&2; exit 3")
    try:
        images.qemu_require(command, "the qemu of this test")
    except images.Missing as problem:
        text = str(problem)
        require(all(word in text for word in ("the qemu of this test", "exit status 3", "no such thing")), text)
    else:
        raise tap.Failure("a qemu that never starts is used")


def busy():
    """A guest that waits for processors is not one that hangs."""
    require_equal([steps.slowness(booted) for booted in (5, 10, 25, 1000)], [1, 1, 2.5, 4], "how limits grow")
    require(not machine.is_over(300, 200, 1100), "a slow guest hangs")
    require(machine.is_over(300, 301, 301), "a guest that uses a processor for longer than its limit does not hang")
    require(machine.is_over(300, 0, 1201), "a guest that does nothing does not hang")


def waiting():
    """The end of a guest, whatever its limit, and one that hangs."""
    with subprocess.Popen(["true"]) as process:
        require(machine.wait(process, 0, 1), "a process that ended hangs")
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as process:
        require(not machine.wait(process, 0.1, 1), "a process that never ends")
        process.kill()


def main():
    t = tap.Tap()
    images.QEMU_PAUSE_SECONDS = 0
    for name, function in (("an unpacked qemu has the libraries of both directories", libraries),
                           ("a qemu that starts at the second attempt is used", second_attempt),
                           ("a qemu that never starts is a failure that says why", never)):
        with tempfile.TemporaryDirectory(prefix="barbwire-images-") as directory:
            t.case(name, function, directory)
    t.case("the limits of a guest follow from how busy the machine is", busy)
    t.case("a guest that hangs is ended", waiting)
    t.done()


if __name__ == "__main__":
    main()
