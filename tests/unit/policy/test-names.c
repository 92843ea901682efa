/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The file of names: what is written is read, but nothing written in part. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/names.h"
#include "basic/util.h"

static PolicyNames names_of(const char *class, const char *rule, uint64_t print) {
        PolicyNames n = {};

        n.class_names[63] = strdup(class);
        n.rule_names[255] = strdup(rule);
        n.rule_prints[255] = print;
        return n;
}

static void require_names(int fd, const char *class, const char *rule, uint64_t print) {
        PolicyNames n = {};

        assert_int_equal(policy_names_read(fd, &n), 0);
        assert_string_equal(n.class_names[63], class);
        assert_string_equal(n.rule_names[255], rule);
        assert_true(n.rule_prints[255] == print);
        assert_null(n.class_names[0]);
        assert_null(n.rule_names[0]);
        policy_names_done(&n);
}

static void test_what_is_written_is_read(void **state) {
        _cleanup_close_ int fd = policy_names_file_new();
        PolicyNames first = names_of("a-long-name-of-a-class", "rule", UINT64_MAX),
                    second = names_of("b", "\"\xc3\xa4", 1);

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(policy_names_write(&first, fd), 0);
                require_names(fd, "a-long-name-of-a-class", "rule", UINT64_MAX);
                assert_int_equal(policy_names_write(&second, fd), 0);
                require_names(fd, "b", "\"\xc3\xa4", 1);
        }
        policy_names_done(&first);
        policy_names_done(&second);
}

/* A writer that was killed did not write the byte that selects the copy. */
static void test_half_written(void **state) {
        _cleanup_close_ int fd = policy_names_file_new();
        PolicyNames first = names_of("first", "r", 1), second = names_of("second", "r", 2);
        char copy;

        (void)state;
        assert_int_equal(policy_names_write(&first, fd), 0);
        assert_int_equal(pread(fd, &copy, 1, 0), 1);
        assert_int_equal(policy_names_write(&second, fd), 0);
        assert_int_equal(pwrite(fd, &copy, 1, 0), 1);
        require_names(fd, "first", "r", 1);
        policy_names_done(&first);
        policy_names_done(&second);
}

static void test_no_such_file(void **state) {
        _cleanup_close_ int fd = policy_names_file_new();
        PolicyNames n = {};

        (void)state;
        assert_int_equal(policy_names_read(fd, &n), -EBADMSG);
        assert_int_equal(pwrite(fd, "\0{\"classes\": [], \"rules\": []}", 30, 0), 30);
        assert_int_equal(policy_names_read(fd, &n), -EBADMSG);
        assert_int_equal(pwrite(fd, "\0{\"classes\": ", 14, 0), 14);
        assert_int_equal(policy_names_read(fd, &n), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_written_is_read),
                cmocka_unit_test(test_half_written),
                cmocka_unit_test(test_no_such_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
