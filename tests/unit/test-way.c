/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A secret that was handed over, and destinations that are no addresses: what that does to the score, and what the
 * journal is told of it. */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "../../daemon/alert-json.h"
#include "../../daemon/journal-entry.h"
#include "../../daemon/util.h"
#include "alert-fixture.h"
#include "journal-datagram.h"

#define TOUCHED "+80 touched a secret: SSH private keys (class ssh-private-keys)\n"

/* expected: lines of "POINTS TEXT". */
static void assert_score(const Event *e, const Policy *p, int score, const char *expected) {
        char lines[1024] = "";
        size_t n = 0;
        int sum = 0;
        Score s;

        assert_int_equal(score_event(&e->correlation, e->mono_ns, p, &names, 0, &s), 0);
        for (size_t i = 0; i < s.n_reasons; i++) {
                n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%+d %s\n", s.reasons[i].points, s.reasons[i].text);
                sum += s.reasons[i].points;
        }
        assert_string_equal(lines, expected);
        assert_int_equal(s.score, score);
        assert_int_equal(sum, score);
        assert_false(s.ignored);
        score_done(&s);
}

/* Only what was written and read again counts, and the file that came the shortest way. */
static void test_flow(void **state) {
        Event e = event_new_piped();
        EventFile *f = e.correlation.files;
        (void)state;

        f->n_way = 3;
        f->way[1].via = BW_VIA_RECEIVED;
        f->way[2].via = BW_VIA_MEMORY;
        assert_score(&e, &policy, 74, TOUCHED "-6 what was read was written and read again, 2 times: it may not be the "
                                              "secret any more\n");
        f->way[0].via = BW_VIA_TRACE;
        assert_score(&e, &policy, 77, TOUCHED "-3 what was read was written and read again, 1 time: it may not be the "
                                              "secret any more\n");
        /* A file of another class is not what is told; one that was opened is. */
        e.correlation.n_files = 2;
        f[1] = (EventFile){.via = BW_VIA_OPEN, .classes = BIT(AWS)};
        assert_score(&e, &policy, 77, TOUCHED "-3 what was read was written and read again, 1 time: it may not be the "
                                              "secret any more\n");
        f[1].classes = BIT(SSH);
        assert_score(&e, &policy, 80, TOUCHED);
        const EventFile opened = f[1];
        f[1] = f[0];
        f[0] = opened;
        assert_score(&e, &policy, 80, TOUCHED);
        f[0] = f[1];
        e.correlation.n_files = 1;
        f->n_way = 2;
        f->way[1].via = BW_VIA_TRACE;
        assert_score(&e, &policy, 80, TOUCHED);
}

/* The first [Carrier] with Egress=yes that has the socket. [Destination] is about addresses only, and so are Port=* and
 * Ignore=yes. */
static void test_services(void **state) {
        static const struct {
                const char *path;
                int score;
                const char *reason;
        } cases[] = {
                        {"/run/docker.sock", 70, "-10 the destination is Docker (carrier docker)\n"},
                        {"/run/x.sock", 83,
                         "+3 the destination is a local service that reaches the network for others (carrier more)\n"},
                        {"/run/silent", 80, ""},
                        {"", 80, ""},
        };
        static const uint16_t families[] = {AF_UNIX, AF_VSOCK, AF_PACKET, AF_NETLINK, BW_FAMILY_FILE};
        static PolicyGlob silent[] = {{.glob = (char *)"/run/silent"}}, docker[] = {{.glob = (char *)"/run/docker.sock"}},
                          more[] = {{.glob = (char *)"/none"}, {.glob = (char *)"/run/*.sock"}};
        PolicyCarrier carriers[] = {
                        {.who.name = (char *)"silent", .paths = silent, .n_paths = 1, .score = 50},
                        {.who.name = (char *)"docker", .description = (char *)"Docker", .paths = docker, .n_paths = 1,
                                        .egress = true, .score = -10},
                        {.who.name = (char *)"more", .paths = more, .n_paths = 2, .egress = true, .score = 3},
        };
        PolicyPorts every_port = {.last = UINT16_MAX};
        PolicyPeer peer = {.name = (char *)"d", .ports = &every_port, .n_ports = 1, .score = -50, .ignore = true};
        Policy p = policy;
        (void)state;

        p.carriers = carriers;
        p.n_carriers = ELEMENTSOF(carriers);
        p.peers = &peer;
        p.n_peers = 1;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (size_t k = 0; k < ELEMENTSOF(families); k++) {
                        bool local = families[k] == AF_UNIX;
                        Event e = event_new();
                        char expected[256];

                        event_to(&e, families[k], 2, 3, local ? cases[i].path : "");
                        (void)snprintf(expected, sizeof(expected), TOUCHED "%s", local ? cases[i].reason : "");
                        assert_score(&e, &p, local ? cases[i].score : 80, expected);
                }
}

typedef struct Sent {
        char *data;
        Datagram d;
} Sent;

static Sent *sent_free(Sent *s) {
        if (s)
                free(s->data);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(Sent, sent_free);

static Sent *sent_of_event(const Event *e) {
        _cleanup_(alert_freep) Alert *a = NULL;

        assert_int_equal(alert_new(e, &policy, &names, &epoch, 0, &a), 0);
        Sent *s = calloc(1, sizeof(*s));
        _cleanup_free_ char *json = alert_line(a);
        size_t size;

        assert_non_null(s);
        assert_int_equal(journal_entry_from_alert(a, json, &s->data, &size), 0);
        assert_true(datagram_parse(s->data, size, &s->d));
        return s;
}

static void test_journal_way(void **state) {
        Event e = event_new_piped();
        EventFile *f = e.correlation.files;
        (void)state;

        _cleanup_(sent_freep) Sent *plain = sent_of_event(&e);
        assert_only(&plain->d, "BARBWIRE_WAY", "cat|pipe|gzip|socket|nc");
        assert_int_equal(datagram_count(&plain->d, "BARBWIRE_DESTINATION_PATH"), 0);
        /* One for each file that has one; a name is one word of it, whatever is in it. */
        f[1] = f[0];
        f[1].way_cut = true;
        f[1].n_way = 1;
        f[1].way[0] = (EventHop){.via = BW_VIA_MEMORY, .comm = view("a|b\n\\")};
        f[2] = f[0];
        f[2].n_way = 0;
        e.correlation.n_files = 3;
        e.correlation.process.comm = view("");
        _cleanup_(sent_freep) Sent *odd = sent_of_event(&e);
        assert_int_equal(datagram_count(&odd->d, "BARBWIRE_WAY"), 2);
        assert_nth(&odd->d, "BARBWIRE_WAY", 0, "cat|pipe|gzip|socket|", strlen("cat|pipe|gzip|socket|"));
        static const char second[] = "…|a\\x7cb\\x0a\\\\|memory|";
        assert_nth(&odd->d, "BARBWIRE_WAY", 1, second, strlen(second));
}

/* What a family does not have is absent. */
static void test_journal_families(void **state) {
        static const struct {
                uint16_t family;
                const char *path, *name, *address, *port;
        } cases[] = {
                        {AF_UNIX, "/run/a\n", "unix", NULL, NULL}, {AF_UNIX, "", "unix", NULL, NULL},
                        {AF_VSOCK, "", "vsock", "2", "70000"},     {AF_PACKET, "", "packet", "2", NULL},
                        {BW_FAMILY_FILE, "/mnt/a", "file", NULL, NULL},
                        {AF_NETLINK, "", "family-16", NULL, NULL},
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *const wanted[][2] = {{"FAMILY", cases[i].name}, {"ADDRESS", cases[i].address},
                        {"PORT", cases[i].port}, {"PATH", cases[i].path[0] ? cases[i].path : NULL}};
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

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_flow),
                        cmocka_unit_test(test_services),
                        cmocka_unit_test(test_journal_way),
                        cmocka_unit_test(test_journal_families),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
