/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which policy a record is judged by after a reload, and which limits stay in force. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "policy/names.h"
#include "policy/store.h"
#include "basic/util.h"
#include "../policy-fixture.h"

static void test_judge(void **state) {
        (void)state;
        const PolicyTables tables = { .n_patterns = { [BW_AUTOMATON_FILE] = 5 } };
        PolicyStore s = {};
        Policy *first = finished_as("/p/10.conf", "[Class a]\nPath=/a\n"),
               *second = finished_as("/p/10.conf", "[Class b]\nPath=/b\n"),
               *third = finished_as("/p/10.conf", "[Class c]\nPath=/c\n");

        policy_store_use(&s, first, &tables, 1);
        assert_ptr_equal(policy_store_judge(&s, 1), first);
        assert_ptr_equal(policy_store_judge(&s, 99), first);
        assert_int_equal(s.n_patterns, 5);

        /* Records that the previous policy judged may still be in the ring. */
        policy_store_use(&s, second, &tables, 2);
        assert_ptr_equal(policy_store_judge(&s, 2), second);
        assert_ptr_equal(policy_store_judge(&s, 1), first);

        policy_store_use(&s, third, &tables, 3);
        assert_ptr_equal(policy_store_judge(&s, 3), third);
        assert_ptr_equal(policy_store_judge(&s, 2), second);
        assert_ptr_equal(policy_store_judge(&s, 1), second);
        policy_store_done(&s);
}

/* The kernel's tables have the size of the start, whatever a reloaded policy says. */
static void test_limits_stay(void **state) {
        (void)state;
        const PolicyTables tables = {};
        PolicyStore s = {};

        policy_store_use(&s,
                        finished_as("/p/10.conf", "[Correlator]\nMaxMarks=1024\n[Query]\nMaxAlerts=10\n"),
                        &tables, 1);
        policy_store_use(&s,
                        finished_as("/p/10.conf", "[Correlator]\nMaxMarks=65536\n[Query]\nMaxAlerts=20\n"),
                        &tables, 2);
        assert_int_equal(s.limits.marks_max, 1024);
        assert_int_equal(s.alerts_max, 10);
        assert_int_equal(s.policy->alerts_max, 20);
        policy_store_done(&s);
}

/* A policy in force ends the state "refused". */
static void test_refused(void **state) {
        (void)state;
        const PolicyTables tables = {};
        PolicyStore s = { .refused = true };

        policy_store_use(&s, finished_as("/p/10.conf", "[Class a]\nPath=/a\n"), &tables, 1);
        assert_false(s.refused);
        policy_store_done(&s);
}

/* The names of the previous instance are read, but no descriptor is left for their file. */
static void test_no_descriptor(void **state) {
        (void)state;
        const PolicyNames names = {};
        PolicyStore s = {};
        struct rlimit before, none;

        _cleanup_close_ int fd = policy_names_file_new();
        assert_true(fd >= 0);
        assert_int_equal(policy_names_write(&names, fd), 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = (struct rlimit){ .rlim_cur = STDERR_FILENO + 1, .rlim_max = before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        assert_int_equal(policy_store_open(&s, fd), -EINVAL);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);

        assert_int_equal(policy_store_open(&s, fd), 1);
        policy_store_done(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_judge),
                cmocka_unit_test(test_limits_stay),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_no_descriptor),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
