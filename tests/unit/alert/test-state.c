/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "alert/state.h"
#include "event/counters.h"
#include "basic/util.h"
#include "../event-fixture.h"

static void test_sentence(void **state) {
        const StateAlert many = {
                .cause = "x", .meaning = "something was lost", .remedy = "try y", .count = 3, .total = 7
        };
        const StateAlert one = { .cause = "x", .meaning = "something was lost", .count = 1, .total = 1 };
        _cleanup_free_ char *a = state_alert_sentence(&many), *b = state_alert_sentence(&one);

        (void)state;
        assert_string_equal(a, "Detection gap (x): 3 new, 7 in total: something was lost; remedy: try y");
        assert_string_equal(b, "Detection gap (x): 1 new, 1 in total: something was lost");
}

static void test_json(void **state) {
        const StateAlert alert = {
                .cause = "x",
                .meaning = "lost",
                .count = 3,
                .total = 7,
                .realtime_usec = 1700000000 * USEC_PER_SEC + 42,
        };
        _cleanup_free_ char *json = state_alert_json(&alert);

        (void)state;
        assert_string_equal(json,
                        "{\"kind\":\"state\",\"state\":\"loss\",\"time\":\"2023-11-14T22:13:20.000042Z\","
                        "\"summary\":\"Detection gap (x): 3 new, 7 in total: lost\",\"cause\":\"x\","
                        "\"count\":3,\"total\":7}");
}

static void test_policy_of(void **state) {
        Policy p = { .hash = "aa", .n_files = 1, .n_classes = 2, .n_allows = 3, .n_errors = 4 };
        const StateAlert a = state_alert_policy(&p, true, "bb", 5);

        (void)state;
        assert_int_equal(a.kind, STATE_POLICY);
        assert_string_equal(a.hash, "aa");
        assert_string_equal(a.previous, "bb");
        assert_true(a.refused);
        assert_int_equal(a.realtime_usec, 5);
        assert_int_equal(a.n_files, 1);
        assert_int_equal(a.n_classes, 2);
        assert_int_equal(a.n_allows, 3);
        assert_int_equal(a.n_errors, 4);
}

static void test_policy(void **state) {
        StateAlert a = { .kind = STATE_POLICY, .hash = "aa", .n_files = 2, .n_classes = 3, .n_allows = 4 };

        (void)state;
        _cleanup_free_ char *first = state_alert_sentence(&a);
        assert_string_equal(first, "Policy loaded (SHA-256 aa): 2 files, 3 classes, 4 allow rules");
        a.previous = "aa";
        _cleanup_free_ char *same = state_alert_sentence(&a);
        assert_non_null(strstr(same, "Policy reloaded without changes (SHA-256 aa): "));
        a.previous = "bb";
        a.n_errors = 1;
        _cleanup_free_ char *changed = state_alert_sentence(&a);
        assert_string_equal(changed, "Policy changed (SHA-256 aa): 2 files, 3 classes, 4 allow rules; lines "
                                     "ignored because of errors: 1");
        _cleanup_free_ char *json = state_alert_json(&a);
        assert_non_null(strstr(json,
                        "\"hash\":\"aa\",\"previous\":\"bb\",\"refused\":false,\"files\":2,\"classes\":3,"
                        "\"allows\":4,\"errors\":1}"));
        a.refused = true;
        _cleanup_free_ char *refused = state_alert_sentence(&a);
        assert_string_equal(refused, "Reload failed, keeping the current policy (SHA-256 aa): run barbwired "
                                     "--check to see the errors");
}

static void test_foreign(void **state) {
        char *const programs[] = { "cgroup/connect4: program 12 (x)", "cgroup/sendmsg6: program 7", NULL };
        const StateAlert a = { .kind = STATE_FOREIGN, .programs = programs };

        (void)state;
        _cleanup_free_ char *sentence = state_alert_sentence(&a), *json = state_alert_json(&a);
        assert_string_equal(sentence, "Other BPF programs are attached to the network hooks and may block "
                                      "or redirect connections: "
                                      "cgroup/connect4: program 12 (x), cgroup/sendmsg6: program 7");
        assert_non_null(strstr(json, "\"state\":\"foreign\""));
        assert_non_null(strstr(json, "\"programs\":[\"cgroup/connect4: program 12 (x)\",\"cgroup/sendmsg6: "
                                     "program 7\"]}"));
}

static void test_fallback(void **state) {
        char *const services[] = { "a.service", "b@.service", "c.service", NULL };
        const StateAlert a = { .kind = STATE_FALLBACK, .class = "keys", .programs = services };

        (void)state;
        _cleanup_free_ char *sentence = state_alert_sentence(&a), *json = state_alert_json(&a);
        assert_string_equal(sentence, "Class keys has fallen back to dry-run until the policy changes: "
                                      "within an hour after the last change, trusted programs of 3 services "
                                      "were refused something (a.service, b@.service, c.service)");
        assert_non_null(strstr(json, "\"state\":\"fallback\""));
        assert_non_null(strstr(json,
                        "\"class\":\"keys\",\"services\":[\"a.service\",\"b@.service\",\"c.service\"]}"));
}

static void test_delay(void **state) {
        const StateAlert a = { .kind = STATE_DELAY, .count = 1, .longest_usec = 10000999 };
        _cleanup_free_ char *sentence = state_alert_sentence(&a), *json = state_alert_json(&a);

        (void)state;
        assert_non_null(strstr(sentence, "1 alert was delivered late, 10 s after the event, "));
        assert_non_null(strstr(json, "\"state\":\"delay\""));
        assert_non_null(strstr(json, "\"count\":1,\"longest_ms\":10000}"));
}

static void test_share(void **state) {
        EventShare share = { FULL_SHARE };
        const StateAlert a = { .kind = STATE_SHARE, .share = &share };
        _cleanup_free_ char *sentence = state_alert_sentence(&a), *json = state_alert_json(&a);

        (void)state;
        assert_string_equal(sentence, "User 1000 has filled the share of marked objects of the cgroup "
                                      "session-3.scope (1843, the latest by tar, pid 77): what is read "
                                      "beyond it is only known of the user and cgroup as a whole");
        assert_non_null(strstr(json, "\"state\":\"share\""));
        assert_non_null(strstr(json, "\"table\":\"objects\",\"uid\":1000,\"cgroup\":\"session-3.scope\","
                                     "\"cgroup_id\":7,\"pid\":77,\"comm\":\"tar\",\"live\":1843,"
                                     "\"refused\":12}"));

        /* All of the user's together, and a name that somebody chose. */
        share.cgroup_id = 0;
        share.table = BW_SHARE_MARKS;
        strcpy(share.comm, "fork\nbomb");
        _cleanup_free_ char *all = state_alert_sentence(&a), *all_json = state_alert_json(&a);
        assert_non_null(strstr(all,
                        "User 1000 has filled their share of marked processes (1843, the latest by "
                        "fork\\x0abomb, pid 77)"));
        assert_non_null(strstr(all_json, "\"table\":\"processes\","));
        assert_non_null(strstr(
                        all_json, "\"cgroup\":null,\"cgroup_id\":0,\"pid\":77,\"comm\":\"fork\\nbomb\","));
        share.table = BW_SHARE_FILES;
        _cleanup_free_ char *files = state_alert_sentence(&a), *files_json = state_alert_json(&a);
        assert_string_equal(files, "User 1000 has filled their share of remembered sensitive files (1843, "
                                   "the latest by "
                                   "fork\\x0abomb, pid 77): other files of the same class are only known by "
                                   "the name that "
                                   "they are opened by");
        assert_non_null(strstr(files_json, "\"table\":\"files\","));

        share.table = BW_SHARE_LINEAGES;
        _cleanup_free_ char *lineages = state_alert_sentence(&a), *lineages_json = state_alert_json(&a);
        assert_non_null(strstr(lineages, "User 1000 has filled their share of running processes (1843, "));
        assert_non_null(strstr(lineages, "no [Allow] applies to them"));
        assert_non_null(strstr(lineages_json, "\"table\":\"lineages\""));
        share.table = BW_SHARE_MAPPINGS;
        _cleanup_free_ char *mappings = state_alert_sentence(&a);
        assert_non_null(strstr(mappings, "of shared mappings (1843, "));
        share.table = BW_SHARE_NAMES;
        _cleanup_free_ char *names = state_alert_sentence(&a), *names_json = state_alert_json(&a);
        assert_non_null(strstr(names, "of names of executables and files (1843, "));
        assert_non_null(strstr(names, "alerts may lack the paths of further ones"));
        assert_non_null(strstr(names_json, "\"table\":\"names\""));
        share.table = BW_SHARE_RINGS;
        _cleanup_free_ char *rings = state_alert_sentence(&a);
        assert_non_null(strstr(rings, "of io_uring rings (1843, "));
}

/* Every loss, the kernel's and the daemon's, has a name of its own and a meaning. */
static void test_losses_are_named(void **state) {
        (void)state;
        for (unsigned i = 0; i < LOSSES_MAX; i++) {
                assert_non_null(loss_info(i)->name);
                assert_non_null(loss_info(i)->meaning);
                for (unsigned k = 0; k < i; k++)
                        assert_string_not_equal(loss_info(i)->name, loss_info(k)->name);
        }
        assert_string_equal(loss_info(BW_LOSS_FLOW_UNKNOWN)->name, "flow_unknown");
        assert_string_equal(loss_info(LOSS_RECURSION_MISSES)->name, "recursion_misses");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sentence),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_policy_of),
                cmocka_unit_test(test_policy),
                cmocka_unit_test(test_foreign),
                cmocka_unit_test(test_fallback),
                cmocka_unit_test(test_delay),
                cmocka_unit_test(test_share),
                cmocka_unit_test(test_losses_are_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
