/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "basic/strv.h"

static void test_append(void **state) {
        _cleanup_(strv_freep) char **strv = NULL;
        size_t n = 0;
        (void)state;

        assert_false(strv_contains(strv, "a"));
        assert_int_equal(strv_extend(&strv, &n, "a"), 0);
        assert_int_equal(strv_consume(&strv, &n, strdup("b")), 0);
        assert_int_equal(n, 2);
        /* Counted where the caller keeps no count. */
        assert_int_equal(strv_extend(&strv, NULL, ""), 0);
        assert_string_equal(strv[0], "a");
        assert_string_equal(strv[1], "b");
        assert_string_equal(strv[2], "");
        assert_null(strv[3]);
        assert_true(strv_contains(strv, "b"));
        assert_false(strv_contains(strv, "ab"));
}

static void test_no_memory(void **state) {
        _cleanup_(strv_freep) char **strv = NULL;
        size_t n = 0;
        (void)state;

        assert_int_equal(strv_consume(&strv, &n, NULL), -ENOMEM);
        assert_int_equal(n, 0);
        assert_null(strv);
}

static void test_clear(void **state) {
        char **strv = NULL;
        size_t n = 0;
        (void)state;

        strv_clear(&strv, &n);
        assert_int_equal(strv_extend(&strv, &n, "a"), 0);
        strv_clear(&strv, &n);
        assert_null(strv);
        assert_int_equal(n, 0);
        assert_null(strv_free(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_append),
                cmocka_unit_test(test_no_memory),
                cmocka_unit_test(test_clear),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
