/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "alert-state.h"
#include "counters.h"
#include "util.h"

static void test_sentence(void **state) {
        const StateAlert many = { .cause = "x", .meaning = "something was lost", .remedy = "try y", .count = 3, .total = 7 };
        const StateAlert one = { .cause = "x", .meaning = "something was lost", .count = 1, .total = 1 };
        _cleanup_free_ char *a = state_alert_sentence(&many), *b = state_alert_sentence(&one);

        (void)state;
        assert_string_equal(a, "Detection was not whole, 3 times (7 in all): something was lost; try y [x]");
        assert_string_equal(b, "Detection was not whole, 1 time (1 in all): something was lost [x]");
}

static void test_json(void **state) {
        const StateAlert alert = {
                .cause = "x", .meaning = "lost", .count = 3, .total = 7, .realtime_usec = 1700000000 * USEC_PER_SEC + 42,
        };
        _cleanup_free_ char *json = state_alert_json(&alert);

        (void)state;
        assert_string_equal(json,
                "{\"kind\":\"state\",\"state\":\"loss\",\"time\":\"2023-11-14T22:13:20.000042Z\","
                "\"summary\":\"Detection was not whole, 3 times (7 in all): lost [x]\",\"cause\":\"x\","
                "\"count\":3,\"total\":7}");
}

static void test_policy(void **state) {
        StateAlert a = { .kind = STATE_POLICY, .hash = "aa", .n_files = 2, .n_classes = 3, .n_allows = 4 };

        (void)state;
        _cleanup_free_ char *first = state_alert_sentence(&a);
        assert_string_equal(first, "The policy with SHA-256 aa is in force: 2 files, 3 classes, 4 allow rules");
        a.previous = "aa";
        _cleanup_free_ char *same = state_alert_sentence(&a);
        assert_non_null(strstr(same, "The unchanged policy with SHA-256 aa"));
        a.previous = "bb";
        a.n_errors = 1;
        _cleanup_free_ char *changed = state_alert_sentence(&a);
        assert_string_equal(changed,
                "A changed policy with SHA-256 aa is in force: 2 files, 3 classes, 4 allow rules, 1 error whose lines are "
                "not used");
        _cleanup_free_ char *json = state_alert_json(&a);
        assert_non_null(strstr(json, "\"hash\":\"aa\",\"previous\":\"bb\",\"refused\":false,\"files\":2,\"classes\":3,"
                                     "\"allows\":4,\"errors\":1}"));
        a.refused = true;
        _cleanup_free_ char *refused = state_alert_sentence(&a);
        assert_string_equal(refused,
                "A new policy was refused, the one with SHA-256 aa stays in force: barbwired --check says why");
}

static void test_foreign(void **state) {
        char *const programs[] = { "cgroup/connect4: program 12 (x)", "cgroup/sendmsg6: program 7", NULL };
        const StateAlert a = { .kind = STATE_FOREIGN, .programs = programs };

        (void)state;
        _cleanup_free_ char *sentence = state_alert_sentence(&a), *json = state_alert_json(&a);
        assert_string_equal(sentence,
                "Other programs sit on the network hooks, and can refuse or redirect what Barbwire sees: "
                "cgroup/connect4: program 12 (x), cgroup/sendmsg6: program 7");
        assert_non_null(strstr(json, "\"state\":\"foreign\""));
        assert_non_null(strstr(json,
                "\"programs\":[\"cgroup/connect4: program 12 (x)\",\"cgroup/sendmsg6: program 7\"]}"));
}

static void test_delay(void **state) {
        const StateAlert a = { .kind = STATE_DELAY, .count = 1, .longest_usec = 10000999 };
        _cleanup_free_ char *sentence = state_alert_sentence(&a), *json = state_alert_json(&a);

        (void)state;
        assert_non_null(strstr(sentence, "1 alert was told late, the latest 10 s after"));
        assert_non_null(strstr(json, "\"state\":\"delay\""));
        assert_non_null(strstr(json, "\"count\":1,\"longest_ms\":10000}"));
}

/* Every counter that the kernel keeps has a name of its own and a meaning. */
static void test_counters_are_named(void **state) {
        (void)state;
        for (unsigned i = 0; i < BW_COUNT_MAX; i++) {
                const CounterInfo *info = counter_info(i);
                bool exists = i < BW_LOSS_MAX || (i >= BW_COUNT_CORRELATIONS && i <= BW_COUNT_FLOWS_STOPPED);
                assert_int_equal(info->name != NULL, exists);
                assert_int_equal(info->meaning != NULL, exists);
                for (unsigned k = 0; exists && k < i; k++)
                        if (counter_info(k)->name)
                                assert_string_not_equal(info->name, counter_info(k)->name);
        }
        assert_null(counter_info(BW_COUNT_MAX)->name);
        assert_null(counter_info((unsigned)-1)->name);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sentence),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_policy),
                cmocka_unit_test(test_foreign),
                cmocka_unit_test(test_delay),
                cmocka_unit_test(test_counters_are_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
