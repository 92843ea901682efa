/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What joins alerts, what does not, when an incident ends, and what is left of it after a restart. */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alert/incident.h"
#include "alert/json.h"
#include "basic/util.h"
#include "../alert-fixture.h"

#define SEC NSEC_PER_SEC
#define START (1000 * SEC)

static Incidents *all;

static int setup(void **state) {
        (void)state;
        all = calloc(1, sizeof(*all));
        return all ? 0 : -1;
}

static int teardown(void **state) {
        (void)state;
        free(all);
        return 0;
}

static const char *add(const EventCorrelation *e, uint64_t mono_ns, const char *id) {
        return incidents_add(all, e, mono_ns, id);
}

/* A process in a group, which holds a file that another one (or itself) read. */
static EventCorrelation event(uint32_t pid, uint32_t group, uint32_t opener, uint64_t inode) {
        EventCorrelation e = {
                .process = { .pid = pid, .start_boot_ns = pid * SEC, .group = group, .loginuid = 1000 },
                .n_files = 1,
        };

        e.files[0] = (EventFile){
                .pid = opener, .inode = inode, .device = 8, .mono_ns = START - opener * NSEC_PER_MSEC * 10
        };
        return e;
}

/* One harvester with 10 files, ten cats and 40 connections: one, however its processes are grouped. */
static void test_harvester(void **state) {
        EventCorrelation e = event(10, 10, 10, 0);
        (void)state;

        e.n_files = BW_FILES_MAX;
        for (unsigned i = 0; i < BW_FILES_MAX; i++)
                e.files[i] = (EventFile){ .pid = 10, .inode = i + 1, .mono_ns = START - i - 1 };
        assert_string_equal(add(&e, START, "first"), "first");
        for (unsigned i = 0; i < 10; i++) {
                EventCorrelation cat = event(20 + i, 10, 20 + i, 100 + i);

                assert_string_equal(add(&cat, START + i * SEC, "cat"), "first");
        }
        for (unsigned i = 0; i < 40; i++)
                assert_string_equal(add(&e, START + (10 + i) * SEC, "more"), "first");

        /* What a child of its own group got from it. */
        EventCorrelation child = event(60, 60, 10, 3);
        child.files[0].device = 0;
        child.files[0].mono_ns = START - 3;
        assert_string_equal(add(&child, START + 60 * SEC, "child"), "first");
}

static void test_two_thieves(void **state) {
        EventCorrelation a = event(10, 10, 10, 1), b = event(11, 11, 11, 1);
        (void)state;

        assert_string_equal(add(&a, START, "a"), "a");
        assert_string_equal(add(&b, START, "b"), "b");
        assert_string_equal(add(&a, START + SEC, "c"), "a");
        assert_string_equal(add(&b, START + SEC, "d"), "b");
        /* Another process that got the same PID. */
        a.process.start_boot_ns += SEC;
        a.process.group = 99;
        a.files[0].mono_ns++;
        assert_string_equal(add(&a, START + SEC, "e"), "e");
}

/* Each alone: what is the same, and whether that joins. */
static void test_links(void **state) {
        static const struct {
                bool root, sender, group, login, joins;
        } cases[] = {
                { true, false, false, false, true },
                { false, true, false, false, true },
                { false, false, true, true, true },
                { false, false, true, false, false },
                { false, false, false, true, false },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                EventCorrelation a = event(10, 10, 7, 1), b = event(20, 20, 8, 2);

                memset(all, 0, sizeof(*all));
                if (cases[i].root)
                        b.files[0] = a.files[0];
                if (cases[i].sender) {
                        b.process.pid = a.process.pid;
                        b.process.start_boot_ns = a.process.start_boot_ns;
                }
                if (cases[i].group)
                        b.process.group = a.process.group;
                if (!cases[i].login)
                        b.process.loginuid = 1001;
                (void)add(&a, START, "a");
                if (strcmp(add(&b, START + SEC, "b"), cases[i].joins ? "a" : "b") != 0)
                        fail_msg("case %zu", i);
        }

        /* A process group that is not known is none. */
        EventCorrelation a = event(10, 0, 7, 1), b = event(20, 0, 8, 2);
        memset(all, 0, sizeof(*all));
        (void)add(&a, START, "a");
        assert_string_equal(add(&b, START, "b"), "b");
        /* A root is the better link than a group, and that than nothing. */
        EventCorrelation c = event(30, 10, 8, 2);
        a.process.group = 10;
        (void)add(&a, START + SEC, "c");
        assert_string_equal(add(&c, START + SEC, "d"), "b");
}

/* 5 minutes for a group, 15 without an alert, and a day. */
static void test_times(void **state) {
        EventCorrelation a = event(10, 10, 7, 1), b = event(20, 10, 8, 2);
        (void)state;

        (void)add(&a, START, "a");
        assert_string_equal(add(&b, START + 300 * SEC, "b"), "b");
        memset(all, 0, sizeof(*all));
        (void)add(&a, START, "a");
        assert_string_equal(add(&b, START + 300 * SEC - 1, "b"), "a");

        memset(all, 0, sizeof(*all));
        (void)add(&a, START, "a");
        assert_string_equal(add(&a, START + 15 * 60 * SEC - 1, "b"), "a");
        assert_string_equal(add(&a, START + 30 * 60 * SEC - 1, "c"), "c");

        memset(all, 0, sizeof(*all));
        uint64_t now = START;
        for (; now < START + 24 * 3600 * SEC; now += 600 * SEC)
                assert_string_equal(add(&a, now, "more"), "more");
        assert_string_equal(add(&a, now, "another"), "another");
}

/* A full table closes the quietest, and joins nothing that does not belong together. */
static void test_full(void **state) {
        (void)state;

        for (unsigned i = 0; i <= INCIDENTS_MAX; i++) {
                EventCorrelation e = event(100 + i, 100 + i, 100 + i, 1);
                char id[32];

                (void)snprintf(id, sizeof(id), "id-%u", i);
                assert_string_equal(add(&e, START + i, id), id);
        }
        EventCorrelation first = event(100, 100, 100, 1), second = event(101, 101, 101, 1);
        assert_string_equal(add(&second, START + SEC, "x"), "id-1");
        assert_string_equal(add(&first, START + SEC, "y"), "y");
}

/* Whatever one process does, it pushes out what is its own only. */
static void test_rings(void **state) {
        EventCorrelation e = event(10, 0, 10, 1), other = event(11, 0, 11, 1);
        (void)state;

        (void)add(&other, START, "other");
        for (unsigned i = 0; i < 1000; i++) {
                e.files[0].inode = i + 1;
                e.files[0].mono_ns = START + i;
                assert_string_equal(add(&e, START, "e"), "e");
        }
        assert_string_equal(add(&other, START, "x"), "other");
        e.process.pid = 12;
        assert_string_equal(add(&e, START, "x"), "e"); /* the latest root */
        e.process.pid = 13;
        e.files[0].mono_ns = START; /* the first */
        e.files[0].inode = 1;
        assert_string_equal(add(&e, START, "x"), "x");
}

/* An alert as the journal has it, of the event's JSON. */
static json_t *past(const Event *e, const char *incident) {
        _cleanup_(alert_freep) Alert *a = NULL;
        _cleanup_free_ char *line = NULL;
        json_t *o = NULL;

        assert_int_equal(alert_new(e, &policy, &names, &epoch, 0, &a), 0);
        (void)snprintf(a->incident, sizeof(a->incident), "%s", incident);
        assert_int_equal(alert_to_json(a, &o, &line), 0);
        return o;
}

/* The sender and the roots are known again, by their rounded times; groups are not. */
static void test_restart(void **state) {
        const uint64_t boot_minus_mono_ns = 5000000001999 - NOW_MONO_NS;
        const char *first = "0123456789abcdef0123456789abcdef-0000048c00000000-1";
        Event e = event_new();
        (void)state;

        json_auto_t *alert = past(&e, first);
        incidents_restore(all, alert, &epoch, boot_minus_mono_ns);

        EventCorrelation sender = event(e.correlation.process.pid, 5, 1, 1), child = event(2, 6, 3, 4),
                         stranger = event(3, 7, 3, 4);
        sender.process.start_boot_ns = e.correlation.process.start_boot_ns;
        child.files[0] = e.correlation.files[0];
        stranger.files[0] = e.correlation.files[0];
        stranger.files[0].mono_ns += 10 * NSEC_PER_MSEC; /* another read */
        assert_string_equal(add(&stranger, NOW_MONO_NS + SEC, "stranger"), "stranger");
        assert_string_equal(add(&sender, NOW_MONO_NS + SEC, "x"), first);
        assert_string_equal(add(&child, NOW_MONO_NS + SEC, "y"), first);

        /* Of another boot, and what is no alert. */
        memset(all, 0, sizeof(*all));
        incidents_restore(all, alert, &(AlertEpoch){ .boot_id = "0" }, boot_minus_mono_ns);
        assert_int_equal(json_object_set_new(alert, "incident", json_integer(1)), 0);
        incidents_restore(all, alert, &epoch, boot_minus_mono_ns);
        json_auto_t *empty = json_object();
        incidents_restore(all, empty, &epoch, boot_minus_mono_ns);
        incidents_restore(all, NULL, &epoch, boot_minus_mono_ns);
        assert_string_equal(add(&sender, NOW_MONO_NS + SEC, "z"), "z");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_harvester, setup, teardown),
                cmocka_unit_test_setup_teardown(test_two_thieves, setup, teardown),
                cmocka_unit_test_setup_teardown(test_links, setup, teardown),
                cmocka_unit_test_setup_teardown(test_times, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rings, setup, teardown),
                cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
