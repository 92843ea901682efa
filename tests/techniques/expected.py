# SPDX-License-Identifier: GPL-2.0-or-later
"""What is expected of each sensor: every case is caught, but for the holes. One that closes must be taken out here, and
one that opens is a failure. README's table is made of this, by table.py."""

SENSORS = ("lsm", "fentry", "tracepoint")

# The rows of the catalogue. Each case's name begins with its row's, and each row has cases.
TECHNIQUES = {
    "G01": "every system call that opens a file",
    "G02": "relative names, symbolic links, `..`, `/proc/self/root`, `/dev/fd`, `O_PATH`",
    "G03": "a hard link elsewhere, made before or after Barbwire started",
    "G04": "the file, or its directory, moved away; another file under its name",
    "G05": "bind and detached mounts, user namespaces, chroot, overlayfs",
    "G06": "opened by its file handle",
    "G07": "opened by io_uring, by a thread of the kernel's, or without a descriptor",
    "G08": "mmap, sendfile, splice, copy_file_range instead of read",
    "G09": "a descriptor that a shell opened before it started the thief",
    "G10": "a descriptor passed over a unix socket, by a program that may open the file, too",
    "G11": "pidfd_getfd, ptrace, process_vm_readv, `/proc/PID/mem` of who holds the secret",
    "G12": "the environment of another process",
    "G13": "files that were open, and processes that ran, before Barbwire started",
    "G14": "names that are very long or deep, with any byte in them",
    "G15": "a program that may read the secret prints it to a pipe, a socket, a file",
    "G16": "an agent's socket, asked by a program that has no business there",
    "H01": "fork, vfork, clone, threads, shared memory and descriptors, orphans",
    "H02": "another program executed after the file was read",
    "H03": "pipes, through up to eight hands, of programs of the system, too",
    "H04": "FIFOs, socket pairs, unix streams and datagrams, abstract names",
    "H05": "left in a file, by cp, tar, gzip, base64 or a program of its own, and read by another",
    "H06": "memory that both see: memfd, POSIX's, System V's, mapped files",
    "H07": "written into another process's memory",
    "H08": "environment or arguments of another program",
    "H09": "left as a job for cron or a shell",
    "E01": "TCP, IPv4 and IPv6, blocking or not",
    "E02": "on a connection that was there before; a reverse shell",
    "E03": "the other side connects and takes it",
    "E04": "UDP, connected or not",
    "E05": "DNS, straight or through a local resolver",
    "E06": "sendfile and splice to a connection",
    "E07": "io_uring connects or sends",
    "E08": "raw and packet sockets",
    "E09": "vsock, SCTP, a TUN device",
    "E10": "a proxy on loopback; a container engine's socket",
    "E11": "a destination that is allowed, to another program",
    "S01": "the name of an allowed program",
    "S02": "another file mounted over an allowed program",
    "S03": "an allowed program that is made to run other code",
    "S04": "waiting until the window is over",
    "S05": "another process's PID",
    "S08": "the policy is reloaded in between",
}

# "cases": patterns of names (fnmatch), each of one row. "before": on kernels before that. "what" and "reason" are told
# in README: a hole is there for the kernel's reasons, or because closing it would cost more than it saves.
HOLES = [
    {"cases": ["E07 * that was there before*"],
     "sensors": ["tracepoint"], "before": (6, 5),
     "what": "data that io_uring sends on connections that were there before",
     "reason": "no system call says that it is sent, and the kernel's tracepoint `sock_send_length` came with 6.5"},
    {"cases": ["E06 * to a connection that was there before", "H03 pipe pages to *"],
     "sensors": ["lsm", "fentry"], "before": (6, 5),
     "what": "pages to a TCP connection that was there before",
     "reason": "the kernel gave them to it without a message, which no hook sees"},
    {"cases": ["H08 argument, read by another *"],
     "sensors": ["lsm", "fentry", "tracepoint"],
     "what": "a secret among the arguments of a process, read by another in `/proc/PID/cmdline`",
     "reason": "whoever lists processes reads them all: to follow that would mark every `ps`"},
    {"cases": ["H04 a message queue, *", "H04 a terminal", "H05 an extended attribute", "H05 a symbolic link's target",
               "H05 a file's name", "H06 a key in a keyring"],
     "sensors": ["lsm", "fentry", "tracepoint"],
     "what": "a secret in a message queue, a terminal, a file's name or attributes, a link's target, a keyring",
     "reason": "what everybody reads would mark everybody (terminals, names), and the rest has calls of its own"},
]
