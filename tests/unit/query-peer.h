/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A query server in this process, and clients that take turns with it. Comes after <cmocka.h>. */

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "query/interface.h"
#include "query/server.h"
#include "basic/time-util.h"
#include "query/varlink.h"
#include "query-fixture.h"

#define RING_ALERTS 50
/* Whatever is expected comes sooner, also under a sanitizer on a busy machine. */
#define PATIENCE_USEC (20 * USEC_PER_SEC)
/* sd_event's own accuracy, and some. */
#define LATE_USEC (2 * USEC_PER_SEC)

#define CALL(method) "{\"method\":\"" BARBWIRE_INTERFACE "." method "\"}"
#define CALL_MORE(method) "{\"method\":\"" BARBWIRE_INTERFACE "." method "\",\"more\":true}"
static const char status_call[] = CALL("GetStatus");

typedef struct Test {
        char directory[64];
        struct sockaddr_un address;
        sd_event *event;
        AlertRing *ring;
        QuerySource source;
        QueryServer *server;
        QueryLimits limits;
        unsigned n_status;
        int urgent_fd;
        unsigned n_status_seen, n_overtaken;
} Test;

typedef struct Peer {
        Test *test;
        int fd;
        char *data;
        size_t size;
} Peer;

static inline json_t *status_reply(void *userdata) {
        Test *t = userdata;
        uint64_t one = 1;

        t->n_status++;
        if (t->urgent_fd >= 0)
                assert_int_equal(write(t->urgent_fd, &one, sizeof(one)), sizeof(one));
        return json_pack("{s:i}", "n", (int)t->n_status);
}

static inline json_t *rules_reply(void *userdata) {
        (void)userdata;
        return json_object();
}

static inline int setup(void **state) {
        Test *t = calloc(1, sizeof(*t));

        if (!t)
                return -1;
        *state = t;
        t->urgent_fd = -1;
        strcpy(t->directory, "/tmp/test-query-server-XXXXXX");
        if (!mkdtemp(t->directory) || chmod(t->directory, 0755) < 0)
                return -1;
        t->address.sun_family = AF_UNIX;
        (void)snprintf(t->address.sun_path, sizeof(t->address.sun_path), "%s/s", t->directory);

        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(fd, (struct sockaddr *)&t->address, sizeof(t->address)) < 0 || listen(fd, 200) < 0 ||
                        chmod(t->address.sun_path, 0666) < 0)
                return -1;
        t->source = (QuerySource){ .status = status_reply, .rules = rules_reply, .userdata = t };
        if (alert_ring_new(RING_ALERTS, &t->ring) < 0 || sd_event_new(&t->event) < 0)
                return -1;
        t->source.ring = t->ring;
        if (query_server_new(t->event, fd, &t->source, &t->server) < 0)
                return -1;
        /* Times that are never reached, and no reserve: a test shortens or reserves what it is about. */
        t->limits = query_limits;
        t->limits.clients_per_user_max = t->limits.clients_max;
        t->limits.clients_for_root = 0;
        t->limits.request_usec = t->limits.reply_usec = t->limits.idle_usec = t->limits.accept_pause_usec =
                        100 * USEC_PER_SEC;
        query_server_set_limits(t->server, &t->limits);
        return 0;
}

static inline int teardown(void **state) {
        Test *t = *state;

        query_server_free(t->server);
        sd_event_unref(t->event);
        alert_ring_free(t->ring);
        if (t->urgent_fd >= 0)
                close(t->urgent_fd);
        (void)unlink(t->address.sun_path);
        (void)rmdir(t->directory);
        free(t);
        return 0;
}

static inline Peer peer_connect(Test *t) {
        Peer p = { .test = t, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };

        assert_true(p.fd >= 0);
        assert_int_equal(connect(p.fd, (struct sockaddr *)&t->address, sizeof(t->address)), 0);
        return p;
}

static inline void peer_done(Peer *p) {
        closep(&p->fd);
        free(p->data);
}
#define _cleanup_peer_ _cleanup_(peer_done)

/* One turn of the loop, if there is anything to do. */
static inline bool turn(Test *t, uint64_t usec) {
        int r = sd_event_run(t->event, usec);

        assert_true(r >= 0);
        return r > 0;
}

static inline void settle(Test *t) {
        while (turn(t, 0))
                ;
}

/* The other side has to read for it to fit. */
static inline void peer_send_bytes(Peer *p, const char *data, size_t size) {
        uint64_t end = time_now_usec(CLOCK_MONOTONIC) + PATIENCE_USEC;

        while (size > 0) {
                ssize_t n = send(p->fd, data, size, MSG_NOSIGNAL);

                if (n < 0) {
                        assert_int_equal(errno, EAGAIN);
                        assert_true(time_now_usec(CLOCK_MONOTONIC) < end);
                        (void)turn(p->test, 10000);
                        continue;
                }
                data += n;
                size -= n;
        }
}

static inline void peer_send(Peer *p, const char *call) {
        peer_send_bytes(p, call, strlen(call) + 1);
}

/* Whatever is there; false: the connection is closed. */
static inline bool peer_read(Peer *p) {
        char piece[4096];
        ssize_t n = recv(p->fd, piece, sizeof(piece), 0);

        if (n < 0 && errno == EAGAIN)
                return true;
        if (n <= 0)
                return false;
        p->data = realloc(p->data, p->size + n);
        memcpy(p->data + p->size, piece, n);
        p->size += n;
        return true;
}

/* The next message; NULL: the connection is closed. */
static inline json_t *peer_receive(Peer *p) {
        uint64_t end = time_now_usec(CLOCK_MONOTONIC) + PATIENCE_USEC;
        size_t n;

        while ((n = varlink_message_size(p->data, p->size, 0)) == 0) {
                if (!peer_read(p)) {
                        assert_int_equal(p->size, 0);
                        return NULL;
                }
                if (varlink_message_size(p->data, p->size, 0) == 0)
                        (void)turn(p->test, 10000);
                assert_true(time_now_usec(CLOCK_MONOTONIC) < end);
        }
        json_t *reply = json_loadb(p->data, n - 1, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(reply);
        p->size -= n;
        memmove(p->data, p->data + n, p->size);
        return reply;
}

static inline void assert_status(Peer *p, unsigned n) {
        json_auto_t *reply = peer_receive(p);

        assert_non_null(reply);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "parameters"), "n")), n);
}

static inline void assert_closed(Peer *p) {
        json_auto_t *reply = peer_receive(p);

        assert_null(reply);
}

/* Closed by a limit of `usec`, not before it. */
static inline void assert_closed_after(Peer *p, uint64_t usec) {
        uint64_t begin = time_now_usec(CLOCK_MONOTONIC);

        assert_closed(p);
        assert_in_range(time_now_usec(CLOCK_MONOTONIC) - begin, usec / 2, usec + LATE_USEC);
        assert_int_equal(query_server_n_clients(p->test->server), 0);
}
