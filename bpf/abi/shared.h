/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* State that the kernel programs and barbwired share beside records and policy tables: the only variable in
 * the programs' .bss, which the daemon maps. Fixed-width types only: a daemon that adopts running programs
 * must find everything where the previous instance had it. */

#include <linux/types.h>

#include "abi/counters.h"
#include "abi/hooks.h"

/* In the key of a holder that is no process: an object, or the content of objects; with SUSPECT, the holder
 * that stands for a user and cgroup whose share of marks is full. */
#define BW_HOLDER_OBJECT (1ULL << 63)
#define BW_HOLDER_SUSPECT (1ULL << 62)
/* Not a holder: in the queues of holders, what was in them when the listing of this number began is before
 * this entry. */
#define BW_HOLDER_LISTING(number) (BW_HOLDER_SUSPECT | (__u32)(number))

#define BW_LACKS_MAPPINGS 1 /* the list of all mappings, since 5.12 */
#define BW_LACKS_REQUESTS 2 /* to the sensor: which request of io_uring is done, since 5.19 */
#define BW_LACKS_NAMES 4    /* to the sensor: which file a call renames or links, since 6.13 */
#define BW_LACKS_SIGNALS 8  /* to the sensor: signals with a refused connection, since 6.16 */

/* Room in the arrays below, so that another loss, count or hook does not move what follows: the programs of
 * a newer version go on with the state of the ones before. */
#define BW_LOSS_SLOTS 32
#define BW_COUNT_SLOTS 32
#define BW_HOOK_SLOTS 64 /* as many as bw_shared.hooks has bits */
_Static_assert(BW_LOSS_MAX <= BW_LOSS_SLOTS, "every loss has a slot");
_Static_assert(BW_COUNT_MAX <= BW_COUNT_SLOTS, "every count has a slot");
_Static_assert(BW_HOOK_MAX <= BW_HOOK_SLOTS, "every hook has a slot");

struct bw_shared {
        __u32 policy_active;   /* which of the two tables is in force */
        __u32 host_known;      /* bw_host is filled in */
        __u32 processes_known; /* all running processes were enumerated: a missing one was evicted */
        __u32 generation;      /* of the policy that was written last */
        /* Every system call reads these as two words, see tables_ask(). */
        __u32 sweep_pid;             /* the daemon, while its system calls sweep the tables */
        __u32 sweep_due;             /* queue entries that the next system call examines */
        __u32 suspects;              /* the tick until when anybody is suspected; 0: nobody is */
        __u32 share_full;            /* the process that was refused an entry last, until that is reported */
        __u64 losses[BW_LOSS_SLOTS]; /* by enum bw_loss */
        __u64 loss_record_ns[BW_LOSS_SLOTS]; /* when the latest record of each was made */
        __u64 counts[BW_COUNT_SLOTS];        /* by enum bw_count */
        __u64 objects_record_ns;             /* the same of BW_COUNT_OBJECTS_LIVE */
        __u64 pressure_record_ns;            /* when the latest record of BW_COUNT_MARKS_LIVE was made */
        /* 1: the hook has fired since it was attached. The daemon makes each fire once and looks here: a
         * hook may be attached and never fire (LSM programs on a kernel without "bpf" in its list of LSMs).
         */
        __u8 fired[BW_HOOK_SLOTS];
        /* Not read by the programs: one daemon leaves it to the next. */
        __u64 losses_reported[BW_LOSS_SLOTS]; /* how much of each loss the daemons have reported */
        __u64 repeats_reported;               /* of BW_COUNT_REPEATS, or counted as a loss */
        __u64 misses_reported;                /* the same of recursion misses */
        __u64 hooks;                          /* attached: bit n is enum bw_hook n */
        __u64 lacking; /* BW_LACKS_*: features other than hooks that this kernel lacks */
        /* Used by the programs: a process has opened the /proc/PID/mem of another, or a fanotify(7) group.
         * From then on every read is checked for both. */
        __u32 reads_checked;
        __u32 sensitive_learnt; /* inodes found to be sensitive so far: an earlier verdict on a file is void
                                 */
        __u32 memory_changes;   /* how often shared memory got other contents: see process/shm.bpf.h */
        __u32 memory_until;     /* the tick until when such contents matter; 0: there are none */
        __u32 pid_most;         /* the highest PID so far */
        __u32 pid_swept;        /* the sweep of processes goes on from here */
        __u64 name_seed; /* random: makes name ids unpredictable. Ids in marks are valid with it alone */
        /* A listing of all marks, see egress/list.bpf.h. Only barbwired sets its number. */
        __u32 list_number;     /* of the listing that is being made; 0: none is */
        __u32 list_begun;      /* the number of the latest one that the programs have begun */
        __u32 marks_listed;    /* the number of the latest one that has every mark */
        __u32 objects_listed;  /* and that has the account of every object, */
        __u32 files_listed;    /* of every sensitive file, */
        __u32 lineages_listed; /* and of every process */
        __u64 list_missed;     /* records that the ring had no room for */
        __u32 put_off;         /* processes whose marks are not passed on yet, see process/shm.bpf.h */
        /* A listing that writes no record finds out which names are in use, see mark/name.bpf.h. */
        __u32 list_quiet;  /* 1: the listing that is being made is such a one */
        __u32 names_round; /* the number of the latest one; names are stamped with it */
        __u32 names_swept; /* the number of the one by which names are swept now; 0: they are not */
        /* The table of abi/activity.h. Only barbwired sets the first. */
        __u32 activity_wanted;  /* 1: a client looks at it, and the programs count */
        __u32 sockets_refused;  /* used by the programs: entries of bw_refused */
        __u64 activity_live;    /* entries in use */
        __u64 activity_dropped; /* that made room for others */
        __u64 activity_refused; /* that were not made, as all others of their set had just been counted in */
        /* Not read by the programs: the first hour of a policy, see daemon/alert/trial.h. */
        __u64 trial_policy;   /* the first bytes of its hash */
        __u64 trial_until_ns; /* CLOCK_MONOTONIC */
        __u64 fallen;         /* classes that have fallen back to a dry run since it came into force */
};

_Static_assert(__builtin_offsetof(struct bw_shared, sweep_pid) == 16 &&
                                __builtin_offsetof(struct bw_shared, suspects) == 24,
                "words that are read at once");
_Static_assert(sizeof(struct bw_shared) == 32 + 3 * 8 * BW_LOSS_SLOTS + 8 * BW_COUNT_SLOTS + BW_HOOK_SLOTS +
                                                           8 * 14 + 72,
                "shared layout");
