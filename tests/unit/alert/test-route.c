/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Data that was handed over, and destinations without an address: their score and their journal fields. */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "alert/json.h"
#include "sink/entry.h"
#include "basic/util.h"
#include "../alert-fixture.h"
#include "../sent-entry.h"
#include "../score-lines.h"

#define TOUCHED "+80 accessed a sensitive file: SSH private keys (class ssh-private-keys)\n"

/* expected: lines of "POINTS TEXT". */
static void assert_score(const Event *e, const Policy *p, int score, const char *expected) {
        Score s;

        assert_int_equal(score_event(&e->correlation, e->mono_ns, p, &names, 0, &s), 0);
        assert_score_lines(&s, true, score, expected);
        assert_false(s.ignored);
        score_done(&s);
}

/* A user who may write to a socket can make the service behind it look like a thief. */
static void test_framed(void **state) {
        Event e = event_new_piped();
        EventFile *f = e.correlation.files;
        (void)state;

        f->uid = 1002;
        assert_score(&e, &policy, 29,
                        TOUCHED
                        "-6 the data was written and read again 2 times: it may no longer contain "
                        "the secret\n"
                        "-45 a process of another user, uid 1002, wrote the data to a socket of this "
                        "one: it may be framed\n");
        _cleanup_(alert_freep) Alert *a = alert_of(&e);
        _cleanup_free_ char *sentence = alert_sentence(a);
        assert_non_null(strstr(sentence,
                        "cat → pipe → gzip → socket → nc, a socket that another user wrote to, perhaps to "
                        "frame it [ssh-private-keys, low]"));

        /* So can one who may connect to it. */
        f->route[1].via = BW_VIA_LOOPBACK;
        assert_score(&e, &policy, 29,
                        TOUCHED
                        "-6 the data was written and read again 2 times: it may no longer contain "
                        "the secret\n"
                        "-45 a process of another user, uid 1002, wrote the data to a socket of this "
                        "one: it may be framed\n");
        f->route[1].via = BW_VIA_SOCKET;

        /* It may be the thief itself: it opened another file, or got this one by other means. */
        e.correlation.n_files = 2;
        f[1] = (EventFile){ .via = BW_VIA_OPEN, .classes = BIT(SSH) };
        assert_score(&e, &policy, 80, TOUCHED);
        e.correlation.n_files = 1;
        f->route[1].via = BW_VIA_PIPE;
        assert_score(&e, &policy, 74,
                        TOUCHED "-6 the data was written and read again 2 times: it may no longer contain "
                                "the secret\n");
}

/* The data is less certain with each hop and with an exec, but a long pipeline is still a theft. */
static void test_flow_costs(void **state) {
        static const struct {
                size_t n_hops;
                bool execed;
                int points;
                const char *text;
        } cases[] = {
                { 0, true, -3,
                                "another program was executed since the file was opened: what it was given "
                                "may not "
                                "contain the secret" },
                { 1, true, -6,
                                "the data was written and read again once, and another program was executed "
                                "since the file was opened: it may no longer contain the secret" },
                { 4, true, -15,
                                "the data was written and read again 4 times, and another program was "
                                "executed "
                                "since the file was opened: it may no longer contain the secret" },
                { 5, false, -15,
                                "the data was written and read again 5 times: it may no longer contain the "
                                "secret" },
                { 6, false, -15,
                                "the data was written and read again 6 times: it may no longer contain the "
                                "secret" },
                { 8, true, -15,
                                "the data was written and read again 8 times, and another program was "
                                "executed "
                                "since the file was opened: it may no longer contain the secret" },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Event e = event_new_piped();
                EventFile *f = e.correlation.files;
                char expected[512];

                for (size_t k = 0; k < cases[i].n_hops; k++)
                        f->route[k] = (EventHop){ .pid = 9, .via = BW_VIA_PIPE, .comm = view("tr") };
                f->n_route = cases[i].n_hops;
                f->execed = cases[i].execed;
                (void)snprintf(expected, sizeof(expected), TOUCHED "%d %s\n", cases[i].points,
                                cases[i].text);
                assert_score(&e, &policy, 80 + cases[i].points, expected);
        }
}

/* Only hops by which data is written and read count, and only the shortest route. */
static void test_flow(void **state) {
        Event e = event_new_piped();
        EventFile *f = e.correlation.files;
        (void)state;

        f->n_route = 3;
        f->route[1].via = BW_VIA_RECEIVED;
        f->route[2].via = BW_VIA_MEMORY;
        assert_score(&e, &policy, 74,
                        TOUCHED "-6 the data was written and read again 2 times: it may no longer contain "
                                "the secret\n");
        f->route[0].via = BW_VIA_TRACE;
        assert_score(&e, &policy, 77,
                        TOUCHED "-3 the data was written and read again once: it may no longer contain the "
                                "secret\n");
        /* A file of another class does not count; one that the sender opened does. */
        e.correlation.n_files = 2;
        f[1] = (EventFile){ .via = BW_VIA_OPEN, .classes = BIT(AWS) };
        assert_score(&e, &policy, 77,
                        TOUCHED "-3 the data was written and read again once: it may no longer contain the "
                                "secret\n");
        f[1].classes = BIT(SSH);
        assert_score(&e, &policy, 80, TOUCHED);
        const EventFile opened = f[1];
        f[1] = f[0];
        f[0] = opened;
        assert_score(&e, &policy, 80, TOUCHED);
        f[0] = f[1];
        e.correlation.n_files = 1;
        f->n_route = 2;
        f->route[1].via = BW_VIA_TRACE;
        assert_score(&e, &policy, 80, TOUCHED);
}

/* The first [Carrier] with Egress=yes that has the socket. [Destination] is about addresses only, and so are
 * Port=* and Ignore=yes. */
static void test_services(void **state) {
        static const struct {
                const char *path;
                int score;
                const char *reason;
        } cases[] = {
                { "/run/docker.sock", 70, "-10 the destination is Docker (carrier docker)\n" },
                { "/run/x.sock", 83,
                                "+3 the destination is a local service that reaches the network for others "
                                "(carrier more)\n" },
                { "/run/silent", 80, "" },
                { "", 80, "" },
        };
        static const uint16_t families[] = { AF_UNIX, AF_VSOCK, AF_PACKET, AF_NETLINK, BW_FAMILY_FILE };
        static PolicyGlob silent[] = { { .glob = (char *)"/run/silent" } },
                          docker[] = { { .glob = (char *)"/run/docker.sock" } },
                          more[] = { { .glob = (char *)"/none" }, { .glob = (char *)"/run/*.sock" } };
        PolicyCarrier carriers[] = {
                { .rule.name = (char *)"silent", .paths = silent, .n_paths = 1, .score = 50 },
                { .rule.name = (char *)"docker",
                                .description = (char *)"Docker",
                                .paths = docker,
                                .n_paths = 1,
                                .egress = true,
                                .score = -10 },
                { .rule.name = (char *)"more", .paths = more, .n_paths = 2, .egress = true, .score = 3 },
        };
        PolicyPorts every_port = { .last = UINT16_MAX };
        PolicyDestination peer = {
                .name = (char *)"d", .ports = &every_port, .n_ports = 1, .score = -50, .ignore = true
        };
        Policy p = policy;
        (void)state;

        p.carriers = carriers;
        p.n_carriers = ELEMENTSOF(carriers);
        p.destinations = &peer;
        p.n_destinations = 1;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (size_t k = 0; k < ELEMENTSOF(families); k++) {
                        bool local = families[k] == AF_UNIX;
                        Event e = event_new();
                        char expected[256];

                        event_to(&e, families[k], 2, 3, local ? cases[i].path : "");
                        (void)snprintf(expected, sizeof(expected), TOUCHED "%s",
                                        local ? cases[i].reason : "");
                        assert_score(&e, &p, local ? cases[i].score : 80, expected);
                }
}

static void test_journal_route(void **state) {
        Event e = event_new_piped();
        EventFile *f = e.correlation.files;
        (void)state;

        _cleanup_(sent_freep) Sent *plain = sent_of_event(&e);
        assert_only(&plain->d, "BARBWIRE_FILE_ROUTE", "cat|pipe|gzip|socket|nc");
        assert_int_equal(datagram_count(&plain->d, "BARBWIRE_DESTINATION_PATH"), 0);
        /* One for each file that has a route; a name is one word of it, whatever it contains. */
        f[1] = f[0];
        f[1].route_cut = true;
        f[1].n_route = 1;
        f[1].route[0] = (EventHop){ .via = BW_VIA_MEMORY, .comm = view("a|b\n\\") };
        f[2] = f[0];
        f[2].n_route = 0;
        e.correlation.n_files = 3;
        e.correlation.process.comm = view("");
        _cleanup_(sent_freep) Sent *odd = sent_of_event(&e);
        assert_int_equal(datagram_count(&odd->d, "BARBWIRE_FILE_ROUTE"), 2);
        assert_nth(&odd->d, "BARBWIRE_FILE_ROUTE", 0, "cat|pipe|gzip|socket|",
                        strlen("cat|pipe|gzip|socket|"));
        static const char second[] = "…|a\\x7cb\\x0a\\\\|memory|";
        assert_nth(&odd->d, "BARBWIRE_FILE_ROUTE", 1, second, strlen(second));
}

/* Fields that a family lacks are absent. */
static void test_journal_families(void **state) {
        static const struct {
                uint16_t family;
                const char *path, *name, *address, *port;
        } cases[] = {
                { AF_UNIX, "/run/a\n", "unix", NULL, NULL },
                { AF_UNIX, "", "unix", NULL, NULL },
                { AF_VSOCK, "", "vsock", "2", "70000" },
                { AF_PACKET, "", "packet", "2", NULL },
                { BW_FAMILY_FILE, "/mnt/a", "file", NULL, NULL },
                { AF_NETLINK, "", "family-16", NULL, NULL },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *const wanted[][2] = { { "FAMILY", cases[i].name },
                        { "ADDRESS", cases[i].address }, { "PORT", cases[i].port },
                        { "PATH", cases[i].path[0] ? cases[i].path : NULL } };
                Event e = event_new();

                event_to(&e, cases[i].family, 2, 70000, cases[i].path);
                _cleanup_(sent_freep) Sent *s = sent_of_event(&e);
                for (size_t k = 0; k < ELEMENTSOF(wanted); k++) {
                        char name[64];

                        (void)snprintf(name, sizeof(name), "BARBWIRE_DESTINATION_%s", wanted[k][0]);
                        if (wanted[k][1])
                                assert_only(&s->d, name, wanted[k][1]);
                        else
                                assert_int_equal(datagram_count(&s->d, name), 0);
                }
        }
}

/* What came by a connection within this host is weak evidence, if nothing else came. */
static void test_looped(void **state) {
        Event e = event_new_piped();
        EventFile *f = e.correlation.files;
        (void)state;

        f->route[0].via = BW_VIA_LOOPBACK;
        assert_score(&e, &policy, 34,
                        TOUCHED
                        "-6 the data was written and read again 2 times: it may no longer contain "
                        "the secret\n"
                        "-40 the data went through a connection within this host, to a process that may "
                        "serve others, too\n");
        e.correlation.n_files = 2;
        f[1] = (EventFile){ .via = BW_VIA_OPEN, .classes = BIT(SSH) };
        assert_score(&e, &policy, 80, TOUCHED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_framed),
                cmocka_unit_test(test_looped),
                cmocka_unit_test(test_flow),
                cmocka_unit_test(test_flow_costs),
                cmocka_unit_test(test_services),
                cmocka_unit_test(test_journal_route),
                cmocka_unit_test(test_journal_families),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
