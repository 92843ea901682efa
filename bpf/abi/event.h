/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The wire format between the kernel programs and barbwired: what travels through the ring buffer.
 *
 * Included by both sides. Fixed-width types only, native byte order, no implicit padding: every size is
 * asserted at the end. Enumerators are renumbered only, like every change that an older reader would
 * misread, when BW_EVENT_VERSION is raised. Nothing here may depend on kernel headers other than
 * <linux/types.h>. */

#include <linux/types.h>

#define BW_EVENT_VERSION 8

/* TASK_COMM_LEN (include/linux/sched.h): 15 bytes and a NUL. */
#define BW_COMM_SIZE 16
/* The longest that engines make is docker-ID.scope, with an id of 64 digits. Longer ones are cut. */
#define BW_CGROUP_NAME_SIZE 80
/* PATH_MAX (include/uapi/linux/limits.h), NUL included: no path in a record is longer. */
#define BW_PATH_SIZE 4096
/* Ancestors reported per process. systemd → sshd → sshd → bash → npm → sh → node → curl fits. */
#define BW_LINEAGE_MAX 8
/* The latest sensitive files remembered per process. A harvester reads more; the class bitmap covers all. */
#define BW_FILES_MAX 8
/* Hops reported per file: the default of MaxHops= is as many. */
#define BW_HOPS_MAX 8
/* Bytes of argv kept: enough to recognise a command, little enough that 20,000 records a second fit. */
#define BW_CMDLINE_SIZE 512
/* Bytes of cgroup path kept, leaf first when it must be cut: the unit's name is in the leaf. */
#define BW_CGROUP_SIZE 512

enum bw_kind {
        BW_KIND_CORRELATION = 1, /* struct bw_correlation: a marked process reached the network */
        BW_KIND_EXIT = 2,    /* struct bw_exit: a process with correlations ended, its repeats are final */
        BW_KIND_LOSS = 3,    /* struct bw_state: a loss has grown, at most one a second per cause */
        BW_KIND_COUNT = 4,   /* struct bw_state: a count has reached its warning threshold, likewise */
        BW_KIND_SHARE = 5,   /* struct bw_share: a user's share of a table is full, at most one a minute */
        BW_KIND_MARK = 6,    /* struct bw_mark: one mark, for a listing that barbwired asked for */
        BW_KIND_ACCOUNT = 7, /* struct bw_account: the same, a user's entries of one table */
};

/* Tables of which each user has a share. */
enum bw_share_of {
        BW_SHARE_MARKS = 0,    /* processes that hold something */
        BW_SHARE_OBJECTS = 1,  /* pipes, sockets, files, memory */
        BW_SHARE_FILES = 2,    /* sensitive files that are known by every name */
        BW_SHARE_LINEAGES = 3, /* processes, of which ancestors and executable are known */
        BW_SHARE_MAPPINGS = 4, /* what they share in memory */
        BW_SHARE_NAMES = 5,    /* names of executables and files that alerts report */
        BW_SHARE_RINGS = 6,    /* of io_uring, with opens that are not done or reads that go on */
        BW_SHARE_TABLES = 7,
        BW_SHARE_SLOTS = 8, /* a power of two, by which an index is masked */
};

/* How the data of a sensitive file reached the marked process. */
enum bw_via {
        BW_VIA_OPEN = 1,     /* it opened the file itself */
        BW_VIA_FORK = 2,     /* its parent was marked when it was forked */
        BW_VIA_RECEIVED = 3, /* another process passed it the open file */
        BW_VIA_TRACE = 4, /* it had access to the memory of the process that held the mark, or the other way
                             round */
        /* It received what a marked process had written */
        BW_VIA_PIPE = 5,        /* through a pipe or FIFO */
        BW_VIA_SOCKET = 6,      /* through a unix socket */
        BW_VIA_FILE = 7,        /* through a file, also one in memory, that it opened or read */
        BW_VIA_MEMORY = 8,      /* through memory that both have mapped */
        BW_VIA_TERMINAL = 9,    /* through a pseudo-terminal */
        BW_VIA_QUEUE = 10,      /* through a System V message queue */
        BW_VIA_SEMAPHORES = 11, /* through the values of a set of System V semaphores */
        BW_VIA_LOOPBACK = 12,   /* through an internet socket whose other end is on this host */
};

/* What the process did to reach the network. */
enum bw_act {
        BW_ACT_CONNECT = 1, /* connect(2) on a TCP, UDP or other inet socket */
        BW_ACT_SEND = 2,    /* data sent: to an address, or on a socket that was connected before */
        BW_ACT_ACCEPT = 3,  /* a connection accepted: the address is the peer's, the port our own */
        BW_ACT_OPEN = 4,    /* nothing: it was refused to open a file of a class with Access=allowed */
};

/* What was done with the egress, or the open. All but the first are of classes with Action=deny or
 * Access=allowed. */
enum bw_action {
        BW_ACTION_ALERT = 0,      /* nothing: it is only reported */
        BW_ACTION_DENIED = 1,     /* it was refused */
        BW_ACTION_WOULD_DENY = 2, /* it would have been refused, but for Enabled=dry-run */
        BW_ACTION_NOT_DENIED = 3, /* it should have been refused, and could not be where it was noticed */
        BW_ACTION_STOPPED = 4,    /* it was refused, and the process was sent SIGSTOP */
        BW_ACTION_KILLED = 5,     /* it was refused, and the process was sent SIGKILL */
        BW_ACTION_MAX = 6,
};

/* A byte string inside the record: [offset, offset+length) from the record's first byte, followed by a NUL
 * that length does not include. Any byte may occur. NULs separate the arguments of cmdline; elsewhere a NUL
 * ends the string, as it means that the name changed while it was read. offset 0: absent. */
struct bw_string {
        __u16 offset;
        __u16 length;
};

struct bw_header {
        __u16 version; /* BW_EVENT_VERSION */
        __u16 kind;    /* enum bw_kind */
        __u32 size; /* bytes of this record that carry meaning, this header included; the reservation may be
                       longer */
        __u64 boot_ns; /* CLOCK_BOOTTIME when it was made; with cpu and the boot id it names the record for
                          ever */
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

/* One hand-over on the route of the data: who gave it, and by which means. A fork is not one. */
struct bw_hop {
        __u32 pid; /* of the giver */
        __u8 via;  /* enum bw_via */
        __u8 zero[3];
        char comm[BW_COMM_SIZE]; /* the giver's then */
};

/* Which file an executable or script was when its process began to run it. */
struct bw_object {
        __u64 inode;
        __u64 ctime_ns; /* when its contents, owner, mode or names changed last, CLOCK_REALTIME */
        __u32 device;
        __u32 zero;
};

struct bw_touched_file {
        __u64 mono_ns; /* when it was opened */
        __u64 classes; /* bit n: class n of the policy */
        __u64 inode;
        __u32 device; /* kernel dev_t: major << 20 | minor */
        __u32 pid;    /* the process that opened it, as the initial PID namespace numbers it */
        __u32 uid;    /* that process's uid then */
        struct bw_string path;
        struct bw_string exe;   /* that process's executable then */
        struct bw_string route; /* struct bw_hop[], unaligned, the first giver first; absent if there was no
                                   hand-over */
        struct bw_string real_path;  /* by which its class is known; absent if that is `path` */
        struct bw_string exe_object; /* struct bw_object of exe, unaligned; absent: not known */
        struct bw_string script; /* that an interpreter ran which opened it; absent: none, or not known */
        struct bw_string script_object; /* struct bw_object of script */
        __u8 generation; /* processes that it passed through since the opener, 1 for a child; saturates */
        __u8 via;        /* enum bw_via: how it came to the reported process */
        __u8 flags;      /* BW_FILE_* */
        __u8 zero;
        char comm[BW_COMM_SIZE]; /* that process's comm then */
        __u32 zero_end;
};

#define BW_FILE_PATH_TRUNCATED 1 /* path lacks its beginning: it was too long or too deep */
#define BW_FILE_HANDED_OVER 2    /* a process received it from another that is not its parent */
#define BW_FILE_ROUTE_CUT 4      /* the first hops of its route are not known any more */
#define BW_FILE_NAMED 8          /* an earlier report of this egress, within the window, named it */
#define BW_FILE_EXECED 16        /* a process that held it executed another program since, and went on */
#define BW_FILE_REAL_LOST 32     /* it has another name by which its class is known, which was not kept */
#define BW_FILE_LOOPBACK 128     /* it went through a BW_VIA_LOOPBACK, wherever in its route */
#define BW_FILE_OWNED 64         /* it belongs to the user whose process opened it */

/* The script that an interpreter runs, as it was when the interpreter opened it. inode 0: it runs none, or
 * it is not known. */
struct bw_script {
        __u64 inode, size;
        __u64 ctime_ns; /* when its contents, owner or mode changed last, CLOCK_REALTIME */
        __u32 device;
        __u32 flags; /* BW_SCRIPT_* */
};

/* Reasons not to take it for its user's own. */
#define BW_SCRIPT_OTHERS 1       /* it belongs neither to root nor to the user of the process */
#define BW_SCRIPT_WRITABLE 2     /* its group or others may write it */
#define BW_SCRIPT_DIR_WRITABLE 4 /* anyone may make files in its directory (/tmp) */
#define BW_SCRIPT_FOREIGN_CODE                                                                              \
        8 /* the process has mapped code that others than root and its user may change */
#define BW_SCRIPT_FLAGS 15

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
        __u32 group;           /* process group, initial PID namespace; 0: not known */
        struct bw_string exe;
        struct bw_string cmdline;
        struct bw_string cgroup; /* path from the cgroup2 root, leading slash */
        char comm[BW_COMM_SIZE];
        __u32 flags; /* BW_PROCESS_* */
        struct bw_string script_path;
        struct bw_script script;
};

/* Reasons not to trust the executable's path. */
#define BW_PROCESS_EXE_NOT_ROOTS 1    /* root does not own it */
#define BW_PROCESS_EXE_WRITABLE 2     /* its group or others may write it */
#define BW_PROCESS_EXE_DIR_WRITABLE 4 /* anyone may make files in its directory (/tmp) */
#define BW_PROCESS_EXE_DELETED 8
#define BW_PROCESS_EXE_MEMORY 16 /* memfd_create(2): it never was a file on disk */
#define BW_PROCESS_NOT_HOST 32   /* it does not see the host's file system: a container, a chroot */
#define BW_PROCESS_INJECTED 64   /* started with LD_PRELOAD= or its like, which make it run other code */
#define BW_PROCESS_FOREIGN_CODE                                                                             \
        128                   /* mapped executable code from a file that users other than root may change   \
                               */
#define BW_PROCESS_TRACED 256 /* under ptrace(2) */
#define BW_PROCESS_UNREAD 512 /* its environment was not examined in full, and may be as with INJECTED */
#define BW_PROCESS_USERS                                                                                    \
        1024 /* what of its code is not root's, nobody but its own user may change: executable and mappings \
              */
#define BW_PROCESS_SCRIPT                                                                                   \
        2048 /* the kernel was asked to run a script of root's, which Exe= of a rule can name */
#define BW_PROCESS_FLAGS 4095

/* Not one of the kernel's address families: a file that is stored on another host. */
#define BW_FAMILY_FILE 0xffff

/* Nor is this: of BW_ACT_OPEN, which has no destination. */
#define BW_FAMILY_NONE 0xfffe

/* AF_INET, AF_INET6: an internet address. AF_UNIX: a local service that uses the network on behalf of its
 * clients, and BW_FAMILY_FILE: a file; their address is only an identifier, the name is in
 * bw_correlation.destination_path. AF_VSOCK: CID and port, __u32 each in host order. AF_PACKET: the index of
 * the interface, __u32 in host order. Of other families only the number is known. */
struct bw_destination {
        __u8 address[16]; /* inet: network order; IPv4 in the first 4 bytes, also when the socket was IPv6
                             (::ffff:a.b.c.d) */
        __u16 port;       /* inet: host order */
        __u16 family;
        __u16 protocol; /* IPPROTO_*; 0 when not known */
        __u16 act;      /* enum bw_act */
};

/* One per (process, classes, destination) and window. */
struct bw_correlation {
        struct bw_header header;
        __u64 classes;    /* classes within their window and not allowed to this destination */
        __u64 fresh;      /* the subset within the shorter fresh window: the others are late */
        __u64 bound;      /* the subset of `fresh` that it holds under rules alone; of a listed mark, of the
                             classes */
        __u64 passed;     /* the subset of the classes that it has only as rules of others pass them on */
        __u64 window_ns;  /* repeats are counted for this long after header.mono_ns */
        __u32 slot;       /* where repeats are counted: index into struct bw_repeat[] */
        __u32 generation; /* of the policy that judged */
        struct bw_process process;
        struct bw_destination destination;
        __u8 n_lineage;                    /* parent first */
        __u8 n_files;                      /* in no order */
        __u8 flags;                        /* BW_CORRELATION_* */
        __u8 action;                       /* enum bw_action */
        struct bw_string destination_path; /* of a file or a unix socket; a leading '@' where the name is
                                              abstract, see unix(7) */
        struct bw_ancestor lineage[BW_LINEAGE_MAX];
        struct bw_touched_file files[BW_FILES_MAX];
        /* strings follow */
};

#define BW_CORRELATION_FILES_MORE 1   /* more files were touched than are listed */
#define BW_CORRELATION_LINEAGE_MORE 2 /* more ancestors exist than are listed */
#define BW_CORRELATION_NAME_LOST 4    /* a path was evicted before it could be reported */
#define BW_CORRELATION_CMDLINE_CUT 8
#define BW_CORRELATION_STRINGS_CUT 16 /* strings did not fit into the record */
#define BW_CORRELATION_FLOOD                                                                                \
        32 /* of a user and executable that flood: its repeats are their other correlations */
#define BW_CORRELATION_SUSPECT 64 /* by its user and cgroup, as their share of marks is full */
#define BW_CORRELATION_CLOSED                                                                               \
        128 /* of BW_ACT_OPEN: what the process does with the file could not be followed (FailClosed=yes)   \
             */

/* A user, or with cgroup_id one of their cgroups, has filled its share of a table. */
struct bw_share {
        struct bw_header header;
        __u64 cgroup_id; /* 0: all of the user's together */
        __u64 live;      /* entries */
        __u64 refused;   /* since the share was first used */
        __u32 table;     /* enum bw_share_of */
        __u32 uid;       /* in a user namespace: its owner */
        __u32 pid;       /* the process that needed one more entry */
        __u32 zero;
        char comm[BW_COMM_SIZE];
        char cgroup[BW_CGROUP_NAME_SIZE]; /* the last component of its path */
};

/* What a process holds; with BW_CORRELATION_SUSPECT, what the unmarked processes of a user and cgroup may
 * hold. */
struct bw_mark {
        /* process, files and flags; classes: within their window. Nothing about egress and ancestors. Of the
         * process its id, start, executable, comm and uid; comm and uid as they were when it was marked or
         * last executed a program. cgroup_id: charged for the mark. */
        struct bw_correlation holder;
        __u64 until_mono_ns; /* no class is within its window after this */
        __u32 payer;         /* the uid that is charged; in a user namespace its owner */
        __u32 number;        /* of the listing */
};

/* The entries of a user in one cgroup or, with cgroup_id 0, in all of them. */
struct bw_account {
        struct bw_header header;
        __u64 cgroup_id;
        __u64 live;
        __u64 refused; /* since the account was opened, which is closed with its last entry */
        __u64 max;     /* entries that it may have */
        __u32 table;   /* enum bw_share_of */
        __u32 uid;     /* in a user namespace: its owner */
        __u32 number;  /* of the listing */
        __u32 zero;
        char cgroup[BW_CGROUP_NAME_SIZE]; /* the last component of its path */
};

struct bw_exit {
        struct bw_header header;
        __u64 start_boot_ns;
        __u32 pid;
        __u32 zero;
};

struct bw_state {
        struct bw_header header;
        __u64 value;
        __u32 number; /* BW_KIND_LOSS: enum bw_loss; BW_KIND_COUNT: enum bw_count */
        __u32 zero;
};

/* Counts the repeats of one correlation, in shared memory. The slot belongs to the record with the same
 * boot_ns and cpu: if they differ from the record's, it was given to a newer one. The rest tells the kernel
 * programs whether the record can still be repeated. */
struct bw_repeat {
        __u64 boot_ns;
        __u64 count;
        __u32 cpu;
        __u32 zero;
        __u64 until_mono_ns;
        __u64 holder; /* whose mark it was, and that mark's start */
        __u64 start_boot_ns;
};

/* Slots for floods on each CPU, behind the ordinary ones: no number of other alerts can take them. */
#define BW_FLOOD_SLOTS_PER_CPU 64

/* The largest record: all paths that are seen in practice fit; what does not is cut and flagged. */
#define BW_RECORD_MAX 49152

#define BW_ASSERT_SIZE(type, n) _Static_assert(sizeof(type) == (n), "wire size of " #type)
BW_ASSERT_SIZE(struct bw_string, 4);
BW_ASSERT_SIZE(struct bw_header, 32);
BW_ASSERT_SIZE(struct bw_ancestor, 32);
BW_ASSERT_SIZE(struct bw_hop, 24);
BW_ASSERT_SIZE(struct bw_object, 24);
BW_ASSERT_SIZE(struct bw_touched_file, 88);
BW_ASSERT_SIZE(struct bw_script, 32);
BW_ASSERT_SIZE(struct bw_process, 120);
BW_ASSERT_SIZE(struct bw_destination, 24);
BW_ASSERT_SIZE(struct bw_correlation, 32 + 48 + 120 + 24 + 8 + 256 + 704);
BW_ASSERT_SIZE(struct bw_share, 32 + 24 + 16 + 16 + 80);
BW_ASSERT_SIZE(struct bw_mark, sizeof(struct bw_correlation) + 8 + 8);
BW_ASSERT_SIZE(struct bw_account, 32 + 32 + 16 + 80);
BW_ASSERT_SIZE(struct bw_exit, 48);
BW_ASSERT_SIZE(struct bw_state, 48);
BW_ASSERT_SIZE(struct bw_repeat, 48);
