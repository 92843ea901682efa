/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each loss is reported once, with exact counts, and a report that is due too early comes later. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "alert/losses.h"
#include "basic/util.h"

#define START (UINT64_C(1000) * USEC_PER_SEC)

typedef struct Reported {
        StateAlert items[2 * LOSSES_MAX];
        size_t n;
} Reported;

static void on_report(const StateAlert *a, void *userdata) {
        Reported *t = userdata;

        assert_true(t->n < ELEMENTSOF(t->items));
        t->items[t->n++] = *a;
}

static void test_every_loss_has_a_name_of_its_own(void **state) {
        (void)state;
        for (unsigned i = 0; i < LOSSES_MAX; i++) {
                assert_non_null(loss_info(i)->name);
                assert_non_null(loss_info(i)->meaning);
                for (unsigned j = 0; j < i; j++)
                        assert_string_not_equal(loss_info(i)->name, loss_info(j)->name);
        }
}

static void test_nothing_lost_nothing_reported(void **state) {
        (void)state;
        const uint64_t counts[LOSSES_MAX] = {};
        Losses l = {};
        Reported t = {};

        losses_update(&l, counts, START, 5);
        assert_true(losses_report(&l, START, true, on_report, &t) == UINT64_MAX);
        assert_int_equal(t.n, 0);
        assert_int_equal(losses_sum(&l), 0);
}

static void test_reported_once_an_interval(void **state) {
        (void)state;
        uint64_t counts[LOSSES_MAX] = { [BW_LOSS_RING_FULL] = 3 };
        Losses l = {};
        Reported t = {};

        losses_update(&l, counts, START, 77);
        assert_true(losses_report(&l, START, false, on_report, &t) == UINT64_MAX);
        assert_int_equal(t.n, 1);
        assert_string_equal(t.items[0].cause, "ring_full");
        assert_int_equal(t.items[0].count, 3);
        assert_int_equal(t.items[0].total, 3);
        assert_int_equal(t.items[0].realtime_usec, 77);

        /* Too early: reported later, with all events since. Another cause does not wait for it. */
        counts[BW_LOSS_RING_FULL] = 5;
        counts[LOSS_UNWRITTEN] = 1;
        losses_update(&l, counts, START + 1, 78);
        assert_int_equal(losses_report(&l, START + 1, false, on_report, &t), START + LOSSES_REPORT_USEC);
        assert_int_equal(t.n, 2);
        assert_string_equal(t.items[1].cause, "unwritten");

        counts[BW_LOSS_RING_FULL] = 9;
        losses_update(&l, counts, START + LOSSES_REPORT_USEC, 79);
        assert_true(losses_report(&l, START + LOSSES_REPORT_USEC, false, on_report, &t) == UINT64_MAX);
        assert_int_equal(t.n, 3);
        assert_int_equal(t.items[2].count, 6);
        assert_int_equal(t.items[2].total, 9);
        assert_int_equal(losses_sum(&l), 10);
}

static void test_all_is_reported_at_the_end(void **state) {
        (void)state;
        uint64_t counts[LOSSES_MAX] = { [LOSS_RECURSION_MISSES] = 1 };
        Losses l = {};
        Reported t = {};

        losses_update(&l, counts, START, 0);
        (void)losses_report(&l, START, false, on_report, &t);
        counts[LOSS_RECURSION_MISSES] = 2;
        losses_update(&l, counts, START + 1, 0);
        assert_true(losses_report(&l, START + 1, true, on_report, &t) == UINT64_MAX);
        assert_int_equal(t.n, 2);
        assert_int_equal(t.items[1].count, 1);
}

/* A count that decreases (a program was replaced) must not cause a second report of the same loss. */
static void test_a_count_never_falls(void **state) {
        (void)state;
        uint64_t counts[LOSSES_MAX] = { [LOSS_RECURSION_MISSES] = 4 };
        Losses l = {};
        Reported t = {};

        losses_update(&l, counts, START, 0);
        (void)losses_report(&l, START, true, on_report, &t);
        counts[LOSS_RECURSION_MISSES] = 2;
        losses_update(&l, counts, START + 1, 0);
        (void)losses_report(&l, START + 1, true, on_report, &t);
        assert_int_equal(t.n, 1);
        assert_int_equal(losses_sum(&l), 4);
}

static void test_delays(void **state) {
        StateAlert a = { .count = 4711 };
        Delays d = {};

        (void)state;
        assert_false(delays_end(&d, 1, &a));
        delays_add(&d, 0);
        delays_add(&d, DELAYS_REPORT_USEC - 1);
        assert_false(delays_end(&d, 1, &a));
        assert_int_equal(a.count, 4711);

        /* Delays that were reported before do not count. */
        delays_add(&d, DELAYS_REPORT_USEC + 5);
        delays_add(&d, 0);
        delays_add(&d, DELAYS_REPORT_USEC / 2);
        assert_true(delays_end(&d, 77, &a));
        assert_int_equal(a.kind, STATE_DELAY);
        assert_int_equal(a.count, 2);
        assert_int_equal(a.longest_usec, DELAYS_REPORT_USEC + 5);
        assert_int_equal(a.realtime_usec, 77);
        assert_false(delays_end(&d, 78, &a));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_loss_has_a_name_of_its_own),
                cmocka_unit_test(test_nothing_lost_nothing_reported),
                cmocka_unit_test(test_reported_once_an_interval),
                cmocka_unit_test(test_all_is_reported_at_the_end),
                cmocka_unit_test(test_a_count_never_falls),
                cmocka_unit_test(test_delays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
