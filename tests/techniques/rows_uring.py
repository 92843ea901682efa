# SPDX-License-Identifier: GPL-2.0-or-later
"""G07, E07, and H03 and H04 once more: what is done by io_uring, and not by a system call of its own."""

OPENS = {
    "openat": "OPENAT", "openat2": "OPENAT2", "openat-async": "OPENAT by a worker", "openat-polled": "OPENAT, SQPOLL",
    "openat2-polled": "OPENAT2, SQPOLL", "direct": "OPENAT without a descriptor",
    "direct-polled": "OPENAT without a descriptor, SQPOLL",
}
HANDS = {
    "pipe-write": "H03 io_uring writes to a pipe", "pipe-write-polled": "H03 io_uring writes to a pipe, SQPOLL",
    "pipe-read": "H03 io_uring reads from a pipe", "pipe-read-polled": "H03 io_uring reads from a pipe, SQPOLL",
    "pipe-read-early": "H03 io_uring waits for a pipe", "socket-write": "H04 io_uring writes to a unix socket",
    "socket-read": "H04 io_uring reads from a unix socket", "socket-read-early": "H04 io_uring waits for a unix socket",
}
OUT = {
    "connect": "CONNECT", "connect-polled": "CONNECT, SQPOLL", "sendmsg": "SENDMSG to an address",
    "sendmsg-polled": "SENDMSG to an address, SQPOLL",
    "send": "SEND on a connection that was there before", "write": "WRITE on a connection that was there before",
    "send-polled": "SEND on a connection that was there before, SQPOLL",
    "send-zerocopy": "SEND_ZC on a connection that was there before",
}


def part(t, stage):
    for variant, what in OPENS.items():
        t.case(f"G07 {what}", stage.theft, "get-uring", variant)
    for variant, what in HANDS.items():
        t.case(what, stage.theft, "hand-uring", variant)
    for variant, what in OUT.items():
        t.case(f"E07 {what}", stage.theft, "out-uring", variant,
               protocol="udp" if variant.startswith("sendmsg") else "tcp")
