/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Lines are kept in order, and no more of them than the limit allows. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query/mark-list.h"

static void test_order(void **state) {
        _cleanup_(mark_list_freep) MarkList *l = mark_list_new(7, 8);
        char text[16];

        (void)state;
        assert_non_null(l);
        for (unsigned i = 0; i < 1000; i++) {
                (void)snprintf(text, sizeof(text), "%u", i);
                mark_list_add(l, i % 2, strdup(text));
        }
        assert_int_equal(l->number, 7);
        assert_int_equal(l->realtime_usec, 8);
        assert_true(l->complete);
        for (unsigned i = 0; i < 1000; i++) {
                (void)snprintf(text, sizeof(text), "%u", i);
                assert_string_equal(l->of[i % 2].lines[i / 2], text);
        }
        assert_int_equal(l->of[0].n, 500);
        assert_int_equal(l->of[1].n, 500);
}

static void test_limit(void **state) {
        enum { LINE = 1 << 20 };
        _cleanup_(mark_list_freep) MarkList *l = mark_list_new(1, 0);

        (void)state;
        assert_non_null(l);
        for (unsigned i = 0; i < MARK_LIST_BYTES_MAX / LINE + 1; i++) {
                char *line = malloc(LINE);

                assert_non_null(line);
                memset(line, 'x', LINE - 1);
                line[LINE - 1] = 0;
                assert_true(l->complete);
                mark_list_add(l, MARK_LIST_MARKS, line);
        }
        assert_false(l->complete);
        assert_int_equal(l->of[MARK_LIST_MARKS].n, MARK_LIST_BYTES_MAX / LINE);
        assert_true(l->n_bytes <= MARK_LIST_BYTES_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
