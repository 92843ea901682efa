/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The queue alone, with a receiver that is a function of the test's. With journald: test-journal-socket.c.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sink/queue.h"

typedef struct Fixture {
        sd_event *event;
        AlertQueue *queue;
        int pipe[2]; /* its writable end is always ready */
        unsigned n_blocked, n_unblocked;
        FILE *to; /* what was accepted, in text */
        char *text;
        size_t size;
} Fixture;

static void on_blocked(bool blocked, void *userdata) {
        Fixture *f = userdata;

        f->n_blocked += blocked;
        f->n_unblocked += !blocked;
}

/* Accepts at most `room` bytes of all; negative: that error. */
static ssize_t room;
static unsigned n_sends;

static ssize_t on_send(const char *data, size_t size, void *userdata) {
        FILE *to = userdata;

        n_sends++;
        if (room <= 0)
                return room < 0 ? room : -EAGAIN;
        size_t n = MIN(size, (size_t)room);
        assert_int_equal(fwrite(data, 1, n, to), n);
        room -= (ssize_t)n;
        return (ssize_t)n;
}

static void queue_open(Fixture *f) {
        assert_int_equal(pipe(f->pipe), 0);
        assert_int_equal(alert_queue_new(f->event, f->pipe[1], on_send, f->to, on_blocked, f, &f->queue), 0);
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        f->pipe[0] = f->pipe[1] = -1;
        f->to = open_memstream(&f->text, &f->size);
        *state = f;
        return !f->to ? -1 : sd_event_new(&f->event);
}

static int teardown(void **state) {
        Fixture *f = *state;

        alert_queue_free(f->queue);
        closep(&f->pipe[0]);
        closep(&f->pipe[1]);
        sd_event_unref(f->event);
        fclose(f->to);
        free(f->text);
        free(f);
        return 0;
}

static size_t n_waiting(Fixture *f) {
        uint64_t since_usec;

        return alert_queue_waiting(f->queue, &since_usec);
}

static void assert_idle(Fixture *f) {
        assert_int_equal(n_waiting(f), 0);
        assert_true(alert_queue_ready(f->queue));
        assert_int_equal(f->n_blocked, f->n_unblocked);
        assert_int_equal(sd_event_run(f->event, 0), 0);
}

/* A receiver that accepted a part must get the rest next, also of an entry without `keep`. */
static void test_parts(void **state) {
        Fixture *f = *state;

        queue_open(f);
        room = 5;
        assert_int_equal(alert_queue_put(f->queue, "one\n", 4, false), 0);
        assert_int_equal(alert_queue_put(f->queue, "two\n", 4, false), 0);
        assert_false(alert_queue_ready(f->queue));
        assert_int_equal(n_waiting(f), 1);
        assert_int_equal(alert_queue_put(f->queue, "three\n", 6, false), -EAGAIN);
        assert_int_equal(alert_queue_put(f->queue, "four\n", 5, true), 0);
        room = 2;
        assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
        assert_int_equal(n_waiting(f), 2);
        room = 100;
        assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
        assert_idle(f);

        /* A full disk: the entry is lost and counted, and the next one is tried. */
        room = -EIO;
        assert_int_equal(alert_queue_put(f->queue, "five\n", 5, false), 0);
        assert_int_equal(alert_queue_put(f->queue, "six\n", 4, true), 0);
        assert_int_equal(alert_queue_n_unwritten(f->queue), 2);
        assert_idle(f);
        room = 100;
        assert_int_equal(alert_queue_put(f->queue, "seven\n", 6, false), 0);
        fflush(f->to);
        assert_string_equal(f->text, "one\ntwo\nfour\nseven\n");

        /* No reader any more: the error is returned to the caller, or ends the loop. */
        room = -EPIPE;
        assert_int_equal(alert_queue_put(f->queue, "eight\n", 6, true), -EPIPE);
        room = 0;
        assert_int_equal(alert_queue_put(f->queue, "nine\n", 5, true), 0);
        room = -EPIPE;
        assert_int_equal(sd_event_loop(f->event), -EPIPE);
}

#define MIB (1024 * 1024)

/* Entries with `keep` wait up to the limit and are counted as lost beyond; a single entry may be of any
 * size. */
static void test_limit(void **state) {
        static char entry[MIB + 1], large[6 * MIB];
        Fixture *f = *state;

        queue_open(f);
        room = 0;
        assert_int_equal(alert_queue_put(f->queue, entry, sizeof(entry), false), -EAGAIN);
        assert_int_equal(f->n_blocked, 1);
        for (unsigned i = 0; i < 5; i++)
                assert_int_equal(alert_queue_put(f->queue, entry, sizeof(entry), true), 0);
        assert_int_equal(n_waiting(f), 3);
        assert_int_equal(alert_queue_n_unwritten(f->queue), 2);
        assert_int_equal(alert_queue_put(f->queue, "small", 5, true), 0);
        assert_int_equal(n_waiting(f), 4);

        room = 10 * MIB;
        assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
        assert_idle(f);
        fflush(f->to);
        assert_int_equal(f->size, 3 * sizeof(entry) + 5);

        room = 0;
        assert_int_equal(alert_queue_put(f->queue, large, sizeof(large), true), 0);
        assert_int_equal(n_waiting(f), 1);
        assert_int_equal(alert_queue_n_unwritten(f->queue), 2);
}

/* At shutdown with an absent receiver: retried at intervals, not all the time. */
static void test_drain_pauses(void **state) {
        Fixture *f = *state;
        struct timespec before, now;

        queue_open(f);
        room = -ENOTCONN;
        assert_int_equal(alert_queue_put(f->queue, "x", 1, true), 0);
        n_sends = 0;
        clock_gettime(CLOCK_MONOTONIC, &before);
        assert_false(alert_queue_drain(f->queue, (uint64_t)(before.tv_sec + 1) * USEC_PER_SEC));
        clock_gettime(CLOCK_MONOTONIC, &now);
        assert_true(now.tv_sec > before.tv_sec);
        assert_in_range(n_sends, 1, 12);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
                cmocka_unit_test_setup_teardown(test_drain_pauses, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
