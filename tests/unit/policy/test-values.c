/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The meaning of correct values: times, sizes, networks, defaults. Wrong ones are in test-parse.c, with
 * their place. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "policy/values.h"
#include "../policy-fixture.h"

#define C "[Class c]\n"
#define A "[Allow a]\n"
#define L "[Lineage l]\n"
#define D "[Destination d]\n"
#define GOOD C "Path=/a\n" A "Class=c\nExe=/usr/bin/a\n"

static void test_values(void **state) {
        static const struct {
                const char *text;
                uint64_t usec;
        } spans[] = {
                { "60", 60000000 },
                { "60s", 60000000 },
                { "5min", 300000000 },
                { "1h 30min", 5400000000 },
                { "1h30min", 5400000000 },
                { "1.5 h", 5400000000 },
                { "1s 500ms", 1500000 },
                { "1000ms", 1000000 },
                { "24h", 86400000000 },
                { "86400000000us", 86400000000 },
                { "", 60000000 },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(spans); i++) {
                char text[128];

                (void)snprintf(text, sizeof(text), C "Window=7s\nWindow = %s \r\n", spans[i].text);
                _cleanup_(policy_freep) Policy *p = parsed(text, strlen(text));
                dump(p);
                assert_int_equal(p->n_messages, 0);
                assert_int_equal(p->classes[0].window_usec, spans[i].usec);
        }

        _cleanup_(policy_freep) Policy *p = finished(
                        "; remark\n"
                        "[Correlator]\r\nMaxMarks=256\nMaxProcesses = 1048576\nRingBuffer=256K\n"
                        "[Class a]\nPath=/a\nScore=0\nSeverity=low\nTechnique=T1003 T1552.004\nDescription= "
                        "\xc3\xa4 = b \n"
                        "[Class "
                        "b]\nPath=/"
                        "b\nScore=9\nScore=\nSeverity=high\nSeverity=\nDescription=x\nDescription=\n");
        dump(p);
        assert_int_equal(p->n_messages, 0);
        assert_int_equal(p->correlator.marks_max, 256);
        assert_int_equal(p->correlator.processes_max, 1048576);
        assert_int_equal(p->correlator.ring_bytes, 262144);
        const PolicyClass *a = policy_class_by_name(p, "a"), *b = policy_class_by_name(p, "b");
        assert_non_null(a);
        assert_int_equal(a->score, 0);
        assert_int_equal(a->severity, SEVERITY_LOW);
        assert_string_equal(a->techniques[0], "T1003");
        assert_string_equal(a->techniques[1], "T1552.004");
        assert_null(a->techniques[2]);
        assert_string_equal(a->description, "\xc3\xa4 = b");
        assert_int_equal(a->origin.line, 6);
        assert_int_equal(b->score, 50);
        assert_int_equal(b->severity, _SEVERITY_INVALID);
        assert_null(b->description);
        assert_null(policy_class_by_name(p, "c"));
        assert_string_equal(severity_to_string(SEVERITY_MEDIUM), "medium");
        assert_null(severity_to_string(_SEVERITY_INVALID));

        _cleanup_(policy_freep) Policy *q =
                        finished("[Correlator]\nMaxMarks=300\nMaxMarks=\nRingBuffer=1M\nRingBuffer=\n");
        assert_int_equal(q->correlator.marks_max, 0);
        assert_int_equal(q->correlator.processes_max, 0);
        assert_int_equal(q->correlator.ring_bytes, 0);
}

static void test_destinations(void **state) {
        static const struct {
                const char *text;
                const char *address;
                unsigned prefix, first, last;
        } one[] = {
                { "192.0.2.1", "192.0.2.1", 32, 0, 65535 },
                { "192.0.2.0/24", "192.0.2.0", 24, 0, 65535 },
                { "192.0.2.1:443", "192.0.2.1", 32, 443, 443 },
                { "192.0.2.0/24:8000-8100", "192.0.2.0", 24, 8000, 8100 },
                { "0.0.0.0/0:*", "0.0.0.0", 0, 0, 65535 },
                { "2001:db8::1", "2001:db8::1", 128, 0, 65535 },
                { "2001:db8::/32", "2001:db8::", 32, 0, 65535 },
                { "[2001:db8::/32]:443", "2001:db8::", 32, 443, 443 },
                { "[2001:db8::1]:1-65535", "2001:db8::1", 128, 1, 65535 },
                { "[2001:db8::1]", "2001:db8::1", 128, 0, 65535 },
                { "::ffff:192.0.2.1", "192.0.2.1", 32, 0, 65535 },
                { "[::ffff:192.0.2.0/120]:53", "192.0.2.0", 24, 53, 53 },
                { "::/0", "::", 0, 0, 65535 },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(one); i++) {
                uint8_t address[16] = {};
                char text[128];
                int family = strchr(one[i].address, ':') ? AF_INET6 : AF_INET;

                (void)snprintf(text, sizeof(text), A "Destination=%s\n", one[i].text);
                _cleanup_(policy_freep) Policy *p = parsed(text, strlen(text));
                dump(p);
                assert_int_equal(p->n_messages, 0);
                assert_int_equal(p->allows[0].n_destinations, 1);
                const PolicyAddress *d = p->allows[0].destinations;
                assert_int_equal(inet_pton(family, one[i].address, address), 1);
                assert_int_equal(d->family, family);
                assert_memory_equal(d->address, address, 16);
                assert_int_equal(d->prefix, one[i].prefix);
                assert_int_equal(d->port_first, one[i].first);
                assert_int_equal(d->port_last, one[i].last);
                assert_int_equal(d->origin.column, 13);
        }

        _cleanup_(policy_freep) Policy *p =
                        finished(C "Path=/c\n" A "Class=c\nExe=/x\nDestination=loopback:53 any:443\n");
        static const struct {
                int family;
                uint8_t first, last;
                unsigned prefix, port;
        } expected[] = {
                { AF_INET, 127, 0, 8, 53 },
                { AF_INET, 0, 0, 32, 53 },
                { AF_INET6, 0, 1, 128, 53 },
                { AF_INET6, 0, 0, 128, 53 },
                { AF_INET, 0, 0, 0, 443 },
                { AF_INET6, 0, 0, 0, 443 },
        };
        assert_int_equal(p->n_messages, 0);
        assert_int_equal(p->allows[0].n_destinations, ELEMENTSOF(expected));
        for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
                const PolicyAddress *d = p->allows[0].destinations + i;

                assert_int_equal(d->family, expected[i].family);
                assert_int_equal(d->address[0], expected[i].first);
                assert_int_equal(d->address[15], expected[i].last);
                assert_int_equal(d->prefix, expected[i].prefix);
                assert_int_equal(d->port_first, expected[i].port);
                assert_int_equal(d->port_last, expected[i].port);
        }
}

static void test_conditions(void **state) {
        _cleanup_(policy_freep) Policy *p = finished(GOOD
                        "Script=/opt/a.py /opt/b/**\nUnit=a.service b@*.service\nAncestor=/usr/sbin/cron\n"
                        "User=0 4294967294\nContainer=yes\nContainer=\n"
                        "[Allow b]\nClass=c\nExe=/x\nUnit=u.service\nContainer=on\nScript=/s\nScript=\n");
        (void)state;

        dump(p);
        assert_int_equal(p->n_messages, 0);
        const PolicyAllow *a = p->allows, *b = a + 1;
        assert_int_equal(a->n_scripts, 2);
        assert_string_equal(a->scripts[1].glob, "/opt/b/**");
        assert_int_equal(a->n_units, 2);
        assert_string_equal(a->units[1].glob, "b@*.service");
        assert_int_equal(a->units[1].origin.column, 16);
        assert_int_equal(a->n_ancestors, 1);
        assert_int_equal(a->n_users, 2);
        assert_int_equal(a->users[0].uid, 0);
        assert_int_equal(a->users[1].uid, 4294967294);
        assert_false(a->container);
        assert_true(b->container);
        assert_int_equal(b->n_scripts, 0);
}

static void test_late_window(void **state) {
        static const struct {
                const char *lines;
                uint64_t sec;
        } cases[] = {
                { "", 3600 },
                { "Window=2h\n", 7200 },
                { "LateWindow=30min\n", 1800 },
                { "LateWindow=30min\nLateWindow=\n", 3600 },
                { "LateWindow=0\n", 60 },
                { "LateWindow=0\nWindow=5s\n", 5 },
                { "LateWindow=24h\n", 86400 },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[128];

                (void)snprintf(text, sizeof(text), C "Path=/a\n%s", cases[i].lines);
                _cleanup_(policy_freep) Policy *p = finished(text);
                assert_int_equal(p->n_messages, 0);
                assert_int_equal(p->classes[0].late_window_usec, cases[i].sec * USEC_PER_SEC);
        }
}

static void test_scoring(void **state) {
        _cleanup_(policy_freep) Policy *p = finished(
                        L "Exe=/a /b\nUnit=u.service\nScore=-100\nDescription=x\n" D
                          "Address=any loopback 10.0.0.0/8\nPort=53 1-2 *\nScore=+100\nIgnore=true\n"
                          "[Scoring]\nAlert=0\nMedium=100\nHigh=100\n");
        _cleanup_(policy_freep) Policy *q = finished("[Scoring]\nAlert=90\n");
        (void)state;

        dump(p);
        assert_int_equal(p->n_messages, 0);
        assert_int_equal(p->lineages[0].score, -100);
        assert_int_equal(p->lineages[0].n_exes, 2);
        assert_int_equal(p->lineages[0].n_units, 1);
        assert_string_equal(p->lineages[0].description, "x");
        assert_int_equal(p->destinations[0].score, 100);
        assert_true(p->destinations[0].ignore);
        assert_int_equal(p->destinations[0].n_addresses, 7);
        assert_int_equal(p->destinations[0].n_ports, 3);
        assert_int_equal(p->destinations[0].ports[1].last, 2);
        assert_int_equal(p->destinations[0].ports[2].last, 65535);
        assert_int_equal(p->scoring.alert, 0);
        assert_int_equal(p->scoring.medium, 100);
        /* Wrong together: the defaults. */
        assert_int_equal(q->n_errors, 1);
        assert_int_equal(q->scoring.alert, 20);
        assert_int_equal(q->scoring.medium, 40);
        assert_int_equal(q->scoring.high, 70);
}

/* A message goes to a terminal, whatever the file contains. */
static void test_quoted(void **state) {
        static const struct {
                const char *bytes, *quoted;
        } cases[] = {
                { "/etc/\\*\xc3\xa4", "/etc/\\*\xc3\xa4" },
                { "\x1b\t\x7f", "\\x1b\\x09\\x7f" },
                { "\xc2\x9b"
                  "31m",
                                "\\xc2\\x9b31m" },
                { "\xff\xc3", "\\xff\\xc3" },
                { "\xc2\xad", "\\xc2\\xad" },
                { "a\xe2\x80\xae"
                  "b",
                                "a\\xe2\\x80\\xae"
                                "b" },
                { "\xcd\x8f", "\\xcd\\x8f" },
                { "\xe1\x85\x9f", "\\xe1\\x85\\x9f" },
                { "\xe1\x85\xa0", "\\xe1\\x85\\xa0" },
                { "\xe1\x85\xa1", "\xe1\x85\xa1" },
                { "\xe2\xa0\x80", "\\xe2\\xa0\\x80" },
                { "\xe2\xa0\x81", "\xe2\xa0\x81" },
                { "\xe3\x85\xa4", "\\xe3\\x85\\xa4" },
                { "\xef\xb8\x80", "\\xef\\xb8\\x80" },
                { "\xef\xb8\x8f", "\\xef\\xb8\\x8f" },
                { "\xef\xb8\x90", "\xef\xb8\x90" },
                { "\xf3\xa0\x84\x80", "\\xf3\\xa0\\x84\\x80" },
                { "\xf3\xa0\x87\xaf", "\\xf3\\xa0\\x87\\xaf" },
        };
        char quoted[VALUE_QUOTE_SIZE];
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_string_equal(value_quote(cases[i].bytes, strlen(cases[i].bytes), quoted),
                                cases[i].quoted);

        _cleanup_(policy_freep) Policy *p = finished(C "Path=/a\n" A "Class=c\nExe=/x\n"
                                                       "Unit=\xc2\x9b"
                                                       "31mEVIL\x7f\xe2\x80\xae\n");
        assert_true(p->n_messages > 0);
        for (size_t i = 0; i < p->n_messages; i++)
                for (const char *c = p->messages[i].text; *c; c++)
                        assert_true(*c >= 0x20 && *c != 0x7f);
        assert_non_null(strstr(p->messages[0].text, "\\xc2\\x9b31mEVIL\\x7f\\xe2\\x80\\xae.service"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_quoted),
                cmocka_unit_test(test_destinations),
                cmocka_unit_test(test_conditions),
                cmocka_unit_test(test_late_window),
                cmocka_unit_test(test_scoring),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
