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

/* Is it over? */
typedef bool (*RepeatWatchEnds)(const RepeatWatch *w, const void *userdata);
/* Takes ownership of w->alert. */
typedef void (*RepeatWatchEnded)(RepeatWatch *w, void *userdata);

/* Takes ownership of the alert. When there is no room the oldest is ended first, but not a flood's: its count is all that
 * is told of what it stands for. */
void repeat_watches_add(RepeatWatches *all, const RepeatWatch *w, RepeatWatchEnded ended, void *userdata);

/* Ends every watch that `ends` says is over (NULL: all), oldest first. */
void repeat_watches_end(RepeatWatches *all,
        RepeatWatchEnds ends,
        const void *ends_userdata,
        RepeatWatchEnded ended,
        void *userdata);

/* Its window ended before *(const uint64_t *)now_mono_ns. */
bool repeat_watch_is_over(const RepeatWatch *w, const void *now_mono_ns);
/* Its process is the one that has gone, by that Event. */
bool repeat_watch_is_of_process(const RepeatWatch *w, const void *event);

/* When the next window ends (CLOCK_MONOTONIC), or UINT64_MAX. */
uint64_t repeat_watches_next(const RepeatWatches *all);
