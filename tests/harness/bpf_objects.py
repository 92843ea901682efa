# SPDX-License-Identifier: GPL-2.0-or-later
"""The BPF programs, maps and links of the kernel, listed by bpf(2): bpftool(8) also finds the processes that use each,
with a program that it loads every time, which takes seconds in an emulated guest."""

import ctypes
import errno
import os
import struct

SYS_BPF = {"x86_64": 321, "aarch64": 280}
# include/uapi/linux/bpf.h: enum bpf_cmd, and the offsets of the name in struct bpf_prog_info and bpf_map_info
# (bpf_link_info has no name, but the id of its program).
OBJ_GET_INFO_BY_FD = 15
COMMANDS = {"prog": (11, 13), "map": (12, 14), "link": (31, 30)}  # …_GET_NEXT_ID, …_GET_FD_BY_ID
NAME_OFFSETS = {"prog": 64, "map": 24}
NAME_BYTES, INFO_BYTES, LINK_PROG_ID_OFFSET = 16, 256, 8

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    """Returns a negative errno on failure; the attributes are changed in place."""
    result = libc.syscall(SYS_BPF[os.uname().machine], command, attributes, len(attributes))
    return result if result >= 0 else -ctypes.get_errno()


def info(fd):
    out = ctypes.create_string_buffer(INFO_BYTES)
    attributes = ctypes.create_string_buffer(struct.pack("=IIQ", fd, INFO_BYTES, ctypes.addressof(out)), 16)
    result = bpf(OBJ_GET_INFO_BY_FD, attributes)
    if result < 0:
        raise OSError(-result, os.strerror(-result), "BPF_OBJ_GET_INFO_BY_FD")
    return out.raw


def ids(kind):
    """Yields the id of each, and opens none. A program array that is opened while it ends, and closed again, may stay
    for ever: its end is begun twice, and counted twice (kernel/bpf/arraymap.c prog_array_map_clear())."""
    next_id, _ = COMMANDS[kind]
    last = 0
    while True:
        attributes = ctypes.create_string_buffer(struct.pack("=III", last, 0, 0), 12)
        result = bpf(next_id, attributes)
        if result == -errno.ENOENT:
            return
        if result < 0:
            raise OSError(-result, os.strerror(-result), f"the next {kind}")
        last, = struct.unpack_from("=I", attributes, 4)
        yield last


def opened(kind):
    """Yields the id and a descriptor of each."""
    _, get_fd = COMMANDS[kind]
    for number in ids(kind):
        fd = bpf(get_fd, ctypes.create_string_buffer(struct.pack("=III", number, 0, 0), 12))
        # It no longer exists.
        if fd < 0:
            continue
        try:
            yield number, fd
        finally:
            os.close(fd)


def objects(kind):
    """{id: name}; of a link, the id of its program."""
    found = {}
    for number, fd in opened(kind):
        data = info(fd)
        if kind == "link":
            found[number], = struct.unpack_from("=I", data, LINK_PROG_ID_OFFSET)
        else:
            found[number] = data[NAME_OFFSETS[kind]:][:NAME_BYTES].split(b"\0")[0].decode(errors="replace")
    return found


def memory(kind):
    """{id: the bytes that the kernel allocated for it}, of maps or programs."""
    found = {}
    for number, fd in opened(kind):
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info_file:
            found[number] = int(dict(line.split(":", 1) for line in info_file if ":" in line)["memlock"])
    return found


def held_by(pid):
    """{(kind, id)} of the BPF objects in the descriptors of the process. That of a client may be closed meanwhile."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as info_file:
                fields = dict(line.split(":", 1) for line in info_file if ":" in line)
        except FileNotFoundError:
            continue
        found |= {(kind, int(fields[kind + "_id"])) for kind in COMMANDS if kind + "_id" in fields}
    return found
