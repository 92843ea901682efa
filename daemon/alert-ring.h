/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The last alerts, for whoever asks: each as the line of JSON it was told with (alert-json.h), in the order in which
 * they were first told, and a log of what changed for whoever follows. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "policy-file.h"
#include "util.h"

/* 4,096 alerts of usual size (3 KiB) take 12 MiB. Alerts that are made to be large (250 KiB each) push out older ones
 * before they take more than this. */
#define ALERT_RING_BYTES_MAX (32U * 1024 * 1024)

typedef struct AlertRing AlertRing;

/* What a line of the log tells. */
typedef enum LineKind {
        LINE_ALERT,
        LINE_LOSS,
        LINE_POLICY,
        LINE_DELAY,
} LineKind;

/* Keeps n_max (at least 1) alerts. -ENOMEM. */
int alert_ring_new(size_t n_max, AlertRing **ret);
AlertRing *alert_ring_free(AlertRing *r);
DEFINE_CLEANUP(AlertRing, alert_ring_free);

/* What a listing is narrowed down to. A field that is 0, NULL or false narrows nothing. */
typedef struct AlertFilter {
        uint64_t since_usec, until_usec; /* CLOCK_REALTIME, both inclusive; until_usec 0: no end */
        Severity severity;               /* this one and worse */
        const char *class;               /* one of the alert's classes; NULL: any but the selftest's */
        const char *unit;
        bool by_pid, by_uid;
        uint32_t pid, uid;
} AlertFilter;

/* Adds an alert, or puts it in the place of the one that has its id. line: the object's text, copied. The oldest one
 * makes room. -EBADMSG: not an alert's shape (one that was read back); -ENOMEM. */
int alert_ring_put(AlertRing *r, const json_t *alert, const char *line);

/* Adds a state alert's line (alert-state.h) to the log alone: it is followed, not listed. What its "state" does not
 * name is taken for a loss. -ENOMEM. */
int alert_ring_put_state(AlertRing *r, const char *line);

/* Alerts have sequence numbers: begin … end - 1 are there now. Numbers grow, and are never used again. */
uint64_t alert_ring_begin(const AlertRing *r);
uint64_t alert_ring_end(const AlertRing *r);

/* The line; NULL: not there any more, or not yet. Valid until the next put. */
const char *alert_ring_line(const AlertRing *r, uint64_t sequence);
bool alert_ring_matches(const AlertRing *r, uint64_t sequence, const AlertFilter *filter);

/* Where a listing of the newest `limit` (0: all) of those that match begins. */
uint64_t alert_ring_seek(const AlertRing *r, const AlertFilter *filter, size_t limit);

/* By its id, or by the part after the boot id ("BOOTNS-CPU"). -ENOENT; -ENOTUNIQ: several boots have that part. */
int alert_ring_find(const AlertRing *r, const char *id, uint64_t *ret_sequence);

/* The log: begin … end - 1 of what was put (an alert that was told again is put again). It is as long as the ring:
 * who is further behind has missed something. */
uint64_t alert_ring_log_begin(const AlertRing *r);
uint64_t alert_ring_log_end(const AlertRing *r);

/* The line that was put, or, of an alert that was put again since, the newer one. NULL: it is gone. */
const char *alert_ring_log_line(const AlertRing *r, uint64_t number, LineKind *ret_kind);
