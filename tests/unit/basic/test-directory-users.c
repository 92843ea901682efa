/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The users that NSS lists, as lines of passwd(5) behind those that are there. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "basic/directory-users.h"
#include "basic/util.h"

static void test_append(void **state) {
        static const char before[] = "a:x:1:1::/a:/bin/sh";
        _cleanup_free_ char *text = strdup(before);
        size_t size = sizeof(before) - 1;
        bool complete = false;
        (void)state;

        assert_int_equal(directory_users_append(&text, &size, &complete), 0);
        assert_true(complete);
        assert_true(size > sizeof(before));
        assert_memory_equal(text, before, sizeof(before) - 1);
        assert_int_equal(text[sizeof(before) - 1], '\n');
        /* Each line is complete. */
        assert_int_equal(text[size - 1], '\n');
        text[size - 1] = 0;
        assert_non_null(strstr(text, "\nroot:x:0:0::/root:"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_append),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
