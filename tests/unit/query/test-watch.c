/* SPDX-License-Identifier: GPL-2.0-or-later */

/* WatchProcesses: a view lasts as long as its call, which waits between two samples. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query/interface.h"
#include "query/methods.h"
#include "query/varlink.h"

#define CALL(rest) "{\"method\":\"" BARBWIRE_INTERFACE ".WatchProcesses\"" rest "}"

/* Each sample has two replies. */
struct ActivityView {
        uint64_t interval_usec;
        unsigned n;
};

static unsigned n_views;
static bool due, memory = true;
static uint64_t last_interval_usec;

static ActivityView *view_begin(uint64_t interval_usec, void *userdata) {
        ActivityView *v = memory ? calloc(1, sizeof(*v)) : NULL;

        (void)userdata;
        last_interval_usec = interval_usec;
        n_views += v != NULL;
        return v;
}

static void view_end(ActivityView *v, void *userdata) {
        (void)userdata;
        n_views--;
        free(v);
}

static bool view_is_due(const ActivityView *v, void *userdata) {
        (void)userdata;
        return due || v->n % 2 == 1;
}

static int view_write(ActivityView *v, FILE *f, void *userdata) {
        (void)userdata;
        fprintf(f, "{\"n\":%u}", v->n++);
        return 0;
}

static const ActivitySource activity = {
        .begin = view_begin, .end = view_end, .is_due = view_is_due, .write = view_write
};
static const QuerySource source = { .activity = &activity };

static Query *query_of(const char *call) {
        Query *q = NULL;

        assert_int_equal(query_new(&source, call, strlen(call), &q), 0);
        return q;
}

/* The next batch without its NUL; "" for none. */
static char *batch_of(Query *q) {
        char *batch = NULL;
        size_t size;

        assert_int_equal(query_next(q, &batch, &size), 0);
        if (size == 0) {
                free(batch);
                return strdup("");
        }
        assert_int_equal(varlink_message_size(batch, size, 0), size);
        return batch;
}

static void test_samples(void **state) {
        _cleanup_(query_freep) Query *q = query_of(CALL(",\"more\":true"));

        (void)state;
        due = true;
        assert_int_equal(n_views, 0);
        _cleanup_free_ char *nothing = batch_of(q);
        assert_string_equal(nothing, "");
        assert_int_equal(n_views, 1);
        assert_int_equal(last_interval_usec, 1000000);
        assert_int_equal(query_state(q), QUERY_READY);
        _cleanup_free_ char *first = batch_of(q);
        assert_non_null(strstr(first, "\"n\":0"));
        assert_non_null(strstr(first, "\"continues\":true"));
        due = false;
        assert_int_equal(query_state(q), QUERY_READY); /* the rest of the sample */
        _cleanup_free_ char *second = batch_of(q);
        assert_non_null(strstr(second, "\"n\":1"));
        assert_int_equal(query_state(q), QUERY_WAITS);
        due = true;
        assert_int_equal(query_state(q), QUERY_READY);
        _cleanup_free_ char *third = batch_of(q);
        assert_non_null(strstr(third, "\"n\":2"));
}

/* As when its client disconnects. */
static void test_ends(void **state) {
        Query *one = query_of(CALL(",\"more\":true")), *two = query_of(CALL(",\"more\":true"));

        (void)state;
        free(batch_of(one));
        free(batch_of(two));
        assert_int_equal(n_views, 2);
        query_free(one);
        assert_int_equal(n_views, 1);
        query_free(two);
        assert_int_equal(n_views, 0);
}

static void test_interval(void **state) {
        static const struct {
                const char *parameters;
                uint64_t interval_usec; /* 0: refused */
        } cases[] = {
                { "{}", 1000000 },
                { "{\"interval\":null}", 1000000 },
                { "{\"interval\":100000}", 100000 },
                { "{\"interval\":3600000000}", 3600000000 },
                { "{\"interval\":99999}", 0 },
                { "{\"interval\":3600000001}", 0 },
                { "{\"interval\":\"1s\"}", 0 },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                _cleanup_free_ char *call = NULL;

                assert_true(asprintf(&call, CALL(",\"more\":true,\"parameters\":%s"), cases[i].parameters) >
                                0);
                _cleanup_(query_freep) Query *q = query_of(call);
                _cleanup_free_ char *batch = batch_of(q);
                assert_int_equal(n_views, cases[i].interval_usec != 0);
                if (cases[i].interval_usec != 0)
                        assert_int_equal(last_interval_usec, cases[i].interval_usec);
                else
                        assert_non_null(strstr(batch, VARLINK_ERROR_INVALID_PARAMETER));
        }
        assert_int_equal(n_views, 0);
}

/* Without `more`, without a reply and without memory nothing is counted. */
static void test_none(void **state) {
        static const char *const calls[] = { CALL(""), CALL(",\"oneway\":true"),
                CALL(",\"oneway\":true,\"more\":true") };
        char *batch;
        size_t size;

        (void)state;
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
                _cleanup_(query_freep) Query *q = query_of(calls[i]);
                _cleanup_free_ char *error = batch_of(q);

                assert_int_equal(i == 0, strstr(error, VARLINK_ERROR_EXPECTED_MORE) != NULL);
                assert_int_equal(query_state(q), QUERY_OVER);
                assert_int_equal(n_views, 0);
        }
        memory = false;
        _cleanup_(query_freep) Query *q = query_of(CALL(",\"more\":true"));
        assert_int_equal(query_next(q, &batch, &size), -ENOMEM);
        memory = true;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_samples),
                cmocka_unit_test(test_ends),
                cmocka_unit_test(test_interval),
                cmocka_unit_test(test_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
