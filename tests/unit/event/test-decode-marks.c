/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The records of a listing of marks: see test-decode.c for what they share with a correlation. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "event/decode.h"

/* A mark has no destination; its strings begin after its own fixed part. */
static void test_mark(void **state) {
        (void)state;
        struct {
                struct bw_mark fixed;
                char text[16];
        } m = {
                .fixed = {
                        .holder = {
                                .header = { .version = BW_EVENT_VERSION, .kind = BW_KIND_MARK },
                                .classes = 6,
                                .bound = 12,
                                .process = { .pid = 12, .uid = 3, .comm = "cat" },
                                .n_files = 1,
                                .files = { { .classes = 6, .via = BW_VIA_PIPE, .pid = 11, .comm = "sh" } },
                        },
                        .until_mono_ns = 99,
                        .payer = 4,
                        .number = 5,
                },
                .text = "/key",
        };
        const char *why = NULL;
        Event e;

        m.fixed.holder.header.size = sizeof(m);
        m.fixed.holder.files[0].path = (struct bw_string){ sizeof(m.fixed), 4 };
        assert_int_equal(event_decode(&m, sizeof(m), &e, &why), 0);
        assert_int_equal(e.kind, BW_KIND_MARK);
        assert_int_equal(e.mark.until_mono_ns, 99);
        assert_int_equal(e.mark.holder.bound, 4); /* of the classes */
        assert_int_equal(e.mark.payer, 4);
        assert_int_equal(e.mark.number, 5);
        assert_int_equal(e.mark.holder.process.pid, 12);
        assert_int_equal(e.mark.holder.n_files, 1);
        assert_memory_equal(e.mark.holder.files[0].path.data, "/key", 5);

        m.fixed.holder.files[0].path.offset = sizeof(m.fixed) - 1;
        assert_int_equal(event_decode(&m, sizeof(m), &e, &why), -EBADMSG);
        assert_string_equal(why, "a string begins inside the fixed part");
        m.fixed.holder.header.size = sizeof(m.fixed) - 1;
        assert_int_equal(event_decode(&m, sizeof(m), &e, &why), -EBADMSG);
        assert_string_equal(why, "shorter than its kind's fixed part");
}

static void test_account(void **state) {
        (void)state;
        struct bw_account a = {
                .header = { .version = BW_EVENT_VERSION, .kind = BW_KIND_ACCOUNT, .size = sizeof(a) },
                .cgroup_id = 1,
                .live = 2,
                .refused = 3,
                .max = 4,
                .table = BW_SHARE_OBJECTS,
                .uid = 5,
                .number = 6,
                .cgroup = "x.slice",
        };
        const char *why = NULL;
        Event e;

        assert_int_equal(event_decode(&a, sizeof(a), &e, &why), 0);
        assert_int_equal(e.kind, BW_KIND_ACCOUNT);
        assert_int_equal(e.account.cgroup_id, 1);
        assert_int_equal(e.account.live, 2);
        assert_int_equal(e.account.refused, 3);
        assert_int_equal(e.account.max, 4);
        assert_int_equal(e.account.table, BW_SHARE_OBJECTS);
        assert_int_equal(e.account.uid, 5);
        assert_int_equal(e.account.number, 6);
        assert_string_equal(e.account.cgroup, "x.slice");

        a.table = BW_SHARE_TABLES;
        assert_int_equal(event_decode(&a, sizeof(a), &e, &why), -EBADMSG);
        assert_string_equal(why, "the table is unknown");
        a.table = 0;
        a.zero = 1;
        assert_int_equal(event_decode(&a, sizeof(a), &e, &why), -EBADMSG);
        assert_string_equal(why, "the account's padding is not zero");
        a.zero = 0;
        memset(a.cgroup, 'x', sizeof(a.cgroup));
        assert_int_equal(event_decode(&a, sizeof(a), &e, &why), -EBADMSG);
        assert_string_equal(why, "a cgroup has no terminator");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mark),
                cmocka_unit_test(test_account),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
