/* SPDX-License-Identifier: GPL-2.0-or-later */

/* An alert's JSON as text, word for word; hostile names; JSON of unknown origin. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "alert/json.h"
#include "alert/details.h"
#include "alert/alert.h"
#include "basic/util.h"
#include "../alert-fixture.h"

static json_t *json_of(const Event *e, const Policy *p, const PolicyNames *n) {
        _cleanup_(alert_freep) Alert *a = NULL;
        _cleanup_free_ char *line = NULL;
        json_t *object = NULL;

        assert_int_equal(alert_new(e, p, n, &epoch, 0, &a), 0);
        assert_int_equal(alert_to_json(a, &object, &line), 0);
        return object;
}

static char *shown(const Event *e, bool colour) {
        json_auto_t *object = json_of(e, &policy, &names);
        char *text = alert_details(object, colour);

        assert_non_null(text);
        return text;
}

static void test_show(void **state) {
        (void)state;
        Event e = event_new();
        _cleanup_free_ char *text = shown(&e, false);

        assert_string_equal(text,
                        "Sun 2026-11-22 11:05:01 XXX HIGH  python3 (pid 19535, uid 1000) opened "
                        "/home/ana/.ssh/id_ed25519 and "
                        "1.2 s later connected to 192.0.2.7:443 [ssh-private-keys, high]\n"
                        "    executable   /usr/bin/python3\n"
                        "    command      python3 -c 'import os'\n"
                        "    started      Sun 2026-11-22 11:05:00 XXX\n"
                        "    thread       19536\n"
                        "    unit         session-3.scope\n"
                        "    cgroup       /user.slice/user-1000.slice/session-3.scope\n"
                        "    mounts       mnt:[4026531841]\n"
                        "    user         uid 1000, logged in as uid 1001\n"
                        "    lineage      sshd (700)\n"
                        "                 └─bash (1230)  /usr/bin/bash\n"
                        "                   └─python3 (19535)  /usr/bin/python3\n"
                        "    file         /home/ana/.ssh/id_ed25519 [ssh-private-keys]\n"
                        "                 ↓ opened by python3 (pid 19535, uid 1002) "
                        "/usr/bin/python3, 1.2 s before\n"
                        "    sender       python3 (pid 19535)\n"
                        "                 ↓ connected\n"
                        "    destination  tcp 192.0.2.7:443\n"
                        "    evidence     unbound: opened by a program that no rule allows to, or received "
                        "from one\n"
                        "    score        80, the sum of\n"
                        "                  +80  accessed a sensitive file: SSH private keys (class "
                        "ssh-private-keys)\n"
                        "    techniques   T1552.004, T1552.001, T1041\n"
                        "    id           " EVENT_ID "\n");
}

static void assert_shown(const Event *e, const char *lines) {
        _cleanup_free_ char *text = shown(e, false);

        if (!strstr(text, lines))
                fail_msg("wanted %s\nin %s", lines, text);
}

static void test_names_of_a_file(void **state) {
        Event e = event_new_piped();
        (void)state;

        e.correlation.files[0].path = view("/tmp/x");
        e.correlation.files[0].real_lost = true;
        assert_shown(&e, "    file         /tmp/x, known by another name, which was not kept [");
        e.correlation.files[0].real_lost = false;
        e.correlation.files[0].real_path = view("/root/.ssh/id");
        assert_shown(&e, "    file         /tmp/x, known as /root/.ssh/id [");
}

static void test_route(void **state) {
        Event e = event_new_piped();
        (void)state;

        e.correlation.files[0].route_cut = true;
        e.correlation.files[0].route[1].comm = view("\x1b");
        event_to(&e, AF_UNIX, 1, 1, "/run/a b");
        assert_shown(&e, "                 ↓ opened by cat (pid 10, uid 1000) /usr/bin/cat, 1.2 s "
                         "before\n"
                         "                 ↓ …\n"
                         "                 ↓ handed over by cat (pid 10): pipe\n"
                         "                 ↓ handed over by \\x1b (pid 11): socket\n"
                         "    sender       nc (pid 12)\n"
                         "                 ↓ connected\n"
                         "    destination  unix /run/a b\n"
                         "    evidence");
        e.correlation.action = BW_ACTION_DENIED;
        assert_shown(&e, "                 ↓ connected: refused\n"
                         "    destination  unix /run/a b\n"
                         "    action       denied: the egress was refused, as the class has Action=deny\n"
                         "    evidence");
        e.correlation.action = BW_ACTION_ALERT;
        event_to(&e, AF_VSOCK, 2, 70000, "");
        assert_shown(&e, "    destination  vsock 2:70000\n    evidence");
        event_to(&e, AF_PACKET, 3, 0, "");
        assert_shown(&e, "    destination  packet 3\n    evidence");
        event_to(&e, AF_NETLINK, 0, 0, "");
        assert_shown(&e, "    destination  family-16 ?\n    evidence");
        /* Access=allowed: there was no egress. */
        e.correlation.action = BW_ACTION_DENIED;
        e.correlation.destination = (struct bw_destination){ .family = BW_FAMILY_NONE, .act = BW_ACT_OPEN };
        assert_shown(&e, "                 ↓ opened the file: refused\n"
                         "    action       denied: the open was refused, as the class has Access=allowed or "
                         "FailClosed=yes\n"
                         "    evidence");
}

/* Of the first alert of an incident it is its id. */
static void test_incident(void **state) {
        Event e = event_new();
        json_auto_t *object = json_of(&e, &policy, &names);
        (void)state;

        _cleanup_free_ char *first = alert_details(object, false);
        assert_null(strstr(first, "incident"));
        assert_int_equal(json_object_set_new(object, "incident", json_string("x-1")), 0);
        _cleanup_free_ char *later = alert_details(object, false);
        assert_non_null(strstr(later, "    id           " EVENT_ID "\n    incident     x-1\n"));
}

static void test_everything(void **state) {
        (void)state;
        Event e = event_new_inherited();
        EventCorrelation *c = &e.correlation;

        c->flags = BW_CORRELATION_FILES_MORE | BW_CORRELATION_LINEAGE_MORE;
        c->process.tid = c->process.pid;
        c->process.loginuid = UINT32_MAX;
        c->process.cmdline = c->process.exe = view("");
        c->process.cgroup = view("/machine.slice/machine-box.scope/payload");
        c->destination = (struct bw_destination){
                .address = { [15] = 1 },
                .port = 53,
                .family = AF_INET6,
                .protocol = 17,
                .act = BW_ACT_SEND,
        };
        c->lineage[1].comm = view("");
        c->fresh = 0;
        c->n_files = 2;
        c->files[0].path_truncated = true;
        c->files[0].path = view("ssh/id");
        c->files[0].script = view("/opt/x.sh");
        c->files[1] = (EventFile){
                .classes = BIT(SSH) | BIT(AWS),
                .pid = 9,
                .uid = 0,
                .via = BW_VIA_FORK,
                .generation = 2,
                .comm = view("cat"),
                .exe = view(""),
                .path = view(""),
        };

        _cleanup_free_ char *text = shown(&e, false);
        assert_string_equal(text,
                        "Sun 2026-11-22 11:05:01 XXX MEDIUM  curl (pid 12, uid 1000) sent a datagram "
                        "to [::1]:53 1.2 s after its parent sh (pid 11) opened …ssh/id (and at least 1 more "
                        "file) "
                        "[ssh-private-keys, late, medium]\n"
                        "    started      Sun 2026-11-22 11:05:00 XXX\n"
                        "    unit         machine-box.scope\n"
                        "    container    box\n"
                        "    cgroup       /machine.slice/machine-box.scope/payload\n"
                        "    mounts       mnt:[4026531841]\n"
                        "    user         uid 1000\n"
                        "    lineage      …\n"
                        "                 └─a process (700)\n"
                        "                   └─bash (1230)  /usr/bin/bash\n"
                        "                     └─curl (12)\n"
                        "    file         …ssh/id [ssh-private-keys]\n"
                        "                 ↓ opened by sh (pid 11, uid 1002) /usr/bin/sh, "
                        "script /opt/x.sh, 1.2 s before\n"
                        "                 ↓ handed on by fork, generation 1\n"
                        "    file         inode 0 of device 0:0 (its name was evicted) [ssh-private-keys, "
                        "cloud-aws]\n"
                        "                 ↓ opened by cat (pid 9, uid 0), 16 min 40 s before\n"
                        "                 ↓ handed on by fork, generation 2\n"
                        "                 and earlier files that are not remembered\n"
                        "    sender       curl (pid 12)\n"
                        "                 ↓ sent a datagram\n"
                        "    destination  udp [::1]:53\n"
                        "    evidence     late: opened longer ago than the class's window\n"
                        "    score        55, the sum of\n"
                        "                  +80  accessed a sensitive file: SSH private keys (class "
                        "ssh-private-keys)\n"
                        "                  -25  opened the file 1 s ago, longer than the class's window\n"
                        "                   +0  inherited from its parent, pid 11\n"
                        "    techniques   T1552.004, T1552.001, T1071.004\n"
                        "    id           " EVENT_ID "\n");
}

static void test_colour(void **state) {
        (void)state;
        Event e = event_new();

        _cleanup_free_ char *high = shown(&e, true);
        assert_non_null(strstr(high, " XXX \x1b[31mHIGH\x1b[0m  python3 "));
        assert_null(strchr(strrchr(high, '\x1b') + 1, '\x1b'));

        e.correlation.classes = BIT(AWS);
        _cleanup_free_ char *medium = shown(&e, true);
        assert_non_null(strstr(medium, " XXX \x1b[33mMEDIUM\x1b[0m  python3 "));

        e.correlation.classes = BIT(APP);
        _cleanup_free_ char *low = shown(&e, true);
        assert_non_null(strstr(low, " XXX LOW  python3 "));
        assert_null(strchr(low, '\x1b'));
}

static size_t count(const char *s, const char *part) {
        size_t n = 0;

        for (const char *p = strstr(s, part); p; p = strstr(p + 1, part))
                n++;
        return n;
}

#define EVIL "\x1b[2J\n\xe2\x80\xae\xc2\x9b\xff\\"
/* The last two are escaped in the JSON already, and not a second time. */
#define TAME "\\x1b[2J\\x0a\\xe2\\x80\\xae\\xc2\\x9b\\xff\\\\"

static void assert_harmless(const char *text) {
        assert_null(strpbrk(text, "\x1b\xff\r\t"));
        assert_null(strstr(text, "\xe2\x80\xae"));
        assert_null(strstr(text, "\xc2\x9b"));
}

/* A name that would clear the screen, add a line and reverse the rest, in every field. */
static void test_hostile_names(void **state) {
        (void)state;
        Event e = event_new_inherited();
        EventCorrelation *c = &e.correlation;
        const struct {
                Bytes *field;
                size_t n; /* how often it is shown */
        } fields[] = {
                { &c->process.comm, 3 }, /* the sentence, the lineage, the sender */
                { &c->process.exe, 3 },  /* the sentence, the line of its own, the lineage */
                { &c->process.cmdline, 1 },
                { &c->process.cgroup, 1 },
                { &c->lineage[0].comm, 1 },
                { &c->lineage[0].exe, 1 },
                { &c->files[0].path, 2 },
                { &c->files[0].comm, 2 },
                { &c->files[0].exe, 2 },
        };
        _cleanup_free_ char *usual = shown(&e, false);

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                Bytes tame = *fields[i].field;
                *fields[i].field = view(EVIL);
                _cleanup_free_ char *text = shown(&e, false);
                *fields[i].field = tame;

                if (count(text, TAME) != fields[i].n)
                        fail_msg("field %zu: %s", i, text);
                /* Only the line of the unit is missing, as the cgroup no longer names one. */
                assert_int_equal(count(text, "\n"),
                                count(usual, "\n") - (fields[i].field == &c->process.cgroup));
                assert_harmless(text);
        }

        /* Names in the policy may be as odd. */
        PolicyClass class = { .name = (char *)EVIL, .description = (char *)EVIL, .score = 1 };
        const Policy p = { .classes = &class, .n_classes = 1 };
        const PolicyNames n = { .class_names = { [SSH] = (char *)EVIL } };
        json_auto_t *object = json_of(&e, &p, &n);
        _cleanup_free_ char *text = alert_details(object, false);
        assert_int_equal(count(text, TAME), 4);
        assert_harmless(text);
}

/* Names that look like more of the line. */
static void test_quoted_names(void **state) {
        (void)state;
        Event e = event_new_inherited();
        EventCorrelation *c = &e.correlation;

        c->process.comm = view("a (1) \"\\");
        c->files[0].path = view("/x [app-secrets]");
        c->files[0].comm = view("(pid 7)");
        c->files[0].exe = view("/b, 3 s before\xff");
        assert_shown(&e, "    file         \"/x [app-secrets]\" [ssh-private-keys]\n"
                         "                 ↓ opened by \"(pid 7)\" (pid 11, uid 1002) \"/b, 3 s "
                         "before\\xff\", 1.2 s "
                         "before\n");
        assert_shown(&e, "    sender       \"a (1) \\x22\\\\\" (pid 12)\n");
        assert_shown(&e, "└─\"a (1) \\x22\\\\\" (12)");

        c->files[0].path = view("a b");
        c->files[0].path_truncated = true;
        assert_shown(&e, "    file         …\"a b\" [");
        c->files[0].path = view("\xe3\x80\x80\xc3\xbc");
        c->files[0].path_truncated = false;
        assert_shown(&e, "    file         \"\xe3\x80\x80\xc3\xbc\" [");
}

/* Replaces the member at each path in turn by other values, and removes it. */
static void mutate(json_t *root, json_t *at) {
        const char *evil = "\x1b[2J\n\xe2\x80\xae\xc2\x9b";
        json_t *others[] = { json_null(), json_true(), json_integer(-1), json_integer(INT64_MAX),
                json_real(1e300), json_string(""), json_string(evil), json_array(), json_object(),
                json_pack("[o, n]", json_string(evil)) };
        json_auto_t *members = json_copy(at); /* at itself changes meanwhile */
        const char *key;
        json_t *value;

        json_object_foreach(members, key, value) {
                for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                        json_object_set(at, key, others[i]);
                        _cleanup_free_ char *text = alert_details(root, false);
                        assert_non_null(text);
                        assert_harmless(text);
                }
                json_object_del(at, key);
                _cleanup_free_ char *text = alert_details(root, false);
                assert_non_null(text);

                json_object_set(at, key, value);
                if (json_is_object(value))
                        mutate(root, value);
                if (json_is_object(json_array_get(value, 0)))
                        mutate(root, json_array_get(value, 0));
        }
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                json_decref(others[i]);
}

static void test_strangers(void **state) {
        (void)state;
        Event e = event_new_inherited();
        json_auto_t *object = json_of(&e, &policy, &names), *empty = json_object(), *array = json_array();

        mutate(object, object);

        _cleanup_free_ char *of_nothing = alert_details(NULL, true), *of_empty = alert_details(empty, true),
                            *of_array = alert_details(array, true);
        assert_string_equal(of_nothing, "(no summary)\n");
        assert_string_equal(of_empty, of_nothing);
        assert_string_equal(of_array, of_nothing);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_show),
                cmocka_unit_test(test_names_of_a_file),
                cmocka_unit_test(test_route),
                cmocka_unit_test(test_incident),
                cmocka_unit_test(test_everything),
                cmocka_unit_test(test_colour),
                cmocka_unit_test(test_hostile_names),
                cmocka_unit_test(test_quoted_names),
                cmocka_unit_test(test_strangers),
        };

        /* Local time is an hour ahead of UTC here, so that a mistake shows. */
        setenv("TZ", "XXX-1", true);
        tzset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
