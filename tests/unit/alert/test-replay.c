/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a policy makes of an alert that was raised under another one: each way in which a file, its opener,
 * the sender and the destination may or may not be those of a rule. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "alert/replay.h"
#include "policy/build.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "basic/util.h"

static const char classes[] = "[Class keys]\nPath=/keys/*\nScore=80\n[Class more]\nPath=/more/*\nScore=60\n";

/* Names a member by its path in the alert: "process.exe", "files.0.route". */
static void set_member(json_t *o, const char *path, json_t *value) {
        _cleanup_free_ char *copy = strdup(path);
        char *rest = NULL, *key = strtok_r(copy, ".", &rest), *next;

        while ((next = strtok_r(NULL, ".", &rest))) {
                o = json_is_array(o) ? json_array_get(o, (size_t)atoi(key)) : json_object_get(o, key);
                key = next;
        }
        assert_int_equal(json_object_set_new(o, key, value), 0);
}

static json_t *alert_new_plain(void) {
        return json_pack(
                        "{s:s, s:s, s:i, s:[s], s:[], s:{s:s, s:s, s:i, s:i, s:s, s:[]}, s:[], "
                        "s:[{s:s, s:n, s:[s], s:i, s:i, s:i, s:s, s:s, s:i, s:[]}], s:{s:s, s:s, s:i, s:s}}",
                        "id", "b-1-0", "severity", "high", "score", 80, "classes", "keys", "reasons",
                        "process", "exe", "/opt/p", "cmdline", "/opt/p", "pid", 7, "uid", 0, "cgroup",
                        "/system.slice/p.service", "flags", "lineage", "files", "path", "/keys/a",
                        "real_path", "classes", "keys", "age_ms", 5, "pid", 7, "uid", 0, "exe", "/opt/p",
                        "via", "open", "generation", 0, "route", "destination", "family", "inet", "address",
                        "192.0.2.7", "port", 443, "act", "connect");
}

static void assert_replay(const char *rules, const json_t *alert, ReplayResult wanted, const char *why) {
        _cleanup_(policy_tables_freep) PolicyTables *tables = NULL;
        _cleanup_(policy_names_done) PolicyNames names = {};
        _cleanup_(policy_freep) Policy *p = NULL;
        PolicyMessage message = {};
        Replay r = {};

        assert_int_equal(policy_new(&p), 0);
        assert_int_equal(policy_parse(p, "classes", classes, strlen(classes)), 0);
        assert_int_equal(policy_parse(p, "rules", rules, strlen(rules)), 0);
        assert_int_equal(policy_finish(p), 0);
        assert_int_equal(p->n_errors, 0);
        assert_int_equal(policy_compile(p, &names, 0, &tables, &message), 0);
        assert_int_equal(alert_replay(p, &names, alert, &r), 0);
        if (r.result != wanted || (why && !(r.why && strstr(r.why, why))))
                fail_msg("%s (%s) instead of %s (%s) by\n%s", replay_result_to_string(r.result),
                                r.why ?: "-", replay_result_to_string(wanted), why ?: "-", rules);
        replay_done(&r);
}

#define RULE "[Allow p]\nClass=keys\nExe=/opt/p\n"

/* What differs from the plain alert; its own member by member, "" for none. */
static void assert_changed(
                const char *rules, const char *path, json_t *value, ReplayResult wanted, const char *why) {
        json_auto_t *alert = alert_new_plain();

        assert_non_null(alert);
        if (path)
                set_member(alert, path, value);
        assert_replay(rules, alert, wanted, why);
}

static void test_rules(void **state) {
        (void)state;

        assert_changed("", NULL, NULL, REPLAY_RAISE, NULL);
        assert_changed("", "evidence", json_string("bound"), REPLAY_CHANGE, "unbound instead of bound");
        assert_changed(RULE, NULL, NULL, REPLAY_SILENCE, "[Allow p]");
        assert_changed(RULE "Destination=192.0.2.7:443\n", NULL, NULL, REPLAY_SILENCE, NULL);
        assert_changed(RULE "Unit=p.service\nUser=0\n", NULL, NULL, REPLAY_SILENCE, NULL);
        /* Another program, file, destination, port, unit, user. Egress outside of the rule is weaker. */
        assert_changed(RULE, "files.0.exe", json_string("/opt/q"), REPLAY_RAISE, NULL);
        assert_changed(RULE, "files.0.path", json_string("/more/a"), REPLAY_CHANGE,
                        "medium instead of high");
        assert_changed(RULE "Destination=192.0.2.8\n", NULL, NULL, REPLAY_CHANGE, "medium instead of high");
        assert_changed(RULE "Destination=192.0.2.7:80\n", NULL, NULL, REPLAY_CHANGE, NULL);
        assert_changed(RULE "Unit=q.service\n", NULL, NULL, REPLAY_RAISE, NULL);
        assert_changed(RULE "User=1\n", NULL, NULL, REPLAY_RAISE, NULL);
        /* The name that a link leads to. */
        assert_changed(RULE, "files.0.path", json_string("/link"), REPLAY_SILENCE, "in no class");
        assert_changed("", "files.0.real_path", json_string("/keys/b"), REPLAY_RAISE, NULL);
}

/* Path= is about the name that the file was opened by, ExcludeArgument= about the program that opened it. */
static void test_narrowed(void **state) {
        (void)state;

        assert_changed(RULE "Path=/keys/a\n", NULL, NULL, REPLAY_SILENCE, "[Allow p]");
        assert_changed(RULE "Path=/keys/b\n", NULL, NULL, REPLAY_RAISE, NULL);
        assert_changed(RULE "Path=/keys/b\n", "files.0.real_path", json_string("/keys/b"), REPLAY_RAISE,
                        NULL);
        assert_changed(RULE "Path=/keys/a\n", "files.0.real_path", json_string("/keys/b"), REPLAY_SILENCE,
                        NULL);
        assert_changed("[Allow p]\nPath=/keys/a\nExe=/opt/p\n", NULL, NULL, REPLAY_SILENCE, "[Allow p]");

        static const char rule[] = RULE "ExcludeArgument=--export* -x\n";
        static const struct {
                const char *cmdline;
                ReplayResult result;
        } cases[] = {
                { "/opt/p", REPLAY_SILENCE },
                { "/opt/p --expo x --no-export -xx", REPLAY_SILENCE },
                { "/opt/p a --export", REPLAY_RAISE },
                { "/opt/p 'b c' --export-keys d", REPLAY_RAISE },
                { "/opt/p -x", REPLAY_RAISE },
                { "/opt/p a …", REPLAY_UNKNOWN },
                { "", REPLAY_UNKNOWN },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_changed(rule, "process.cmdline", json_string(cases[i].cmdline), cases[i].result,
                                NULL);

        /* Of an opener that did not send it, the arguments are not known. */
        json_auto_t *alert = alert_new_plain();
        set_member(alert, "process.exe", json_string("/opt/sender"));
        set_member(alert, "process.pid", json_integer(8));
        set_member(alert, "files.0.via", json_string("pipe"));
        set_member(alert, "files.0.route", json_pack("[{s:i, s:s}]", "pid", 7, "via", "pipe"));
        assert_replay(RULE "Passes=nothing\n", alert, REPLAY_SILENCE, NULL);
        assert_replay(RULE "Passes=nothing\nExcludeArgument=-x\n[Allow q]\nClass=keys\nExe=/opt/p\n"
                           "Passes=output files\n",
                        alert, REPLAY_CHANGE, "medium instead of high");
}

static void test_trust(void **state) {
        static const char *const voids[] = { "not-roots", "writable", "injected", "foreign-code", "traced",
                "memory", "environment-unread" };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(voids); i++)
                assert_changed(RULE, "process.flags", json_pack("[s]", voids[i]), REPLAY_RAISE, NULL);
        assert_changed(RULE, "process.flags", json_pack("[s]", "not-host"), REPLAY_UNKNOWN, "[Allow p]");
        assert_changed(RULE "Container=yes\nUnit=p.service\n", "process.flags", json_pack("[s]", "not-host"),
                        REPLAY_SILENCE, NULL);
}

/* A rule with ~/, for a program that its user alone can change. */
static void test_users(void **state) {
        static const char rule[] = "[Allow u]\nClass=keys\nExe=~/bin/u\nDestination=192.0.2.7:443\n",
                          script[] = "[Allow s]\nClass=keys\nExe=/usr/bin/python3\nScript=~/s.py\n"
                                     "Destination=192.0.2.7:443\n";
        static const char *const voids[] = { "injected", "traced", "memory", "environment-unread" };
        json_auto_t *alert = alert_new_plain();
        (void)state;

        set_member(alert, "process.exe", json_string("/home/ana/bin/u"));
        set_member(alert, "files.0.exe", json_string("/home/ana/bin/u"));
        set_member(alert, "process.uid", json_integer(1000));
        set_member(alert, "files.0.uid", json_integer(1000));
        set_member(alert, "process.flags", json_pack("[s, s, s]", "not-roots", "foreign-code", "users"));
        assert_replay(rule, alert, REPLAY_SILENCE, "[Allow u]");
        assert_replay("[Allow u]\nClass=keys\nExe=/home/ana/bin/u\n", alert, REPLAY_RAISE, NULL);
        set_member(alert, "destination.port", json_integer(80));
        assert_replay(rule, alert, REPLAY_CHANGE, "medium instead of high");
        set_member(alert, "destination.port", json_integer(443));
        for (size_t i = 0; i < ELEMENTSOF(voids); i++) {
                set_member(alert, "process.flags", json_pack("[s, s, s]", "not-roots", "users", voids[i]));
                assert_replay(rule, alert, REPLAY_RAISE, NULL);
        }
        /* Somebody else can change it. */
        set_member(alert, "process.flags", json_pack("[s]", "not-roots"));
        assert_replay(rule, alert, REPLAY_RAISE, NULL);

        set_member(alert, "process.exe", json_string("/usr/bin/python3"));
        set_member(alert, "files.0.exe", json_string("/usr/bin/python3"));
        set_member(alert, "process.cmdline", json_string("python3 /home/ana/s.py x"));
        set_member(alert, "process.flags", json_array());
        assert_replay(script, alert, REPLAY_SILENCE, "[Allow s]");
        set_member(alert, "process.flags", json_pack("[s, s]", "foreign-code", "users"));
        assert_replay(script, alert, REPLAY_SILENCE, "[Allow s]");
        set_member(alert, "process.flags", json_pack("[s]", "foreign-code"));
        assert_replay(script, alert, REPLAY_RAISE, NULL);
        set_member(alert, "process.flags", json_array());
        set_member(alert, "process.cmdline", json_string("python3 /home/ana/t.py"));
        assert_replay(script, alert, REPLAY_RAISE, NULL);
}

static void test_script(void **state) {
        json_auto_t *alert = alert_new_plain();
        static const char rule[] = "[Allow s]\nClass=keys\nExe=/usr/bin/python3\nScript=/opt/s.py\n";
        (void)state;

        set_member(alert, "process.exe", json_string("/usr/bin/python3"));
        set_member(alert, "files.0.exe", json_string("/usr/bin/python3"));
        assert_replay(rule, alert, REPLAY_UNKNOWN, NULL);
        set_member(alert, "process.cmdline", json_string("python3 /opt/s.py x"));
        assert_replay(rule, alert, REPLAY_SILENCE, NULL);
        assert_replay("[Allow s]\nClass=keys\nExe=/opt/s.py\n", alert, REPLAY_SILENCE, NULL);
        set_member(alert, "process.cmdline", json_string("python3 /opt/t.py"));
        assert_replay(rule, alert, REPLAY_RAISE, NULL);
        /* A host that sends alerts may send a line that ends in the middle of an escape. */
        set_member(alert, "process.cmdline", json_string("python3 \\"));
        assert_replay(rule, alert, REPLAY_RAISE, NULL);
}

/* A person's own script stays one while its class has FirstSight=, and a refusal is an alert whatever else.
 */
static void test_sight_and_action(void **state) {
        static const char ignored[] = "[Destination d]\nAddress=192.0.2.7\nIgnore=yes\n";
        json_auto_t *alert = alert_new_plain();
        (void)state;

        set_member(alert, "severity", json_string("low"));
        set_member(alert, "script_sight", json_string("first"));
        assert_replay("[Class keys]\nFirstSight=yes\n", alert, REPLAY_RAISE, NULL);
        assert_replay("", alert, REPLAY_CHANGE, "severity high instead of low");
        set_member(alert, "severity", json_string("info"));
        set_member(alert, "script_sight", json_string("known"));
        assert_replay("[Class keys]\nFirstSight=yes\n", alert, REPLAY_RAISE, NULL);

        assert_changed("[Class keys]\nAction=deny\n", NULL, NULL, REPLAY_CHANGE, "its egress is refused");
        assert_changed("[Class keys]\nAction=deny\n", "action", json_string("denied"), REPLAY_RAISE, NULL);
        assert_changed("[Class keys]\nAction=deny\n", "destination",
                        json_pack("{s:s, s:s}", "family", "none", "act", "open"), REPLAY_RAISE, NULL);
        assert_changed("[Class keys]\nAccess=allowed\n", "destination",
                        json_pack("{s:s, s:s}", "family", "none", "act", "open"), REPLAY_CHANGE,
                        "its open is refused");
        assert_changed("", "action", json_string("denied"), REPLAY_CHANGE, "no longer refused");
        json_auto_t *both = json_sprintf("[Class keys]\nAction=deny\n%s", ignored);
        assert_changed(json_string_value(both), "action", json_string("denied"), REPLAY_RAISE, NULL);
        assert_changed(ignored, "action", json_string("denied"), REPLAY_SILENCE, "Ignore=yes");
}

static void test_destinations(void **state) {
        json_auto_t *local = json_pack("{s:s, s:s, s:s, s:s}", "family", "unix", "path", "/run/x", "act",
                        "send", "address", "");
        json_auto_t *alert = alert_new_plain();
        (void)state;

        /* An accepted connection is of no Destination=. */
        set_member(alert, "destination.act", json_string("accept"));
        assert_replay(RULE "Destination=any:*\n", alert, REPLAY_CHANGE, NULL);
        assert_replay(RULE, alert, REPLAY_SILENCE, NULL);
        set_member(alert, "destination", json_incref(local));
        assert_replay(RULE "Destination=192.0.2.8\n", alert, REPLAY_SILENCE, NULL);
        assert_replay("", alert, REPLAY_RAISE, NULL);
        assert_changed("[Destination d]\nAddress=192.0.2.7\nIgnore=yes\n", NULL, NULL, REPLAY_SILENCE,
                        "Ignore=yes");
        assert_changed("[Class keys]\nScore=5\n", NULL, NULL, REPLAY_SILENCE, "below Alert=");
        assert_changed("[Class keys]\nWindow=1s\nLateWindow=0\n", "files.0.age_ms", json_integer(1001),
                        REPLAY_SILENCE, "too early");
        assert_changed("[Class keys]\nWindow=1s\n", "files.0.age_ms", json_integer(1001), REPLAY_CHANGE,
                        "medium");
}

/* Another process sent it than opened it. */
static void test_handed_on(void **state) {
        json_auto_t *alert = alert_new_plain();
        (void)state;

        set_member(alert, "process.exe", json_string("/opt/sender"));
        set_member(alert, "process.pid", json_integer(8));
        set_member(alert, "files.0.via", json_string("fork"));
        set_member(alert, "files.0.generation", json_integer(1));
        assert_replay("", alert, REPLAY_RAISE, NULL);
        /* What its rule passes on is bound, and weaker than that: 80 - 20 - 10. */
        assert_replay(RULE, alert, REPLAY_CHANGE, "medium instead of high");
        assert_replay(RULE "Passes=output files\n", alert, REPLAY_SILENCE, NULL);
        assert_replay("[Allow s]\nClass=keys\nExe=/opt/sender\n", alert, REPLAY_RAISE, NULL);
        set_member(alert, "files_more", json_true());
        assert_replay(RULE, alert, REPLAY_RAISE, NULL);
        set_member(alert, "files_more", json_false());
        /* It came by a pipe: a reader with a rule of its own may have it from a program with one. */
        set_member(alert, "files.0.via", json_string("pipe"));
        set_member(alert, "files.0.route", json_pack("[{s:i, s:s}]", "pid", 7, "via", "pipe"));
        assert_replay(RULE, alert, REPLAY_CHANGE, "medium instead of high");
        assert_replay("[Class keys]\nSeverity=high\n" RULE, alert, REPLAY_CHANGE, "medium instead of high");
        assert_replay(RULE "Passes=nothing\n", alert, REPLAY_SILENCE, NULL);
        assert_replay(RULE "Passes=output\n", alert, REPLAY_UNKNOWN, NULL);
        assert_replay(RULE "[Allow s]\nClass=keys\nExe=/opt/sender\nDestination=192.0.2.7\n", alert,
                        REPLAY_SILENCE, NULL);
        assert_replay("[Allow s]\nClass=keys\nExe=/opt/sender\nDestination=192.0.2.7\n", alert, REPLAY_RAISE,
                        NULL);
        assert_replay(RULE "[Allow s]\nClass=keys\nExe=/opt/sender\nDestination=192.0.2.8\n", alert,
                        REPLAY_CHANGE, "medium");
        /* A child of the opener wrote to the pipe. */
        set_member(alert, "files.0.route", json_pack("[{s:i, s:s}]", "pid", 6, "via", "pipe"));
        assert_replay(RULE "Passes=output files\n", alert, REPLAY_SILENCE, NULL);
        assert_replay(RULE "Passes=children\n", alert, REPLAY_CHANGE, "medium instead of high");
        /* Out of its reader's memory. */
        set_member(alert, "files.0.route",
                        json_pack("[{s:i, s:s}, {s:i, s:s}]", "pid", 7, "via", "pipe", "pid", 9, "via",
                                        "trace"));
        assert_replay(RULE, alert, REPLAY_RAISE, NULL);
        /* By a connection within the host goes only what no rule lets the opener read. */
        set_member(alert, "files.0.route", json_pack("[{s:i, s:s}]", "pid", 7, "via", "loopback"));
        set_member(alert, "severity", json_string("low"));
        assert_replay("", alert, REPLAY_RAISE, NULL);
        assert_replay(RULE, alert, REPLAY_SILENCE, NULL);
        assert_replay("[Allow s]\nClass=keys\nExe=/opt/sender\nDestination=192.0.2.7\n", alert, REPLAY_RAISE,
                        NULL);
        set_member(alert, "severity", json_string("high"));
        /* The open file itself was handed over, whatever the rule passes. */
        set_member(alert, "files.0.route", json_pack("[{s:i, s:s}]", "pid", 7, "via", "received"));
        assert_replay(RULE "Passes=nothing\n", alert, REPLAY_RAISE, NULL);
}

/* An alert of two files is silent if both are. */
static void test_two_files(void **state) {
        json_auto_t *alert = alert_new_plain();
        json_t *files = json_object_get(alert, "files"), *second = json_deep_copy(json_array_get(files, 0));
        (void)state;

        assert_int_equal(json_array_append_new(files, second), 0);
        set_member(alert, "files.1.exe", json_string("/opt/q"));
        set_member(alert, "files.1.pid", json_integer(6));
        assert_replay(RULE, alert, REPLAY_RAISE, NULL);
        assert_replay(RULE "[Allow q]\nClass=keys\nExe=/opt/q\nPasses=nothing\n", alert, REPLAY_SILENCE,
                        "[Allow p], [Allow q]");
        set_member(alert, "files_more", json_true());
        assert_replay(RULE "[Allow q]\nClass=keys\nExe=/opt/q\nPasses=nothing\n", alert, REPLAY_SILENCE,
                        NULL);
        assert_int_equal(json_array_append_new(json_object_get(alert, "classes"), json_string("more")), 0);
        assert_replay(RULE "[Allow q]\nClass=keys\nExe=/opt/q\nPasses=nothing\n", alert, REPLAY_CHANGE,
                        NULL);
}

/* JSON of another shape: no crash. */
static void test_strange(void **state) {
        static const char *const alerts[] = { "{}", "{\"process\":1,\"severity\":\"high\"}",
                "{\"process\":{},\"severity\":\"x\"}" };
        static const PolicyNames names = {};
        static const Policy none = {};
        Replay r = { .score = 5 };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(alerts); i++) {
                json_auto_t *alert = json_loads(alerts[i], 0, NULL);

                assert_int_equal(alert_replay(&none, &names, alert, &r), -EBADMSG);
                assert_int_equal(r.score, 5);
        }
        json_auto_t *odd = json_loads(
                        "{\"process\":{\"flags\":[1],\"cmdline\":2},\"severity\":\"low\",\"files\":[1,{}],"
                        "\"destination\":[],\"reasons\":[3],\"lineage\":[4,{}],\"classes\":[5]}",
                        0, NULL);
        assert_non_null(odd);
        assert_replay("", odd, REPLAY_SILENCE, "in no class");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_narrowed),
                cmocka_unit_test(test_trust),
                cmocka_unit_test(test_users),
                cmocka_unit_test(test_script),
                cmocka_unit_test(test_sight_and_action),
                cmocka_unit_test(test_destinations),
                cmocka_unit_test(test_handed_on),
                cmocka_unit_test(test_two_files),
                cmocka_unit_test(test_strange),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
