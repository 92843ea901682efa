/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Real clients on a real socket: who is answered, in which order, and that nobody keeps the loop from what
 * is more important, or wakes it up for nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "../query-peer.h"

static void test_answer(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer a = peer_connect(t), b = peer_connect(t);

        assert_int_equal(query_server_n_clients(t->server), 0);
        peer_send(&a, status_call);
        assert_status(&a, 1);
        peer_send(&b, status_call);
        assert_status(&b, 2);
        peer_send(&a, status_call);
        assert_status(&a, 3);
        assert_int_equal(query_server_n_clients(t->server), 2);
        peer_done(&a);
        settle(t);
        assert_int_equal(query_server_n_clients(t->server), 1);
        a = peer_connect(t);
}

static void test_pieces(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t);

        for (size_t i = 0; i < sizeof(status_call); i++) {
                assert_int_equal(t->n_status, 0);
                peer_send_bytes(&p, status_call + i, 1);
                settle(t);
        }
        assert_status(&p, 1);
}

static void test_pipelined(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t);
        enum { N = 1000 };
        static char all[N * sizeof(status_call)];

        for (size_t i = 0; i < N; i++)
                memcpy(all + i * sizeof(status_call), status_call, sizeof(status_call));
        peer_send_bytes(&p, all, sizeof(all));
        for (unsigned i = 1; i <= N; i++)
                assert_status(&p, i);
}

/* A call without a reply between two with one, and another without at the end. */
static void test_oneway(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t);
        const char *oneway = "{\"method\":\"" BARBWIRE_INTERFACE ".GetStatus\",\"oneway\":true}";

        peer_send(&p, status_call);
        peer_send(&p, oneway);
        peer_send(&p, status_call);
        peer_send(&p, oneway);
        assert_status(&p, 1);
        assert_status(&p, 2);
        settle(t);
        assert_true(peer_read(&p));
        assert_int_equal(p.size, 0);
        assert_int_equal(query_server_n_clients(t->server), 1);
}

static void test_half_closed(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t), follower = peer_connect(t), partial = peer_connect(t);
        json_auto_t *hello = NULL, *alert = NULL;

        peer_send(&p, status_call);
        peer_send(&p, status_call);
        assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
        assert_status(&p, 1);
        assert_status(&p, 2);
        assert_closed(&p);

        peer_send(&follower, CALL_MORE("Follow"));
        assert_int_equal(shutdown(follower.fd, SHUT_WR), 0);
        hello = peer_receive(&follower);
        assert_non_null(hello);
        settle(t);
        assert_int_equal(test_alerts_put(t->ring, 0, 1, 0), 0);
        query_server_wake(t->server);
        alert = peer_receive(&follower);
        assert_non_null(alert);

        peer_send_bytes(&partial, status_call, 5);
        assert_int_equal(shutdown(partial.fd, SHUT_WR), 0);
        assert_closed(&partial);
        assert_int_equal(query_server_n_clients(t->server), 1);
}

static void test_malformed(void **state) {
        static const char *const bad[] = { "", "{", "[]", "{\"method\":1}", "\xff\xfe" };
        Test *t = *state;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_peer_ Peer p = peer_connect(t);

                t->n_status = 0;
                peer_send(&p, status_call);
                peer_send(&p, bad[i]);
                peer_send(&p, status_call);
                assert_status(&p, 1);
                assert_closed(&p);
                assert_int_equal(t->n_status, 1);
        }
        assert_int_equal(query_server_n_clients(t->server), 0);
}

static int on_urgent(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Test *t = userdata;
        uint64_t n;

        (void)source;
        (void)revents;
        assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
        t->n_overtaken = MAX(t->n_overtaken, t->n_status - t->n_status_seen);
        t->n_status_seen = t->n_status;
        return 0;
}

/* Every call comes with an urgent event, which is handled before the next call, however many there are. */
static void test_priority(void **state) {
        Test *t = *state;
        sd_event_source *urgent = NULL;
        /* Few enough for all replies to fit into the sockets. */
        enum { PEERS = 20, CALLS = 50 };
        Peer p[PEERS];

        t->urgent_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_true(sd_event_add_io(t->event, &urgent, t->urgent_fd, EPOLLIN, on_urgent, t) >= 0);
        for (size_t i = 0; i < PEERS; i++) {
                p[i] = peer_connect(t);
                for (unsigned k = 0; k < CALLS; k++)
                        assert_int_equal(send(p[i].fd, status_call, sizeof(status_call), 0),
                                        sizeof(status_call));
        }
        settle(t);
        assert_int_equal(t->n_status, PEERS * CALLS);
        assert_int_equal(t->n_status_seen, PEERS * CALLS);
        /* Whatever watches has its turn after each round of the clients'. */
        assert_in_range(t->n_overtaken, 1, PEERS + 1);
        sd_event_source_disable_unref(urgent);
        for (size_t i = 0; i < PEERS; i++)
                peer_done(p + i);
}

/* Who asks once does not wait for who asks a hundred times. */
static void test_fair(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer greedy = peer_connect(t), modest = peer_connect(t);

        settle(t);
        for (unsigned k = 0; k < 100; k++)
                assert_int_equal(send(greedy.fd, status_call, sizeof(status_call), 0), sizeof(status_call));
        peer_send(&modest, status_call);
        for (unsigned i = 0; i < 6; i++)
                (void)turn(t, 0);
        assert_true(peer_read(&modest));
        assert_true(modest.size > 0);
        assert_true(t->n_status < 10);
}

/* A waiting client costs nothing. */
static void test_quiet(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer idle = peer_connect(t), follower = peer_connect(t), half = peer_connect(t);
        _cleanup_peer_ Peer partial = peer_connect(t);
        json_auto_t *hello = NULL, *hello_half = NULL;

        peer_send(&follower, CALL_MORE("Follow"));
        peer_send(&half, CALL_MORE("Follow"));
        assert_int_equal(shutdown(half.fd, SHUT_WR), 0);
        hello = peer_receive(&follower);
        hello_half = peer_receive(&half);
        peer_send_bytes(&partial, status_call, 5);
        settle(t);
        assert_false(turn(t, USEC_PER_SEC / 2));

        /* Following is not being idle; and with nobody there the timer is off. */
        t->limits.idle_usec = t->limits.reply_usec = t->limits.request_usec = USEC_PER_SEC / 10;
        query_server_set_limits(t->server, &t->limits);
        peer_send_bytes(&partial, status_call + 5, sizeof(status_call) - 5);
        assert_status(&partial, 1);
        assert_closed(&partial);
        assert_closed(&idle);
        (void)usleep(USEC_PER_SEC / 2);
        settle(t);
        assert_int_equal(query_server_n_clients(t->server), 2);
        assert_false(turn(t, USEC_PER_SEC));
        peer_done(&follower);
        peer_done(&half);
        settle(t);
        assert_int_equal(query_server_n_clients(t->server), 0);
        assert_false(turn(t, USEC_PER_SEC));
        follower = half = (Peer){ .fd = -1 };
}

static void test_follow(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t), q = peer_connect(t);
        json_auto_t *hello = NULL, *hello_too = NULL;

        query_server_wake(t->server);
        peer_send(&p, CALL_MORE("Follow"));
        peer_send(&q, CALL_MORE("Follow"));
        hello = peer_receive(&p);
        hello_too = peer_receive(&q);
        settle(t);
        for (unsigned i = 0; i < 3; i++) {
                char id[32];

                (void)snprintf(id, sizeof(id), "boot-%u", i);
                assert_int_equal(test_alerts_put(t->ring, i, 1, 0), 0);
                query_server_wake(t->server);
                for (Peer *peer = &p; peer; peer = peer == &p ? &q : NULL) {
                        json_auto_t *reply = peer_receive(peer);
                        const json_t *alert = json_object_get(json_object_get(reply, "parameters"), "alert");
                        assert_string_equal(json_string_value(json_object_get(alert, "id")), id);
                }
        }
        assert_int_equal(alert_ring_put_state(t->ring, STATE_LOSS, "{}"), 0);
        query_server_wake(t->server);
        json_auto_t *reply = peer_receive(&p);
        assert_non_null(json_object_get(json_object_get(reply, "parameters"), "loss"));
}

/* Reads only when far more alerts were raised than fit: it gets the number of those it missed, and what
 * is there still comes. */
static void test_follow_slowly(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t);
        json_auto_t *hello = NULL;
        unsigned n = 0, n_missed = 0, n_raised = 1000;

        peer_send(&p, CALL_MORE("Follow"));
        hello = peer_receive(&p);
        for (unsigned i = 0; i < n_raised; i++) {
                assert_int_equal(test_alerts_put(t->ring, i, 1, 5000), 0);
                query_server_wake(t->server);
                settle(t);
        }
        while (n + n_missed < n_raised) {
                json_auto_t *reply = peer_receive(&p);
                const json_t *parameters = json_object_get(reply, "parameters");
                const json_t *alert = json_object_get(parameters, "alert");

                assert_non_null(reply);
                n_missed += json_integer_value(json_object_get(parameters, "missed"));
                if (!alert)
                        continue;

                char id[32];
                (void)snprintf(id, sizeof(id), "boot-%u", n++ + n_missed);
                assert_string_equal(json_string_value(json_object_get(alert, "id")), id);
        }
        assert_true(n_missed > n_raised / 2);
        assert_true(n > RING_ALERTS);
}

/* Gone in every state it can be in, and the server goes before its clients. */
static void test_gone(void **state) {
        static const char follow[] = CALL_MORE("Follow"), list[] = CALL_MORE("ListAlerts");
        static const struct {
                const char *data;
                size_t size;
        } calls[] = {
                { NULL, 0 },
                { status_call, 5 },
                { status_call, sizeof(status_call) },
                { follow, sizeof(follow) },
                { list, sizeof(list) },
        };
        Test *t = *state;
        Peer p[ELEMENTSOF(calls)];

        assert_int_equal(test_alerts_put(t->ring, 0, RING_ALERTS, 50000), 0);
        for (unsigned n_turns = 0; n_turns < 10; n_turns++) {
                for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                        p[i] = peer_connect(t);
                        peer_send_bytes(p + i, calls[i].data, calls[i].size);
                }
                for (unsigned i = 0; i < n_turns; i++)
                        (void)turn(t, 0);
                for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                        peer_done(p + i);
                settle(t);
                assert_int_equal(query_server_n_clients(t->server), 0);
        }
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                p[i] = peer_connect(t);
                peer_send_bytes(p + i, calls[i].data, calls[i].size);
        }
        for (unsigned i = 0; i < 8; i++)
                (void)turn(t, 0);
        assert_int_equal(query_server_n_clients(t->server), ELEMENTSOF(calls));
        t->server = query_server_free(t->server);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                peer_done(p + i);
}

/* Descriptors that come with a call are not kept. */
static void test_descriptors_passed(void **state) {
        Test *t = *state;
        _cleanup_peer_ Peer p = peer_connect(t);
        struct iovec iov = { .iov_base = (char *)status_call, .iov_len = sizeof(status_call) };
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_level = SOL_SOCKET,
                                      .cmsg_type = SCM_RIGHTS,
                                      .cmsg_len = CMSG_LEN(sizeof(int)) } };
        struct msghdr m = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        int pipe_fds[2];
        char c;

        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        memcpy(CMSG_DATA(&control.header), pipe_fds + 1, sizeof(int));
        assert_int_equal(sendmsg(p.fd, &m, 0), sizeof(status_call));
        close(pipe_fds[1]);
        assert_status(&p, 1);
        /* The pipe's last writer is gone. */
        assert_int_equal(read(pipe_fds[0], &c, 1), 0);
        close(pipe_fds[0]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_answer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pipelined, setup, teardown),
                cmocka_unit_test_setup_teardown(test_oneway, setup, teardown),
                cmocka_unit_test_setup_teardown(test_half_closed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_priority, setup, teardown),
                cmocka_unit_test_setup_teardown(test_fair, setup, teardown),
                cmocka_unit_test_setup_teardown(test_quiet, setup, teardown),
                cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
                cmocka_unit_test_setup_teardown(test_follow_slowly, setup, teardown),
                cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
                cmocka_unit_test_setup_teardown(test_descriptors_passed, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
