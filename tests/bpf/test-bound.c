/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Marks of opens that a rule allows, against the real kernel: bound to the rule's destinations and to what
 * it passes on; and what happens where there is no room for them. An open after which nothing can follow
 * (any destination, and nothing passed on) is marked as well, since the process may run other code later;
 * but such marks take at most half of the table and of a share, and without room nobody is suspected. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "marks-fixture.h"

#define MARKS_MAX 256
#define LIMIT (MARKS_MAX * 90 / 100)
#define CROWD_UID 65000
/* A cgroup of one user has an eighth of the table. */
#define IDLE_OF_CGROUP (LIMIT / 4 / 2 / 2)

static int setup(void **state) {
        const SensorSizes sizes = fixture_sizes(MARKS_MAX);
        char self[128], rules[1024];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        (void)state;
        assert_true(n > 0);
        self[n] = 0;
        /* Orders '0' to '3'. */
        (void)snprintf(rules, sizeof(rules),
                        "[Allow idle]\nClass=idle\nExe=%s\nPasses=nothing\n"
                        "[Allow near]\nClass=near\nExe=%s\nPasses=nothing\nDestination=loopback\n"
                        "[Allow far]\nClass=far\nExe=%s\nPasses=nothing\nDestination=192.0.2.1\n"
                        "[Allow passing]\nClass=passing\nExe=%s\n",
                        self, self, self, self);
        return fixture_open_with(&sizes, "60s", rules, "idle near far passing");
}

static int setup_shared(void **state) {
        return fixture_share(state, setup);
}

/* How many alerts what the process sends makes, and what a child of it sends. */
static void assert_sends(const Child *c, char order, unsigned n, unsigned n_child) {
        child_order(c, order);
        (void)correlations();
        child_order(c, 's');
        assert_int_equal(correlations(), n);
        /* Its own evidence is bound to its rule, and what that passes on is bound to none of the child's. */
        if (n) {
                assert_int_equal(fixture.last.correlation.bound, fixture.last.correlation.classes);
                assert_int_equal(fixture.last.correlation.passed, 0);
        }
        child_order(c, 'k');
        assert_int_equal(correlations(), n_child);
        if (n_child) {
                assert_int_equal(fixture.last.correlation.bound, fixture.last.correlation.classes);
                assert_int_equal(fixture.last.correlation.passed, fixture.last.correlation.classes);
        }
}

/* What a child sends is one alert, of unbound evidence. */
static void assert_child_unbound(const Child *c) {
        (void)correlations();
        child_order(c, 'k');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.bound, 0);
        assert_int_equal(fixture.last.correlation.passed, 0);
}

/* What is passed on by a process that has run other code is not bound, whether it opened the file before
 * that or after it; nor does an open under the rule bind what it has from another. */
static void test_passed_unbound(void **state) {
        (void)state;

        for (unsigned i = 0; i < 3; i++) {
                Child c = child_start();

                if (i < 2)
                        child_order(&c, '3');
                child_order(&c, 'c');
                if (i > 0)
                        child_order(&c, '3');
                assert_child_unbound(&c);
                child_end(&c);
        }
        Child c = child_start();
        child_order(&c, '3');
        child_order(&c, 'o');
        (void)correlations();
        child_order(&c, 'k');
        assert_int_equal(correlations(), 1);
        assert_int_equal(__builtin_popcountll(fixture.last.correlation.classes), 2);
        assert_int_equal(__builtin_popcountll(fixture.last.correlation.bound), 1);
        assert_int_equal(fixture.last.correlation.passed, fixture.last.correlation.bound);
        child_end(&c);
}

static void test_rules(void **state) {
        static const struct {
                char order;
                unsigned own, child;
        } cases[] = { { '0', 0, 0 }, { '1', 0, 0 }, { '2', 1, 0 }, { '3', 0, 1 } };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Child c = child_start();

                assert_sends(&c, cases[i].order, cases[i].own, cases[i].child);
                assert_int_equal(count(BW_COUNT_MARKS_LIVE), 1);
                child_end(&c);
        }
        assert_int_equal(count(BW_COUNT_MARKS_LIVE), 0);
}

/* An open under a rule does not allow one that no rule allows, nor the other way round. */
static void test_both(void **state) {
        Child c = child_start();

        (void)state;
        child_order(&c, '0');
        child_order(&c, 's');
        assert_int_equal(correlations(), 0);
        child_order(&c, 'o');
        child_order(&c, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.classes & 1, 1);
        assert_int_equal(__builtin_popcountll(fixture.last.correlation.classes), 1);
        child_end(&c);
}

/* Bound egress does not hold back what follows without a rule: only a repeat with the same evidence is one.
 */
static void test_evidence(void **state) {
        Child c = child_start();

        (void)state;
        child_order(&c, '2');
        child_order(&c, 's');
        child_order(&c, 's');
        assert_int_equal(correlations(), 1);
        const uint64_t class = fixture.last.correlation.classes;
        assert_int_equal(fixture.last.correlation.bound, class);
        /* Its rule ends, so that the next open is under none. */
        child_order(&c, 'c');
        child_order(&c, 's');
        assert_int_equal(correlations(), 0);
        child_order(&c, '2');
        child_order(&c, 's');
        child_order(&c, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.classes, class);
        assert_int_equal(fixture.last.correlation.fresh, class);
        assert_int_equal(fixture.last.correlation.bound, 0);
        child_end(&c);
}

/* A rule ends for a process that maps code which others than root can change. */
static void test_foreign_code(void **state) {
        Child c = child_start();

        (void)state;
        child_order(&c, '0');
        child_order(&c, 's');
        assert_int_equal(correlations(), 0);
        child_order(&c, 'c');
        child_order(&c, 's');
        assert_int_equal(correlations(), 1);
        child_end(&c);
}

static void test_idle_take_half(void **state) {
        static Child children[MARKS_MAX];
        unsigned n = 0;
        (void)state;

        for (; n < LIMIT; n++) {
                children[n] = child_start_as(CROWD_UID + n / IDLE_OF_CGROUP);
                child_order(&children[n], '0');
        }
        assert_int_equal(count(BW_COUNT_MARKS_LIVE), LIMIT / 2);
        assert_int_equal(count(BW_COUNT_MARKS_SUSPECTED), 0);
        assert_int_equal(loss(BW_LOSS_MARK_REFUSED), 0);
        for (unsigned i = 0; i < n; i++)
                child_order(&children[i], 's');
        assert_int_equal(correlations(), 0);

        /* A thief has room. */
        Child thief = child_start();
        child_order(&thief, 'o');
        child_order(&thief, 's');
        assert_int_equal(correlations(), 1);
        assert_int_equal(fixture.last.correlation.flags & BW_CORRELATION_SUSPECT, 0);
        child_end(&thief);
        while (n > 0)
                child_end(&children[--n]);
}

/* One user's processes leave half of the user's share, too. */
static void test_idle_take_half_of_a_share(void **state) {
        static Child children[2 * IDLE_OF_CGROUP];
        unsigned n = 0;
        (void)state;

        for (; n < 2 * IDLE_OF_CGROUP; n++) {
                children[n] = child_start_as(CROWD_UID);
                child_order(&children[n], '0');
        }
        assert_int_equal(count(BW_COUNT_MARKS_LIVE), IDLE_OF_CGROUP);
        /* An open that something can follow from is marked beyond that. */
        child_order(&children[n - 1], '3');
        assert_int_equal(count(BW_COUNT_MARKS_LIVE), IDLE_OF_CGROUP + 1);
        assert_int_equal(count(BW_COUNT_MARKS_SUSPECTED), 0);
        assert_int_equal(fixture.shares_reported, 0);
        while (n > 0)
                child_end(&children[--n]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_rules, setup_shared),
                cmocka_unit_test_setup(test_both, setup_shared),
                cmocka_unit_test_setup(test_evidence, setup_shared),
                cmocka_unit_test_setup(test_passed_unbound, setup_shared),
                cmocka_unit_test_setup_teardown(test_foreign_code, setup_shared, teardown),
                cmocka_unit_test_setup_teardown(test_idle_take_half, setup, teardown),
                cmocka_unit_test_setup_teardown(test_idle_take_half_of_a_share, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
