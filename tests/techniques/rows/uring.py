# SPDX-License-Identifier: GPL-2.0-or-later
"""G07, E07, and H03 and H04 again: by io_uring instead of a system call for each operation."""

from rows.flow import nothing

OPENS = {
    "openat": "OPENAT", "openat2": "OPENAT2", "openat-async": "OPENAT by a worker", "openat-polled": "OPENAT, SQPOLL",
    "openat2-polled": "OPENAT2, SQPOLL", "direct": "OPENAT without a descriptor",
    "direct-polled": "OPENAT without a descriptor, SQPOLL",
}
HANDS = {
    "pipe-write": "H03 io_uring writes to a pipe", "pipe-write-polled": "H03 io_uring writes to a pipe, SQPOLL",
    "pipe-read": "H03 io_uring reads from a pipe", "pipe-read-polled": "H03 io_uring reads from a pipe, SQPOLL",
    "pipe-read-early": "H03 io_uring waits for a pipe", "socket-write": "H04 io_uring writes to a unix socket",
    "pipe-write-vectored": "H03 io_uring writes to a pipe, WRITEV_FIXED",
    "pipe-read-vectored": "H03 io_uring reads from a pipe, READV_FIXED",
    "pipe-read-on": "H03 io_uring reads from a pipe, READ_MULTISHOT",
    "pipe-read-on-early": "H03 io_uring waits for a pipe, READ_MULTISHOT",
    "socket-read-on": "H04 io_uring reads from a unix socket, multishot",
    "socket-read-on-early": "H04 io_uring waits for a unix socket, multishot",
    "registered": "G10 a file that another process registered with io_uring",
    "ring-message": "G10 a file that another process sent to a ring of io_uring",
    "ring-buffer": "H06 memory: a buffer that another process registered with io_uring",
    "memory-read": "G11 /proc/PID/mem, read by io_uring",
    "received": "G10 a descriptor received by io_uring",
    "socket-read": "H04 io_uring reads from a unix socket", "socket-read-early": "H04 io_uring waits for a unix socket",
}
OUT = {
    "connect": "CONNECT", "connect-polled": "CONNECT, SQPOLL", "sendmsg": "SENDMSG to an address",
    "sendmsg-polled": "SENDMSG to an address, SQPOLL",
    "send": "SEND on a connection that existed before", "write": "WRITE on a connection that existed before",
    "send-polled": "SEND on a connection that existed before, SQPOLL",
    "send-zerocopy": "SEND_ZC on a connection that existed before",
}


def part(t, stage):
    for variant, what in OPENS.items():
        t.case(f"G07 {what}", stage.theft, "get-uring", variant)
    for variant, what in HANDS.items():
        t.case(what, stage.theft, "hand-uring", variant)
    t.case("H06 honest: a ring of io_uring that both use, without buffers", nothing, stage, "hand-uring")
    for variant, what in OUT.items():
        t.case(f"E07 {what}", stage.theft, "out-uring", variant,
               protocol="udp" if variant.startswith("sendmsg") else "tcp")
