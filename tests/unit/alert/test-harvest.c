/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which processes are one lineage, for how long, and what a storm of processes costs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "alert/harvest.h"
#include "basic/util.h"

#define BIT(n) (UINT64_C(1) << (n))

/* A process and its ancestors, parent first, by their pids; each was started at its pid. */
static EventCorrelation event_of(uint64_t classes, uint32_t pid, const uint32_t *ancestors, size_t n) {
        EventCorrelation e = {
                .classes = classes, .process = { .pid = pid, .start_boot_ns = pid }, .n_lineage = n
        };

        for (size_t i = 0; i < n; i++)
                e.lineage[i] = (EventAncestor){ .pid = ancestors[i], .start_boot_ns = ancestors[i] };
        return e;
}

#define TOUCH(w, sec, classes, pid, ...)                                                                    \
        ({                                                                                                  \
                const uint32_t _a[] = { __VA_ARGS__ };                                                      \
                EventCorrelation _e = event_of(classes, pid, _a, ELEMENTSOF(_a));                           \
                harvest_watch_touch(w, &_e, (sec)*NSEC_PER_SEC);                                            \
        })

static HarvestWatch *watch_new(void) {
        HarvestWatch *w = calloc(1, sizeof(*w));
        assert_non_null(w);
        return w;
}

static void test_one_process(void **state) {
        _cleanup_free_ HarvestWatch *w = watch_new();
        (void)state;

        assert_int_equal(TOUCH(w, 1000, BIT(1), 50, 40, 1), BIT(1));
        assert_int_equal(TOUCH(w, 1001, BIT(2), 50, 40, 1), BIT(1) | BIT(2));
        assert_true(TOUCH(w, 1001, BIT(63), 50, 40, 1) == (BIT(1) | BIT(2) | BIT(63)));
        /* The same PID, another process. */
        EventCorrelation e = event_of(BIT(3), 50, NULL, 0);
        e.process.start_boot_ns = 51;
        assert_int_equal(harvest_watch_touch(w, &e, 1002 * NSEC_PER_SEC), BIT(3));
}

static void test_window(void **state) {
        _cleanup_free_ HarvestWatch *w = watch_new();
        (void)state;

        (void)TOUCH(w, 0, BIT(0), 50, 40, 30, 1);
        assert_int_equal(TOUCH(w, HARVEST_WINDOW_SEC, BIT(1), 51, 40, 30, 1), BIT(0) | BIT(1));
        assert_int_equal(TOUCH(w, HARVEST_WINDOW_SEC + 1, BIT(2), 52, 40, 30, 1), BIT(1) | BIT(2));
        /* Another access renews it. */
        assert_int_equal(TOUCH(w, 2 * HARVEST_WINDOW_SEC, BIT(1), 53, 40, 30, 1), BIT(1) | BIT(2));
        assert_int_equal(TOUCH(w, 3 * HARVEST_WINDOW_SEC, BIT(3), 53, 40, 30, 1), BIT(1) | BIT(3));
        /* Records of two CPUs may arrive in the wrong order. */
        assert_int_equal(TOUCH(w, 3 * HARVEST_WINDOW_SEC - 2, BIT(4), 53, 40, 30, 1),
                        BIT(1) | BIT(3) | BIT(4));
}

/* A chain of processes: ancestors count up to four steps up. */
static void test_ancestors(void **state) {
        (void)state;
        for (unsigned steps = 1; steps <= 6; steps++) {
                _cleanup_free_ HarvestWatch *w = watch_new();
                uint32_t a[BW_LINEAGE_MAX] = {}, b[BW_LINEAGE_MAX] = {};

                for (unsigned i = 0; i < BW_LINEAGE_MAX; i++) {
                        a[i] = i + 1 < steps ? 100 + i : 300 + i;
                        b[i] = i + 1 < steps ? 200 + i : 300 + i;
                }
                EventCorrelation e = event_of(BIT(0), 10, a, BW_LINEAGE_MAX);
                EventCorrelation f = event_of(BIT(1), 11, b, BW_LINEAGE_MAX);
                (void)harvest_watch_touch(w, &e, NSEC_PER_SEC);
                assert_int_equal(harvest_watch_touch(w, &f, NSEC_PER_SEC),
                                steps <= 4 ? BIT(0) | BIT(1) : BIT(1));
        }
}

/* Ancestors that everything descends from join nothing. */
static void test_strangers(void **state) {
        (void)state;
        static const struct {
                uint32_t a[4], b[4];
                size_t n;
                bool joined;
                const char *what;
        } cases[] = {
                { { 1 }, { 1 }, 1, false, "children of the first process" },
                { { 40, 1 }, { 41, 1 }, 2, false, "two services" },
                { { 60, 50, 1 }, { 61, 50, 1 }, 3, false, "two sessions of one sshd" },
                { { 70, 60, 50, 1 }, { 71, 60, 50, 1 }, 4, true, "two programs of one session" },
                { { 50, 1 }, { 50, 1 }, 2, true, "two programs that one service started itself" },
                { { 60, 50 }, { 61, 50 }, 2, false, "a lineage that is known no further" },
                { { 60, 50, 45 }, { 61, 50, 45 }, 3, true, "one that is" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ HarvestWatch *w = watch_new();
                EventCorrelation a = event_of(BIT(0), 10, cases[i].a, cases[i].n);
                EventCorrelation b = event_of(BIT(1), 11, cases[i].b, cases[i].n);

                (void)harvest_watch_touch(w, &a, NSEC_PER_SEC);
                if (harvest_watch_touch(w, &b, NSEC_PER_SEC) != (cases[i].joined ? BIT(0) | BIT(1) : BIT(1)))
                        fail_msg("%s", cases[i].what);
        }

        /* An ancestor whose start is not known may be any process. */
        _cleanup_free_ HarvestWatch *w = watch_new();
        const uint32_t ancestors[] = { 40, 30, 1 };
        EventCorrelation a = event_of(BIT(0), 10, ancestors, 3), b = event_of(BIT(1), 11, ancestors, 3);
        a.lineage[0].start_boot_ns = b.lineage[0].start_boot_ns = 0;
        (void)harvest_watch_touch(w, &a, NSEC_PER_SEC);
        assert_int_equal(harvest_watch_touch(w, &b, NSEC_PER_SEC), BIT(1));
}

/* A user's systemd starts every program of a desktop; a program with that name elsewhere is an ancestor like
 * others. */
static void test_managers(void **state) {
        static const struct {
                const char *exe;
                uint32_t ancestors[4];
                size_t n, i; /* which of them has that executable */
                bool joined;
        } cases[] = {
                { "/usr/lib/systemd/systemd", { 50, 1 }, 2, 0, false },
                { "/lib/systemd/systemd", { 50, 1 }, 2, 0, false },
                { "/usr/lib/systemd/systemd", { 50, 45, 1 }, 3, 0, false }, /* a container's */
                { "/usr/lib/systemd/systemd", { 60, 50, 1 }, 3, 1, true },  /* below one of its programs */
                { "/sbin/init", { 50, 45, 1 }, 3, 0, false },
                { "/tmp/usr/lib/systemd/systemd", { 50, 1 }, 2, 0, true },
                { "/usr/lib/systemd/systemd-logind", { 50, 1 }, 2, 0, true },
                { "/usr/lib/systemd/system", { 50, 1 }, 2, 0, true },
                { "", { 50, 1 }, 2, 0, true },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ HarvestWatch *w = watch_new();
                EventCorrelation a = event_of(BIT(0), 10, cases[i].ancestors, cases[i].n);

                a.lineage[cases[i].i].exe = (Bytes){ .data = cases[i].exe, .size = strlen(cases[i].exe) };
                EventCorrelation b = a;
                b.process.pid = 11;
                b.classes = BIT(1);
                (void)harvest_watch_touch(w, &a, NSEC_PER_SEC);
                if (harvest_watch_touch(w, &b, NSEC_PER_SEC) != (cases[i].joined ? BIT(0) | BIT(1) : BIT(1)))
                        fail_msg("case %zu", i);
        }
}

/* Two sessions of one sshd in a system container, whose first process has any number on the host, and is
 * known by its executable. */
static void test_containers(void **state) {
        static const struct {
                const char *init;
                bool joined;
        } cases[] = {
                { "/usr/lib/systemd/systemd", false },
                { "/lib/systemd/systemd", false },
                { "/usr/sbin/init", false },
                { "/usr/sbin/openrc-init", false },
                { "/tmp/usr/lib/systemd/systemd", true },
                { "/usr/bin/bash", true },
        };
        static const uint32_t one[] = { 60, 50, 45, 40, 1 }, other[] = { 61, 50, 45, 40, 1 };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ HarvestWatch *w = watch_new();
                EventCorrelation a = event_of(BIT(0), 10, one, ELEMENTSOF(one)),
                                 b = event_of(BIT(1), 11, other, ELEMENTSOF(other));

                a.lineage[2].exe = b.lineage[2].exe =
                                (Bytes){ .data = cases[i].init, .size = strlen(cases[i].init) };
                (void)harvest_watch_touch(w, &a, NSEC_PER_SEC);
                if (harvest_watch_touch(w, &b, NSEC_PER_SEC) != (cases[i].joined ? BIT(0) | BIT(1) : BIT(1)))
                        fail_msg("%s", cases[i].init);
        }
}

/* The least recently used entry is replaced, however many come within a second. */
static void test_one_second(void **state) {
        _cleanup_free_ HarvestWatch *w = watch_new();
        (void)state;

        /* One entry each: they descend from the first process. The table is full, and then some. */
        for (unsigned i = 0; i < HARVEST_ENTRIES; i++)
                assert_int_equal(TOUCH(w, 1000, BIT(0), 100 + i, 1), BIT(0));
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(TOUCH(w, 1000, BIT(1), 5000 + i, 1), BIT(1));
        /* All new ones are stored, and all but the first ten of the others. */
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(TOUCH(w, 1000, BIT(2), 5000 + i, 1), BIT(1) | BIT(2));
        for (unsigned i = HARVEST_ENTRIES - 1; i >= 10; i--)
                assert_int_equal(TOUCH(w, 1000, BIT(2), 100 + i, 1), BIT(0) | BIT(2));
        assert_int_equal(TOUCH(w, 1000, BIT(2), 100, 1), BIT(2));
}

/* Thousands of others come and go; an active process is not forgotten. */
static void test_storm(void **state) {
        _cleanup_free_ HarvestWatch *w = watch_new();
        const unsigned n = 100000;
        struct timespec from, to;
        (void)state;

        (void)TOUCH(w, 1000, BIT(0), 10, 9, 8, 1);
        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        for (unsigned i = 0; i < n; i++) {
                uint64_t sec = 1000 + i / 1000;

                if (i % 500 == 0)
                        assert_int_equal(TOUCH(w, sec, BIT(0) | BIT(1), 100000 + i, 9, 8, 1),
                                        BIT(0) | BIT(1));
                assert_int_equal(TOUCH(w, sec, BIT(2), 1000000 + i, 2000000 + i, 3000000 + i, 4000000 + i,
                                                 5000000 + i),
                                BIT(2));
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &to);
        int64_t ns = (to.tv_sec - from.tv_sec) * (int64_t)NSEC_PER_SEC + to.tv_nsec - from.tv_nsec;
        print_message("# %ld ns an event, nobody known\n", (long)(ns / n));
        /* 20,000 events a second leave 50 µs for each. */
        assert_true(ns / n < 50000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_process),
                cmocka_unit_test(test_window),
                cmocka_unit_test(test_ancestors),
                cmocka_unit_test(test_strangers),
                cmocka_unit_test(test_managers),
                cmocka_unit_test(test_containers),
                cmocka_unit_test(test_one_second),
                cmocka_unit_test(test_storm),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
