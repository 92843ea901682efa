/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The last alerts, for queries: each as its line of JSON (alert/json.h), in the order in which they were
 * first written, and a log of what changed, for followers. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "alert/state.h"
#include "policy/types.h"
#include "basic/util.h"

/* 4,096 alerts of usual size (3 KiB) take 12 MiB. Alerts that are made to be large (250 KiB each) push out
 * older ones before they take more than this. */
#define ALERT_RING_BYTES_MAX (32U * 1024 * 1024)

typedef struct AlertRing AlertRing;

/* What a line of the log is. */
typedef enum LineKind {
        LINE_ALERT,
        LINE_LOSS,
        LINE_POLICY,
        LINE_FOREIGN,
        LINE_DELAY,
        LINE_SHARE,
        LINE_FALLBACK,
} LineKind;

/* Keeps n_max (at least 1) alerts. -ENOMEM. */
int alert_ring_new(size_t n_max, AlertRing **ret);
AlertRing *alert_ring_free(AlertRing *r);
DEFINE_CLEANUP(AlertRing, alert_ring_free);

/* Which alerts a listing has. A field that is 0, NULL or false matches every alert. */
typedef struct AlertFilter {
        uint64_t since_usec, until_usec; /* CLOCK_REALTIME, both inclusive; until_usec 0: no end */
        Severity severity;               /* this one and worse */
        const char *class;               /* one of the alert's classes; NULL: any but the selftest's */
        const char *unit;
        const char *incident; /* its id */
        bool by_pid, by_uid, by_action;
        int action; /* enum bw_action */
        uint32_t pid, uid;
} AlertFilter;

/* The same for an alert that is in no ring: 1 or 0. -EBADMSG: not an alert's shape; -ENOMEM. */
int alert_matches(const json_t *alert, const AlertFilter *filter);

/* Adds an alert, or replaces the one with its id. line: the object's text, copied. A full ring drops its
 * oldest alert. -EBADMSG: not an alert's shape (one that was read back); -ENOMEM. */
int alert_ring_put(AlertRing *r, const json_t *alert, const char *line);

/* Adds a state alert's line (alert/state.h) to the log alone: it is followed, not listed. -ENOMEM. */
int alert_ring_put_state(AlertRing *r, StateKind kind, const char *line);

/* Alerts have sequence numbers, which grow and are never reused: begin … end - 1 are stored. */
uint64_t alert_ring_begin(const AlertRing *r);
uint64_t alert_ring_end(const AlertRing *r);

/* Returns the line, valid until the next put; NULL: dropped, or not yet stored. */
const char *alert_ring_line(const AlertRing *r, uint64_t sequence);
bool alert_ring_matches(const AlertRing *r, uint64_t sequence, const AlertFilter *filter);

/* Returns where a listing of the newest `limit` (0: all) matching alerts begins. */
uint64_t alert_ring_seek(const AlertRing *r, const AlertFilter *filter, size_t limit);

/* Returns the id of the incident of an alert; NULL: not stored, or written by a version without incidents.
 */
const char *alert_ring_incident(const AlertRing *r, uint64_t sequence);

/* Finds an alert by its id, or by the part after the boot id ("BOOTNS-CPU"). -ENOENT; -ENOTUNIQ: alerts of
 * several boots share that part. */
int alert_ring_find(const AlertRing *r, const char *id, uint64_t *ret_sequence);

/* The log: begin … end - 1 of what was put (a repeated alert is put again). It has as many entries as the
 * ring: a reader that falls further behind has lost entries. */
uint64_t alert_ring_log_begin(const AlertRing *r);
uint64_t alert_ring_log_end(const AlertRing *r);

/* Returns the line that was put, or the newer one of an alert that was put again since. NULL: dropped. */
const char *alert_ring_log_line(const AlertRing *r, uint64_t number, LineKind *ret_kind);
