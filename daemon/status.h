/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The daemon's own state, for queries: from the modules and counts of the manager, which owns them all. */

#include "alert/losses.h"
#include "alert/repeats.h"
#include "alert/ring.h"
#include "policy/store.h"
#include "query/server.h"
#include "sensor/sensor.h"
#include "sink/sink.h"

/* What the manager counted since it started. */
typedef struct StatusCounts {
        uint64_t n_alerts, n_repeats;
        uint64_t n_ignored, n_below; /* correlations that raise no alert */
        uint64_t n_info;             /* those that are written as records of severity info */
        uint64_t n_malformed;
        uint64_t n_repeats_unreported; /* no alert is left that they could be added to */
        uint64_t heartbeat_usec;       /* the last one, CLOCK_BOOTTIME; 0: none yet */
} StatusCounts;

typedef struct StatusSource {
        Sensor *sensor;
        const PolicyStore *policies;
        AlertSink *sink;
        const AlertRing *ring;
        const QueryServer *query; /* NULL: no socket */
        const RepeatWatches *watches;
        StatusCounts *counts;
        Losses *losses;
        uint64_t armed_realtime_usec;
} StatusSource;

/* The number of alerts that wait, in the kernel and here, and since when (CLOCK_MONOTONIC; 0: none waits).
 */
size_t status_waiting(const StatusSource *s, uint64_t *ret_since_usec);

/* Updates all losses so far, by cause. */
void status_update_losses(const StatusSource *s);

/* Logs the last line: all counters, for people and for tests. */
void status_log_summary(const StatusSource *s);

/* Writes a heartbeat to the sink; HEARTBEAT_HOUR only where an hour has passed since the last one. It takes
 * no wake-up of its own: the caller has one for losses. Queries and followers do not get it, as they have
 * GetStatus. 0, also where none is due; -EPIPE, -ENOMEM as of alert_sink_write_state(). */
int status_heartbeat(const StatusSource *s, HeartbeatEvent event);

/* The reply of GetStatus. NULL: out of memory. */
json_t *status_query(const StatusSource *s);
