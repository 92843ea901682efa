/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "basic/hash.h"
#include "basic/time-util.h"

static void test_utc(void **state) {
        static const struct {
                uint64_t usec;
                const char *text;
        } cases[] = {
                { 0, "1970-01-01T00:00:00.000000Z" },
                { 1795999999000001, "2026-11-30T00:53:19.000001Z" },
                { UINT64_MAX, "586524-01-19T08:01:49.551615Z" },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[TIME_TEXT_SIZE];

                time_format_utc(cases[i].usec, text);
                assert_string_equal(text, cases[i].text);
        }
}

static void test_utc_read(void **state) {
        static const char *const bad[] = {
                "",
                "2026-11-29",
                "2026-11-29T22:53:19Z",
                "2026-11-29T22:53:19.1Z",
                "2026-11-29T22:53:19.000001",
                "2026-11-29T22:53:19.000001Z ",
                "1969-12-31T23:59:59.000000Z",
        };
        uint64_t usec = 7;
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(time_parse_utc(bad[i], &usec), -EBADMSG);
        assert_int_equal(usec, 7);
        assert_int_equal(time_parse_utc("2026-11-30T00:53:19.000001Z", &usec), 0);
        assert_int_equal(usec, 1795999999000001);
}

/* Sun 2026-11-22 13:07:42.5 CET, which is 12:07:42.5 UTC. */
#define NOW (1795349262 * USEC_PER_SEC + 500000)

static void test_format(void **state) {
        (void)state;
        char text[TIME_TEXT_SIZE];

        assert_string_equal(time_format(NOW, text), "Sun 2026-11-22 13:07:42 CET");
        assert_string_equal(time_format(1782900000 * USEC_PER_SEC, text), "Wed 2026-07-01 12:00:00 CEST");
        assert_string_equal(time_format_short(NOW, text), "Nov 22 13:07:42");
        assert_string_equal(time_format_short(1782900000 * USEC_PER_SEC, text), "Jul 01 12:00:00");
        /* The latest time there is still fits. */
        assert_true(strlen(time_format(UINT64_MAX, text)) < TIME_TEXT_SIZE);
}

static void test_ago(void **state) {
        (void)state;
        static const struct {
                uint64_t ago_sec;
                const char *text;
        } cases[] = {
                { 0, "0s ago" },
                { 59, "59s ago" },
                { 60, "1min 0s ago" },
                { 3599, "59min 59s ago" },
                { 7500, "2h 5min ago" },
                { 86399, "23h 59min ago" },
                { 86400, "1 day ago" },
                { 5 * 86400, "5 days ago" },
        };
        char text[TIME_TEXT_SIZE];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_string_equal(time_format_ago(NOW - cases[i].ago_sec * USEC_PER_SEC, NOW, text),
                                cases[i].text);
        assert_string_equal(time_format_ago(NOW + 1, NOW, text), "in the future");
}

/* Test vectors of the authors of FNV (Fowler, Noll, Vo). */
static void test_hash(void **state) {
        (void)state;

        assert_int_equal(fnv1a(FNV1A_INIT, "", 0), UINT64_C(0xcbf29ce484222325));
        assert_int_equal(fnv1a(FNV1A_INIT, "a", 1), UINT64_C(0xaf63dc4c8601ec8c));
        assert_int_equal(fnv1a(FNV1A_INIT, "foobar", 6), UINT64_C(0x85944171f73967e8));
        assert_int_equal(fnv1a(fnv1a(FNV1A_INIT, "foo", 3), "bar", 3), UINT64_C(0x85944171f73967e8));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_utc),
                cmocka_unit_test(test_utc_read),
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_ago),
                cmocka_unit_test(test_hash),
        };

        setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", true); /* its offset changes within the year */
        tzset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
