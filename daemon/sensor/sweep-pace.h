/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* When the tables are swept: often while entries end, and less and less often while all of them exist. Times
 * are those of any clock that does not go back. Pure. */

#include <stdbool.h>
#include <stdint.h>

/* Never: nothing is to be swept. */
#define SWEEP_NEVER UINT64_MAX

/* Entries of what has ended count in the share of their user until a sweep sees that. While others are
 * added, these sweep; this is for the time after a flood, and nobody waits for it longer than a second. */
#define SWEEP_USEC UINT64_C(1000000)

/* An entry costs 0.3 us in a small table and 2 us in one of 450,000 (test-tables prints it), so that a sweep
 * of the largest table that a machine gets by default, 524,288 objects, takes a second of CPU time: at this
 * interval below 2 % of one CPU. An entry that ends meanwhile stays as long, while nothing new is marked. */
#define SWEEP_MAX_USEC (60 * SWEEP_USEC)

typedef struct SweepPace {
        uint64_t interval_usec, next_usec;
} SweepPace;

void sweep_pace_init(SweepPace *p);

/* The programs have reported that there is much to sweep. Returns when to sweep next. */
uint64_t sweep_pace_asked(SweepPace *p, uint64_t now_usec);

/* A sweep left `after` entries of `before`; again: there are enough of them for another. Returns when. */
uint64_t sweep_pace_swept(SweepPace *p, uint64_t now_usec, uint64_t before, uint64_t after, bool again);
