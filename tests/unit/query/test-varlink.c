/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The protocol: what is a call and a reply, what is none, and that what one side writes the other reads. */

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "basic/util.h"
#include "query/varlink.h"

static void test_framing(void **state) {
        const char two[] = "{}\0{\"a\":1}";

        (void)state;
        assert_int_equal(varlink_message_size(NULL, 0, 0), 0);
        assert_int_equal(varlink_message_size(two, sizeof(two), 0), 3);
        assert_int_equal(varlink_message_size(two, 2, 0), 0);
        assert_int_equal(varlink_message_size(two + 3, sizeof(two) - 3, 0), 8);
        assert_int_equal(varlink_message_size(two, 3, 2), 3);
        assert_int_equal(varlink_message_size(two, 3, 3), 0);
        assert_int_equal(varlink_message_size("", 1, 0), 1);
}

static int call_parse(const char *text) {
        VarlinkCall c = {};
        int r = varlink_call_parse(text, strlen(text), &c);

        varlink_call_done(&c);
        return r;
}

static void test_calls(void **state) {
        const char *text = "{\"method\":\"a.b.C\",\"parameters\":{\"x\":[1]},\"more\":true,\"stranger\":{},"
                           "\"oneway\":false,\"upgrade\":true}";
        VarlinkCall c;

        (void)state;
        assert_int_equal(varlink_call_parse(text, strlen(text), &c), 0);
        assert_string_equal(c.method, "a.b.C");
        assert_int_equal(json_array_size(json_object_get(c.parameters, "x")), 1);
        assert_true(c.more);
        assert_false(c.oneway);
        assert_true(c.upgrade);
        varlink_call_done(&c);

        text = "{\"method\":\"C\",\"parameters\":null,\"oneway\":true,\"more\":null}";
        assert_int_equal(varlink_call_parse(text, strlen(text), &c), 0);
        assert_null(c.parameters);
        assert_true(c.oneway);
        assert_false(c.more);
        assert_false(c.upgrade);
        varlink_call_done(&c);
}

static void test_no_calls(void **state) {
        static const char *const bad[] = {
                "",
                "{",
                "null",
                "[]",
                "\"method\"",
                "{}",
                "{\"method\":null}",
                "{\"method\":1}",
                "{\"method\":\"a\"} x",
                "{\"method\":\"a\"}{\"method\":\"b\"}",
                "{\"method\":\"a\",\"method\":\"b\"}",
                "{\"method\":\"a\\u0000b\"}",
                "{\"method\":\"\xff\"}",
                "{\"method\":\"a\",\"parameters\":[]}",
                "{\"method\":\"a\",\"parameters\":{\"x\":1,\"x\":2}}",
                "{\"method\":\"a\",\"parameters\":{\"x\":99999999999999999999}}",
                "{\"method\":\"a\",\"more\":1}",
                "{\"method\":\"a\",\"oneway\":\"true\"}",
                "{\"method\":\"a\",\"upgrade\":{}}",
        };
        _cleanup_free_ char *deep = malloc(64 * 1024);
        VarlinkCall untouched = { .method = "untouched" };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (call_parse(bad[i]) != -EBADMSG)
                        fail_msg("taken for a call: %s", bad[i]);
        memset(deep, '[', 64 * 1024);
        assert_int_equal(varlink_call_parse(deep, 64 * 1024, &untouched), -EBADMSG);
        assert_string_equal(untouched.method, "untouched");
}

static void test_no_replies(void **state) {
        static const char *const bad[] = {
                "[]",
                "{\"parameters\":1}",
                "{\"error\":1}",
                "{\"error\":{}}",
                "{\"continues\":1}",
        };
        VarlinkReply reply;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (varlink_reply_parse(bad[i], strlen(bad[i]), &reply) != -EBADMSG)
                        fail_msg("taken for a reply: %s", bad[i]);
        assert_int_equal(varlink_reply_parse("{}", 2, &reply), 0);
        assert_null(reply.parameters);
        assert_null(reply.error);
        assert_false(reply.continues);
        varlink_reply_done(&reply);
}

static void assert_call(bool more, json_t *parameters, const char *text) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        VarlinkCall c;

        assert_int_equal(varlink_call_format("a.b.C", parameters, more, &data, &size), 0);
        assert_string_equal(data, text);
        assert_int_equal(varlink_message_size(data, size, 0), size);
        assert_int_equal(varlink_call_parse(data, size - 1, &c), 0);
        assert_int_equal(c.more, more);
        varlink_call_done(&c);
}

static void test_call_format(void **state) {
        char *data = NULL;
        size_t size;

        (void)state;
        assert_call(false, json_object(), "{\"method\":\"a.b.C\",\"parameters\":{}}");
        assert_call(true, json_pack("{s:s}", "x", "\xc3\xa9\n"),
                        "{\"method\":\"a.b.C\",\"parameters\":{\"x\":\"\\u00E9\\n\"},\"more\":true}");
        /* A filter for which memory was short. */
        assert_int_equal(varlink_call_format("a.b.C", NULL, false, &data, &size), -ENOMEM);
        assert_null(data);
}

/* What was written, and how it is read. */
static void assert_reply(FILE *f, char **data, size_t *size, const char *text, VarlinkReply *ret) {
        assert_int_equal(fclose(f), 0);
        assert_string_equal(*data, text);
        assert_int_equal(*size, strlen(text) + 1);
        assert_int_equal(varlink_reply_parse(*data, *size - 1, ret), 0);
        free(STEAL_PTR(*data));
}

static void test_reply_format(void **state) {
        char *data = NULL;
        size_t size;
        VarlinkReply reply;
        FILE *f = open_memstream(&data, &size);

        (void)state;
        varlink_reply_begin(f);
        fputs("{\"x\":1}", f);
        varlink_reply_end(f, true);
        assert_reply(f, &data, &size, "{\"parameters\":{\"x\":1},\"continues\":true}", &reply);
        assert_true(reply.continues);
        assert_null(reply.error);
        assert_int_equal(json_integer_value(json_object_get(reply.parameters, "x")), 1);
        varlink_reply_done(&reply);

        f = open_memstream(&data, &size);
        assert_int_equal(varlink_reply_write(f, json_pack("{s:i}", "x", 2)), 0);
        assert_reply(f, &data, &size, "{\"parameters\":{\"x\":2}}", &reply);
        assert_false(reply.continues);
        varlink_reply_done(&reply);

        f = open_memstream(&data, &size);
        assert_int_equal(varlink_error_write(f, "a.b.E", json_pack("{s:s}", "x", "\"\xc3\xa9")), 0);
        assert_reply(f, &data, &size, "{\"error\":\"a.b.E\",\"parameters\":{\"x\":\"\\\"\\u00E9\"}}",
                        &reply);
        assert_string_equal(reply.error, "a.b.E");
        varlink_reply_done(&reply);

        f = open_memstream(&data, &size);
        assert_int_equal(varlink_reply_write(f, NULL), -ENOMEM);
        assert_int_equal(varlink_error_write(f, "a.b.E", NULL), -ENOMEM);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(size, 0);
        free(data);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_framing),
                cmocka_unit_test(test_calls),
                cmocka_unit_test(test_no_calls),
                cmocka_unit_test(test_no_replies),
                cmocka_unit_test(test_call_format),
                cmocka_unit_test(test_reply_format),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
