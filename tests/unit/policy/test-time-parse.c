/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Times as they are given on the command line, in a zone whose offset changes within the year. */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "policy/time-parse.h"
#include "basic/util.h"

/* Sun 2026-11-22 13:07:42.5 CET, which is 12:07:42.5 UTC. */
#define NOW (1795349262 * USEC_PER_SEC + 500000)
#define TODAY (1795302000 * USEC_PER_SEC)
#define HOUR (3600 * USEC_PER_SEC)

static void test_parse(void **state) {
        (void)state;
        static const struct {
                const char *text;
                uint64_t usec;
        } cases[] = {
                { "now", NOW },
                { "today", TODAY },
                { "yesterday", TODAY - 24 * HOUR },
                { "-2h", NOW - 2 * HOUR },
                { "2h ago", NOW - 2 * HOUR },
                { "1h 30min ago", NOW - HOUR - HOUR / 2 },
                { "-90", NOW - 90 * USEC_PER_SEC },
                { "-99999d", 0 },
                { "@0", 0 },
                { "@1795349262", NOW - 500000 },
                { "@1795349262.5", NOW },
                { "@1795349262.000001999", NOW - 499999 },
                { "@253402300799", 253402300799 * USEC_PER_SEC },
                { "2026-11-22", TODAY },
                { "2026-11-22 10:00", TODAY + 10 * HOUR },
                { "2026-11-22 10:00:01", TODAY + 10 * HOUR + USEC_PER_SEC },
                { "2026-11-22 10:00:01.000001", TODAY + 10 * HOUR + USEC_PER_SEC + 1 },
                { "2026-11-22T09:00:00Z", TODAY + 10 * HOUR },
                { "2026-11-22T09:00:00.000001Z", TODAY + 10 * HOUR + 1 },
                { "2026-11-22t09:00:00z", TODAY + 10 * HOUR },
                { "2026-11-22T09:00:00+00:00", TODAY + 10 * HOUR },
                { "2026-11-22T14:30:00+05:30", TODAY + 10 * HOUR },
                { "2026-11-22T04:00:00-05:00", TODAY + 10 * HOUR },
                /* Summer: two hours ahead. */
                { "2026-07-01 12:00", 1782900000 * USEC_PER_SEC },
                { "2024-02-29 00:00Z", 1709164800 * USEC_PER_SEC },
                { "2026-11-22 14:30:00.25+05:30", TODAY + 10 * HOUR + 250000 },
                { "1970-01-01T00:00:00Z", 0 },
                { "9999-12-31T23:59:59Z", 253402300799 * USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 1;

                if (time_parse(cases[i].text, NOW, &usec) < 0 || usec != cases[i].usec)
                        fail_msg("\"%s\": %" PRIu64 ", not %" PRIu64, cases[i].text, usec, cases[i].usec);
        }
}

static void test_parse_refuses(void **state) {
        (void)state;
        static const char *const cases[] = {
                "",
                " ",
                "noon",
                "Now",
                "now ",
                "-",
                "+",
                "- ago",
                " ago",
                "ago",
                "5 parsecs ago",
                "-5 parsecs",
                "-99999999999h",
                "2h",
                "2h from now",
                "+2h ago",
                "+5min",
                "tomorrow",
                "10:00",
                "10:00 UTC",
                "2026-11-22 UTC",
                "2026-11-22 10:00 UTC",
                "Sun 2026-11-22",
                "@",
                "@-1",
                "@1.",
                "@1 ",
                "@253402300800",
                "@9999999999999",
                "10",
                "10:",
                "10:0",
                "24:00",
                "10:60",
                "10:00:60",
                "10:00:00.",
                "10:00:00.x",
                "10:00x",
                "010:00",
                "2026",
                "2026-11",
                "2026-1-1",
                "2026-13-01",
                "2026-00-01",
                "2026-02-29",
                "2026-11-31",
                "2026-11-00",
                "26-11-22",
                "2026-11-22 ",
                "2026-11-22 10",
                "2026-11-22T",
                "2026-11-22  10:00",
                "2026-11-22 10:00 ",
                "2026-11-22 10:00 PST",
                "2026-11-22T10:00:00+1",
                "2026-11-22T10:00:00+24:00",
                "2026-11-22T10:00:00+01:60",
                "2026-11-22T10:00:00+01:00 ",
                "2026-11-22T10:00:00ZZ",
                "Mon 2026-11-22",
                "Sun 10:00",
                "Sun",
                "1969-12-31T23:59:59Z",
                "1970-01-01T00:00:00+00:01",
                "0000-01-01",
                "9999-12-31T23:59:59-00:01",
                "99999-01-01",
                "2026-11-22\n10:00",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 7;

                if (time_parse(cases[i], NOW, &usec) != -EINVAL || usec != 7)
                        fail_msg("\"%s\" was taken", cases[i]);
        }

        /* However long, it is refused without harm. */
        for (size_t n = 1; n < 1000; n += 83) {
                _cleanup_free_ char *text = malloc(n + 5);
                uint64_t usec;

                memset(text, '9', n);
                strcpy(text + n, " ago");
                (void)time_parse(text, NOW, &usec);
                text[0] = '@';
                assert_int_equal(time_parse(text, NOW, &usec), -EINVAL);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_parse_refuses),
        };

        setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", true);
        tzset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
