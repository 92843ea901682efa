/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Implements io.barbwire.Barbwire and org.varlink.service: the bytes of a call become the bytes of its
 * replies, batch by batch. Reads the ring of alerts, and knows no sockets. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "alert/ring.h"
#include "query/mark-list.h"
#include "basic/util.h"

/* The most bytes of alerts in a batch, unless a single alert is larger: what the daemon buffers for a
 * client. Twenty alerts of usual size. */
#define QUERY_BATCH_BYTES (64U * 1024)

/* What a client that looks at the activity of processes has seen of it; see daemon/activity.c. */
typedef struct ActivityView ActivityView;

/* Provides the data of WatchProcesses. */
typedef struct ActivitySource {
        /* Begins a view for a new call, and ends it: before the first sample the kernel begins to count,
         * with the last view it ends. NULL: out of memory. */
        ActivityView *(*begin)(uint64_t interval_usec, void *userdata);
        void (*end)(ActivityView *v, void *userdata);
        /* Whether there is something to write now. */
        bool (*is_due)(const ActivityView *v, void *userdata);
        /* Writes the parameters of the next reply, a part of a sample: fewer than QUERY_BATCH_BYTES of them,
         * within half a millisecond. 0 or -ENOMEM. */
        int (*write)(ActivityView *v, FILE *f, void *userdata);
        void *userdata;
} ActivitySource;

/* Provides the data of replies. Must outlive every Query and QueryServer. */
typedef struct QuerySource {
        const AlertRing *ring;
        /* The reply of GetStatus and of ListRules, a new object; NULL: out of memory. */
        json_t *(*status)(void *userdata);
        json_t *(*rules)(void *userdata);
        /* Returns the number of a listing of marks for a new call; 0: out of memory. */
        uint64_t (*marks_begin)(void *userdata);
        /* The listing of that number, done or not. NULL: it is gone, as a newer one was made. */
        const MarkList *(*marks)(uint64_t number, void *userdata);
        const ActivitySource *activity;
        void *userdata;
} QuerySource;

/* A call that is being answered. A listing is a position in the ring, not a copy of it: alerts that are
 * evicted while a client reads are left out. */
typedef struct Query Query;

typedef enum QueryState {
        QUERY_OVER,  /* complete */
        QUERY_READY, /* there is a next batch */
        QUERY_WAITS, /* there will be a next batch when the ring has a new entry, a listing is done, or time
                        has passed */
} QueryState;

/* Parses a message, without its NUL. -EBADMSG: not a call; -ENOMEM. */
int query_new(const QuerySource *source, const char *message, size_t size, Query **ret);
Query *query_free(Query *q);
DEFINE_CLEANUP(Query, query_free);

QueryState query_state(const Query *q);

/* Makes the next batch, newly allocated: zero or more replies, or a part of a large one. An error of the
 * client is a reply, too. -ENOMEM: the call cannot be answered. */
int query_next(Query *q, char **ret, size_t *ret_size);
