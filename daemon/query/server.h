/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Answers Varlink calls (varlink.org) on a listening Unix socket: the interfaces io.barbwire.Barbwire and
 * org.varlink.service.
 *
 * This folder may include alert/, policy/, and what they include. It must not know sensors and sinks: the
 * daemon passes it the status as JSON. varlink.[ch], the protocol, is used by the client, too.
 *
 * Read-only: no call changes what the daemon does, but WatchProcesses, with which the kernel counts while it
 * lasts. Clients, bytes and times are limited: a slow, silent or hostile client affects only itself. */

#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "query/methods.h"
#include "basic/util.h"

typedef struct QueryServer QueryServer;

/* Limits, beyond which a client is disconnected. */
typedef struct QueryLimits {
        size_t clients_max;
        size_t clients_per_user_max; /* root is exempt */
        size_t clients_for_root;     /* of clients_max, reserved for root */
        size_t request_bytes_max;
        uint64_t request_usec;      /* from the first byte of a call to its last */
        uint64_t reply_usec;        /* to read a batch (query/methods.h) from the socket */
        uint64_t idle_usec;         /* between two calls */
        uint64_t accept_pause_usec; /* after accept(2) failed */
} QueryLimits;

/* Those of a new server; their reasons are in query/server.c. */
extern const QueryLimits query_limits;

/* Takes ownership of the listening SOCK_STREAM socket on success. */
int query_server_new(sd_event *event, int listen_fd, const QuerySource *source, QueryServer **ret);
QueryServer *query_server_free(QueryServer *s);
DEFINE_CLEANUP(QueryServer, query_server_free);

/* Replaces the limits, for tests. Call it before the first client connects. */
void query_server_set_limits(QueryServer *s, const QueryLimits *limits);

/* Wakes the clients that follow, after an entry was added to the ring. */
void query_server_wake(QueryServer *s);

/* For status. */
size_t query_server_n_clients(const QueryServer *s);
