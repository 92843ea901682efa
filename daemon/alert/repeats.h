/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Alerts whose repeats the kernel is still counting: kept until their window ends or their process exits, so
 * that they can be written again with the count. Pure: the owner brings the clock and the counts. */

#include <stdbool.h>
#include <stdint.h>

#include "alert/alert.h"

typedef struct RepeatWatch {
        Alert *alert;
        uint64_t boot_ns, start_boot_ns, until_mono_ns;
        uint32_t cpu, slot, pid;
} RepeatWatch;

/* At some 3 KiB an alert, 3 MiB at most. When full, the oldest ends early. */
#define REPEAT_WATCHES_MAX 1024

typedef struct RepeatWatches {
        RepeatWatch items[REPEAT_WATCHES_MAX];
        unsigned n;
} RepeatWatches;

/* Takes ownership of w->alert. */
typedef void (*RepeatWatchEnded)(RepeatWatch *w, void *userdata);

/* Takes ownership of the alert. When full, ends the oldest one first, but not a flood's: its count is the
 * only report of the correlations that it stands for. */
void repeat_watches_add(RepeatWatches *all, const RepeatWatch *w, RepeatWatchEnded ended, void *userdata);

/* Ends those whose window is over, the oldest first, at most `max`. */
void repeat_watches_end(RepeatWatches *all, uint64_t now_mono_ns, unsigned max, RepeatWatchEnded ended,
                void *userdata);

/* The process has exited: its alerts end at the next repeat_watches_end(). */
void repeat_watches_expire(RepeatWatches *all, uint32_t pid, uint64_t start_boot_ns);

/* Returns when the next window ends (CLOCK_MONOTONIC), or UINT64_MAX. */
uint64_t repeat_watches_next(const RepeatWatches *all);
