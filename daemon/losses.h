/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Everything that may be lost, by cause: counted since the start, told when it grows. Pure: the owner brings the counts
 * and the clocks. */

#include <stdbool.h>
#include <stdint.h>

#include "../bpf/event.h"
#include "alert-state.h"
#include "counters.h"

/* The kernel's counters below BW_LOSS_MAX, and what only the daemon knows. */
enum {
        LOSS_RECURSION_MISSES = BW_LOSS_MAX,
        LOSS_MALFORMED, /* a record that could not be read, or an alert that could not be made of it */
        LOSS_HOOK_GONE, /* one of our hooks was taken off, or has another program */
        LOSS_UNWRITTEN, /* an entry that could not be written, and that could not wait */
        LOSS_MARKS_DROPPED, /* processes were marked by a daemon before this one, and are not any more */
        LOSSES_MAX,
};

/* Name, meaning, remedy. No name: there is no such loss. */
const CounterInfo *loss_info(unsigned loss);

typedef struct Losses {
        uint64_t counts[LOSSES_MAX];
        uint64_t grown_realtime_usec[LOSSES_MAX]; /* when it was last seen to have grown; 0: never */
        uint64_t grown_usec[LOSSES_MAX];          /* the same, CLOCK_MONOTONIC */
        uint64_t told[LOSSES_MAX], told_usec[LOSSES_MAX];
} Losses;

/* Takes over what is counted now. A count never falls. */
void losses_update(Losses *l, const uint64_t counts[static LOSSES_MAX], uint64_t now_usec, uint64_t realtime_usec);

typedef void (*LossesHandler)(const StateAlert *a, void *userdata);

/* Tells of every loss that has grown, each cause at most once in LOSSES_TELL_USEC; `all` tells of those, too, that were
 * told just now. Returns when (CLOCK_MONOTONIC) there is more to tell; UINT64_MAX: there is not. */
#define LOSSES_TELL_USEC UINT64_C(10000000)
uint64_t losses_tell(Losses *l, uint64_t now_usec, bool all, LossesHandler handler, void *userdata);

uint64_t losses_sum(const Losses *l);

/* Alerts that had to wait: nobody took them, or there were too many at a time. */
typedef struct Delays {
        uint64_t n, longest_usec; /* since it was told last */
} Delays;

/* Below this it is not worth an entry of its own: the journal was restarted, or the disk was slow. */
#define DELAYS_TELL_USEC UINT64_C(10000000)

/* delayed_usec: Alert.delayed_usec. */
void delays_add(Delays *d, uint64_t delayed_usec);

/* Begins anew. true: one was so late that it is to be told. */
bool delays_end(Delays *d, uint64_t realtime_usec, StateAlert *ret);
