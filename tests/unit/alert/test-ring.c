/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The ring keeps the newest alerts, in the order in which they were first put, whatever their content. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "alert/ring.h"
#include "basic/json-util.h"
#include "../alert-fixture.h"

#define BOOT "0123456789abcdef0123456789abcdef"

/* An alert of second n, its id made of a boot and n. */
/* Older alerts have no action. */
static json_t *alert_at(const char *boot, unsigned n, const char *severity, const char *class) {
        char id[64];

        (void)snprintf(id, sizeof(id), "%s-%016x-0", boot, n);
        json_t *o = json_pack("{s:s, s:o, s:s, s:[s, s], s:{s:i, s:i, s:s?}}", "id", id, "time",
                        json_from_time(n * USEC_PER_SEC), "severity", severity, "classes", class,
                        "every-class", "process", "pid", (int)n, "uid", (int)(n % 3), "unit",
                        n % 2 ? "odd.service" : NULL);
        assert_non_null(o);
        if (n % 3)
                assert_int_equal(json_object_set_new(o, "action", json_string(n % 2 ? "denied" : "alert")),
                                0);
        return o;
}

static void put_text(AlertRing *r, unsigned n, const char *text) {
        json_auto_t *o = alert_at(BOOT, n, n % 2 ? "high" : "low", n % 2 ? "odd" : "even");

        assert_int_equal(alert_ring_put(r, o, text), 0);
}

static void put(AlertRing *r, unsigned n) {
        char text[16];

        (void)snprintf(text, sizeof(text), "line %u", n);
        put_text(r, n, text);
}

static AlertRing *ring_new(size_t n_max, unsigned n) {
        AlertRing *r = NULL;

        assert_int_equal(alert_ring_new(n_max, &r), 0);
        for (unsigned i = 1; i <= n; i++)
                put(r, i);
        return r;
}

static void assert_lines(const AlertRing *r, const char *first, const char *last) {
        assert_string_equal(alert_ring_line(r, alert_ring_begin(r)), first);
        assert_string_equal(alert_ring_line(r, alert_ring_end(r) - 1), last);
        assert_null(alert_ring_line(r, alert_ring_end(r)));
        if (alert_ring_begin(r) > 0)
                assert_null(alert_ring_line(r, alert_ring_begin(r) - 1));
}

static void test_empty(void **state) {
        (void)state;
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(4, 0);
        const AlertFilter all = {};
        uint64_t sequence = 99;
        LineKind kind;

        assert_int_equal(alert_ring_begin(r), alert_ring_end(r));
        assert_null(alert_ring_line(r, 0));
        assert_int_equal(alert_ring_seek(r, &all, 0), alert_ring_end(r));
        assert_int_equal(alert_ring_find(r, "x", &sequence), -ENOENT);
        assert_int_equal(sequence, 99);
        assert_null(alert_ring_log_line(r, 0, &kind));
}

static void test_oldest_makes_room(void **state) {
        (void)state;
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(4, 11);

        assert_int_equal(alert_ring_end(r) - alert_ring_begin(r), 4);
        assert_lines(r, "line 8", "line 11");
}

/* Put again with the count of its repeats: the same place, the new text, and a new place in the log. */
static void test_put_again(void **state) {
        (void)state;
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(4, 4);
        LineKind kind = LINE_LOSS;

        put_text(r, 2, "line 2, again");
        assert_int_equal(alert_ring_end(r) - alert_ring_begin(r), 4);
        assert_string_equal(alert_ring_line(r, alert_ring_begin(r) + 1), "line 2, again");
        assert_lines(r, "line 1", "line 4");
        assert_int_equal(alert_ring_log_end(r), 5);
        assert_string_equal(alert_ring_log_line(r, 4, &kind), "line 2, again");
        assert_int_equal(kind, LINE_ALERT);
        /* The log shows the newer line for the first time, too. */
        assert_string_equal(alert_ring_log_line(r, 1, &kind), "line 2, again");

        /* An alert that was dropped and comes back is new. */
        put(r, 5);
        put_text(r, 1, "line 1, again");
        assert_lines(r, "line 3", "line 1, again");
}

static void test_log(void **state) {
        (void)state;
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(4, 2);
        LineKind kind = LINE_ALERT;

        assert_int_equal(alert_ring_put_state(r, STATE_LOSS, "lost"), 0);
        assert_int_equal(alert_ring_end(r) - alert_ring_begin(r), 2);
        assert_string_equal(alert_ring_log_line(r, 2, &kind), "lost");
        assert_int_equal(kind, LINE_LOSS);
        assert_int_equal(alert_ring_put_state(r, STATE_POLICY, "{\"state\": \"policy\"}"), 0);
        assert_string_equal(alert_ring_log_line(r, 3, &kind), "{\"state\": \"policy\"}");
        assert_int_equal(kind, LINE_POLICY);
        assert_int_equal(alert_ring_put_state(r, STATE_LOSS, "{\"state\": \"loss\", \"cause\": \"policy\"}"),
                        0);
        (void)alert_ring_log_line(r, 4, &kind);
        assert_int_equal(kind, LINE_LOSS);
        for (unsigned i = 5; i < 20; i++)
                assert_int_equal(alert_ring_put_state(r, STATE_LOSS, "lost more"), 0);
        assert_int_equal(alert_ring_log_end(r) - alert_ring_log_begin(r), 4);
        assert_null(alert_ring_log_line(r, alert_ring_log_begin(r) - 1, &kind));
        assert_lines(r, "line 1", "line 2");
}

/* The log may name an alert that large ones have pushed out. */
static void test_bytes_are_bounded(void **state) {
        (void)state;
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(100, 1);
        size_t size = ALERT_RING_BYTES_MAX / 4;
        _cleanup_free_ char *large = malloc(size + 1);
        LineKind kind;

        assert_non_null(large);
        memset(large, 'x', size);
        large[size] = '\0';
        for (unsigned i = 2; i < 12; i++)
                put_text(r, i, large);
        assert_int_equal(alert_ring_end(r) - alert_ring_begin(r), 4);
        assert_null(alert_ring_log_line(r, 0, &kind));
        put(r, 12);
        assert_int_equal(alert_ring_end(r) - alert_ring_begin(r), 4);

        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(alert_ring_put_state(r, STATE_LOSS, large), 0);
        assert_true(alert_ring_log_end(r) - alert_ring_log_begin(r) <= 4);
        assert_string_equal(alert_ring_line(r, alert_ring_end(r) - 1), "line 12");
}

static unsigned count(const AlertRing *r, const AlertFilter *f) {
        unsigned n = 0;

        for (uint64_t s = alert_ring_seek(r, f, 0); s < alert_ring_end(r); s++)
                n += alert_ring_matches(r, s, f);
        /* The same outside of a ring. */
        for (unsigned i = 1, left = n; i <= 30 && alert_ring_end(r) == 30; i++) {
                json_auto_t *o = alert_at(BOOT, i, i % 2 ? "high" : "low", i % 2 ? "odd" : "even");
                int matches = alert_matches(o, f);

                assert_in_range(matches, 0, 1);
                left -= (unsigned)matches;
                assert_true(i < 30 || left == 0);
        }
        return n;
}

static void test_filter(void **state) {
        (void)state;
        json_auto_t *empty = json_object();
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(100, 30);

        assert_int_equal(count(r, &(AlertFilter){}), 30);
        assert_int_equal(count(r, &(AlertFilter){ .severity = SEVERITY_MEDIUM }), 15);
        assert_int_equal(count(r, &(AlertFilter){ .severity = SEVERITY_LOW }), 30);
        assert_int_equal(count(r, &(AlertFilter){ .class = "odd" }), 15);
        assert_int_equal(count(r, &(AlertFilter){ .class = "every-class" }), 30);
        assert_int_equal(count(r, &(AlertFilter){ .class = "every" }), 0);
        assert_int_equal(count(r, &(AlertFilter){ .unit = "odd.service" }), 15);
        assert_int_equal(count(r, &(AlertFilter){ .unit = "odd" }), 0);
        assert_int_equal(count(r, &(AlertFilter){ .by_pid = true, .pid = 7 }), 1);
        assert_int_equal(count(r, &(AlertFilter){ .by_pid = true, .pid = 0 }), 0);
        assert_int_equal(count(r, &(AlertFilter){ .by_uid = true, .uid = 0 }), 10);
        assert_int_equal(count(r, &(AlertFilter){ .by_action = true, .action = BW_ACTION_DENIED }), 10);
        assert_int_equal(count(r, &(AlertFilter){ .by_action = true, .action = BW_ACTION_ALERT }), 20);
        assert_int_equal(count(r, &(AlertFilter){ .by_action = true, .action = BW_ACTION_WOULD_DENY }), 0);
        assert_int_equal(count(r, &(AlertFilter){ .by_uid = true, .uid = 0, .class = "odd" }), 5);
        assert_int_equal(alert_matches(empty, &(AlertFilter){}), -EBADMSG);
        /* Both ends are included. */
        assert_int_equal(count(r, &(AlertFilter){ .since_usec = 10 * USEC_PER_SEC }), 21);
        assert_int_equal(count(r, &(AlertFilter){ .until_usec = 10 * USEC_PER_SEC }), 10);
        assert_int_equal(count(r, &(AlertFilter){ .since_usec = 10 * USEC_PER_SEC,
                                                  .until_usec = 10 * USEC_PER_SEC }),
                        1);
        assert_int_equal(count(r, &(AlertFilter){ .since_usec = 10 * USEC_PER_SEC + 1 }), 20);
}

/* Listed on request only. An alert that also has another class is not a selftest's. */
static void test_selftest_is_not_listed(void **state) {
        (void)state;
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(100, 3);
        const AlertFilter all = {}, selftest = { .class = "barbwire-selftest" };

        for (unsigned n = 10; n < 12; n++) {
                json_auto_t *o = alert_at(BOOT, n, "low", "barbwire-selftest");

                if (n == 11)
                        assert_int_equal(json_array_remove(json_object_get(o, "classes"), 1), 0);
                assert_int_equal(alert_ring_put(r, o, n == 11 ? "selftest" : "both"), 0);
        }
        assert_int_equal(alert_ring_end(r) - alert_ring_begin(r), 5);
        assert_int_equal(count(r, &all), 4);
        assert_string_equal(alert_ring_line(r, alert_ring_seek(r, &all, 1)), "both");
        assert_int_equal(count(r, &selftest), 2);
        assert_string_equal(alert_ring_line(r, alert_ring_seek(r, &selftest, 1)), "selftest");
}

static void test_seek_newest(void **state) {
        (void)state;
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(100, 30);
        const AlertFilter all = {}, odd = { .class = "odd" };

        assert_string_equal(alert_ring_line(r, alert_ring_seek(r, &all, 1)), "line 30");
        assert_string_equal(alert_ring_line(r, alert_ring_seek(r, &all, 3)), "line 28");
        assert_string_equal(alert_ring_line(r, alert_ring_seek(r, &odd, 3)), "line 25");
        assert_string_equal(alert_ring_line(r, alert_ring_seek(r, &odd, 1000)), "line 1");
}

static void test_find(void **state) {
        (void)state;
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(100, 30);
        uint64_t sequence = 0;

        assert_int_equal(alert_ring_find(r, BOOT "-000000000000000a-0", &sequence), 0);
        assert_string_equal(alert_ring_line(r, sequence), "line 10");
        assert_int_equal(alert_ring_find(r, "000000000000000b-0", &sequence), 0);
        assert_string_equal(alert_ring_line(r, sequence), "line 11");
        assert_int_equal(alert_ring_find(r, "00000000000000ff-0", &sequence), -ENOENT);
        assert_int_equal(alert_ring_find(r, "", &sequence), -ENOENT);
        assert_int_equal(alert_ring_find(r, "0", &sequence), -ENOENT);

        json_auto_t *other = alert_at("fedcba9876543210fedcba9876543210", 11, "low", "x");
        assert_int_equal(alert_ring_put(r, other, "other boot"), 0);
        assert_int_equal(alert_ring_find(r, "000000000000000b-0", &sequence), -ENOTUNIQ);
        assert_int_equal(alert_ring_find(r, BOOT "-000000000000000b-0", &sequence), 0);
        assert_string_equal(alert_ring_line(r, sequence), "line 11");
}

/* Entries that were read back from a journal: other data must be refused. */
static void test_other_shapes(void **state) {
        (void)state;
        static const char *const shapes[] = {
                "{}",
                "[]",
                "null",
                "{\"id\":\"x\",\"time\":\"2026-11-22T10:05:01.023456Z\",\"severity\":\"high\",\"classes\":[]"
                "}",
                "{\"id\":1,\"time\":\"2026-11-22T10:05:01.023456Z\",\"severity\":\"high\",\"classes\":[],"
                "\"process\":{\"pid\":1,\"uid\":0}}",
                "{\"id\":\"x\",\"time\":\"2026-11-22 10:05:01\",\"severity\":\"high\",\"classes\":[],"
                "\"process\":{\"pid\":1,\"uid\":0}}",
                "{\"id\":\"x\",\"time\":\"2026-11-22T10:05:01.023456Zx\",\"severity\":\"high\",\"classes\":["
                "],"
                "\"process\":{\"pid\":1,\"uid\":0}}",
                "{\"id\":\"x\",\"time\":\"2026-11-22T10:05:01.023456Z\",\"severity\":\"huge\",\"classes\":[]"
                ","
                "\"process\":{\"pid\":1,\"uid\":0}}",
                "{\"id\":\"x\",\"time\":\"2026-11-22T10:05:01.023456Z\",\"severity\":\"high\",\"classes\":["
                "1],"
                "\"process\":{\"pid\":1,\"uid\":0}}",
        };
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(4, 1);

        for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
                json_auto_t *o = json_loads(shapes[i], JSON_DECODE_ANY, NULL);

                assert_non_null(o);
                assert_int_equal(alert_ring_put(r, o, shapes[i]), -EBADMSG);
        }
        assert_int_equal(alert_ring_end(r) - alert_ring_begin(r), 1);
        assert_int_equal(alert_ring_log_end(r), 1);
}

static void test_a_real_alert(void **state) {
        (void)state;
        _cleanup_(alert_ring_freep) AlertRing *r = ring_new(4, 0);
        _cleanup_(alert_freep) Alert *a = NULL;
        _cleanup_free_ char *line = NULL;
        json_auto_t *o = NULL;
        Event e = event_new();
        uint64_t sequence;

        assert_int_equal(alert_new(&e, &policy, &names, &epoch, 0, &a), 0);
        assert_int_equal(alert_to_json(a, &o, &line), 0);
        assert_int_equal(alert_ring_put(r, o, line), 0);
        assert_int_equal(alert_ring_find(r, a->id, &sequence), 0);
        const AlertFilter exact = {
                .since_usec = a->realtime_usec,
                .until_usec = a->realtime_usec,
                .severity = a->score.severity,
                .class = "ssh-private-keys",
                .by_pid = true,
                .pid = a->process.pid,
                .by_uid = true,
                .uid = a->process.uid,
        };
        assert_true(alert_ring_matches(r, sequence, &exact));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_oldest_makes_room),
                cmocka_unit_test(test_put_again),
                cmocka_unit_test(test_log),
                cmocka_unit_test(test_bytes_are_bounded),
                cmocka_unit_test(test_filter),
                cmocka_unit_test(test_selftest_is_not_listed),
                cmocka_unit_test(test_seek_newest),
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_other_shapes),
                cmocka_unit_test(test_a_real_alert),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
