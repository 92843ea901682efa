/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Answers queries on a listening Unix socket by Varlink (varlink.org): the interface io.barbwire.Barbwire,
 * and org.varlink.service. Read-only: nothing that a client sends changes what the daemon does. Bounded in
 * clients, bytes and time: a client that is slow, silent or hostile hurts itself only. */

#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "query-methods.h"
#include "util.h"

typedef struct QueryServer QueryServer;

/* What a client may take. Who asks for more is sent away; the usual values and their reasons:
 * query-server.c. */
typedef struct QueryLimits {
        size_t clients_max;
        size_t clients_per_user_max; /* root is exempt */
        size_t clients_for_root;     /* of clients_max, places that nobody else gets */
        size_t request_bytes_max;
        uint64_t request_usec;      /* from the first byte of a call to its last */
        uint64_t reply_usec;        /* to take a batch (query-methods.h) from the socket */
        uint64_t idle_usec;         /* between two calls */
        uint64_t accept_pause_usec; /* when a connection cannot be accepted */
} QueryLimits;

/* Takes over the listening SOCK_STREAM socket on success. */
int query_server_new(sd_event *event, int listen_fd, const QuerySource *source, QueryServer **ret);
QueryServer *query_server_free(QueryServer *s);
DEFINE_CLEANUP(QueryServer, query_server_free);

/* Other limits than the usual ones, for tests; before the first client. */
void query_server_set_limits(QueryServer *s, const QueryLimits *limits);

/* Something was put into the ring: whoever follows is told. */
void query_server_wake(QueryServer *s);

/* For status. */
size_t query_server_n_clients(const QueryServer *s);
