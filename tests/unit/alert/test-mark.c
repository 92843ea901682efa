/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The JSON of marks and accounts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <jansson.h>

#include "alert/mark.h"
#include "basic/util.h"
#include "../alert-fixture.h"

static Event mark_new(void) {
        Event e = event_new_inherited();
        EventCorrelation c = e.correlation;

        c.bound = c.classes;
        e.kind = BW_KIND_MARK;
        e.mark = (EventMark){
                .holder = c,
                .until_mono_ns = e.mono_ns + 60 * UINT64_C(1000000000),
                .payer = 1000,
        };
        return e;
}

static json_t *json_of(const Event *e) {
        _cleanup_free_ char *line = NULL;

        assert_int_equal(mark_to_json(e, &policy, &names, &epoch, &line), 0);
        json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(o);
        return o;
}

static const char *text(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key));
}

static void test_mark(void **state) {
        Event e = mark_new();
        json_auto_t *o = json_of(&e);
        const json_t *file = json_array_get(json_object_get(o, "files"), 0);

        (void)state;
        assert_true(json_is_false(json_object_get(o, "suspect")));
        assert_int_equal(json_integer_value(json_object_get(o, "pid")), 12);
        assert_string_equal(text(o, "comm"), "curl");
        assert_string_equal(text(o, "exe"), "/usr/bin/curl");
        assert_int_equal(json_integer_value(json_object_get(o, "uid")), 1000);
        assert_int_equal(json_integer_value(json_object_get(o, "user")), 1000);
        assert_string_equal(text(file, "path"), "/home/ana/.ssh/id_ed25519");
        assert_string_equal(json_string_value(json_array_get(json_object_get(o, "classes"), 0)),
                        "ssh-private-keys");
        assert_true(json_equal(json_object_get(o, "classes"), json_object_get(o, "bound")));
        /* The record was made at 10:05:01.023456; the file is 1.234 s old, and the mark ends after a minute.
         */
        assert_memory_equal(text(o, "since"), "2026-11-22T10:04:59.78", 22);
        assert_string_equal(text(o, "until"), "2026-11-22T10:06:01.023456Z");
}

/* What stands for a user has no process; a mark whose window has just passed does not end in the past. */
static void test_suspect(void **state) {
        Event e = mark_new();

        (void)state;
        e.mark.holder.flags |= BW_CORRELATION_SUSPECT;
        e.mark.holder.process = (EventProcess){ .uid = 7, .cgroup_id = 9 };
        e.mark.holder.bound = 0;
        e.mark.until_mono_ns = 1;
        json_auto_t *o = json_of(&e);
        assert_true(json_is_true(json_object_get(o, "suspect")));
        assert_true(json_is_null(json_object_get(o, "pid")));
        assert_true(json_is_null(json_object_get(o, "comm")));
        assert_true(json_is_null(json_object_get(o, "exe")));
        assert_true(json_is_null(json_object_get(o, "start_time")));
        assert_int_equal(json_integer_value(json_object_get(o, "cgroup_id")), 9);
        assert_int_equal(json_array_size(json_object_get(o, "bound")), 0);
        assert_string_equal(text(o, "until"), "2026-11-22T10:05:01.023456Z");
}

static void test_account(void **state) {
        EventAccount a = { .cgroup_id = 5,
                .live = 1,
                .refused = 2,
                .max = 3,
                .table = BW_SHARE_OBJECTS,
                .uid = 4,
                .cgroup = "x\xff" };
        _cleanup_free_ char *one = NULL, *all = NULL;

        (void)state;
        assert_int_equal(account_to_json(&a, &one), 0);
        assert_string_equal(one, "{\"table\":\"objects\",\"user\":4,\"cgroup_id\":5,\"cgroup\":\"x\\\\xff\","
                                 "\"live\":1,\"refused\":2,\"max\":3}");
        a.cgroup_id = 0;
        assert_int_equal(account_to_json(&a, &all), 0);
        assert_non_null(strstr(all, "\"cgroup\":null"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mark),
                cmocka_unit_test(test_suspect),
                cmocka_unit_test(test_account),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
