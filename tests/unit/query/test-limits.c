/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each limit: who keeps it is served, who does not is sent away, and when. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "../query-peer.h"

/* As long as it may be, and a byte longer. */
static void test_huge(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t);
        _cleanup_free_ char *call = malloc(t->limits.request_bytes_max + 1);

        memset(call, ' ', t->limits.request_bytes_max + 1);
        memcpy(call, status_call, strlen(status_call));
        call[t->limits.request_bytes_max - 1] = '\0';
        peer_send_bytes(&p, call, t->limits.request_bytes_max);
        assert_status(&p, 1);

        call[t->limits.request_bytes_max - 1] = ' ';
        call[t->limits.request_bytes_max] = '\0';
        peer_send_bytes(&p, call, t->limits.request_bytes_max + 1);
        assert_closed(&p);
        assert_int_equal(t->n_status, 1);
}

static void test_slow_request(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t);
        uint64_t begin = time_now_usec(CLOCK_MONOTONIC);
        size_t n = 0;

        /* Each byte in time, the call as a whole not. */
        t->limits.request_usec = USEC_PER_SEC;
        query_server_set_limits(t->server, &t->limits);
        do {
                if (send(p.fd, status_call + n++, 1, MSG_NOSIGNAL) < 0)
                        break;
                assert_true(n < sizeof(status_call));
                (void)usleep(100000);
                settle(t);
        } while (query_server_n_clients(t->server) > 0);
        assert_closed(&p);
        assert_in_range(time_now_usec(CLOCK_MONOTONIC) - begin, USEC_PER_SEC, USEC_PER_SEC + LATE_USEC);
}

static void test_idle(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t), silent = peer_connect(t);

        t->limits.idle_usec = USEC_PER_SEC;
        query_server_set_limits(t->server, &t->limits);
        assert_closed_after(&silent, USEC_PER_SEC);
        peer_done(&p);
        p = peer_connect(t);
        /* Who asks now and then stays. */
        for (unsigned i = 1; i <= 4; i++) {
                (void)usleep(500000);
                peer_send(&p, status_call);
                assert_status(&p, i);
        }
        assert_closed_after(&p, USEC_PER_SEC);
}

/* Who does not read stops being answered, holds one batch, and is sent away in time. */
static void test_slow_reader(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t), quick = peer_connect(t);
        const char *call = CALL_MORE("ListAlerts");
        uint64_t begin = time_now_usec(CLOCK_MONOTONIC);
        unsigned n = 0;

        t->limits.reply_usec = USEC_PER_SEC;
        query_server_set_limits(t->server, &t->limits);
        assert_int_equal(test_alerts_put(t->ring, 0, RING_ALERTS, 50000), 0);
        while (send(p.fd, call, strlen(call) + 1, MSG_NOSIGNAL) > 0)
                if (n++ % 16 == 0)
                        settle(t);
        assert_int_equal(errno, EAGAIN);
        peer_send(&quick, status_call);
        assert_status(&quick, 1);
        while (query_server_n_clients(t->server) > 1) {
                (void)turn(t, 100000);
                assert_true(time_now_usec(CLOCK_MONOTONIC) - begin < USEC_PER_SEC + LATE_USEC);
        }
        assert_true(time_now_usec(CLOCK_MONOTONIC) - begin >= USEC_PER_SEC);
        peer_send(&quick, status_call);
        assert_status(&quick, 2);
}

/* Takes longer for all of the listing than a batch may take. */
static void test_steady_reader(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t);
        uint64_t begin = time_now_usec(CLOCK_MONOTONIC);
        size_t n = 0;
        bool continues = true;

        t->limits.reply_usec = USEC_PER_SEC;
        query_server_set_limits(t->server, &t->limits);
        assert_int_equal(test_alerts_put(t->ring, 0, RING_ALERTS, 50000), 0);
        peer_send(&p, CALL_MORE("ListAlerts"));
        while (continues) {
                json_auto_t *reply = peer_receive(&p);

                assert_non_null(reply);
                n += json_array_size(json_object_get(json_object_get(reply, "parameters"), "alerts"));
                continues = json_is_true(json_object_get(reply, "continues"));
                (void)usleep(60000);
        }
        assert_int_equal(n, RING_ALERTS);
        assert_true(time_now_usec(CLOCK_MONOTONIC) - begin > 2 * USEC_PER_SEC);
}

static void assert_refused(Peer *p, size_t max) {
        json_auto_t *reply = peer_receive(p);
        json_auto_t *wanted = json_pack("{s:s, s:{s:i}}", "error", BARBWIRE_INTERFACE ".TooManyClients",
                        "parameters", "max", (int)max);

        assert_true(json_equal(reply, wanted));
        assert_closed(p);
}

static void test_clients_max(void **state) {
        Test *t = *state;

        t->limits.clients_max = 3;
        t->limits.clients_per_user_max = 3;
        query_server_set_limits(t->server, &t->limits);
        for (unsigned round = 0; round < 2; round++) {
                Peer p[5];

                for (size_t i = 0; i < ELEMENTSOF(p); i++)
                        p[i] = peer_connect(t);
                settle(t);
                assert_int_equal(query_server_n_clients(t->server), 3);
                for (size_t i = 3; i < ELEMENTSOF(p); i++)
                        assert_refused(p + i, 3);
                for (size_t i = 0; i < 3; i++) {
                        peer_send(p + i, status_call);
                        assert_status(p + i, 3 * round + i + 1);
                }
                for (size_t i = 0; i < ELEMENTSOF(p); i++)
                        peer_done(p + i);
                settle(t);
                assert_int_equal(query_server_n_clients(t->server), 0);
        }
}

/* The peer is who has connected: root becomes somebody else for that moment. */
static Peer peer_connect_as(Test *t, uid_t uid) {
        assert_int_equal(seteuid(uid), 0);
        Peer p = peer_connect(t);
        assert_int_equal(seteuid(getuid()), 0);
        return p;
}

/* However many the others are, root can ask. */
static void test_clients_for_root(void **state) {
        Test *t = *state;
        Peer p[5];

        if (getuid() != 0)
                skip();
        t->limits.clients_max = 4;
        t->limits.clients_for_root = 1;
        query_server_set_limits(t->server, &t->limits);
        for (size_t i = 0; i < 4; i++)
                p[i] = peer_connect_as(t, (uid_t)(1234 + i));
        p[4] = peer_connect(t);
        settle(t);
        assert_refused(p + 3, 3);
        peer_send(p + 4, status_call);
        assert_status(p + 4, 1);
        for (size_t i = 0; i < ELEMENTSOF(p); i++)
                peer_done(p + i);
}

static void test_clients_per_user(void **state) {
        Test *t = *state;
        bool root = getuid() == 0;
        uid_t somebody = root ? 1234 : getuid();
        Peer p[6];

        t->limits.clients_per_user_max = 2;
        query_server_set_limits(t->server, &t->limits);
        for (size_t i = 0; i < 3; i++)
                p[i] = peer_connect_as(t, somebody);
        p[3] = peer_connect_as(t, root ? 1235 : somebody);
        for (size_t i = 4; i < ELEMENTSOF(p); i++)
                p[i] = peer_connect(t);
        settle(t);

        assert_refused(p + 2, 2);
        if (root) {
                Peer third = peer_connect(t);

                assert_int_equal(query_server_n_clients(t->server), 5);
                peer_send(&third, status_call);
                assert_status(&third, 1);
                peer_done(&third);
        } else
                assert_int_equal(query_server_n_clients(t->server), 2);
        for (size_t i = 0; i < ELEMENTSOF(p); i++)
                peer_done(p + i);
}

/* No descriptor for another client: no loop without end, and it is served when there is one. */
static void test_descriptors_short(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t);
        _cleanup_close_ int last = dup(p.fd);
        struct rlimit before, none;
        unsigned n_turns = 0;

        t->limits.accept_pause_usec = USEC_PER_SEC / 2;
        query_server_set_limits(t->server, &t->limits);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = before;
        none.rlim_cur = last + 1;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        for (uint64_t end = time_now_usec(CLOCK_MONOTONIC) + 2 * USEC_PER_SEC;
                        time_now_usec(CLOCK_MONOTONIC) < end;)
                n_turns += turn(t, 100000);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(query_server_n_clients(t->server), 0);
        assert_in_range(n_turns, 2, 20);
        peer_send(&p, status_call);
        assert_status(&p, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_huge, setup, teardown),
                cmocka_unit_test_setup_teardown(test_slow_request, setup, teardown),
                cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
                cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
                cmocka_unit_test_setup_teardown(test_steady_reader, setup, teardown),
                cmocka_unit_test_setup_teardown(test_clients_max, setup, teardown),
                cmocka_unit_test_setup_teardown(test_clients_per_user, setup, teardown),
                cmocka_unit_test_setup_teardown(test_clients_for_root, setup, teardown),
                cmocka_unit_test_setup_teardown(test_descriptors_short, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
