/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The sentence, word for word, and that no name can change what it says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <string.h>

#include <cmocka.h>

#include "alert/alert.h"
#include "basic/escape.h"
#include "basic/util.h"
#include "../alert-fixture.h"

static Alert *make(const Event *e) {
        Alert *a = NULL;

        assert_int_equal(alert_new(e, &policy, &names, &epoch, 0, &a), 0);
        return a;
}

static void assert_sentence(const Event *e, const char *expected) {
        _cleanup_(alert_freep) Alert *a = make(e);
        _cleanup_free_ char *sentence = alert_sentence(a);

        assert_string_equal(sentence, expected);
}

static void test_sentence(void **state) {
        (void)state;
        Event e = event_new();
        EventCorrelation *c = &e.correlation;

        assert_sentence(&e, "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/id_ed25519 and 1.2 s later "
                            "connected to 192.0.2.7:443 [ssh-private-keys, high]");

        c->destination.act = BW_ACT_SEND;
        assert_sentence(&e, "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/id_ed25519 and 1.2 s later "
                            "sent data to 192.0.2.7:443 [ssh-private-keys, high]");
        c->destination.protocol = IPPROTO_UDP;
        assert_sentence(&e, "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/id_ed25519 and 1.2 s later "
                            "sent a datagram to 192.0.2.7:443 [ssh-private-keys, high]");
        c->destination.act = BW_ACT_ACCEPT;
        assert_sentence(&e,
                        "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/id_ed25519 and 1.2 s later "
                        "accepted a connection from 192.0.2.7 on local port 443 [ssh-private-keys, high]");
        c->bound = BIT(SSH);
        assert_sentence(&e,
                        "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/id_ed25519 and 1.2 s later "
                        "accepted a connection from 192.0.2.7 on local port 443 [ssh-private-keys, bound, "
                        "medium]");
        c->bound = 0;
        c->files[0].via = BW_VIA_RECEIVED;
        c->destination.act = BW_ACT_CONNECT;
        assert_sentence(&e, "python3 (pid 19535, uid 1000) received an open descriptor of "
                            "/home/ana/.ssh/id_ed25519 and 1.2 s later "
                            "connected to 192.0.2.7:443 [ssh-private-keys, high]");
        c->files[0].via = BW_VIA_TRACE;
        assert_sentence(&e,
                        "python3 (pid 19535, uid 1000) read /home/ana/.ssh/id_ed25519 by a system call and "
                        "1.2 s later connected to 192.0.2.7:443 [ssh-private-keys, high]");
        c->files[0].via = BW_VIA_OPEN;

        c->destination = (struct bw_destination){ .address = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 },
                .port = 53,
                .family = AF_INET6,
                .act = BW_ACT_CONNECT };
        c->files[0].path_truncated = true;
        c->files[0].path = view("ssh/id");
        assert_sentence(&e, "python3 (pid 19535, uid 1000) opened …ssh/id and 1.2 s later "
                            "connected to [2001:db8::7]:53 [ssh-private-keys, high]");

        c->files[0].path = view("");
        c->process.comm = view("");
        c->destination.port = 1;
        assert_sentence(&e, "a process [python3] (pid 19535, uid 1000) opened a file of class "
                            "ssh-private-keys, inode 0 of device 0:0 (its name was evicted) and 1.2 s "
                            "later connected to [2001:db8::7]:1 [ssh-private-keys, high]");

        c->files[0].path = view("/tmp/x");
        c->files[0].path_truncated = false;
        c->files[0].real_path = view("/home/ana/.ssh/id_rsa");
        assert_sentence(&e, "a process [python3] (pid 19535, uid 1000) opened /tmp/x (known as "
                            "/home/ana/.ssh/id_rsa) and 1.2 s "
                            "later connected to [2001:db8::7]:1 [ssh-private-keys, high]");

        c->files[0].path = c->files[0].real_path; /* by another id */
        assert_sentence(&e, "a process [python3] (pid 19535, uid 1000) opened /home/ana/.ssh/id_rsa and "
                            "1.2 s "
                            "later connected to [2001:db8::7]:1 [ssh-private-keys, high]");
}

/* The files are those of other processes. */
static void test_sentence_action(void **state) {
        (void)state;
        static const struct {
                uint16_t act, protocol;
                uint8_t action;
                const char *what;
        } rows[] = {
                { BW_ACT_CONNECT, IPPROTO_TCP, BW_ACTION_DENIED,
                                "was refused a connection to 192.0.2.7:443 [" },
                { BW_ACT_SEND, IPPROTO_TCP, BW_ACTION_DENIED,
                                "was not allowed to send data to 192.0.2.7:443 [" },
                { BW_ACT_SEND, IPPROTO_UDP, BW_ACTION_DENIED, "was refused a datagram to 192.0.2.7:443 [" },
                { BW_ACT_CONNECT, IPPROTO_TCP, BW_ACTION_STOPPED,
                                "was refused a connection to 192.0.2.7:443, and was stopped [" },
                { BW_ACT_CONNECT, IPPROTO_TCP, BW_ACTION_KILLED,
                                "was refused a connection to 192.0.2.7:443, and was killed [" },
                { BW_ACT_CONNECT, IPPROTO_TCP, BW_ACTION_WOULD_DENY,
                                "connected to 192.0.2.7:443 (would be refused without dry-run) [" },
                { BW_ACT_CONNECT, IPPROTO_TCP, BW_ACTION_NOT_DENIED,
                                "connected to 192.0.2.7:443 (could not be refused) [" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Event e = event_new();
                char text[256];

                e.correlation.destination.act = rows[i].act;
                e.correlation.destination.protocol = rows[i].protocol;
                e.correlation.action = rows[i].action;
                (void)snprintf(text, sizeof(text),
                                "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/id_ed25519 and 1.2 s "
                                "later "
                                "%sssh-private-keys, high]",
                                rows[i].what);
                assert_sentence(&e, text);
        }
}

/* Access=allowed */
static void test_sentence_open(void **state) {
        (void)state;
        Event e = event_new();

        e.correlation.destination = (struct bw_destination){ .family = BW_FAMILY_NONE, .act = BW_ACT_OPEN };
        e.correlation.action = BW_ACTION_DENIED;
        assert_sentence(&e, "python3 (pid 19535, uid 1000) was not allowed to open "
                            "/home/ana/.ssh/id_ed25519 [ssh-private-keys, high]");
        e.correlation.action = BW_ACTION_WOULD_DENY;
        assert_sentence(&e, "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/id_ed25519 (would be "
                            "refused without dry-run) [ssh-private-keys, high]");
}

static void test_sentence_suspect(void **state) {
        (void)state;
        Event e = event_new();

        e.correlation.flags |= BW_CORRELATION_SUSPECT;
        assert_sentence(&e, "python3 (pid 19535, uid 1000) connected to 192.0.2.7:443; it is not tracked "
                            "itself, as "
                            "its user or cgroup has filled its share of a table: their processes read or "
                            "renamed "
                            "/home/ana/.ssh/id_ed25519 [ssh-private-keys, high]");
}

static void test_sentence_inherited(void **state) {
        (void)state;
        Event e = event_new_inherited();
        EventCorrelation *c = &e.correlation;

        assert_sentence(&e, "curl (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after its parent sh "
                            "(pid 11) opened "
                            "/home/ana/.ssh/id_ed25519 [ssh-private-keys, high]");

        c->files[0].generation = 2;
        c->destination.act = BW_ACT_SEND;
        assert_sentence(&e, "curl (pid 12, uid 1000) sent data to 192.0.2.7:443 1.2 s after its ancestor sh "
                            "(pid 11) opened "
                            "/home/ana/.ssh/id_ed25519 [ssh-private-keys, high]");

        c->files[0].handed_over = true;
        c->files[0].via = BW_VIA_TRACE;
        assert_sentence(&e,
                        "curl (pid 12, uid 1000) sent data to 192.0.2.7:443 1.2 s after sh (pid 11) read "
                        "/home/ana/.ssh/id_ed25519 [ssh-private-keys, high]");
        c->files[0].handed_over = false;
        c->files[0].via = BW_VIA_FORK;

        /* The opener has exited, and its PID was reused for its child. */
        c->files[0].generation = 1;
        c->files[0].pid = 12;
        c->destination.act = BW_ACT_CONNECT;
        c->n_files = 2;
        c->files[1] = c->files[0];
        assert_sentence(&e, "curl (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after its parent sh "
                            "(pid 12) opened "
                            "/home/ana/.ssh/id_ed25519 (and 1 more file) [ssh-private-keys, high]");

        /* The first one was in an earlier alert, this one is about the other. */
        c->files[0].named = true;
        c->files[1].path = view("/home/ana/.ssh/id_rsa");
        assert_sentence(&e, "curl (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after its parent sh "
                            "(pid 12) opened "
                            "/home/ana/.ssh/id_rsa (and 1 more file) [ssh-private-keys, high]");
}

static void test_sentence_route(void **state) {
        Event e = event_new_piped();
        EventFile *f = e.correlation.files;
        (void)state;

        assert_sentence(&e,
                        "nc (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after cat (pid 10) read "
                        "/home/ana/.ssh/id_ed25519; the data came through: cat → pipe → gzip → socket → nc "
                        "[ssh-private-keys, high]");
        /* The route alone shows that another process opened the file, and hostile names cannot lengthen it.
         */
        f->generation = 0;
        f->route_cut = true;
        f->route[0].comm = view("a → b");
        f->route[1].comm = view("→\x1b");
        assert_sentence(&e, "nc (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after cat (pid 10) read "
                            "/home/ana/.ssh/id_ed25519; the data came through: … → \"a → b\" → pipe → "
                            "\"→\\x1b\" → socket → nc [ssh-private-keys, high]");
}

/* The executable's name stands beside any other name: a thread's, a script's, a forged one. */
static void test_sentence_names(void **state) {
        static const struct {
                const char *comm, *exe, *text;
        } cases[] = {
                { "python3", "/usr/bin/python3", "python3" },
                { "kworker/0:1-ev", "/usr/bin/python3.11", "kworker/0:1-ev [python3.11]" },
                { "python3", "/usr/bin/python3.11", "python3 [python3.11]" },
                /* The kernel cuts a name to 15 bytes. */
                { "systemd-network", "/usr/lib/systemd/systemd-networkd", "systemd-network" },
                { "systemd-networ", "/usr/lib/systemd/systemd-networkd",
                                "systemd-networ [systemd-networkd]" },
                { "a", "/x/a b]", "a [\"a b]\"]" },
                { "a", "a", "a" },
                { "a", "", "a" },
                { "", "/usr/bin/sh", "a process [sh]" },
                { "", "", "a process" },
                { "a", "/x/", "a" },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Event e = event_new_inherited();
                EventCorrelation *c = &e.correlation;
                _cleanup_free_ char *sender = NULL, *opener = NULL;

                assert_true(asprintf(&sender,
                                            "%s (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after "
                                            "its parent "
                                            "sh (pid 11) opened /home/ana/.ssh/id_ed25519 "
                                            "[ssh-private-keys, high]",
                                            cases[i].text) > 0);
                assert_true(asprintf(&opener,
                                            "curl (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after "
                                            "its parent "
                                            "%s (pid 11) opened /home/ana/.ssh/id_ed25519 "
                                            "[ssh-private-keys, high]",
                                            cases[i].text) > 0);
                c->process.comm = view(cases[i].comm);
                c->process.exe = view(cases[i].exe);
                assert_sentence(&e, sender);

                e = event_new_inherited();
                c->files[0].comm = view(cases[i].comm);
                c->files[0].exe = view(cases[i].exe);
                assert_sentence(&e, opener);
        }
}

static void test_sentence_families(void **state) {
        static const struct {
                uint16_t family, act;
                const char *path, *what;
        } cases[] = {
                { AF_UNIX, BW_ACT_CONNECT, "/run/docker.sock", "connected to /run/docker.sock" },
                { AF_UNIX, BW_ACT_SEND, "@a (b\n", "sent data to \"@a (b\\x0a\"" },
                { AF_UNIX, BW_ACT_CONNECT, "", "connected to a local service" },
                { AF_VSOCK, BW_ACT_CONNECT, "", "connected to vsock CID 2, port 70000" },
                { BW_FAMILY_FILE, BW_ACT_SEND, "/mnt/a\n",
                                "sent data to /mnt/a\\x0a (a file that leaves this machine)" },
                { AF_VSOCK, BW_ACT_ACCEPT, "", "accepted a connection from vsock CID 2, port 70000" },
                { AF_PACKET, BW_ACT_SEND, "", "sent data to network interface 2" },
                { AF_NETLINK, BW_ACT_SEND, "", "sent data to a socket of family-16" },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *wanted = NULL;
                Event e = event_new();

                event_to(&e, cases[i].family, 2, 70000, cases[i].path);
                e.correlation.destination.act = cases[i].act;
                assert_true(asprintf(&wanted,
                                            "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/id_ed25519 "
                                            "and 1.2 s "
                                            "later %s [ssh-private-keys, high]",
                                            cases[i].what) > 0);
                assert_sentence(&e, wanted);
        }
}

static void test_sentence_files(void **state) {
        (void)state;
        Event e = event_new();
        EventCorrelation *c = &e.correlation;

        /* Newest first; the worst class is neither the first file's nor the lowest bit. */
        c->classes = BIT(APP) | BIT(SSH) | BIT(AWS);
        c->n_files = 5;
        c->files[3] = c->files[0];
        c->files[2] = c->files[0];
        c->files[2].path = view("/home/ana/.ssh/newest");
        c->files[2].classes = BIT(SSH) | BIT(APP);
        c->files[1] = (EventFile){ .classes = BIT(AWS), .via = BW_VIA_OPEN, .path = view("/aws") };
        c->files[0] = (EventFile){ .classes = BIT(APP), .via = BW_VIA_OPEN, .path = view("/app") };
        /* Remembered, but not alerted: it does not count. */
        c->files[4] = (EventFile){ .classes = BIT(GONE), .via = BW_VIA_OPEN, .path = view("/old") };
        for (size_t i = 0; i < 5; i++)
                c->files[i].exe = c->files[i].comm = view("");
        assert_sentence(&e,
                        "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/newest (and 3 more files) and "
                        "1.2 s later connected to 192.0.2.7:443 [ssh-private-keys, cloud-aws, app-secrets, "
                        "high]");

        c->flags = BW_CORRELATION_FILES_MORE;
        assert_sentence(&e,
                        "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/newest (and at least 3 more "
                        "files) and 1.2 s later connected to 192.0.2.7:443 [ssh-private-keys, cloud-aws, "
                        "app-secrets, high]");

        /* None of the remembered files is of the alerted class. */
        c->n_files = 1;
        c->classes = BIT(SSH);
        assert_sentence(&e, "python3 (pid 19535, uid 1000) opened a file of class ssh-private-keys and then "
                            "connected to 192.0.2.7:443 [ssh-private-keys, high]");

        /* Bits that have no name, or no class any more. */
        c->classes = BIT(GONE) | BIT(63);
        assert_sentence(&e,
                        "python3 (pid 19535, uid 1000) opened a file of class given-up and then connected "
                        "to 192.0.2.7:443 [given-up, class-63, low]");

        c->classes = 0;
        assert_sentence(&e, "python3 (pid 19535, uid 1000) opened a sensitive file and then connected "
                            "to 192.0.2.7:443 [low]");
}

static void test_sentence_repeats(void **state) {
        (void)state;
        Event e = event_new();
        _cleanup_(alert_freep) Alert *a = make(&e);

        a->repeats = 1;
        _cleanup_free_ char *once = alert_sentence(a);
        assert_non_null(strstr(once, "[ssh-private-keys, high] (repeated once within its window)"));
        a->repeats = 41;
        _cleanup_free_ char *often = alert_sentence(a);
        assert_non_null(strstr(often, "[ssh-private-keys, high] (repeated 41 times within its window)"));
}

static void test_ages(void **state) {
        (void)state;
        static const struct {
                uint64_t age_usec;
                const char *text;
        } ages[] = {
                { 0, " less than 1 ms later" },
                { 999, " less than 1 ms later" },
                { 1000, " 1 ms later" },
                { 40999, " 40 ms later" },
                { 999999, " 999 ms later" },
                { 1000000, " 1.0 s later" },
                { 1299999, " 1.2 s later" },
                { 59999999, " 59.9 s later" },
                { 60000000, " 1 min 0 s later" },
                { 125900000, " 2 min 5 s later" },
                { 3599999999, " 59 min 59 s later" },
                { 3600000000, " 1 h 0 min later" },
                { 7379000000, " 2 h 2 min later" },
        };

        Event e = event_new();
        _cleanup_(alert_freep) Alert *a = make(&e);
        assert_int_equal(a->files[0].age_usec, 1234000);

        for (size_t i = 0; i < ELEMENTSOF(ages); i++) {
                a->files[0].age_usec = ages[i].age_usec;
                _cleanup_free_ char *s = alert_sentence(a);
                if (!strstr(s, ages[i].text))
                        fail_msg("%s lacks \"%s\"", s, ages[i].text);
        }

        /* Opened after the egress, as clocks of two CPUs may say. */
        e.correlation.files[0].mono_ns = NOW_MONO_NS + 1;
        assert_sentence(&e,
                        "python3 (pid 19535, uid 1000) opened /home/ana/.ssh/id_ed25519 and less than 1 ms "
                        "later connected to 192.0.2.7:443 [ssh-private-keys, high]");
}

static void test_escape(void **state) {
        (void)state;
        static const struct {
                const char *bytes, *text;
        } cases[] = {
                { "", "" },
                { "plain /path~", "plain /path~" },
                { "\n\r\t\x01\x1b[31m\x7f", "\\x0a\\x0d\\x09\\x01\\x1b[31m\\x7f" },
                { "a\\x0a", "a\\\\x0a" },
                { "\xc3\xbc\xe2\x82\xac\xf0\x9f\x94\x91", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x94\x91" },
                { "\xe0\xa0\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
                                "\xe0\xa0\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
                /* Cut, stray, overlong, surrogate, beyond U+10FFFF, never a first byte. */
                { "\xc3", "\\xc3" },
                { "\xe2\x82z", "\\xe2\\x82z" },
                { "\x80", "\\x80" },
                { "\xc0\xaf", "\\xc0\\xaf" },
                { "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
                { "\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf" },
                { "\xed\xa0\x80", "\\xed\\xa0\\x80" },
                { "\xed\xbf\xbf", "\\xed\\xbf\\xbf" },
                { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
                { "\xff\xfe", "\\xff\\xfe" },
                /* C1: the first, CSI, the last; the next character is harmless. */
                { "\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f" },
                { "\xc2\xa0", "\xc2\xa0" },
                /* U+202A, U+202E, U+2066, U+2069, U+200B, U+200F, U+2028, U+2029, U+FEFF */
                { "\xe2\x80\xaa", "\\xe2\\x80\\xaa" },
                { "\xe2\x80\xae", "\\xe2\\x80\\xae" },
                { "\xe2\x81\xa6", "\\xe2\\x81\\xa6" },
                { "\xe2\x81\xa9", "\\xe2\\x81\\xa9" },
                { "\xe2\x80\x8b", "\\xe2\\x80\\x8b" },
                { "\xe2\x80\x8f", "\\xe2\\x80\\x8f" },
                { "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },
                { "\xe2\x80\xa9", "\\xe2\\x80\\xa9" },
                { "\xef\xbb\xbf", "\\xef\\xbb\\xbf" },
                /* U+00AD, U+061C, U+180E, U+2060, U+FFF9, U+E0001 */
                { "\xc2\xad", "\\xc2\\xad" },
                { "\xd8\x9c", "\\xd8\\x9c" },
                { "\xe1\xa0\x8e", "\\xe1\\xa0\\x8e" },
                { "\xe2\x81\xa0", "\\xe2\\x81\\xa0" },
                { "\xef\xbf\xb9", "\\xef\\xbf\\xb9" },
                { "\xf3\xa0\x80\x81", "\\xf3\\xa0\\x80\\x81" },
                /* Their neighbours: U+200A, U+2010, U+2027, U+202F, U+205F, U+2070, U+FFFD */
                { "\xe2\x80\x8a\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\x9f\xe2\x81\xb0\xef\xbf"
                  "\xbd",
                                "\xe2\x80\x8a\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\x9f\xe2"
                                "\x81\xb0\xef\xbf\xbd" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                /* An exact block without a NUL after it: ASan sees a read too far. */
                size_t size = strlen(cases[i].bytes);
                _cleanup_free_ char *block = malloc(size + 1);
                memcpy(block + 1, cases[i].bytes, size);
                _cleanup_free_ char *text = bytes_escape(block + 1, size);
                assert_string_equal(text, cases[i].text);
        }

        uint32_t point;
        assert_int_equal(utf8_sequence("a", 0, &point), 0);

        _cleanup_free_ char *nul = bytes_escape("a\0b", 3);
        assert_string_equal(nul, "a\\x00b");
}

static size_t count(const char *s, const char *part) {
        size_t n = 0;

        for (const char *p = strstr(s, part); p; p = strstr(p + 1, part))
                n++;
        return n;
}

/* A name that would clear the screen, add a line and reverse the rest, in every field of the sentence. */
static void test_hostile_names(void **state) {
        (void)state;
#define EVIL "\x1b[2J\n\xe2\x80\xae\xc2\x9b\xff\\"
#define TAME "\\x1b[2J\\x0a\\xe2\\x80\\xae\\xc2\\x9b\\xff\\\\"
        Event e = event_new_inherited();
        EventCorrelation *c = &e.correlation;
        Bytes *const fields[] = { &c->process.comm, &c->files[0].path, &c->files[0].comm };

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                Bytes tame = *fields[i];
                *fields[i] = view(EVIL);
                _cleanup_(alert_freep) Alert *a = make(&e);
                _cleanup_free_ char *sentence = alert_sentence(a);
                *fields[i] = tame;

                if (count(sentence, TAME) != 1)
                        fail_msg("field %zu: %s", i, sentence);
                assert_null(strpbrk(sentence, "\x1b\xff\n"));
                assert_null(strstr(sentence, "\xe2\x80\xae"));
                assert_null(strstr(sentence, "\xc2\x9b"));
        }

        /* Names in the policy may be as odd. */
        const PolicyNames n = { .class_names = { [SSH] = (char *)EVIL } };
        PolicyClass class = { .name = (char *)EVIL, .score = 1 };
        const Policy p = { .classes = &class, .n_classes = 1 };
        _cleanup_(alert_freep) Alert *a = NULL;
        assert_int_equal(alert_new(&e, &p, &n, &epoch, 0, &a), 0);
        _cleanup_free_ char *sentence = alert_sentence(a);
        assert_int_equal(count(sentence, TAME), 1);
        assert_null(strpbrk(sentence, "\x1b\xff\n"));
}

static const struct {
        const char *name, *text;
} quoted[] = {
        { "/a and 3 s later connected to 127.0.0.1:53 [app-secrets, low]",
                        "\"/a and 3 s later connected to 127.0.0.1:53 [app-secrets, low]\"" },
        { "/a\" [x", "\"/a\\x22 [x\"" },
        { "\"", "\"\\x22\"" },
        { "\"\"a\"", "\"\\x22\\x22a\\x22\"" },
        { "a[", "\"a[\"" },
        { "a]", "\"a]\"" },
        { "(sd-pam)", "\"(sd-pam)\"" },
        { "a)", "\"a)\"" },
        /* What looks like a blank: U+00A0, U+2003, U+3000. */
        { "a\xc2\xa0"
          "b",
                        "\"a\xc2\xa0"
                        "b\"" },
        { "a\xe2\x80\x83"
          "b",
                        "\"a\xe2\x80\x83"
                        "b\"" },
        { "a\xe3\x80\x80"
          "b",
                        "\"a\xe3\x80\x80"
                        "b\"" },
        { "a\n b\xff\xe2", "\"a\\x0a b\\xff\\xe2\"" },
        /* Without any of these: as it is. */
        { "/home/\xc3\xbc/.a-b_c:d,e;f'g{h}<i>\xff\n", "/home/\xc3\xbc/.a-b_c:d,e;f'g{h}<i>\\xff\\x0a" },
};

/* Names that look like more of the sentence. */
static void test_quoted_names(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(quoted); i++) {
                Event e = event_new_inherited();
                EventCorrelation *c = &e.correlation;
                _cleanup_free_ char *path = NULL, *opener = NULL, *sender = NULL;

                assert_true(asprintf(&path,
                                            "curl (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after "
                                            "its "
                                            "parent sh (pid 11) opened %s [ssh-private-keys, high]",
                                            quoted[i].text) > 0);
                assert_true(asprintf(&opener,
                                            "curl (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after "
                                            "its "
                                            "parent %s [sh] (pid 11) opened /home/ana/.ssh/id_ed25519 "
                                            "[ssh-private-keys, high]",
                                            quoted[i].text) > 0);
                assert_true(asprintf(&sender,
                                            "%s [curl] (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s "
                                            "after "
                                            "its parent sh (pid 11) opened …ssh/id [ssh-private-keys, high]",
                                            quoted[i].text) > 0);
                c->files[0].path = view(quoted[i].name);
                assert_sentence(&e, path);

                e = event_new_inherited();
                c->files[0].comm = view(quoted[i].name);
                assert_sentence(&e, opener);

                e = event_new_inherited();
                c->process.comm = view(quoted[i].name);
                c->files[0].path = view("ssh/id");
                c->files[0].path_truncated = true;
                assert_sentence(&e, sender);
        }

        /* The ellipsis is ours. */
        Event e = event_new();
        e.correlation.files[0].path = view("a b/id");
        e.correlation.files[0].path_truncated = true;
        assert_sentence(&e, "python3 (pid 19535, uid 1000) opened …\"a b/id\" and 1.2 s later connected to "
                            "192.0.2.7:443 [ssh-private-keys, high]");
}

/* A string that was escaped once already keeps its backslashes; what is harmful in it is escaped all the
 * same. */
static void test_put_string(void **state) {
        (void)state;
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        text_put_string(f, "a\\\\b\\xff \xc3\xbc\n\x1b\x7f\xc2\x9b\xe2\x80\xae\xff");
        assert_int_equal(text_close(&f), 0);
        assert_null(f);
        assert_string_equal(text, "a\\\\b\\xff \xc3\xbc\\x0a\\x1b\\x7f\\xc2\\x9b\\xe2\\x80\\xae\\xff");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sentence),
                cmocka_unit_test(test_sentence_action),
                cmocka_unit_test(test_sentence_open),
                cmocka_unit_test(test_sentence_suspect),
                cmocka_unit_test(test_sentence_inherited),
                cmocka_unit_test(test_sentence_route),
                cmocka_unit_test(test_sentence_names),
                cmocka_unit_test(test_sentence_families),
                cmocka_unit_test(test_sentence_files),
                cmocka_unit_test(test_sentence_repeats),
                cmocka_unit_test(test_ages),
                cmocka_unit_test(test_escape),
                cmocka_unit_test(test_hostile_names),
                cmocka_unit_test(test_quoted_names),
                cmocka_unit_test(test_put_string),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
