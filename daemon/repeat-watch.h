/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Alerts whose repeats are still being counted in the kernel: kept until their window ends or their process exits, so
 * that they can be reported again with the count. Pure: the owner brings the clock and the counts. */

#include <stdbool.h>
#include <stdint.h>

#include "alert.h"

typedef struct RepeatWatch {
        Alert *alert;
        uint64_t boot_ns, start_boot_ns, until_mono_ns;
        uint32_t cpu, slot, pid;
} RepeatWatch;

/* At some 3 KiB an alert, 3 MiB at most. One more ends the oldest early. */
#define REPEAT_WATCHES_MAX 1024

typedef struct RepeatWatches {
        RepeatWatch items[REPEAT_WATCHES_MAX];
        unsigned n;
} RepeatWatches;

/* Takes ownership of w->alert. */
typedef void (*RepeatWatchEnded)(RepeatWatch *w, void *userdata);

/* Takes ownership of the alert. When there is no room the oldest is ended first, but not a flood's: its count is all that
 * is told of what it stands for. */
void repeat_watches_add(RepeatWatches *all, const RepeatWatch *w, RepeatWatchEnded ended, void *userdata);

/* Ends those whose time has come, the oldest first, but at most `max`. */
void repeat_watches_end(RepeatWatches *all, uint64_t now_mono_ns, unsigned max, RepeatWatchEnded ended, void *userdata);

/* The process has gone: their time has come, whenever it is (0). */
void repeat_watches_expire(RepeatWatches *all, uint32_t pid, uint64_t start_boot_ns);

/* When the next window ends (CLOCK_MONOTONIC), or UINT64_MAX. */
uint64_t repeat_watches_next(const RepeatWatches *all);
