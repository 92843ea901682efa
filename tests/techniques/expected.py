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
    "G10": "a descriptor passed over a unix socket, by a program that may open the file, too; of what fanotify watches",
    "G11": "pidfd_getfd, ptrace, process_vm_readv, `/proc/PID/mem` of who holds the secret",
    "G12": "the environment of another process",
    "G13": "files that were open, and processes that ran, before Barbwire started",
    "G14": "names that are very long or deep, with any byte in them",
    "G15": "a program that may read the secret prints it to a pipe, a socket, a file",
    "G16": "an agent's socket, asked by a program that has no business there",
    "H01": "fork, vfork, clone, threads, shared memory and descriptors, orphans",
    "H02": "another program executed after the file was read",
    "H03": "pipes, through up to eight hands, of programs of the system, too",
    "H04": "FIFOs, socket pairs, unix streams and datagrams, abstract names, terminals, message queues",
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
    "E09": "vsock, SCTP, a TUN device, a file on a network file system",
    "E10": "a proxy on loopback; a container engine's socket",
    "E11": "a destination that is allowed, to another program",
    "S01": "the name of an allowed program",
    "S02": "another file mounted over an allowed program",
    "S03": "an allowed program that is made to run other code",
    "S04": "waiting until the window is over",
    "S05": "another process's PID",
    "S08": "the policy is reloaded in between",
}

# Rows that are about the daemon, not about a sensor: the technique, what becomes of it, and the test that plays it.
ELSEWHERE = [
    ("S06", "more marked processes than the table holds", "counted, and told as a loss", "bpf/test-marks.c"),
    ("S07", "100,000 alerts by one user, while another steals", "the theft is told, and one alert counts the others",
     "system/test-flood.py"),
    ("S08", "the daemon is killed, hung, restarted or upgraded meanwhile", "nothing is missing, and none is told twice",
     "system/test-restart.py"),
    ("S09", "a journal that is stopped, frozen or full", "told later", "system/test-journald.py"),
    ("S10", "hostile bytes and silent clients at the query socket", "answers go on", "system/test-crowd.py"),
    ("S11", "the policy or the unit edited, the service masked", "in the journal", "system/test-tamper.py"),
    ("S12", "no BTF, no BPF LSM, a hook taken off", "exit status 3 with the reason, an alarm, `degraded`",
     "vm/guest/test-cannot.py, system/test-selftest.py"),
]


def row_of(name):
    """A case's, or a pattern's; what is in no row of the catalogue begins with no row's name."""
    return name.split(" ", 1)[0]


# "cases": patterns of names (fnmatch), each of one row. "before": on kernels before that. "what" and "reason" are told
# in README: a hole is there for the kernel's reasons, or because closing it would cost more than it saves.
HOLES = [
    {"cases": ["G04 moved away", "G04 exchanged with another file", "G04 its directory moved away"],
     "sensors": ["tracepoint"],
     "what": "a file that was moved elsewhere before anybody opened it under its own name",
     "reason": "no tracepoint tells what a rename moves"},
    {"cases": ["H04 unix datagram, send*", "H04 abstract datagram, sendto", "E10 a container engine's socket, by a datagram"],
     "sensors": ["tracepoint"],
     "what": "a unix datagram that is sent to an address, on a socket that is not connected",
     "reason": "no tracepoint tells whom it goes to"},
    {"cases": ["G16 an agent, connected to by io_uring", "H03 io_uring waits for a pipe", "H04 io_uring waits for a unix socket"],
     "sensors": ["tracepoint"], "before": (5, 19),
     "what": "an agent that io_uring connects to, nor what io_uring reads that was not there yet when it was asked to",
     "reason": "which request is done, the kernel's tracepoint `io_uring_complete` tells since 5.19"},
    {"cases": ["G13 a file that was mapped before"],
     "sensors": ["lsm", "fentry", "tracepoint"], "before": (5, 12),
     "what": "a file that was mapped and closed before Barbwire started",
     "reason": "the kernel's list of mappings, which BPF programs can walk, came with 5.12"},
    {"cases": ["H08 argument, read by another *"],
     "sensors": ["lsm", "fentry", "tracepoint"],
     "what": "a secret among the arguments of a process, read by another in `/proc/PID/cmdline`",
     "reason": "whoever lists processes reads them all: to follow that would mark every `ps`"},
    {"cases": ["H05 an extended attribute", "H05 a symbolic link's target",
               "H05 a file's name", "H06 a key in a keyring"],
     "sensors": ["lsm", "fentry", "tracepoint"],
     "what": "a secret in a file's name or attributes, a link's target, a keyring",
     "reason": "what everybody reads would mark everybody (names), and the rest has calls of its own"},
]

# Where not all cases are played on each kernel with each sensor (tests/vm/run without --all): so many shares are made of
# those that nothing is known to make a difference for,
SHARES = 3
# and these are played by all: the holes, and what the kernel does in another way from one version to the next.
EVERYWHERE = [glob for hole in HOLES for glob in hole["cases"]] + [
    "G06 *", "G07 *", "E07 *", "* io_uring *", "G10 * by fanotify", "G13 *", "G16 *", "H04 a message queue*", "H04 a terminal*",
    "H04 two terminals*", "E09 *"]
