/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Everything that may be lost, by cause: counted since the start, reported when it grows. Pure: the owner
 * brings the counts and the clocks. */

#include <stdbool.h>
#include <stdint.h>

#include "alert/state.h"
#include "event/counters.h"

typedef struct Losses {
        uint64_t counts[LOSSES_MAX];
        uint64_t grown_realtime_usec[LOSSES_MAX]; /* when its last growth was noticed; 0: never */
        uint64_t grown_usec[LOSSES_MAX];          /* the same, CLOCK_MONOTONIC */
        uint64_t reported[LOSSES_MAX], reported_usec[LOSSES_MAX];
} Losses;

/* Updates the counts. A count never decreases. */
void losses_update(Losses *l, const uint64_t counts[static LOSSES_MAX], uint64_t now_usec,
                uint64_t realtime_usec);

typedef void (*LossesHandler)(const StateAlert *a, void *userdata);

/* Reports every loss that has grown, each cause at most once in LOSSES_REPORT_USEC, with `all` regardless of
 * that limit. Returns when (CLOCK_MONOTONIC) the next report is due; UINT64_MAX: none is pending. */
#define LOSSES_REPORT_USEC UINT64_C(10000000)
uint64_t losses_report(Losses *l, uint64_t now_usec, bool all, LossesHandler handler, void *userdata);

uint64_t losses_sum(const Losses *l);

/* Alerts that were delivered late: their receiver had stopped, or there were too many at a time. */
typedef struct Delays {
        uint64_t n, longest_usec; /* since the last report */
} Delays;

/* A shorter delay is not worth an entry of its own: the journal was restarted, or the disk was slow. */
#define DELAYS_REPORT_USEC UINT64_C(10000000)

/* delayed_usec: Alert.delayed_usec. */
void delays_add(Delays *d, uint64_t delayed_usec);

/* Resets the delays. Returns true and the report when one alert was late enough for it. */
bool delays_end(Delays *d, uint64_t realtime_usec, StateAlert *ret);
