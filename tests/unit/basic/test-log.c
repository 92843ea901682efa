/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a message may not do to the terminal that it is written to. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/log.h"

static void test_text(void **state) {
        static const struct {
                const char *text, *written;
        } cases[] = {
                { "plain \\x1b", "plain \\x1b" },
                { "\xc3\xa4 \xe2\x80\xa6 \xf0\x9f\x94\x91", "\xc3\xa4 \xe2\x80\xa6 \xf0\x9f\x94\x91" },
                { "a\nbarbwired: b\x1b[2J\x7f", "a?barbwired: b?[2J?" },
                { "\xc2\x9b"
                  "31m",
                                "??31m" }, /* CSI */
                { "\x9b"
                  "31m\xff\xc2",
                                "?31m??" }, /* the same for a terminal without UTF-8 */
                { "a\xe2\x80\xae"
                  "b",
                                "a???b" },                     /* right to left */
                { "\xe3\x85\xa4\xf3\xa0\x84\x80", "???????" }, /* Hangul filler, variation selector */
                { "", "" },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                char got[256] = "", expected[256];
                int ends[2];

                assert_int_equal(pipe(ends), 0);
                _cleanup_close_ int in = ends[0], out = ends[1], saved = dup(STDERR_FILENO);
                assert_true(saved >= 0);
                assert_int_equal(dup2(out, STDERR_FILENO), STDERR_FILENO);
                log_error("%s", cases[i].text);
                assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);

                (void)snprintf(expected, sizeof(expected), "barbwired: error: %s\n", cases[i].written);
                assert_int_equal(read(in, got, sizeof(got) - 1), strlen(expected));
                assert_string_equal(got, expected);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_text) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
