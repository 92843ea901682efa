/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What each process does, for "barbwirectl top". The programs write it while bw_shared.activity_wanted is
 * set, and barbwired reads it by a mapping, as it has no capability to read a map otherwise before 5.19. */

#include <linux/types.h>

#include "abi/event.h"

/* The entries of a set, one of which a process may have: a hash of it selects the set. With a third of all
 * entries in use a set overflows once in 250 times, and with 8 of 72 bytes a look at all of them takes ten
 * cache lines. */
#define BW_ACTIVITY_WAYS 8

/* An entry is of a process, or of what it opened of some classes. */
struct bw_activity {
        __u32 claims; /* programs that are making it; 0: none is */
        __u32 pid;    /* 0: it is free, or being made */
        __u64 start_boot_ns;
        __u64 classes; /* only the opens of files of exactly these; 0: of the process */
        __u64 opens;
        __u32 given, taken; /* hops */
        __u32 egress;
        __u32 tick; /* when it was counted in last: 2^24 ns of the monotonic clock, at least 1 */
        __u32 uid;
        __u32 zero;
        char comm[BW_COMM_SIZE];
};

_Static_assert(sizeof(struct bw_activity) == 72, "activity layout");
