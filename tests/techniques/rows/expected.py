# SPDX-License-Identifier: GPL-2.0-or-later
"""The expected result of each sensor: every case is detected, except for the holes listed here. A hole that closes must
be removed from the list, and a new one is a failure. table.py generates the tables of barbwire-detection(7) from this
file."""

SENSORS = ("lsm", "fentry", "tracepoint")

# The rows of the catalogue. The name of each case begins with the name of its row, and each row has cases.
TECHNIQUES = {
    "G01": "every system call that opens a file",
    "G02": "relative names, symbolic links, `..`, `/proc/self/root`, `/dev/fd`, `O_PATH`",
    "G03": "a hard link elsewhere, created before or after Barbwire started",
    "G04": "the file or its directory moved away; another file under its name",
    "G05": "bind and detached mounts, user namespaces, chroot, overlayfs",
    "G06": "the file opened by its file handle",
    "G07": "the file opened by io_uring, by a kernel thread, or without a descriptor",
    "G08": "mmap, sendfile, splice, copy_file_range instead of read",
    "G09": "a descriptor that a shell opened before it started the thief",
    "G10": "a descriptor passed over a unix socket, also by a program that may open the file; one from fanotify",
    "G11": "pidfd_getfd, ptrace, process_vm_readv, `/proc/PID/mem` of a process that read the file",
    "G12": "the environment of another process, or its memory by ptrace and process_vm_readv",
    "G13": "files already open and processes already running when Barbwire started",
    "G14": "very long or deep names, with any byte in them",
    "G15": "output of a program that may read the file, to a pipe, a socket or a file",
    "G16": "the socket of an agent, used by a program without permission",
    "H01": "fork, vfork, clone, threads, shared memory and descriptors, orphans",
    "H02": "another program executed after the file was read",
    "H03": "pipes, through up to eight processes, also with programs of the system",
    "H04": "FIFOs, socket pairs, unix streams and datagrams, abstract names, netlink, terminals, message queues, "
           "semaphores, the kernel's log",
    "H05": "a file written by cp, tar, gzip, base64, a program or as a core dump, and read by another process",
    "H06": "shared memory: memfd, POSIX, System V, mapped files, `/dev/zero`, userfaultfd; by "
           "`/proc/PID/map_files`",
    "H07": "data written into the memory of another process",
    "H08": "environment or arguments of another program",
    "H09": "a job left for cron or a shell",
    "H10": "TCP and UDP to another process of this host",
    "E01": "TCP, IPv4 and IPv6, blocking or not",
    "E02": "a connection that existed before the read; a reverse shell",
    "E03": "an accepted connection: the other side fetches the data",
    "E04": "UDP, connected or not",
    "E05": "DNS, direct or through a local resolver",
    "E06": "sendfile and splice to a connection",
    "E07": "connect and send by io_uring",
    "E08": "raw and packet sockets; headers and groups of a socket",
    "E09": "vsock, SCTP, a TUN device, a file on a network file system",
    "E10": "a proxy on loopback; the socket of a container engine",
    "E11": "a destination that the policy allows to another program",
    "S01": "the name of an allowed program",
    "S02": "another file mounted over an allowed program",
    "S03": "an allowed program that is made to run other code",
    "S04": "waiting until the window is over",
    "S05": "the PID of another process, reused",
    "S08": "the policy is reloaded between read and egress",
    "S13": "a harmless file sent first, then another to the same destination",
    "S14": "a line written to the socket of another user's service, to frame it",
}

# Rows about the daemon, not about a sensor: the technique, its result, and the test that plays it.
ELSEWHERE = [
    ("S06", "more marked processes than the table can store",
     "judged by user and cgroup; the full share is a state alert", "bpf/test-marks.c"),
    ("S07", "100,000 alerts by one user while another one steals",
     "the theft has its alert, and one alert counts the others", "system/test-flood.py"),
    ("S08", "the daemon is killed, hung, restarted or upgraded meanwhile",
     "no alert is missing, and none is written twice", "system/test-restart.py"),
    ("S09", "a journal that is stopped, frozen or full", "alerts are delivered late", "system/test-journald.py"),
    ("S10", "hostile bytes and silent clients at the query socket", "other clients are still served",
     "system/test-crowd.py"),
    ("S11", "the policy or the unit edited, the service masked", "an entry in the journal", "system/test-tamper.py"),
    ("S12", "no BTF, no BPF LSM, a hook detached", "exit status 3 with the reason; an alarm; `degraded`",
     "vm/guest/test-cannot.py, system/test-selftest.py"),
]


# What one process sets and another may read, and what no sensor follows: the name in bench/channels.c, what it is,
# bytes in one call, and KiB a second that it carries, as bench/channels.c has measured on one CPU of a small virtual
# machine (2026-11-29). Of a key of 400 bytes, each carries all in less than a second.
CHANNELS = [
    ("eventfd", "the counter of an eventfd(2)", 8, 13000),
    ("epoll", "the data of an entry of an epoll(7) that two processes have", 8, 9700),
    ("sigqueue", "the value of a signal, by sigqueue(3)", 8, 3100),
    ("exit-status", "the exit status of a child", 1, 6),
    ("lock", "beginning and length of the lock of a file, by fcntl(2)", 14, 9100),
    ("window-size", "the window size of a terminal", 8, 16000),
    ("comm", "the name of a process or thread, in `/proc/PID/comm`", 15, 4100),
    ("hostname", "the host name, by sethostname(2)", 64, 52000),
    ("limit", "a resource limit, by prlimit(2)", 7, 6800),
    ("priority", "the nice value of a process", 1, 1200),
    ("file-times", "the times of a file", 8, 6300),
    ("file-size", "the size of an empty file, by ftruncate(2)", 5, 610),
    ("file-mode", "the mode of a file", 1, 790),
    # Measured beside other load (2026-11-30), so alone it is more; the filter may have 32 KiB, the source 4.
    ("socket-filter", "the filter of a socket, by SO_ATTACH_FILTER and SO_GET_FILTER", 1024, 4500),
    ("mount-source", "the source of a mount, in `/proc/PID/mountinfo`", 512, 1500),
    ("interface-alias", "the alias of a network interface", 255, 21000),
    ("mount-option", "a message of the file system's context, by fsopen(2)", 64, 10000),
    # The same (2026-12-01). The last four are root's.
    ("unix-name", "the abstract name of a unix socket, in `/proc/net/unix`", 100, 1700),
    ("sender-name", "the abstract name of the unix socket that an empty datagram or connection is from", 100, 3100),
    ("file-offset", "the offset of an open file that two processes have", 7, 1400),
    ("credentials", "user and group of an empty datagram, by SCM_CREDENTIALS", 8, 700),
    ("trace-marker", "a text in the kernel's trace, by `trace_marker`", 512, 86000),
    ("uevent", "an event that a process makes a device report", 512, 40000),
    ("binfmt", "the interpreter of a kind of programs, in `binfmt_misc`", 200, 8400),
]


def row_of(name):
    """The row of a case or of a pattern; the name of a case outside the catalogue begins with no row's name."""
    return name.split(" ", 1)[0]


# "cases": patterns of names (fnmatch), each of one row. "before": on kernels before that. "what" is not detected,
# because of "reason": a limit of the kernel, or closing the hole would cost more than it is worth. "carries": how much
# gets through it. All are in the manual, with the sensors and kernels that have no such hole.
HOLES = [
    {"cases": ["G03 a hard link*, its own name removed", "G04 moved away*", "G04 exchanged with another file",
               "G04 its directory moved away", "G04 renamed *", "G05 bind mount of the file, which is renamed"],
     "sensors": ["tracepoint"], "before": (6, 13),
     "what": "a file that was moved elsewhere, or linked there and removed, before anything opened it under its own "
             "name",
     "reason": "no tracepoint reports what a rename moves, before the times of files have one",
     "carries": "files of any size"},
    {"cases": ["H04 unix datagram, send*", "H04 abstract datagram, sendto",
               "E10 a container engine's socket, by a datagram"],
     "sensors": ["tracepoint"],
     "what": "a unix datagram sent to an address on a socket that is not connected",
     "reason": "no tracepoint reports its receiver",
     "carries": "messages of any size"},
    {"cases": ["G10 a descriptor received by io_uring", "G16 an agent, connected to by io_uring",
               "H03 io_uring waits for a pipe", "H04 io_uring waits for a unix socket"],
     "sensors": ["tracepoint"], "before": (5, 19),
     "what": "an agent that io_uring connects to, a descriptor that it receives, and a read by it that had to wait for "
             "its data",
     "reason": "only since 5.19 does the tracepoint `io_uring_complete` report which request completed",
     "carries": "as much as a pipe or socket does; of an agent, all that it does"},
    {"cases": ["G13 a file that was mapped before"],
     "sensors": ["lsm", "fentry", "tracepoint"], "before": (5, 12),
     "what": "a file that was mapped and closed before Barbwire started",
     "reason": "BPF programs can walk the mappings of a process since 5.12",
     "carries": "what was mapped"},
    {"cases": ["G10 a file that another process registered with io_uring",
               "G10 a file that another process sent to a ring of io_uring",
               "H06 memory: a buffer that another process registered with io_uring"],
     "sensors": ["lsm", "fentry"],
     "what": "a file or a buffer that another process registered with an io_uring that both have, or sent to it",
     "reason": "no hook fires when it is taken from the ring's table, and these sensors have none at its requests",
     "carries": "files of any size, and a buffer of any size"},
    {"cases": ["G10 a descriptor received by a multishot request of io_uring"],
     "sensors": ["tracepoint"],
     "what": "a descriptor, passed by a program that may open the file, in a message that a multishot request of "
             "io_uring receives",
     "reason": "the tracepoint `io_uring_complete` does not report which request posted, nor into which buffer",
     "carries": "files of any size"},
    {"cases": ["H06 memory: the ring of an io_uring*"],
     "sensors": ["lsm", "fentry", "tracepoint"],
     "what": "the ring of an io_uring that two processes have mapped",
     "reason": "its inode may be that of all anonymous files, such as tables of BPF, and a later ring has the same "
               "address",
     "carries": "the size of the ring, a few KiB, at the speed of memory"},
    {"cases": ["H06 memory: the ring of io_setup*"],
     "sensors": ["lsm", "fentry"],
     "what": "the ring of io_setup(2), which a child inherits",
     "reason": "no function that can be hooked maps it, and these sensors have no hook where calls return",
     "carries": "the size of the ring, some KiB, at the speed of memory"},
    {"cases": ["H03 pipe: to a reader that waits in vmsplice"],
     "sensors": ["lsm", "fentry"],
     "what": "a process that waits in vmsplice(2) for the data of a pipe",
     "reason": "no function that can be hooked reads the pipe, and these sensors have no hook where calls return",
     "carries": "as much as a pipe does"},
    {"cases": ["G11 PTRACE_GET_SYSCALL_INFO by who traced it before"],
     "sensors": ["lsm", "fentry"],
     "what": "what ptrace(2) shows of the calls, signals and registers of a process that it attached to before that "
             "process opened the file",
     "reason": "only its attaching and its reads of memory have a hook, and these sensors have none at its requests",
     "carries": "48 bytes in each stop"},
    {"cases": ["H08 argument, read by another process *"],
     "sensors": ["lsm", "fentry", "tracepoint"],
     "what": "a secret among the arguments of a process, read by another in `/proc/PID/cmdline`, or in the names of "
             "its mappings, in `/proc/PID/maps`",
     "reason": "every tool that lists processes reads them, so that each `ps` would be marked",
     "carries": "2 MiB of arguments in each exec, and 80 bytes in the name of a mapping"},
    {"cases": ["H10 *, read by a packet socket", "H10 an echo request, read by a raw socket"],
     "sensors": ["lsm", "fentry", "tracepoint"],
     "what": "what a process sends to this host, read from a packet or raw socket that gets every packet",
     "reason": "such a reader gets what all processes send, and the alert of the sender names this host",
     "carries": "as much as the connection does"},
    {"cases": ["H05 a file that the giver serves *"],
     "sensors": ["lsm", "fentry", "tracepoint"],
     "what": "a file that a process serves by FUSE",
     "reason": "such a process reads what others have stored, to pass it on: every reader of its file system would be "
               "marked",
     "carries": "files of any size"},
    {"cases": ["H05 an extended attribute", "H05 a symbolic link's target",
               "H05 a file's name", "H06 a key in a keyring"],
     "sensors": ["lsm", "fentry", "tracepoint"],
     "what": "a secret in the name or an attribute of a file, in the target of a symbolic link, or in a keyring",
     "reason": "names are read by every process, and the others have system calls of their own that are not hooked",
     "carries": "255 bytes in a name, 4 KiB in the target of a link, 64 KiB in an attribute, 1 MiB in a key"},
]

# What a sensor cannot refuse with Action=deny (denied.py): barbwire.policy(5), ENFORCEMENT, lists the same.
NOT_REFUSED = [
    {"cases": ["E08 a header *", "E08 the addresses of groups *", "E08 an AF_XDP socket*"],
     "sensors": ["lsm", "fentry", "tracepoint"]},
    {"cases": ["E09 a file on *", "E09 a TUN device", "E10 a folder *",
               "E10 a container engine's socket, by a datagram"],
     "sensors": ["fentry", "tracepoint"]},
    {"cases": ["E06 *"], "sensors": ["fentry"], "before": (6, 5)},
    {"cases": ["E08 packet socket, *", "E09 *", "E10 a container engine's socket*"],
     "sensors": ["tracepoint"]},
]

# Where not all cases are played on each kernel with each sensor (tests/vm/run without --all), the cases that no kernel
# or sensor is known to treat differently are divided into so many shares.
SHARES = 3
# These are always played: the holes, and what kernels implement differently from one version to the next.
EVERYWHERE = [glob for hole in HOLES for glob in hole["cases"]] + [
    "G06 *", "G07 *", "E07 *", "* io_uring *", "G10 * by fanotify", "G13 *", "G16 *", "H04 a message queue*",
    "H04 a terminal*", "H04 two terminals*", "E09 *"]
