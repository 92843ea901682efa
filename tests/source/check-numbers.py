#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of bpf/lib/ that classify the kernel's numbers are complete: each number of the oldest and the newest
kernel in numbers/, and of the headers that this machine has, is in its table, by its name.

usage: check-numbers.py ROOT                        checks, as TAP
       check-numbers.py --write NAME DIRECTORY...   prints the numbers of the headers in these include directories, as a
                                                    file of numbers/; NAME says where they are from. An architecture's
                                                    asm/ comes after its name: x86=DIRECTORY."""

import glob
import os
import re
import subprocess
import sys
import textwrap

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
from tap import Skip, require, require_equal

HERE = os.path.dirname(os.path.abspath(__file__))
X32_BIT = 0x40000000
CALLS_MAX, X32_FIRST = 1024, 512
NO_CALLS = ("syscalls", "SYSCALL_BASE", "arch_specific_syscall")
NO_REQUESTS = "(O|EVENT|EVENTMSG|SYSCALL_INFO|PEEKSIGINFO|GETFDPIC)_"
NO_FAMILIES = ("LOCAL", "FILE", "ROUTE", "MAX")
CONTROL_HEADERS = ("linux/fs.h", "linux/userfaultfd.h", "linux/seccomp.h", "sys/ioctl.h", "linux/kd.h", "linux/btrfs.h",
                   "linux/loop.h", "linux/f2fs.h")
# Requests of ioctl(2) that move data, descriptors or extents of files, also of file systems, as the table lists them:
# nothing in a header says what one does.
CONTROLS = ("FICLONE", "FICLONERANGE", "FIDEDUPERANGE", "UFFDIO_COPY", "SECCOMP_IOCTL_NOTIF_ADDFD",
            "SECCOMP_IOCTL_NOTIF_SEND", "TIOCSTI", "TIOCCONS", "KDSKBSENT", "FS_IOC_SETVERSION", "EXT4_IOC_SETVERSION",
            "EXT4_IOC_MOVE_EXT", "EXT4_IOC_SWAP_BOOT", "XFS_IOC_SWAPEXT", "XFS_IOC_EXCHANGE_RANGE",
            "F2FS_IOC_MOVE_RANGE", "BTRFS_IOC_SNAP_CREATE", "BTRFS_IOC_SNAP_CREATE_V2", "BTRFS_IOC_SEND",
            "LOOP_SET_FD", "LOOP_CHANGE_FD", "LOOP_CONFIGURE")
# A header's request of such a name is one of them, or one of these: other names of FICLONE and FICLONERANGE, and what
# moves within one process (mm/userfaultfd.c).
CONTROL_NAMES = r"\w*(?:CLONE|COPY|(?<!RE)MOVE|ADDFD|DEDUPE|SWAP|EXCHANGE|SEND|SNAP_CREATE|SET_FD|CHANGE_FD)\w*"
CONTROLS_OTHER = ("BTRFS_IOC_CLONE", "BTRFS_IOC_CLONE_RANGE", "UFFDIO_MOVE")
INDIRECTIONS_MAX = 4  # __NR_fcntl is __NR3264_fcntl, which is a number
# What arch/arm64/include/uapi/asm/unistd.h defines before it includes asm-generic/unistd.h, until 6.11.
ARM64_WANTS = ("RENAMEAT", "NEW_STAT", "SET_GET_RLIMIT", "TIME32_SYSCALLS", "MEMFD_SECRET")


# ---- the kernel's headers ----

def macros(text, directories, defines=()):
    """{name: number} of the macros that this text defines, includes of `directories` resolved."""
    command = ["gcc", "-E", "-dM", "-undef", "-nostdinc", "-D__x86_64__", *(f"-D{name}" for name in defines),
               *(f"-I{directory}" for directory in directories), "-"]
    result = subprocess.run(command, input=text, capture_output=True, text=True)
    if result.returncode != 0:
        return {}
    defined = dict(re.findall(r"^#define (\w+) (.+)$", result.stdout, re.MULTILINE))
    numbers = {}
    for name, value in defined.items():
        for _ in range(INDIRECTIONS_MAX):
            value = defined.get(value, value)
        number = re.fullmatch(r"\(?(?:\w+ ?\+ ?)?(0x[0-9a-fA-F]+|0|[1-9]\d*)\)?", value)
        if number:
            numbers[name] = int(number[1], 0)
    return numbers


def beginning(prefix, numbers):
    return {name[len(prefix):]: number for name, number in numbers.items() if name.startswith(prefix)}


def calls(header, directories, defines=()):
    numbers = beginning("__NR_", macros(f"#include <{header}>\n", directories, defines))
    return {name: number & ~X32_BIT for name, number in numbers.items() if name not in NO_CALLS}


def headers_numbers(directories, architectures):
    """{set: {name: number}} of the headers in these directories; architectures: {"x86": [directory of asm/]}."""
    found = {}
    x86, arm64, arm = (architectures.get(name, []) for name in ("x86", "arm64", "arm"))
    for name, header in (("x86_64", "unistd_64.h"), ("i386", "unistd_32.h"), ("x32", "unistd_x32.h")):
        found[name] = calls(f"asm/{header}", x86)
    wants = [f"__ARCH_WANT_{name}" for name in ARM64_WANTS]
    found["arm64"] = (calls("asm/unistd_64.h", arm64)
                      or calls("asm-generic/unistd.h", [*directories, *arm64, *x86], wants))
    found["arm"] = calls("asm/unistd-eabi.h", arm)
    found["socketcall"] = beginning("SYS_", macros("#include <linux/net.h>\n", [*directories, *x86, *arm64]))
    found["ipc"] = {name: number for name, number in macros("#include <linux/ipc.h>\n", [*directories, *x86]).items()
                    if re.fullmatch("(SEM|MSG|SHM)[A-Z]+", name)}
    found["io_uring"] = enumerators("linux/io_uring.h", "IORING_OP_", "LAST", directories)
    found.update(uring_flags(directories))
    for name, asm in (("x86", x86), ("arm64", arm64), ("arm", arm)):
        found[f"ptrace_{name}"] = requests([*directories, *asm]) if asm else {}
    # The kernel keeps them to itself; the C library repeats them.
    families = beginning("AF_", macros("#define _SYS_SOCKET_H\n#include <bits/socket.h>\n", libc()))
    found["families"] = {name: number for name, number in families.items() if name not in NO_FAMILIES}
    return {name: numbers for name, numbers in found.items() if numbers}


def libc():
    """Where the headers of this machine's C library are, with those of the compiler."""
    machine = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
    compiler = subprocess.run(["gcc", "-print-file-name=include"], capture_output=True, text=True).stdout.strip()
    return [compiler, f"/usr/include/{machine}", "/usr/include"]


def enumerators(header, prefix, last, directories):
    """Those of an enumeration that begins with 0, up to `last`."""
    for directory in directories:
        if os.path.exists(f"{directory}/{header}"):
            with open(f"{directory}/{header}", encoding="utf-8") as file:
                names = re.findall(rf"^\t{prefix}(\w+),", file.read(), re.MULTILINE)
            return {name: number for number, name in enumerate(names[:names.index(last)])}
    return {}


def uring_flags(directories):
    """What else linux/io_uring.h has, by the form of its lines."""
    for directory in directories:
        if not os.path.exists(f"{directory}/linux/io_uring.h"):
            continue
        with open(f"{directory}/linux/io_uring.h", encoding="utf-8") as file:
            text = file.read()
        bits = r"(\w+)\s+\(1U << (\d+)\)"
        forms = {"io_uring_setup": rf"#define IORING_SETUP_{bits}",
                 "io_uring_socket": rf"#define IORING_(?=RECVSEND_|RECV_|SEND_){bits}"}
        found = {name: {flag: 1 << int(bit) for flag, bit in re.findall(form, text)} for name, form in forms.items()}
        found["io_uring_request"] = {name: 1 << bit for bit, name in
                                     enumerate(re.findall(r"^\tIOSQE_(\w+)_BIT,", text, re.MULTILINE))}
        found["io_uring_register"] = {name: int(number) for name, number in
                                      re.findall(r"^\tIORING_((?:UN)?REGISTER_\w+)\s*= (\d+),", text, re.MULTILINE)}
        return found
    return {}


def requests(directories):
    """Not its options, events and flags."""
    numbers = beginning("PTRACE_", macros("#include <linux/ptrace.h>\n#include <asm/ptrace.h>\n", directories))
    return {name: number for name, number in numbers.items() if not re.match(NO_REQUESTS, name)}


def this_machine():
    machine = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
    asm = [directory for directory in (f"/usr/include/{machine}", "/usr/include")
           if os.path.isdir(f"{directory}/asm")]
    x86 = os.path.exists(f"{asm[0]}/asm/unistd_64.h") if asm else False
    return headers_numbers(["/usr/include", *asm], {"x86" if x86 else "arm64": [*asm, "/usr/include"]})


def write(name, arguments):
    architectures, directories = {}, []
    for argument in arguments:
        architecture, equals, directory = argument.partition("=")
        if equals:
            architectures.setdefault(architecture, []).append(directory)
        else:
            directories.append(argument)
    architectures = {key: [*value, *directories] for key, value in architectures.items()}
    print("# SPDX-License-Identifier: GPL-2.0-or-later\n# The numbers of the kernel's interfaces, written by"
          f" check-numbers.py --write.\n# Source: {name}")
    for what, numbers in headers_numbers(directories, architectures).items():
        print(f"[{what}]")
        words = " ".join(f"{name}={number}" for name, number in sorted(numbers.items(), key=lambda item: item[::-1]))
        print("\n".join(textwrap.wrap(words, 118, break_long_words=False, break_on_hyphens=False)))


def read_numbers(path):
    """What write() printed."""
    found, numbers = {}, None
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.startswith("["):
                numbers = found.setdefault(line.strip("[]\n"), {})
            elif not line.startswith("#"):
                numbers.update((word.split("=")[0], int(word.split("=")[1])) for word in line.split())
    return found


# ---- the tables ----

class Table:
    """The rows of one X-macro. columns: the sets of numbers that its columns are of, from the second on."""

    def __init__(self, header, macro, columns):
        self.header, self.macro, self.columns = header, macro, columns
        self.rows = []

    def read(self, root):
        with open(f"{root}/bpf/{self.header}", encoding="utf-8") as file:
            body = re.search(rf"#define {self.macro}\(X\)((?:.*\\\n)+.*\n)", file.read())
        require(body, f"{self.header} has no {self.macro}")
        self.rows = [[cell.strip() for cell in row.split(",")] for row in re.findall(r"X\(([^)]*)\)", body[1])]
        return self

    def numbers(self, column, rows=None):
        """[(name, number)] of one set."""
        place = 1 + self.columns.index(column)
        return [(row[0], int(row[place], 0)) for row in rows or self.rows if row[place] != "NA"]


TABLES = (
    Table("lib/calls.h", "BW_CALLS", ["x86_64", "i386", "x32", "arm64", "arm"]),
    Table("lib/calls.h", "BW_SOCKET_CALLS", ["socketcall"]),
    Table("lib/calls.h", "BW_IPC_CALLS", ["ipc"]),
    Table("lib/requests.h", "BW_OPERATIONS", ["io_uring"]),
    Table("lib/requests.h", "BW_REGISTRATIONS", ["io_uring_register"]),
    Table("lib/requests.h", "BW_REQUEST_FLAGS", ["io_uring_request"]),
    Table("lib/requests.h", "BW_SOCKET_FLAGS", ["io_uring_socket"]),
    Table("lib/requests.h", "BW_RING_FLAGS", ["io_uring_setup"]),
    Table("lib/requests.h", "BW_TRACES", ["ptrace_x86", "ptrace_arm64", "ptrace_arm"]),
    Table("lib/requests.h", "BW_FAMILIES", ["families"]),
)


def missing(table, numbers, rows=None):
    """What the headers have and the table does not."""
    return [f"{column} {name}={number}" for column in table.columns
            for name, number in sorted(set(numbers.get(column, {}).items()) - set(table.numbers(column, rows)))]


def check_complete(numbers):
    if not numbers:
        raise Skip("this machine has no kernel headers", environment=True)
    gone = [text for table in TABLES for text in missing(table, numbers)]
    require(not gone, f"not in the tables of bpf/lib/, classify them there: {gone}")


def check_rows(newest):
    """Nothing stands there twice, and nothing that no kernel has."""
    for table in TABLES:
        for column in table.columns:
            listed = table.numbers(column)
            require_equal(len({number for _, number in listed}), len(listed), f"numbers of {table.macro}, {column}")
            invented = sorted(set(listed) - set(newest[column].items()))
            require(not invented, f"{table.macro}, {column}: no kernel has {invented}")
            require(table.header != "lib/calls.h" or all(number < CALLS_MAX for _, number in listed),
                    f"{table.macro}, {column}: beyond CALLS_MAX")


def check_controls(root):
    """Numbers of ioctl(2) are expressions, which only the compiler can evaluate; a header may not have them yet."""
    controls = Table("lib/requests.h", "BW_CONTROLS", ["ioctl"]).read(root)
    asserts = "".join(f"#ifdef {name}\n_Static_assert({name} == {number}, \"{name}\");\n#endif\n"
                      for name, number in controls.numbers("ioctl"))
    includes = "".join(f"#include <{header}>\n" for header in CONTROL_HEADERS)
    result = subprocess.run(["gcc", "-fsyntax-only", "-x", "c", "-"], input=includes + asserts, capture_output=True,
                            text=True)
    require(result.returncode == 0, result.stderr[:2000])


def check_moving_controls(root):
    """No request is gone from the table; a header of this machine has none of such a name that nobody has looked at."""
    listed = {row[0] for row in Table("lib/requests.h", "BW_CONTROLS", ["ioctl"]).read(root).rows}
    require_equal(sorted(listed), sorted(CONTROLS), "BW_CONTROLS")
    for path in (f"{directory}/{header}" for directory in libc() for header in CONTROL_HEADERS):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found = re.findall(rf"^#define\s+({CONTROL_NAMES})\s+(?:SECCOMP)?_IO", file.read(), re.MULTILINE)
            unknown = sorted(set(found) - listed - set(CONTROLS_OTHER))
            require(not unknown, f"{path}: not in BW_CONTROLS, classify them there: {unknown}")


def check_x32(_):
    """One array serves x86_64 and x32."""
    table = TABLES[0]
    native = dict(table.numbers("x86_64"))
    for name, number in table.numbers("x32"):
        require(number >= X32_FIRST or native.get(name) == number, f"x32 {name}={number} is another call's number")


def check_sharp(newest):
    """Each row is needed: without it the check above fails."""
    for table in TABLES:
        for n, row in enumerate(table.rows):
            require(missing(table, newest, table.rows[:n] + table.rows[n + 1:]),
                    f"{table.macro} is complete without {row}")


def main():
    if len(sys.argv) > 3 and sys.argv[1] == "--write":
        return write(sys.argv[2], sys.argv[3:])
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for table in TABLES:
        table.read(sys.argv[1])
    t = tap.Tap()
    kernels = {os.path.basename(path): read_numbers(path) for path in glob.glob(f"{HERE}/numbers/*.txt")}
    newest = kernels[max(kernels, key=lambda name: [int(word) for word in re.findall(r"\d+", name)])]
    for name, numbers in sorted(kernels.items()):
        t.case(f"every number of {name} is in its table", check_complete, numbers)
    t.case("every number of this machine's headers is in its table", check_complete, this_machine())
    t.case("every row is of a kernel, and stands there once", check_rows, newest)
    t.case("requests of ioctl have the numbers of this machine's headers", check_controls, sys.argv[1])
    t.case("requests of ioctl that move something are in the table", check_moving_controls, sys.argv[1])
    t.case("x32 shares the array of x86_64", check_x32, newest)
    t.case("without any one row a number is missing", check_sharp, newest)
    t.done()


if __name__ == "__main__":
    main()
