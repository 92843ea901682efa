/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What GetStatus and ListRules answer: the numbers, and when detection counts as degraded. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "abi/shared.h"
#include "policy/json.h"
#include "status-json.h"
#include "basic/util.h"
#include "../policy-fixture.h"

#define NOW (UINT64_C(100000) * USEC_PER_SEC)

static const char policy_text[] = "[Class keys]\n"
                                  "Description=Keys\n"
                                  "Path=/a/* ~/.b\n"
                                  "ExcludePath=/a/x\n"
                                  "Window=2min\n"
                                  "Score=60\n"
                                  "Technique=T1552.004\n"
                                  "[Class plain]\n"
                                  "Path=/c\n"
                                  "Severity=low\n"
                                  "[Allow backup]\n"
                                  "Class=keys\n"
                                  "Exe=/usr/bin/restic\n"
                                  "Destination=198.51.100.7:443 10.0.0.0/8 [2001:db8::/32]:1-9 2001:db8::1\n"
                                  "Script=/opt/s.py /opt/t/**\n"
                                  "Unit=docker-*.scope\n"
                                  "User=0 1000\n"
                                  "Ancestor=/usr/sbin/cron\n"
                                  "Container=yes\n"
                                  "[Lineage shells]\n"
                                  "Exe=/usr/bin/bash\n"
                                  "Unit=x.service\n"
                                  "Score=-7\n"
                                  "Description=Shells\n"
                                  "[Destination here]\n"
                                  "Address=loopback\n"
                                  "Port=53 100-200 *\n"
                                  "Score=-20\n"
                                  "Ignore=on\n"
                                  "[Carrier bus]\n"
                                  "Class=keys\n"
                                  "Exe=/usr/bin/bus\n"
                                  "Unit=bus.service\n"
                                  "User=0\n"
                                  "Path=/run/bus\n"
                                  "Egress=yes\nTerminal=yes\n"
                                  "Score=-9\n"
                                  "Description=The bus\n"
                                  "[Scoring]\n"
                                  "Alert=10\n"
                                  "High=90\n"
                                  "[Class keys]\nAction=deny\n"
                                  "[Enforcement]\n"
                                  "Enabled=dry-run\n"
                                  "Never=/usr/sbin/sshd cron.service\n";

static json_t *status_of(Status s, size_t n_degraded) {
        static const SensorHook hooks[] = {
                { .name = "tp_btf/sys_exit",
                                .not_monitored = "opens",
                                .attached = true,
                                .proof = SENSOR_PROVED },
                { .name = "cgroup/connect4", .not_monitored = "connections", .attached = true, .misses = 2 },
        };
        static char *const programs[] = { "cgroup/connect4: program 12 (x)", NULL };

        if (!s.hooks) {
                s.hooks = hooks;
                s.n_hooks = ELEMENTSOF(hooks);
        }
        s.foreign = programs;
        s.version = "1";
        s.sensor = SENSOR_TRACEPOINT;
        s.pid = 4;
        s.now_usec = NOW;
        static const SensorTable tables[SENSOR_TABLES] = {
                { "processes", 3, 100, 4096, 0, 0 },
                { "objects", 5, 1000, 640, 2, 1 },
                { "files", 7, 2000, 728, 4, 9 },
                { "lineages", 300, 65536, 307200, 0, 0 },
                { "mappings", 20, 131072, 2048, 0, 0 },
                { "names", 150, 16384, 50400, 3, 0 },
                { "rings", 2, 16384, 640, 0, 0 },
                { "activity", 0, 8192, 589824, 0, 0 },
        };
        s.tables = tables;
        s.marks_max = s.marks_max ?: 100;
        json_t *o = status_to_json(&s);
        assert_non_null(o);
        assert_int_equal(json_array_size(json_object_get(o, "degraded")), n_degraded);
        assert_string_equal(
                        json_string_value(json_object_get(o, "state")), n_degraded == 0 ? "ok" : "degraded");
        return o;
}

static const char *first_reason(const json_t *o) {
        return json_string_value(json_array_get(json_object_get(o, "degraded"), 0));
}

static void test_ok(void **state) {
        (void)state;
        _cleanup_(policy_freep) Policy *p = finished_as("/p/10.conf", "[Class keys]\nPath=/a\n");
        const Losses losses = {};
        json_auto_t *o = status_of((Status){ .policy = p,
                                                   .losses = &losses,
                                                   .n_alerts = 3,
                                                   .n_ignored = 4,
                                                   .n_below = 5,
                                                   .n_kept = 2,
                                                   .n_patterns = 1,
                                                   .armed_realtime_usec = 1795341901023456 },
                        0);

        assert_string_equal(json_string_value(json_object_get(o, "armed")), "2026-11-22T10:05:01.023456Z");
        assert_int_equal(json_array_size(json_object_get(o, "losses")), LOSSES_MAX);
        const json_t *policy = json_object_get(o, "policy");
        /* printf '[Class keys]\nPath=/a\n' | sha256sum */
        assert_string_equal(json_string_value(json_object_get(policy, "hash")),
                        "9b0802f3f8fb0ce868a34633f4778d6068e95209641cca4e82b652f38a673182");
        assert_string_equal(json_string_value(json_array_get(json_object_get(policy, "files"), 0)),
                        "/p/10.conf");
        assert_string_equal(json_string_value(json_array_get(json_object_get(o, "foreign"), 0)),
                        "cgroup/connect4: program 12 (x)");
        const json_t *alerts = json_object_get(o, "alerts");
        assert_int_equal(json_integer_value(json_object_get(alerts, "kept")), 2);
        assert_int_equal(json_integer_value(json_object_get(alerts, "ignored")), 4);
        assert_int_equal(json_integer_value(json_object_get(alerts, "below")), 5);
        const json_t *files = json_array_get(json_object_get(o, "tables"), 2);
        assert_int_equal(json_integer_value(json_object_get(files, "refused")), 4);
        assert_int_equal(json_integer_value(json_object_get(files, "dropped")), 9);
}

/* Action=deny: what is counted, and what this sensor cannot refuse. */
static void test_enforcement(void **state) {
        (void)state;
        static const struct {
                const char *policy, *mode;
                bool off;
        } rows[] = {
                { "[Class keys]\nPath=/a\n", "off", false },
                { "[Class keys]\nPath=/a\nAction=deny\n", "on", false },
                { "[Class keys]\nPath=/a\nAction=deny\n", "off", true },
                { "[Class keys]\nPath=/a\nAction=deny\n[Enforcement]\nEnabled=no\n", "off", false },
                { "[Class keys]\nPath=/a\nAction=deny\n[Enforcement]\nEnabled=dry-run\n", "dry-run", false },
        };
        const Losses losses = {};

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(policy_freep) Policy *p = finished_as("/p/10.conf", rows[i].policy);
                bool off = strcmp(rows[i].mode, "off") == 0;

                p->enforcement.off = rows[i].off;
                json_auto_t *o = status_of((Status){ .policy = p, .losses = &losses, .n_denied = 7 }, 0);
                const json_t *e = json_object_get(o, "enforcement");
                assert_string_equal(json_string_value(json_object_get(e, "mode")), rows[i].mode);
                assert_int_equal(json_integer_value(json_object_get(e, "classes")), !off);
                assert_int_equal(json_integer_value(json_object_get(e, "denied")), 7);
                const json_t *not = json_object_get(e, "not_refused");
                assert_int_equal(json_array_size(not ) > 0, !off);
                if (!off)
                        assert_non_null(strstr(
                                        json_string_value(json_array_get(not, 0)), "older than the open"));
        }
        _cleanup_(policy_freep) Policy *p = finished_as("/p/10.conf", rows[1].policy);
        const SensorHook hooks[] = { { .name = "fmod_ret/security_socket_connect",
                        .not_monitored = "connections",
                        .denies = true } };
        json_auto_t *o = status_of(
                        (Status){ .policy = p, .losses = &losses, .hooks = hooks, .n_hooks = 1 }, 1);
        assert_non_null(strstr(first_reason(o), "Not refused: connections."));
}

/* What the kernel lacks is listed beside what the sensor lacks. */
static void test_lacking(void **state) {
        (void)state;
        _cleanup_(policy_freep) Policy *p = finished_as("/p/10.conf", "[Class keys]\nPath=/a\n");
        const Losses losses = {};
        json_auto_t *recent = status_of((Status){ .policy = p, .losses = &losses }, 0);
        json_auto_t *old = status_of(
                        (Status){ .policy = p,
                                        .losses = &losses,
                                        .lacking = BW_LACKS_MAPPINGS | BW_LACKS_REQUESTS | BW_LACKS_NAMES },
                        0);
        const json_t *not_monitored = json_object_get(old, "not_monitored");
        size_t n = json_array_size(json_object_get(recent, "not_monitored"));

        assert_int_equal(json_array_size(not_monitored), n + 3);
        assert_non_null(strstr(json_string_value(json_array_get(not_monitored, 0)), "mapped"));
        assert_non_null(strstr(json_string_value(json_array_get(not_monitored, 1)), "io_uring"));
        assert_non_null(strstr(json_string_value(json_array_get(not_monitored, 2)), "renamed"));
}

static void test_degraded(void **state) {
        (void)state;
        _cleanup_(policy_freep) Policy *good = finished_as("/p/10.conf", "[Class keys]\nPath=/a\n");
        _cleanup_(policy_freep) Policy *bad = finished_as("/p/10.conf", "[Class keys]\nPath=/a\nnonsense\n");
        const SensorHook hooks[] = { { .name = "tp_btf/sys_exit", .not_monitored = "opens" } };
        Losses losses = {};

        json_auto_t *o1 = status_of((Status){ .policy = bad, .losses = &losses }, 1);
        assert_non_null(strstr(first_reason(o1), "because of errors: 1. "));
        json_auto_t *o2 = status_of(
                        (Status){ .policy = good, .losses = &losses, .hooks = hooks, .n_hooks = 1 }, 1);
        assert_string_equal(first_reason(o2), "Hook tp_btf/sys_exit is not attached. Not monitored: opens.");
        const SensorHook still[] = { { .name = "lsm/file_open",
                        .not_monitored = "opens",
                        .attached = true,
                        .proof = SENSOR_DISPROVED } };
        json_auto_t *o_still = status_of(
                        (Status){ .policy = good, .losses = &losses, .hooks = still, .n_hooks = 1 }, 1);
        assert_string_equal(first_reason(o_still),
                        "Hook lsm/file_open is attached but does not fire. Not monitored: opens.");
        json_auto_t *o3 =
                        status_of((Status){ .policy = good, .losses = &losses, .policy_refused = true }, 1);
        assert_non_null(strstr(first_reason(o3), "reload failed"));
        json_auto_t *o4 = status_of((Status){ .policy = good, .losses = &losses, .marks_live = 75 }, 1);
        assert_non_null(strstr(first_reason(o4), "MaxMarks="));
        json_auto_t *o5 = status_of((Status){ .policy = good, .losses = &losses, .marks_live = 74 }, 0);
        (void)o5;

        _cleanup_(policy_freep) Policy *empty = finished_as("/p/10.conf", "");
        json_auto_t *o8 = status_of((Status){ .policy = empty, .losses = &losses }, 1);
        assert_non_null(strstr(first_reason(o8), "Nothing is monitored"));
        json_auto_t *o9 =
                        status_of((Status){ .policy = good, .losses = &losses, .cgroup_partial = true }, 1);
        assert_non_null(strstr(first_reason(o9), "cgroup namespace"));
        json_auto_t *o10 = status_of((Status){ .policy = good, .losses = &losses, .host_unknown = true }, 1);
        assert_non_null(strstr(first_reason(o10), "only [Allow] rules with Container=yes apply"));
        const Status waiting = { .policy = good, .losses = &losses, .n_waiting = 3 };
        Status w = waiting;
        w.waiting_usec = NOW - STATUS_WAITING_USEC;
        json_auto_t *o11 = status_of(w, 0);
        (void)o11;
        w.waiting_usec -= USEC_PER_SEC;
        json_auto_t *o12 = status_of(w, 1);
        assert_non_null(strstr(first_reason(o12), "not delivered for 11 s: 3."));

        /* A loss is a reason for an hour, and counted for good. */
        losses.counts[BW_LOSS_RING_FULL] = 7;
        losses.grown_usec[BW_LOSS_RING_FULL] = NOW - STATUS_LOSS_RECENT_USEC + 1;
        json_auto_t *o6 = status_of((Status){ .policy = good, .losses = &losses }, 1);
        assert_non_null(strstr(first_reason(o6), "(ring_full, 7 in total)"));
        losses.grown_usec[BW_LOSS_RING_FULL]--;
        json_auto_t *o7 = status_of((Status){ .policy = good, .losses = &losses }, 0);
        const json_t *loss = json_array_get(json_object_get(o7, "losses"), BW_LOSS_RING_FULL);
        assert_int_equal(json_integer_value(json_object_get(loss, "count")), 7);
}

static void test_rules(void **state) {
        (void)state;
        _cleanup_(policy_freep) Policy *p = finished_as("/p/10.conf", policy_text);
        json_auto_t *o = policy_to_json(p);
        json_auto_t *expected = json_loads(
                        "{\"classes\":[{\"name\":\"keys\",\"description\":\"Keys\",\"paths\":[\"/a/*\",\"~/"
                        ".b\"],"
                        "\"excludes\":[\"/a/x\"],\"techniques\":[\"T1552.004\"],\"window_usec\":120000000,"
                        "\"late_window_usec\":3600000000,\"score\":60,\"severity\":null,\"first_sight\":"
                        "false,\"code\":false,\"action\":\"deny\",\"action_hops\":8,\"access\":\"any\","
                        "\"fail_closed\":false,"
                        "\"origin\":\"/p/"
                        "10.conf:1\"},"
                        "{\"name\":\"plain\",\"description\":null,\"paths\":[\"/"
                        "c\"],\"excludes\":[],\"techniques\":[],"
                        "\"window_usec\":60000000,\"late_window_usec\":3600000000,\"score\":50,\"severity\":"
                        "\"low\",\"first_sight\":false,\"code\":false,\"action\":\"alert\",\"action_hops\":"
                        "8,\"access\":"
                        "\"any\",\"fail_closed\":false,\"origin\":\"/p/"
                        "10.conf:8\"}],"
                        "\"allows\":[{\"name\":\"backup\",\"classes\":[\"keys\"],\"exes\":[\"/usr/bin/"
                        "restic\"],"
                        "\"destinations\":[\"198.51.100.7/32:443\",\"10.0.0.0/8\",\"[2001:db8::/32]:1-9\","
                        "\"2001:db8::1/128\"],\"scripts\":[\"/opt/s.py\",\"/opt/t/"
                        "**\"],\"units\":[\"docker-*.scope\"],"
                        "\"users\":[\"0\",\"1000\"],\"ancestors\":[\"/usr/sbin/cron\"],\"container\":true,"
                        "\"origin\":\"/p/10.conf:11\",\"passes\":\"output files children\",\"paths\":[],"
                        "\"excluded_arguments\":[]}],"
                        "\"carriers\":[{\"name\":\"bus\",\"description\":\"The "
                        "bus\",\"classes\":[\"keys\"],\"exes\":[\"/usr/bin/bus\"],"
                        "\"units\":[\"bus.service\"],\"users\":[\"0\"],\"paths\":[\"/run/"
                        "bus\"],\"egress\":true,"
                        "\"score\":-9,\"origin\":\"/p/10.conf:30\",\"terminal\":true,\"own\":false}],"
                        "\"lineages\":[{\"name\":\"shells\",\"description\":\"Shells\",\"exes\":[\"/usr/bin/"
                        "bash\"],"
                        "\"units\":[\"x.service\"],\"score\":-7,\"origin\":\"/p/10.conf:20\"}],"
                        "\"destinations\":[{\"name\":\"here\",\"description\":null,"
                        "\"addresses\":[\"127.0.0.0/8\",\"0.0.0.0/32\",\"::1/128\",\"::/128\"],"
                        "\"ports\":[\"53\",\"100-200\",\"*\"],\"score\":-20,\"ignore\":true,"
                        "\"origin\":\"/p/10.conf:25\"}],"
                        "\"scoring\":{\"alert\":10,\"medium\":40,\"high\":90},"
                        "\"enforcement\":{\"enabled\":\"dry-run\",\"never\":[\"/usr/sbin/"
                        "sshd\",\"cron.service\"]}}",
                        JSON_REJECT_DUPLICATES, NULL);

        assert_non_null(o);
        assert_non_null(expected);
        if (!json_equal(o, expected))
                fail_msg("%s", json_dumps(o, JSON_INDENT(1)));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ok),
                cmocka_unit_test(test_lacking),
                cmocka_unit_test(test_enforcement),
                cmocka_unit_test(test_degraded),
                cmocka_unit_test(test_rules),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
