/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the kernel programs and barbwired share beside records and policy tables: one struct, all that is in the programs'
 * .bss, which the daemon maps. Fixed-width types only, as a daemon that takes over programs which are running must find
 * everything where the one before it had it. */

#include "event.h"

/* Every hook there is, whichever sensor it belongs to, in the order in which they are attached: processes first, so that
 * every open and every egress finds its process known; opens last, so that whoever is marked is watched. Also the
 * index of its sign of life, see bw_shared.fired. What each is
 * for stands in barbwire.bpf.c, and what is not seen without it in daemon/hooks.c. */
enum bw_hook {
        BW_HOOK_FORK,
        BW_HOOK_EXEC,
        BW_HOOK_EXIT,
        /* sensor "tracepoint" */
        BW_HOOK_CONNECT4,
        BW_HOOK_CONNECT6,
        BW_HOOK_SENDMSG4,
        BW_HOOK_SENDMSG6,
        BW_HOOK_SEND_LENGTH,
        BW_HOOK_SYS_ENTER,
        BW_HOOK_SYS_EXIT,
        BW_HOOK_URING_SUBMIT,
        BW_HOOK_URING_COMPLETE,
        BW_HOOK_URING_OVERFLOW,
        /* sensors "lsm" and "fentry" */
        BW_HOOK_SOCKET_CONNECT,
        BW_HOOK_SOCKET_SENDMSG,
        BW_HOOK_SOCK_GRAFT,
        BW_HOOK_PIPE_READ,
        BW_HOOK_FIFO_READ,
        BW_HOOK_TERMINAL_OPEN,
        BW_HOOK_TERMINAL_READ,
        BW_HOOK_QUEUE_RECEIVE,
        BW_HOOK_MQUEUE_RECEIVE,
        BW_HOOK_UNIX_STREAM_CONNECT,
        BW_HOOK_UNIX_STREAM_RECVMSG,
        BW_HOOK_UNIX_SEQPACKET_RECVMSG,
        BW_HOOK_UNIX_DGRAM_RECVMSG,
        BW_HOOK_UNIX_MAY_SEND,
        BW_HOOK_FILE_PERMISSION,
        BW_HOOK_PATH_RENAME,
        BW_HOOK_MMAP_FILE,
        BW_HOOK_FILE_MPROTECT,
        BW_HOOK_PTRACE_ACCESS_CHECK,
        BW_HOOK_PTRACE_ACCESS_VM,
        BW_HOOK_FILE_RECEIVE,
        BW_HOOK_FILE_OPEN,
        BW_HOOK_MAX = 40,
};

/* In the key of a marked holder that is no process: a pipe, a socket, a file. */
#define BW_HOLDER_OBJECT (1ULL << 63)

#define BW_LACKS_MAPPINGS 1 /* the list of all mappings, since 5.12 */
#define BW_LACKS_REQUESTS 2 /* to the sensor: which request of io_uring is done, since 5.19 */

struct bw_shared {
        __u32 policy_active;   /* which of the two tables is in force */
        __u32 host_known;      /* bw_host is filled in */
        __u32 processes_known; /* the running processes have been taken in: who is missing was pushed out */
        /* The queue of marked processes, free-running. Without order between CPUs: an entry that is lost is not swept. */
        __u32 marked_head, marked_tail;
        __u32 generation; /* of the policy that was written last */
        __u64 counters[BW_COUNT_MAX];      /* by enum bw_counter */
        __u64 state_told_ns[BW_COUNT_MAX]; /* when a state record last told of a counter */
        /* 1: the hook has run since it was attached. The daemon makes each run once and looks here: a hook may be attached
         * and never run (LSM programs on a kernel without "bpf" in its list of LSMs). */
        __u8 fired[BW_HOOK_MAX];
        /* What the programs do not look at: left by a daemon for the one after it. */
        __u64 told[BW_COUNT_MAX]; /* how much of a counter is told, or counted as lost */
        __u64 misses_told;        /* the same of recursion misses */
        __u64 hooks;              /* attached: bit n is enum bw_hook n */
        __u64 lacking;            /* BW_LACKS_*: what this kernel has not, beside hooks */
        /* The programs' again: somebody has opened another's /proc/PID/mem, or a watch of fanotify(7). Reads are looked at for
         * it from then on */
        __u32 reads_watched;
        __u32 secrets_learnt; /* inodes that were found to be secrets: what was judged before that is judged again */
        __u64 name_seed; /* random: makes name ids unpredictable. The ids in marks mean something by this one only */
};

_Static_assert(sizeof(struct bw_shared) == 24 + 3 * 8 * BW_COUNT_MAX + BW_HOOK_MAX + 40, "shared layout");
