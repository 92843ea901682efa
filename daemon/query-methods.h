/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The methods of io.barbwire.Barbwire and org.varlink.service: a call's bytes → the bytes of its replies,
 * batch by batch. The one place that knows the interface. Knows the ring, not sockets. Pure. */

#include <stddef.h>

#include <jansson.h>

#include "alert-ring.h"
#include "util.h"

/* Most bytes of alerts in one batch, unless a single alert is larger: what one client holds at a time.
 * Twenty alerts of usual size. */
#define QUERY_BATCH_BYTES (64U * 1024)

/* Where the answers come from. It must outlive whoever answers. */
typedef struct QuerySource {
        const AlertRing *ring;
        /* GetStatus' and ListRules' reply, a new object; NULL: memory is short. */
        json_t *(*status)(void *userdata);
        json_t *(*rules)(void *userdata);
        void *userdata;
} QuerySource;

/* A call that is being answered. A listing is a place in the ring, not a copy of it: alerts that are pushed
 * out while somebody reads are not in it any more. */
typedef struct Query Query;

typedef enum QueryState {
        QUERY_OVER,  /* nothing more comes */
        QUERY_READY, /* there is a next batch */
        QUERY_WAITS, /* there is a next batch once something has been put into the ring */
} QueryState;

/* Takes one message, without its NUL. -EBADMSG: not a call; -ENOMEM. */
int query_new(const QuerySource *source, const char *message, size_t size, Query **ret);
Query *query_free(Query *q);
DEFINE_CLEANUP(Query, query_free);

QueryState query_state(const Query *q);

/* The next batch, newly allocated: zero or more replies, or a piece of a large one. What the client got
 * wrong is a reply, too. -ENOMEM: the call cannot be answered any more. */
int query_next(Query *q, char **ret, size_t *ret_size);
