/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The interval between sweeps, with a clock of the test's own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sensor/sweep-pace.h"

#define SECOND UINT64_C(1000000)
#define START (100 * SECOND)

/* While all entries exist the interval doubles up to a minute. */
static void test_backs_off(void **state) {
        static const uint64_t wanted[] = { 2, 4, 8, 16, 32, 60, 60, 60 };
        uint64_t now = START;
        SweepPace p;

        (void)state;
        sweep_pace_init(&p);
        assert_int_equal(p.next_usec, SWEEP_NEVER);
        now = sweep_pace_asked(&p, now);
        assert_int_equal(now, START + SECOND);
        for (unsigned i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
                uint64_t next = sweep_pace_swept(&p, now, 5000, 5000, true);

                assert_int_equal(next - now, wanted[i] * SECOND);
                now = next;
        }
}

/* A sweep that found something, and the programs' report of a table that grows, bring the next one forward.
 */
static void test_comes_back(void **state) {
        uint64_t now = START, next;
        SweepPace p;

        (void)state;
        sweep_pace_init(&p);
        (void)sweep_pace_asked(&p, now);
        for (unsigned i = 0; i < 4; i++)
                next = sweep_pace_swept(&p, now, 5000, 5000, true);
        assert_int_equal(next, START + 16 * SECOND);
        now += 3 * SECOND;
        next = sweep_pace_asked(&p, now);
        assert_int_equal(next, now + SECOND);
        /* A report a second must not put the sweep off. */
        assert_int_equal(sweep_pace_asked(&p, now + SECOND / 2), next);

        now = next;
        assert_int_equal(sweep_pace_swept(&p, now, 5000, 5000, true), now + 2 * SECOND);
        assert_int_equal(sweep_pace_swept(&p, now, 5000, 4999, true), now + SECOND);
}

/* With few entries it ends, until there are many again. */
static void test_ends(void **state) {
        SweepPace p;

        (void)state;
        sweep_pace_init(&p);
        (void)sweep_pace_asked(&p, START);
        for (unsigned i = 0; i < 4; i++)
                (void)sweep_pace_swept(&p, START, 5000, 5000, true);
        assert_int_equal(sweep_pace_swept(&p, START, 5000, 10, false), SWEEP_NEVER);
        assert_int_equal(sweep_pace_asked(&p, START + 7 * SECOND), START + 8 * SECOND);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_backs_off),
                cmocka_unit_test(test_comes_back),
                cmocka_unit_test(test_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
