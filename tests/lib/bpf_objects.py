# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's programs, maps and links, asked by bpf(2) itself: bpftool(8) also looks for who holds each, by a program
that it loads each time, which takes seconds in an emulated guest."""

import ctypes
import errno
import os
import struct

SYS_BPF = {"x86_64": 321, "aarch64": 280}
# include/uapi/linux/bpf.h: enum bpf_cmd, and where struct bpf_prog_info and bpf_map_info have the name (bpf_link_info has
# none, but its program's id).
OBJ_GET_INFO_BY_FD = 15
COMMANDS = {"prog": (11, 13), "map": (12, 14), "link": (31, 30)}  # …_GET_NEXT_ID, …_GET_FD_BY_ID
NAME_OFFSETS = {"prog": 64, "map": 24}
NAME_BYTES, INFO_BYTES, LINK_PROG_ID_OFFSET = 16, 256, 8

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    """Negative errno; the attributes are changed in place."""
    result = libc.syscall(SYS_BPF[os.uname().machine], command, attributes, len(attributes))
    return result if result >= 0 else -ctypes.get_errno()


def info(fd):
    out = ctypes.create_string_buffer(INFO_BYTES)
    attributes = ctypes.create_string_buffer(struct.pack("=IIQ", fd, INFO_BYTES, ctypes.addressof(out)), 16)
    result = bpf(OBJ_GET_INFO_BY_FD, attributes)
    if result < 0:
        raise OSError(-result, os.strerror(-result), "BPF_OBJ_GET_INFO_BY_FD")
    return out.raw


def objects(kind):
    """{id: name}; a link's is its program's id."""
    next_id, get_fd = COMMANDS[kind]
    found, last = {}, 0
    while True:
        attributes = ctypes.create_string_buffer(struct.pack("=III", last, 0, 0), 12)
        result = bpf(next_id, attributes)
        if result == -errno.ENOENT:
            return found
        if result < 0:
            raise OSError(-result, os.strerror(-result), f"the next {kind}")
        last, = struct.unpack_from("=I", attributes, 4)
        fd = bpf(get_fd, ctypes.create_string_buffer(struct.pack("=III", last, 0, 0), 12))
        # Gone meanwhile.
        if fd < 0:
            continue
        try:
            told = info(fd)
        finally:
            os.close(fd)
        if kind == "link":
            found[last], = struct.unpack_from("=I", told, LINK_PROG_ID_OFFSET)
        else:
            found[last] = told[NAME_OFFSETS[kind]:][:NAME_BYTES].split(b"\0")[0].decode(errors="replace")
