/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The wire format between the kernel programs and barbwired: what travels through the ring buffer.
 *
 * Included by both sides. Fixed-width types only, native byte order, no implicit padding: every size is
 * asserted at the end. Enumerators are renumbered only, like every change that an older reader would misread, when
 * BW_EVENT_VERSION is raised. Nothing here may depend on kernel headers other than <linux/types.h>. */

#include <linux/types.h>

#define BW_EVENT_VERSION 4

/* TASK_COMM_LEN (include/linux/sched.h): 15 bytes and a NUL. */
#define BW_COMM_SIZE 16
/* PATH_MAX (include/uapi/linux/limits.h), NUL included: no path in a record is longer. */
#define BW_PATH_SIZE 4096
/* Ancestors told per process. systemd → sshd → sshd → bash → npm → sh → node → curl fits. */
#define BW_LINEAGE_MAX 8
/* The latest sensitive files remembered per process. A harvester touches more; the class bitmap keeps them all. */
#define BW_FILES_MAX 8
/* Hops of a secret's way told per file: the default of MaxHops= is as many. */
#define BW_HOPS_MAX 8
/* Bytes of argv kept: enough to recognise a command, little enough that 20,000 records a second fit. */
#define BW_CMDLINE_SIZE 512
/* Bytes of cgroup path kept, leaf first when it must be cut: the unit's name is in the leaf. */
#define BW_CGROUP_SIZE 512

enum bw_kind {
        BW_KIND_CORRELATION = 1, /* struct bw_correlation: a marked process reached the network */
        BW_KIND_EXIT        = 2, /* struct bw_exit: a process with correlations ended, its repeats are final */
        BW_KIND_STATE       = 3, /* struct bw_state: a loss or a limit, at most one a second per cause */
};

/* How a secret came to the process that holds the mark. */
enum bw_via {
        BW_VIA_OPEN = 1, /* it opened the file itself */
        BW_VIA_FORK = 2, /* its parent held the mark when it was forked */
        BW_VIA_RECEIVED = 3, /* another process passed it the open file */
        BW_VIA_TRACE = 4,    /* it had access to the memory of the process that held the mark, or the other way round */
        /* What a marked process had written came to it */
        BW_VIA_PIPE = 5,   /* through a pipe or FIFO */
        BW_VIA_SOCKET = 6, /* through a unix socket */
        BW_VIA_FILE = 7,   /* through a file, also one in memory, that it opened or read */
        BW_VIA_MEMORY = 8, /* through memory that both have mapped */
        BW_VIA_TERMINAL = 9, /* through a pseudo-terminal */
        BW_VIA_QUEUE = 10,   /* through a message queue of System V's */
};

/* What the process did to reach the network. */
enum bw_act {
        BW_ACT_CONNECT = 1, /* connect(2) on a TCP, UDP or other inet socket */
        BW_ACT_SEND    = 2, /* data sent: to an address, or on a socket that was connected before */
        BW_ACT_ACCEPT  = 3, /* a connection accepted: the address is the peer's, the port our own */
};

/* Counters kept by the kernel programs, one per cause; what each means is told in daemon/counters.c. The first
 * BW_LOSS_MAX are losses: if one rises, detection was not whole. */
enum bw_counter {
        BW_LOSS_RING_FULL      = 0, /* a record could not be reserved: the ring buffer was full */
        BW_LOSS_MARK_REFUSED   = 1, /* a process could not be marked: the mark table is at its limit */
        BW_LOSS_PATH_TRUNCATED = 2, /* a path was too long or too deep: judged as far as it goes */
        BW_LOSS_NAME_LOST      = 3, /* an alert could not name a file or executable: its name was evicted */
        BW_LOSS_POLICY_BUSY    = 4, /* an open could not be judged: the policy changed under it, again and again */
        BW_LOSS_FILE_GONE      = 5, /* an opened file could not be looked at before another thread closed it */
        BW_LOSS_REPEAT_GONE    = 6, /* a repeat could not be counted: its slot was given to a newer alert */
        BW_LOSS_PATH_UNKNOWN   = 7, /* a file opened by its handle has no path yet: it was not judged */
        BW_LOSS_DRAFT_BUSY     = 8, /* a record could not be made: every place to put one together was taken */
        BW_LOSS_OBJECT_REFUSED = 9, /* a pipe, socket or file could not be marked: too many are */
        BW_LOSS_FLOW_UNKNOWN   = 10, /* what a marked process gave away could not be followed: to whom is not known */
        BW_LOSS_MAX            = 11,

        BW_COUNT_CORRELATIONS  = 11, /* correlations found, repeats not included */
        BW_COUNT_REPEATS       = 12, /* repeats of a correlation within its window */
        BW_COUNT_MARKS_LIVE    = 13, /* processes marked now (goes up and down) */
        BW_COUNT_MARKS_MADE    = 14, /* processes marked since start, forked children included */
        BW_COUNT_OPENS_MATCHED = 15, /* opens of a file that belongs to a class */
        BW_COUNT_OPENS_ALLOWED = 16, /* of those, the ones an [Allow] rule made clean */
        BW_COUNT_EGRESS_ALLOWED = 17, /* egress by a marked process that a Destination= made quiet */
        BW_COUNT_FLOODED = 18,       /* correlations that were counted as repeats of a flood's */
        BW_COUNT_OBJECTS_LIVE = 19,  /* pipes, sockets and files marked now (goes up and down) */
        BW_COUNT_FLOWS = 20,         /* times a mark came to a process by what it read, received or mapped */
        BW_COUNT_FLOWS_STOPPED = 21, /* times it did not: a [Carrier], or MaxHops= */
        BW_COUNT_MAX           = 24,
};

/* A byte string inside the record: [offset, offset+length), counted from the record's first byte, followed by a
 * NUL that length does not count. Any byte may occur (cmdline: arguments are separated by NULs; elsewhere a NUL means
 * that a name changed while it was read, and ends it).
 * offset 0: the string is not there. */
struct bw_string {
        __u16 offset;
        __u16 length;
};

struct bw_header {
        __u16 version; /* BW_EVENT_VERSION */
        __u16 kind;    /* enum bw_kind */
        __u32 size;    /* bytes of this record that carry meaning, this header included; the reservation may be longer */
        __u64 boot_ns; /* CLOCK_BOOTTIME when it was made; with cpu and the boot id it names the record for ever */
        __u64 mono_ns; /* CLOCK_MONOTONIC then: ages and windows are measured by it */
        __u32 cpu;
        __u32 zero;
};

struct bw_ancestor {
        __u64 start_boot_ns; /* 0 when not known */
        __u32 pid;
        struct bw_string exe;
        char comm[BW_COMM_SIZE];
};

/* One hand-over on a secret's way: who gave, and by which means. Forks are none. */
struct bw_hop {
        __u32 pid; /* of the giver */
        __u8 via;  /* enum bw_via */
        __u8 zero[3];
        char comm[BW_COMM_SIZE]; /* the giver's then */
};

struct bw_touched_file {
        __u64 mono_ns; /* when it was opened */
        __u64 classes; /* bit n: class n of the policy */
        __u64 inode;
        __u32 device;  /* kernel dev_t: major << 20 | minor */
        __u32 pid;     /* the process that opened it, as the initial PID namespace numbers it */
        __u32 uid;     /* that process's uid then */
        struct bw_string path;
        struct bw_string exe; /* that process's executable then */
        struct bw_string way; /* struct bw_hop, unaligned, the first giver first; none if it was not handed over */
        __u32 zero2;
        __u8 hops;     /* processes the mark passed through since; saturates */
        __u8 via;      /* enum bw_via: how it came to the reported process */
        __u8 flags;    /* BW_FILE_* */
        __u8 zero;
        char comm[BW_COMM_SIZE]; /* that process's comm then */
};

#define BW_FILE_PATH_TRUNCATED 1 /* path lacks its beginning: it was too long or too deep */
#define BW_FILE_HANDED_OVER    2 /* on its way it came to a process that is no child of the one before */
#define BW_FILE_WAY_CUT        4 /* the beginning of its way is not known any more */

struct bw_process {
        __u64 start_boot_ns; /* CLOCK_BOOTTIME of its start: a PID alone is never trusted */
        __u64 cgroup_id;     /* inode of its cgroup2 directory */
        __u64 exe_inode;
        __u32 exe_device;
        __u32 pid; /* thread group id, initial PID namespace */
        __u32 tid;
        __u32 uid;
        __u32 loginuid;        /* (__u32)-1: never set (proc_pid_loginuid(5)) */
        __u32 mount_namespace; /* inode of the namespace */
        __u32 pid_namespace;
        struct bw_string exe;
        struct bw_string cmdline;
        struct bw_string cgroup; /* path from the cgroup2 root, leading slash */
        char comm[BW_COMM_SIZE];
        __u32 flags; /* BW_PROCESS_* */
};

/* What speaks against trusting the executable's path. */
#define BW_PROCESS_EXE_NOT_ROOTS     1 /* root does not own it */
#define BW_PROCESS_EXE_WRITABLE      2 /* its group or others may write it */
#define BW_PROCESS_EXE_DIR_WRITABLE  4 /* anyone may make files in its directory (/tmp) */
#define BW_PROCESS_EXE_DELETED       8
#define BW_PROCESS_EXE_MEMORY       16 /* memfd_create(2): it never was a file on disk */
#define BW_PROCESS_NOT_HOST         32 /* it does not see the host's file system: a container, a chroot */
#define BW_PROCESS_INJECTED         64 /* started with LD_PRELOAD= or its like, which make it run other code */
#define BW_PROCESS_FOREIGN_CODE    128 /* mapped executable code from a file that others than root may change */
#define BW_PROCESS_TRACED          256 /* under ptrace(2) */
#define BW_PROCESS_FLAGS           511

/* No address family of the kernel's: a file that leaves this machine. */
#define BW_FAMILY_FILE 0xffff

/* By family: AF_INET 2, AF_INET6 10. AF_UNIX 1: a local service that reaches the network for others; address tells them
 * apart and means nothing else, see bw_correlation.destination_path. BW_FAMILY_FILE: the same. AF_VSOCK 40: address holds CID and port, __u32 each
 * in host order. AF_PACKET 17: address holds the interface's index, __u32 in host order. Of any other nothing is known. */
struct bw_destination {
        __u8 address[16]; /* inet: network order; IPv4 in the first 4 bytes, also when the socket was IPv6 (::ffff:a.b.c.d) */
        __u16 port;       /* inet: host order */
        __u16 family;
        __u16 protocol;   /* IPPROTO_*; 0 when not known */
        __u16 act;        /* enum bw_act */
};

/* One per (process, classes, destination) and window. */
struct bw_correlation {
        struct bw_header header;
        __u64 classes;      /* classes within their window and not allowed to this destination */
        __u64 fresh;        /* those of them touched within the shorter one: the others have waited */
        __u64 window_ns;    /* repeats are counted for this long after header.mono_ns */
        __u32 slot;         /* where repeats are counted: index into struct bw_repeat[] */
        __u32 generation;   /* of the policy that judged */
        struct bw_process process;
        struct bw_destination destination;
        __u8 n_lineage;     /* parent first */
        __u8 n_files;       /* in no order */
        __u8 flags;         /* BW_CORRELATION_* */
        __u8 zero;
        struct bw_string destination_path; /* of a file or a unix socket; a leading '@' where the name is abstract, see unix(7) */
        struct bw_ancestor lineage[BW_LINEAGE_MAX];
        struct bw_touched_file files[BW_FILES_MAX];
        /* strings follow */
};

#define BW_CORRELATION_FILES_MORE      1 /* more files were touched than are listed */
#define BW_CORRELATION_LINEAGE_MORE    2 /* more ancestors exist than are listed */
#define BW_CORRELATION_NAME_LOST       4 /* a path was evicted before it could be told */
#define BW_CORRELATION_CMDLINE_CUT     8
#define BW_CORRELATION_STRINGS_CUT    16 /* strings did not fit into the record */
#define BW_CORRELATION_FLOOD          32 /* of a user and executable that flood: its repeats are their other correlations */

struct bw_exit {
        struct bw_header header;
        __u64 start_boot_ns;
        __u32 pid;
        __u32 zero;
};

struct bw_state {
        struct bw_header header;
        __u64 count;   /* the counter's value */
        __u32 counter; /* enum bw_counter */
        __u32 zero;
};

/* Where repeats of one correlation are counted, in shared memory. It belongs to the record with the same
 * boot_ns and cpu; otherwise the slot has been given to a newer one. */
struct bw_repeat {
        __u64 boot_ns;
        __u64 count;
        __u32 cpu;
        __u32 zero;
};

/* Behind the ordinary slots, floods have some of their own, which no number of other alerts takes away: so many on each
 * CPU. */
#define BW_FLOOD_SLOTS_PER_CPU 64

/* The largest record: all paths that are seen in practice fit; what does not is cut and flagged. */
#define BW_RECORD_MAX 49152

#define BW_ASSERT_SIZE(type, n) _Static_assert(sizeof(type) == (n), "wire size of " #type)
BW_ASSERT_SIZE(struct bw_string, 4);
BW_ASSERT_SIZE(struct bw_header, 32);
BW_ASSERT_SIZE(struct bw_ancestor, 32);
BW_ASSERT_SIZE(struct bw_hop, 24);
BW_ASSERT_SIZE(struct bw_touched_file, 72);
BW_ASSERT_SIZE(struct bw_process, 88);
BW_ASSERT_SIZE(struct bw_destination, 24);
BW_ASSERT_SIZE(struct bw_correlation, 32 + 32 + 88 + 24 + 8 + 256 + 576);
BW_ASSERT_SIZE(struct bw_exit, 48);
BW_ASSERT_SIZE(struct bw_state, 48);
BW_ASSERT_SIZE(struct bw_repeat, 24);
