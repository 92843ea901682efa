/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which policy a record is judged by after a reload, and which limits stay in force. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../daemon/policy-store.h"
#include "../../daemon/util.h"

static Policy *policy_of(const char *text) {
        Policy *p = NULL;

        assert_int_equal(policy_new(&p), 0);
        assert_int_equal(policy_parse(p, "/p/10.conf", text, strlen(text)), 0);
        assert_int_equal(policy_finish(p), 0);
        return p;
}

static void test_judge(void **state) {
        (void)state;
        const PolicyTables tables = { .n_patterns = { [BW_AUTOMATON_FILE] = 5 } };
        PolicyStore s = {};
        Policy *first = policy_of("[Class a]\nPath=/a\n"), *second = policy_of("[Class b]\nPath=/b\n"),
               *third = policy_of("[Class c]\nPath=/c\n");

        policy_store_use(&s, first, &tables, 1);
        assert_ptr_equal(policy_store_judge(&s, 1), first);
        assert_ptr_equal(policy_store_judge(&s, 99), first);
        assert_int_equal(s.n_patterns, 5);

        /* What the old one judged, and was still in the ring, is told by it. */
        policy_store_use(&s, second, &tables, 2);
        assert_ptr_equal(policy_store_judge(&s, 2), second);
        assert_ptr_equal(policy_store_judge(&s, 1), first);

        policy_store_use(&s, third, &tables, 3);
        assert_ptr_equal(policy_store_judge(&s, 3), third);
        assert_ptr_equal(policy_store_judge(&s, 2), second);
        assert_ptr_equal(policy_store_judge(&s, 1), second);
        policy_store_done(&s);
}

/* The kernel's tables have the size of the start, whatever a reloaded file says. */
static void test_limits_stay(void **state) {
        (void)state;
        const PolicyTables tables = {};
        PolicyStore s = {};

        policy_store_use(&s, policy_of("[Correlator]\nMaxMarks=1024\n[Query]\nMaxAlerts=10\n"), &tables, 1);
        policy_store_use(&s, policy_of("[Correlator]\nMaxMarks=65536\n[Query]\nMaxAlerts=20\n"), &tables, 2);
        assert_int_equal(s.limits.marks_max, 1024);
        assert_int_equal(s.alerts_max, 10);
        assert_int_equal(s.policy->alerts_max, 20);
        policy_store_done(&s);
}

static void test_state(void **state) {
        (void)state;
        const PolicyTables tables = {};
        PolicyStore s = { .refused = true };
        Policy *p = policy_of("[Class a]\nPath=/a\n");

        policy_store_use(&s, p, &tables, 1);
        const StateAlert a = policy_store_state(&s, NULL);
        assert_int_equal(a.kind, STATE_POLICY);
        assert_string_equal(a.hash, p->hash);
        assert_false(a.refused);
        assert_int_equal(a.n_classes, 1);
        assert_int_equal(a.n_files, 1);
        policy_store_done(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_judge),
                cmocka_unit_test(test_limits_stay),
                cmocka_unit_test(test_state),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
