/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What top makes of samples: what is new, rates, order, text and JSON. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "basic/json-util.h"
#include "client/top-rows.h"

#define SECOND UINT64_C(1000000)
/* As the daemon writes an entry; the process started at second 100 + n. */
#define ENTRY(pid, n, comm, classes, counts)                                                                \
        "{\"pid\":" #pid ",\"start_ns\":" #n "000000000,\"start_time\":\"2026-11-22T10:00:0" #n             \
        ".000000Z\",\"comm\":\"" comm "\",\"uid\":7,\"classes\":" classes "," counts "}"
#define COUNTS(opens, given, taken, egress)                                                                 \
        "\"opens\":" #opens ",\"given\":" #given ",\"taken\":" #taken ",\"egress\":" #egress

static void sample(TopRows *rows, uint64_t usec, const char *entries) {
        json_auto_t *array = json_loads(entries, 0, NULL);

        assert_non_null(array);
        assert_int_equal(top_rows_add(rows, array), 0);
        top_rows_end_sample(rows, usec);
}

/* The names in order, joined. */
static char *order(const TopRows *rows, TopColumn by, bool reverse) {
        _cleanup_free_ const TopRow **sorted = NULL;
        char *text = strdup("");
        size_t n;

        assert_int_equal(top_rows_sort(rows, by, reverse, &sorted, &n), 0);
        for (size_t i = 0; i < n; i++) {
                char *longer;

                assert_true(asprintf(&longer, "%s%s%s", text, i > 0 ? " " : "", sorted[i]->comm) >= 0);
                free(text);
                text = longer;
        }
        return text;
}

static const TopRow *only(const TopRows *rows) {
        _cleanup_free_ const TopRow **sorted = NULL;
        size_t n;

        assert_int_equal(top_rows_sort(rows, TOP_OPENS, false, &sorted, &n), 0);
        assert_int_equal(n, 1);
        return sorted[0];
}

static TopRows *rows_new(void) {
        TopRows *rows = NULL;

        assert_int_equal(top_rows_new(&rows), 0);
        return rows;
}

static void test_counts(void **state) {
        _cleanup_(top_rows_freep) TopRows *rows = rows_new();

        (void)state;
        sample(rows, 10 * SECOND, "[" ENTRY(5, 1, "a", "null", COUNTS(1000, 4, 3, 2)) "]");
        _cleanup_free_ char *nothing = order(rows, TOP_OPENS, false);
        assert_string_equal(nothing, ""); /* it was done before */
        sample(rows, 12 * SECOND, "[" ENTRY(5, 1, "a", "null", COUNTS(1030, 5, 5, 5)) "]");
        const TopRow *row = only(rows);
        assert_int_equal(row->pid, 5);
        assert_int_equal(row->uid, 7);
        assert_int_equal(row->opens, 30);
        assert_true(row->opens_rate == 15);
        assert_int_equal(row->given, 1);
        assert_int_equal(row->taken, 2);
        assert_int_equal(row->egress, 3);
        sample(rows, 13 * SECOND, "[]");
        assert_true(only(rows)->opens_rate == 0);
        assert_int_equal(only(rows)->opens, 30);
        /* The kernel had dropped it, and counts from nothing. */
        sample(rows, 14 * SECOND, "[" ENTRY(5, 1, "b", "null", COUNTS(8, 0, 0, 1)) "]");
        assert_int_equal(only(rows)->opens, 38);
        assert_int_equal(only(rows)->egress, 4);
        assert_string_equal(only(rows)->comm, "b");
        /* The daemon was restarted, or the client was stopped meanwhile. */
        top_rows_restart(rows);
        sample(rows, 15 * SECOND, "[" ENTRY(5, 1, "b", "null", COUNTS(500, 9, 9, 9)) "]");
        assert_int_equal(only(rows)->opens, 38);
        /* Another process has the PID. */
        sample(rows, 16 * SECOND, "[" ENTRY(5, 2, "c", "null", COUNTS(1, 0, 0, 0)) "]");
        assert_int_equal(only(rows)->opens, 1);
        assert_string_equal(only(rows)->comm, "c");
}

static void test_classes(void **state) {
        _cleanup_(top_rows_freep) TopRows *rows = rows_new();

        (void)state;
        sample(rows, 1 * SECOND, "[" ENTRY(5, 1, "a", "[\"ssh\"]", COUNTS(2, 0, 0, 0)) "]");
        sample(rows, 2 * SECOND,
                        "[" ENTRY(5, 1, "a", "[\"ssh\"]", COUNTS(3, 0, 0, 0)) "," ENTRY(
                                        5, 1, "a", "[\"ssh\",\"aws\"]", COUNTS(2, 0, 0, 0)) "]");
        const TopRow *row = only(rows);
        _cleanup_free_ char *classes = top_row_classes(row), *marks = top_row_marks(row);
        assert_string_equal(classes, "ssh:3 aws:2");
        assert_string_equal(marks, "-");
        assert_int_equal(row->sensitive, 3); /* opens, not classes */
}

static void marks_set(TopRows *rows, const char *marks) {
        json_auto_t *array = json_loads(marks, 0, NULL);

        assert_non_null(array);
        assert_int_equal(top_rows_set_marks(rows, array), 0);
}

/* Marks come with the start on the wall clock only, which is not exactly the same each time. */
static void test_marks(void **state) {
        static const char marked[] = "[{\"suspect\":true},{\"suspect\":false,\"pid\":5,\"start_time\":"
                                     "\"2026-11-22T10:00:01.200000Z\",\"comm\":\"a\",\"uid\":7,\"classes\":["
                                     "\"ssh\",\"aws\"],"
                                     "\"bound\":[\"aws\"]}]";
        _cleanup_(top_rows_freep) TopRows *rows = rows_new();

        (void)state;
        sample(rows, 1 * SECOND, "[]");
        marks_set(rows, marked);
        sample(rows, 2 * SECOND, "[" ENTRY(5, 1, "b", "null", COUNTS(3, 0, 0, 0)) "]");
        const TopRow *row = only(rows);
        _cleanup_free_ char *marks = top_row_marks(row);
        assert_string_equal(marks, "ssh [aws]");
        assert_string_equal(row->comm, "b");
        assert_int_equal(row->opens, 3);
        json_auto_t *o = top_row_to_json(row);
        _cleanup_free_ char *line = NULL;
        assert_int_equal(json_to_line(o, &line), 0);
        assert_string_equal(line,
                        "{\"pid\":5,\"start_time\":\"2026-11-22T10:00:01.200000Z\",\"comm\":\"b\",\"uid\":7,"
                        "\"opens_per_second\":3.0,\"opens\":3,\"sensitive\":0,\"classes\":{},\"given\":0,"
                        "\"taken\":0,\"egress\":0,\"marks\":[\"ssh\",\"aws\"],\"bound\":[\"aws\"]}");
        marks_set(rows, "[]");
        _cleanup_free_ char *none = top_row_marks(only(rows));
        assert_string_equal(none, "-");
        /* A process of that PID that started later holds nothing. */
        sample(rows, 3 * SECOND, "[" ENTRY(5, 9, "c", "null", COUNTS(1, 0, 0, 0)) "]");
        marks_set(rows, marked);
        assert_string_equal(only(rows)->comm, "a");
        assert_int_equal(only(rows)->opens, 0);
}

static void test_order(void **state) {
        _cleanup_(top_rows_freep) TopRows *rows = rows_new();

        (void)state;
        sample(rows, 1 * SECOND, "[]");
        sample(rows, 2 * SECOND,
                        "[" ENTRY(5, 1, "a", "null", COUNTS(5, 1, 0, 9)) "," ENTRY(
                                        32773, 1, "c", "null", COUNTS(7, 0, 2, 0)) "," ENTRY(6, 1, "b",
                                        "null", COUNTS(5, 3, 1, 0)) "," ENTRY(6, 1, "b", "[\"ssh\"]",
                                        COUNTS(1, 0, 0, 0)) "]");
        static const struct {
                TopColumn by;
                bool reverse;
                const char *order;
        } cases[] = {
                { TOP_PROCESS, false, "a b c" },
                { TOP_PROCESS, true, "c b a" },
                { TOP_OPENS, false, "c a b" }, /* of equal ones the lower PID */
                { TOP_OPENS, true, "a b c" },
                { TOP_UID, false, "c a b" }, /* of equal ones the one that opens more */
                { TOP_GIVEN, false, "b a c" },
                { TOP_TAKEN, false, "c b a" },
                { TOP_EGRESS, false, "a c b" },
                { TOP_SENSITIVE, false, "b c a" },
                { TOP_CLASSES, false, "b c a" },
                { TOP_MARKS, false, "c a b" },
        };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *got = order(rows, cases[i].by, cases[i].reverse);

                assert_string_equal(got, cases[i].order);
        }
        for (int i = 0; i < _TOP_COLUMNS_MAX; i++)
                assert_int_equal(top_column_from_string(top_columns[i].sort), i);
        assert_int_equal(top_column_from_string("OPENS/S"), -EINVAL);
}

static bool is_even(uint32_t pid) {
        return pid % 2 == 0;
}

static void test_forget(void **state) {
        _cleanup_(top_rows_freep) TopRows *rows = rows_new();

        (void)state;
        sample(rows, 1 * SECOND, "[]");
        sample(rows, 2 * SECOND,
                        "[" ENTRY(4, 1, "a", "null", COUNTS(1, 0, 0, 0)) "," ENTRY(
                                        5, 1, "b", "null", COUNTS(2, 0, 0, 0)) "," ENTRY(32772, 1, "c",
                                        "null", COUNTS(3, 0, 0, 0)) "]");
        top_rows_forget(rows, is_even);
        _cleanup_free_ char *left = order(rows, TOP_OPENS, false);
        assert_string_equal(left, "b");
}

static void test_malformed(void **state) {
        static const char *const cases[] = { "{}", "[1]", "[{}]", "[{\"pid\":1}]",
                "[{\"pid\":1,\"comm\":\"x\",\"start_time\":\"yesterday\"}]",
                "[{\"pid\":\"1\",\"comm\":\"x\",\"start_time\":\"2026-11-22T10:00:01.000000Z\"}]" };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(top_rows_freep) TopRows *rows = rows_new();
                json_auto_t *o = json_loads(cases[i], 0, NULL);

                assert_int_equal(top_rows_add(rows, o), -EBADMSG);
        }
        _cleanup_(top_rows_freep) TopRows *rows = rows_new();
        assert_int_equal(top_rows_add(rows, NULL), -EBADMSG);
        assert_int_equal(top_rows_set_marks(rows, NULL), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_counts),
                cmocka_unit_test(test_classes),
                cmocka_unit_test(test_marks),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_forget),
                cmocka_unit_test(test_malformed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
