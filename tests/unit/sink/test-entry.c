/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The entry field by field, with hostile names, and that the manual page and the catalog match its fields.
 */

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
#include "alert/message-ids.h"
#include "basic/util.h"
#include "../alert-fixture.h"
#include "../state-fixture.h"
#include "../event-fixture.h"
#include "../sent-entry.h"

static Sent *sent_of_state(const StateAlert *a) {
        Sent *s = calloc(1, sizeof(*s));
        size_t size;

        assert_non_null(s);
        assert_int_equal(journal_entry_from_state(a, &s->data, &size), 0);
        assert_true(datagram_parse(s->data, size, &s->d));
        return s;
}

#define GOLDEN_BEFORE_JSON                                                                                  \
        "MESSAGE_ID=293e406e87264b8da3a6c6a72deb4395\n"                                                     \
        "PRIORITY=2\n"                                                                                      \
        "SYSLOG_FACILITY=10\n"                                                                              \
        "SYSLOG_IDENTIFIER=barbwired\n"                                                                     \
        "BARBWIRE_ALERT_ID=" EVENT_ID "\n"                                                                  \
        "BARBWIRE_INCIDENT=" EVENT_ID "\n"                                                                  \
        "BARBWIRE_TIME=1795341901023456\n"                                                                  \
        "BARBWIRE_SEVERITY=high\n"                                                                          \
        "BARBWIRE_SCORE=80\n"                                                                               \
        "BARBWIRE_EVIDENCE=unbound\n"                                                                       \
        "MESSAGE=curl (pid 12, uid 1000) connected to 192.0.2.7:443 1.2 s after its parent sh (pid 11) "    \
        "opened /home/ana/.ssh/id_ed25519 (known as /home/ana/.ssh/id) [ssh-private-keys, high] (repeated " \
        "2 times within its window)\n"                                                                      \
        "BARBWIRE_REASON=+80 accessed a sensitive file: SSH private keys (class ssh-private-keys)\n"        \
        "BARBWIRE_REASON=+0 inherited from its parent, pid 11\n"                                            \
        "BARBWIRE_REASON_LIST=+80 accessed a sensitive file: SSH private keys (class ssh-private-keys); "   \
        "+0 inherited from its parent, pid 11\n"                                                            \
        "BARBWIRE_ACTION=alert\n"                                                                           \
        "BARBWIRE_CLASS=ssh-private-keys\n"                                                                 \
        "BARBWIRE_CLASS_LIST=ssh-private-keys\n"                                                            \
        "BARBWIRE_TECHNIQUE=T1552.004\n"                                                                    \
        "BARBWIRE_TECHNIQUE=T1552.001\n"                                                                    \
        "BARBWIRE_TECHNIQUE=T1041\n"                                                                        \
        "BARBWIRE_TECHNIQUE_LIST=T1552.004 T1552.001 T1041\n"                                               \
        "BARBWIRE_REPEATS=2\n"                                                                              \
        "BARBWIRE_PID=12\n"                                                                                 \
        "BARBWIRE_TID=19536\n"                                                                              \
        "BARBWIRE_START_TIME=1795341900023456\n"                                                            \
        "BARBWIRE_EXE=/usr/bin/curl\n"                                                                      \
        "BARBWIRE_COMM=curl\n"                                                                              \
        "BARBWIRE_CMDLINE=python3 -c 'import os'\n"                                                         \
        "BARBWIRE_UID=1000\n"                                                                               \
        "BARBWIRE_LOGINUID=1001\n"                                                                          \
        "BARBWIRE_UNIT=machine-box.scope\n"                                                                 \
        "BARBWIRE_CGROUP=/machine.slice/machine-box.scope/payload\n"                                        \
        "BARBWIRE_CONTAINER=box\n"                                                                          \
        "BARBWIRE_MOUNT_NAMESPACE=4026531841\n"                                                             \
        "BARBWIRE_LINEAGE=ancestor=1 pid=1230 comm=bash exe=/usr/bin/bash\n"                                \
        "BARBWIRE_LINEAGE=ancestor=2 pid=700 comm=sshd exe=\n"                                              \
        "BARBWIRE_LINEAGE_LIST=ancestor=1 pid=1230 comm=bash exe=/usr/bin/bash ancestor=2 pid=700 "         \
        "comm=sshd exe=\n"                                                                                  \
        "BARBWIRE_FILE=/home/ana/.ssh/id_ed25519\n"                                                         \
        "BARBWIRE_FILE_REAL_PATH=/home/ana/.ssh/id\n"                                                       \
        "BARBWIRE_FILE_CLASS=ssh-private-keys\n"                                                            \
        "BARBWIRE_FILE_AGE_USEC=1234000\n"                                                                  \
        "BARBWIRE_FILE_PID=11\n"                                                                            \
        "BARBWIRE_FILE_UID=1002\n"                                                                          \
        "BARBWIRE_FILE_EXE=/usr/bin/sh\n"                                                                   \
        "BARBWIRE_FILE_COMM=sh\n"                                                                           \
        "BARBWIRE_FILE_GENERATION=1\n"                                                                      \
        "BARBWIRE_FILE_VIA=fork\n"                                                                          \
        "BARBWIRE_FILE_COUNT=1\n"                                                                           \
        "BARBWIRE_MAIN_FILE=/home/ana/.ssh/id_ed25519\n"                                                    \
        "BARBWIRE_MAIN_FILE_REAL_PATH=/home/ana/.ssh/id\n"                                                  \
        "BARBWIRE_MAIN_FILE_CLASS_LIST=ssh-private-keys\n"                                                  \
        "BARBWIRE_MAIN_FILE_AGE_USEC=1234000\n"                                                             \
        "BARBWIRE_MAIN_FILE_PID=11\n"                                                                       \
        "BARBWIRE_MAIN_FILE_UID=1002\n"                                                                     \
        "BARBWIRE_MAIN_FILE_EXE=/usr/bin/sh\n"                                                              \
        "BARBWIRE_MAIN_FILE_COMM=sh\n"                                                                      \
        "BARBWIRE_MAIN_FILE_GENERATION=1\n"                                                                 \
        "BARBWIRE_MAIN_FILE_VIA=fork\n"                                                                     \
        "BARBWIRE_FLOOD=no\n"                                                                               \
        "BARBWIRE_SUSPECT=no\n"                                                                             \
        "BARBWIRE_DESTINATION_FAMILY=inet\n"                                                                \
        "BARBWIRE_DESTINATION_PROTOCOL=tcp\n"                                                               \
        "BARBWIRE_DESTINATION_ADDRESS=192.0.2.7\n"                                                          \
        "BARBWIRE_DESTINATION_PORT=443\n"                                                                   \
        "BARBWIRE_DESTINATION_ACT=connect\n"                                                                \
        "BARBWIRE_DESTINATION=192.0.2.7:443\n"

static void test_golden(void **state) {
        (void)state;
        Event e = event_new_inherited();
        e.correlation.process.cgroup = view("/machine.slice/machine-box.scope/payload");
        e.correlation.files[0].real_path = view("/home/ana/.ssh/id");
        _cleanup_(alert_freep) Alert *a = alert_of(&e);
        _cleanup_free_ char *data = NULL, *expected = NULL;
        size_t size;

        a->repeats = 2;
        _cleanup_free_ char *json = alert_line(a);
        assert_non_null(json);
        assert_true(asprintf(&expected, "%sBARBWIRE_JSON=%s\n", GOLDEN_BEFORE_JSON, json) > 0);
        assert_int_equal(journal_entry_from_alert(a, json, &data, &size), 0);
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(data, expected, size);
}

static void test_sparse(void **state) {
        (void)state;
        static const char *const absent[] = {
                "BARBWIRE_LOGINUID",
                "BARBWIRE_EXE",
                "BARBWIRE_COMM",
                "BARBWIRE_CMDLINE",
                "BARBWIRE_UNIT",
                "BARBWIRE_CGROUP",
                "BARBWIRE_CONTAINER",
                "BARBWIRE_LINEAGE",
                "BARBWIRE_FILE_REAL_PATH",
                "BARBWIRE_FILE_EXE",
                "BARBWIRE_FILE_COMM",
                "BARBWIRE_FILE_CLASS",
                "BARBWIRE_CLASS",
                "BARBWIRE_EXE_FLAG",
                "BARBWIRE_DESTINATION_ADDRESS",
        };
        const Event e = event_sparse();
        _cleanup_(sent_freep) Sent *s = sent_of_event(&e);

        for (size_t i = 0; i < ELEMENTSOF(absent); i++)
                assert_null(datagram_nth(&s->d, absent[i], 0));
        assert_only(&s->d, "BARBWIRE_FILE_VIA", "open");
        assert_only(&s->d, "BARBWIRE_FILE", "inode 0 of device 0:0 (its name was evicted)");
        assert_only(&s->d, "BARBWIRE_DESTINATION_FAMILY", "inet6");
        assert_only(&s->d, "BARBWIRE_DESTINATION_PROTOCOL", "250");
        assert_only(&s->d, "BARBWIRE_DESTINATION_ACT", "send");
        assert_int_equal(datagram_count(&s->d, "BARBWIRE_JSON"), 1);
}

static void test_flags(void **state) {
        (void)state;
        Event e = event_new();

        e.correlation.process.flags = BW_PROCESS_EXE_NOT_ROOTS | BW_PROCESS_TRACED;
        _cleanup_(sent_freep) Sent *s = sent_of_event(&e);
        assert_nth(&s->d, "BARBWIRE_EXE_FLAG", 0, "not-roots", strlen("not-roots"));
        assert_nth(&s->d, "BARBWIRE_EXE_FLAG", 1, "traced", strlen("traced"));
        assert_int_equal(datagram_count(&s->d, "BARBWIRE_EXE_FLAG"), 2);
}

static void test_priorities(void **state) {
        (void)state;
        static const struct {
                Severity severity;
                const char *name, *priority;
        } cases[] = {
                { SEVERITY_INFO, "info", "6" },
                { SEVERITY_LOW, "low", "5" },
                { SEVERITY_MEDIUM, "medium", "4" },
                { SEVERITY_HIGH, "high", "2" },
        };
        const Event e = event_new();
        _cleanup_(alert_freep) Alert *a = alert_of(&e);

        assert_int_equal(ELEMENTSOF(cases), _SEVERITY_MAX);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                a->score.severity = cases[i].severity;
                _cleanup_(sent_freep) Sent *s = sent_of(a);
                assert_only(&s->d, "BARBWIRE_SEVERITY", cases[i].name);
                assert_only(&s->d, "PRIORITY", cases[i].priority);
        }
}

/* Every byte, and what would be fields of its own if it were written as text. */
static Bytes hostile(char buffer[static 300], const char *start) {
        size_t n = strlen(strcpy(buffer, start));

        for (unsigned byte = 1; byte < 256; byte++)
                buffer[n++] = (char)byte;
        buffer[n] = '\0';
        return (Bytes){ .data = buffer, .size = n };
}

static void test_hostile(void **state) {
        (void)state;
        char buffers[5][300];
        Event e = event_new();
        EventCorrelation *c = &e.correlation;
        const Bytes path = hostile(buffers[0], "/x\nBARBWIRE_SEVERITY=low\nPRIORITY=7\n\n");
        const Bytes exe = hostile(buffers[1], "\n");
        const Bytes cgroup = hostile(buffers[2], "/=");
        const Bytes file_exe = hostile(buffers[3], "=");
        const Bytes comm = view("a\nMESSAGE=b\x1b");

        c->files[0].path = path;
        c->process.exe = exe;
        c->process.cgroup = cgroup;
        c->files[0].exe = file_exe;
        c->process.comm = c->files[0].comm = comm;
        c->lineage[0].exe = hostile(buffers[4], "a exe=b ");
        c->lineage[0].comm = view("x exe=/bin/y\n");
        _cleanup_(sent_freep) Sent *s = sent_of_event(&e);

        assert_nth(&s->d, "BARBWIRE_FILE", 0, path.data, path.size);
        assert_nth(&s->d, "BARBWIRE_EXE", 0, exe.data, exe.size);
        assert_nth(&s->d, "BARBWIRE_CGROUP", 0, cgroup.data, cgroup.size);
        assert_nth(&s->d, "BARBWIRE_FILE_EXE", 0, file_exe.data, file_exe.size);
        assert_nth(&s->d, "BARBWIRE_COMM", 0, comm.data, comm.size);
        assert_nth(&s->d, "BARBWIRE_FILE_COMM", 0, comm.data, comm.size);
        assert_only(&s->d, "BARBWIRE_SEVERITY", "high");
        assert_only(&s->d, "PRIORITY", "2");
        assert_int_equal(datagram_count(&s->d, "MESSAGE"), 1);

        const Field *message = datagram_nth(&s->d, "MESSAGE", 0);
        for (size_t i = 0; i < message->size; i++)
                assert_true((unsigned char)message->data[i] >= 0x20);

        /* Three spaces, and so four words, whatever the names hold. */
        const Field *lineage = datagram_nth(&s->d, "BARBWIRE_LINEAGE", 0);
        const char start[] = "ancestor=1 pid=1230 comm=x\\x20exe=/bin/y\\x0a exe=a\\x20exe=b\\x20\\x01";
        assert_true(lineage->size > strlen(start));
        assert_memory_equal(lineage->data, start, strlen(start));
        size_t spaces = 0;
        for (size_t i = 0; i < lineage->size; i++)
                spaces += lineage->data[i] == ' ';
        assert_int_equal(spaces, 3);
}

/* Written as text where possible, for simple readers; else with a length. */
static void test_encoding(void **state) {
        (void)state;
        static const struct {
                const char *comm;
                bool text;
        } cases[] = {
                { "a=b", true },
                { "\xc3\xa4\xff", true },
                { "a\nb", false },
                { "a\tb", false },
                { "\x7f", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Event e = event_new();
                e.correlation.process.comm = view(cases[i].comm);
                _cleanup_(sent_freep) Sent *s = sent_of_event(&e);
                const Field *f = datagram_nth(&s->d, "BARBWIRE_COMM", 0);

                assert_int_equal(f->size, strlen(cases[i].comm));
                assert_memory_equal(f->data, cases[i].comm, f->size);
                assert_int_equal(f->data[-1] == '=', cases[i].text);
        }
}

/* As much as one event holds: every value is in the entry, and the JSON has the pairs. */
static void test_many(void **state) {
        (void)state;
        Event e = event_new();
        EventCorrelation *c = &e.correlation;
        char paths[BW_FILES_MAX][32];

        c->classes = BIT(SSH) | BIT(AWS);
        c->n_files = BW_FILES_MAX;
        c->n_lineage = BW_LINEAGE_MAX;
        for (unsigned i = 0; i < BW_FILES_MAX; i++) {
                (void)snprintf(paths[i], sizeof(paths[i]), "/secret/%u", i);
                c->files[i] = c->files[0];
                c->files[i].path = view(paths[i]);
                c->files[i].classes = BIT(SSH) | BIT(AWS) | BIT(APP);
        }
        for (unsigned i = 0; i < BW_LINEAGE_MAX; i++)
                c->lineage[i] = (EventAncestor){
                        .pid = 100 + i,
                        .comm = view("sh"),
                        .exe = view("/bin/sh"),
                };
        _cleanup_(sent_freep) Sent *s = sent_of_event(&e);

        assert_int_equal(datagram_count(&s->d, "BARBWIRE_FILE"), BW_FILES_MAX);
        assert_int_equal(datagram_count(&s->d, "BARBWIRE_FILE_PID"), BW_FILES_MAX);
        assert_int_equal(datagram_count(&s->d, "BARBWIRE_FILE_CLASS"), 3 * BW_FILES_MAX);
        assert_int_equal(datagram_count(&s->d, "BARBWIRE_CLASS"), 2);
        assert_int_equal(datagram_count(&s->d, "BARBWIRE_LINEAGE"), BW_LINEAGE_MAX);

        /* Too long for what every reader shows. */
        const Field *json = datagram_nth(&s->d, "BARBWIRE_JSON_COMPLETE", 0);
        assert_non_null(json);
        json_auto_t *root = json_loadb(json->data, json->size, JSON_REJECT_DUPLICATES, NULL);
        assert_int_equal(json_array_size(json_object_get(root, "files")), BW_FILES_MAX);
        assert_int_equal(json_array_size(json_object_get(root, "lineage")), BW_LINEAGE_MAX);
        for (unsigned i = 0; i < BW_FILES_MAX; i++)
                assert_nth(&s->d, "BARBWIRE_FILE", i, paths[i], strlen(paths[i]));
        assert_only(&s->d, "BARBWIRE_FILE_COUNT", "8");
}

/* Whatever a reader keeps of equal fields, it gets each list: no field of these occurs twice. */
static void test_single(void **state) {
        static const struct {
                const char *name, *value;
        } wanted[] = {
                { "BARBWIRE_CLASS_LIST", "ssh-private-keys cloud-aws" },
                { "BARBWIRE_EXE_FLAG_LIST", "not-roots traced" },
                { "BARBWIRE_FILE_COUNT", "2" },
                /* The newest of the worst class, not the newest. */
                { "BARBWIRE_MAIN_FILE", "/key" },
                { "BARBWIRE_MAIN_FILE_CLASS_LIST", "ssh-private-keys cloud-aws" },
                { "BARBWIRE_MAIN_FILE_ROUTE", "cat|pipe|gzip|socket|nc" },
        };
        (void)state;
        Event e = event_new_piped();
        EventCorrelation *c = &e.correlation;

        c->classes = BIT(SSH) | BIT(AWS);
        c->process.flags = BW_PROCESS_EXE_NOT_ROOTS | BW_PROCESS_TRACED;
        c->n_files = 2;
        c->files[1] = c->files[0];
        c->files[0].classes = BIT(AWS);
        c->files[0].mono_ns += NSEC_PER_SEC;
        c->files[1].classes = BIT(SSH) | BIT(AWS);
        c->files[1].path = view("/key");
        _cleanup_(sent_freep) Sent *s = sent_of_event(&e);
        for (size_t i = 0; i < ELEMENTSOF(wanted); i++)
                assert_only(&s->d, wanted[i].name, wanted[i].value);
        assert_int_equal(datagram_count(&s->d, "BARBWIRE_JSON"), 1);
        for (size_t i = 0; i < s->d.n; i++) {
                const char *name = s->d.fields[i].name, *suffix = strrchr(name, '_');

                if (strcmp(suffix ?: "", "_LIST") == 0 || strncmp(name, "BARBWIRE_MAIN_", 14) == 0)
                        assert_int_equal(datagram_count(&s->d, name), 1);
        }
}

static void assert_state_entry(const StateAlert *a, const char *expected) {
        _cleanup_free_ char *data = NULL;
        size_t size;

        assert_int_equal(journal_entry_from_state(a, &data, &size), 0);
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(data, expected, size);
}

static void test_state(void **state) {
        (void)state;
        const char expected[] = "MESSAGE=Detection gap (ring_full): 3 new, 7 in total: an alert could not "
                                "be handed over; remedy: raise RingBuffer=\n"
                                "BARBWIRE_TIME=1795341901023456\n"
                                "MESSAGE_ID=aba72210cf344422b66c018e0c18b713\n"
                                "PRIORITY=3\n"
                                "SYSLOG_FACILITY=10\n"
                                "SYSLOG_IDENTIFIER=barbwired\n"
                                "BARBWIRE_CAUSE=ring_full\n"
                                "BARBWIRE_COUNT=3\n"
                                "BARBWIRE_TOTAL=7\n";

        assert_state_entry(&loss, expected);
}

static void test_policy(void **state) {
        (void)state;
        const char expected[] = "MESSAGE=Policy changed (SHA-256 aa): 0 files, 0 classes, 0 allow rules\n"
                                "BARBWIRE_TIME=1795341901023456\n"
                                "MESSAGE_ID=" MESSAGE_ID_POLICY "\n"
                                "PRIORITY=5\n"
                                "SYSLOG_FACILITY=10\n"
                                "SYSLOG_IDENTIFIER=barbwired\n"
                                "BARBWIRE_POLICY=aa\n"
                                "BARBWIRE_POLICY_BEFORE=bb\n"
                                "BARBWIRE_POLICY_REFUSED=no\n"
                                "BARBWIRE_POLICY_ERRORS=0\n";

        assert_state_entry(&policy_change, expected);
}

static void test_foreign(void **state) {
        (void)state;
        const char expected[] =
                        "MESSAGE=Other BPF programs are attached to the network hooks and may block or "
                        "redirect connections: cgroup/connect4: program 12 (x), cgroup/sendmsg6: program 7\n"
                        "BARBWIRE_TIME=1795341901023456\n"
                        "MESSAGE_ID=" MESSAGE_ID_FOREIGN "\n"
                        "PRIORITY=5\n"
                        "SYSLOG_FACILITY=10\n"
                        "SYSLOG_IDENTIFIER=barbwired\n"
                        "BARBWIRE_PROGRAM=cgroup/connect4: program 12 (x)\n"
                        "BARBWIRE_PROGRAM=cgroup/sendmsg6: program 7\n";

        assert_state_entry(&foreign, expected);
}

static char *const services[] = { "a.service", NULL };
static const StateAlert fallback = {
        .kind = STATE_FALLBACK, .class = "keys", .programs = services, .realtime_usec = 1795341901023456
};

static void test_fallback(void **state) {
        (void)state;
        const char expected[] =
                        "MESSAGE=Class keys has fallen back to dry-run until the policy changes: within an "
                        "hour after the last change, trusted programs of 1 services were refused something "
                        "(a.service)\nBARBWIRE_TIME=1795341901023456\nMESSAGE_ID=" MESSAGE_ID_FALLBACK
                        "\nPRIORITY=3\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=barbwired\n"
                        "BARBWIRE_CLASS=keys\nBARBWIRE_SERVICE=a.service\n";

        assert_state_entry(&fallback, expected);
}

static void test_delay(void **state) {
        (void)state;
        const char expected[] = "MESSAGE=12 alerts were delivered late, up to 31 s after the event, because "
                                "their receiver had stopped or was too slow; none was lost\n"
                                "BARBWIRE_TIME=1795341901023456\n"
                                "MESSAGE_ID=" MESSAGE_ID_DELAY "\n"
                                "PRIORITY=4\n"
                                "SYSLOG_FACILITY=10\n"
                                "SYSLOG_IDENTIFIER=barbwired\n"
                                "BARBWIRE_COUNT=12\n"
                                "BARBWIRE_DELAYED_USEC=31999000\n";

        assert_state_entry(&delay, expected);
}

static void test_share(void **state) {
        (void)state;
        const char expected[] =
                        "MESSAGE=User 1000 has filled the share of marked objects of the cgroup "
                        "session-3.scope (1843, the latest by tar, pid 77): what is read beyond it is "
                        "only known of the user and cgroup as a whole\n"
                        "BARBWIRE_TIME=1795341901023456\n"
                        "MESSAGE_ID=" MESSAGE_ID_SHARE "\n"
                        "PRIORITY=4\n"
                        "SYSLOG_FACILITY=10\n"
                        "SYSLOG_IDENTIFIER=barbwired\n"
                        "BARBWIRE_TABLE=objects\n"
                        "BARBWIRE_UID=1000\n"
                        "BARBWIRE_PID=77\n"
                        "BARBWIRE_COMM=tar\n"
                        "BARBWIRE_CGROUP_NAME=session-3.scope\n"
                        "BARBWIRE_COUNT=1843\n"
                        "BARBWIRE_REFUSED=12\n";

        assert_state_entry(&share, expected);
}

static void test_heartbeat(void **state) {
        (void)state;
        const char expected[] = "MESSAGE=Monitoring goes on: barbwired 9, sensor lsm, policy SHA-256 aa, "
                                "degraded; losses: 5\n"
                                "BARBWIRE_TIME=1795341901023456\n"
                                "MESSAGE_ID=" MESSAGE_ID_HEARTBEAT "\n"
                                "PRIORITY=4\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=barbwired\n"
                                "BARBWIRE_HEARTBEAT=hour\nBARBWIRE_VERSION=9\nBARBWIRE_SENSOR=lsm\n"
                                "BARBWIRE_HEALTH=degraded\nBARBWIRE_DEGRADED=Hook x.\n"
                                "BARBWIRE_DEGRADED=Policy y.\nBARBWIRE_POLICY=aa\nBARBWIRE_TOTAL=5\n";

        assert_state_entry(&heartbeat, expected);
}

static char *file_read(const char *path) {
        char *text = NULL;
        size_t size = 0;

        _cleanup_fclose_ FILE *f = fopen(path, "re");
        assert_non_null(f);
        assert_true(getdelim(&text, &size, '\0', f) > 0);
        return text;
}

static char *source_read(const char *name) {
        _cleanup_free_ char *path = NULL;

        assert_true(asprintf(&path, "%s/%s", getenv("BW_SOURCE_ROOT") ?: ".", name) > 0);
        return file_read(path);
}

static void assert_documented(const char *page, const Sent *s) {
        for (size_t i = 0; i < s->d.n; i++) {
                char term[80];

                (void)snprintf(term, sizeof(term), "*%s=*", s->d.fields[i].name);
                if (!strstr(page, term))
                        fail_msg("not in barbwire.journal-fields(7): %s", s->d.fields[i].name);
        }
}

static void test_manual_page(void **state) {
        (void)state;
        _cleanup_free_ char *page = file_read(
                        getenv("BW_FIELDS_PAGE") ?: "build/daemon/man/barbwire.journal-fields.7.scd");
        Event e = event_new_piped();
        e.correlation.destination_path = view("/run/a.sock");
        e.correlation.files[0].real_path = view("/home/ana/.ssh/id");
        e.correlation.process.cgroup = view("/machine.slice/machine-box.scope/payload");
        e.correlation.process.flags = BW_PROCESS_TRACED;
        e.correlation.process.exe_inode = 1234;
        e.mono_ns -= 6 * NSEC_PER_SEC; /* so long ago that it is delivered late */
        e.correlation.files[0].mono_ns -= 6 * NSEC_PER_SEC;
        e.correlation.process.script = (EventScript){ .inode = 7, .path = view("/home/ana/get.py") };
        char cmdline[4097] = ""; /* so long that the JSON is cut */
        memset(cmdline, 'x', sizeof(cmdline) - 1);
        e.correlation.process.cmdline = view(cmdline);
        _cleanup_(alert_freep) Alert *a = alert_of(&e);
        a->sight = SIGHT_FIRST;
        Sent *sent[] = { sent_of(a), sent_of_state(&loss), sent_of_state(&policy_change),
                sent_of_state(&foreign), sent_of_state(&delay), sent_of_state(&share),
                sent_of_state(&fallback), sent_of_state(&heartbeat) };
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(sent); i++)
                assert_documented(page, sent[i]);
        assert_non_null(strstr(page, MESSAGE_ID_ALERT));
        assert_non_null(strstr(page, MESSAGE_ID_POLICY));
        assert_non_null(strstr(page, MESSAGE_ID_LOSS));
        assert_non_null(strstr(page, MESSAGE_ID_DELAY));
        assert_non_null(strstr(page, MESSAGE_ID_SHARE));
        assert_non_null(strstr(page, MESSAGE_ID_HEARTBEAT));
        assert_non_null(strstr(page, MESSAGE_ID_FALLBACK));
        assert_non_null(strstr(page, MESSAGE_ID_FOREIGN));
        assert_non_null(strstr(page, MESSAGE_ID_SELFTEST));

        /* And no field that is not written. */
        for (const char *p = page; (p = strstr(p, "*BARBWIRE_")); n++) {
                char name[65] = "";

                p++;
                (void)strncat(name, p, MIN(strcspn(p, "="), sizeof(name) - 1));
                size_t i = 0;
                while (i < ELEMENTSOF(sent) && !datagram_nth(&sent[i]->d, name, 0))
                        i++;
                if (i == ELEMENTSOF(sent))
                        fail_msg("in barbwire.journal-fields(7), but not written: %s", name);
        }
        assert_true(n >= 30);
        for (size_t i = 0; i < ELEMENTSOF(sent); i++)
                sent_free(sent[i]);
}

/* The text from "-- ID" to the next. Newly allocated. */
static char *catalog_entry(const char *catalog, const char *id) {
        char head[64];

        (void)snprintf(head, sizeof(head), "\n-- %s\n", id);
        const char *start = strstr(catalog, head);
        if (!start)
                fail_msg("no catalog entry for %s", id);
        start += strlen(head);
        const char *end = strstr(start, "\n-- ");
        return end ? strndup(start, (size_t)(end - start)) : strdup(start);
}

/* A referenced field must exist, once, be short enough for journalctl (256 bytes with the name), and
 * harmless, as journalctl escapes nothing. */
static void assert_catalog(const char *catalog, const char *id, const Sent *s) {
        _cleanup_free_ char *entry = catalog_entry(catalog, id);
        size_t n = 0;

        assert_memory_equal(entry, "Subject: ", strlen("Subject: "));
        assert_non_null(strstr(entry, "\nDefined-By: barbwire\n"));
        assert_non_null(strstr(entry, "\nDocumentation: man:barbwired(8)\n"));

        for (const char *p = entry; (p = strchr(p, '@')); n++) {
                const char *end = strchr(p + 1, '@');
                char name[65] = "";

                assert_non_null(end);
                assert_true(field_name_is_valid(p + 1, (size_t)(end - p - 1)));
                memcpy(name, p + 1, (size_t)(end - p - 1));
                const Field *f = datagram_nth(&s->d, name, 0);
                if (!f || datagram_count(&s->d, name) != 1 || strlen(name) + 1 + f->size > 256)
                        fail_msg("the catalog cannot use %s", name);
                for (size_t i = 0; i < f->size; i++)
                        if (f->data[i] < 0x20 || f->data[i] > 0x7e)
                                fail_msg("the catalog must not show %s", name);
                p = end + 1;
        }
        assert_true(n > 0);
}

static void test_catalog(void **state) {
        (void)state;
        _cleanup_free_ char *catalog = source_read("units/barbwire.catalog");
        char buffers[2][300];
        Event e = event_new();
        Event sparse = event_sparse();

        e.correlation.process.comm = hostile(buffers[0], "");
        e.correlation.files[0].path = hostile(buffers[1], "/");
        e.correlation.process.exe = e.correlation.process.cmdline = e.correlation.files[0].path;
        _cleanup_(sent_freep) Sent *bad = sent_of_event(&e), *little = sent_of_event(&sparse);
        _cleanup_(sent_freep) Sent *lost = sent_of_state(&loss), *late = sent_of_state(&delay),
                                   *changed = sent_of_state(&policy_change), *full = sent_of_state(&share),
                                   *beat = sent_of_state(&heartbeat);

        assert_catalog(catalog, MESSAGE_ID_HEARTBEAT, beat);
        assert_catalog(catalog, MESSAGE_ID_DELAY, late);
        assert_catalog(catalog, MESSAGE_ID_SHARE, full);
        assert_catalog(catalog, MESSAGE_ID_ALERT, bad);
        assert_catalog(catalog, MESSAGE_ID_ALERT, little);
        assert_catalog(catalog, MESSAGE_ID_LOSS, lost);
        assert_catalog(catalog, MESSAGE_ID_POLICY, changed);
}

/* Whatever the destination is, no field of the catalog is missing from the entry. */
static void test_catalog_families(void **state) {
        static const struct {
                uint16_t family;
                const char *path, *destination;
        } cases[] = {
                { AF_INET, "", "2.0.0.0:0" },
                { AF_INET6, "", "[200:0:7011:100::]:0" },
                { AF_UNIX, "/run/docker.sock", "a local service" },
                { AF_UNIX, "@abstract\x1b\xc3\xa4", "a local service" },
                { AF_UNIX, "", "a local service" },
                { BW_FAMILY_FILE, "/mnt/a\n", "a file that leaves this machine" },
                { AF_VSOCK, "", "vsock CID 2, port 70000" },
                { AF_PACKET, "", "network interface 2" },
                { AF_NETLINK, "", "a socket of family-16" },
                { UINT16_MAX - 2, "", "a socket of family-65533" },
                { BW_FAMILY_NONE, "", "nothing: it was judged when it opened the file" },
        };
        (void)state;
        _cleanup_free_ char *catalog = source_read("units/barbwire.catalog");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                for (uint16_t act = BW_ACT_CONNECT; act <= BW_ACT_ACCEPT; act++) {
                        Event e = event_new();

                        event_to(&e, cases[i].family, 2, 70000, cases[i].path);
                        e.correlation.destination.act = act;
                        _cleanup_(sent_freep) Sent *s = sent_of_event(&e);
                        assert_catalog(catalog, MESSAGE_ID_ALERT, s);
                        if (act == BW_ACT_CONNECT)
                                assert_only(&s->d, "BARBWIRE_DESTINATION", cases[i].destination);
                }
        }

        Event e = event_new();
        e.correlation.destination.act = BW_ACT_ACCEPT;
        _cleanup_(sent_freep) Sent *accepted = sent_of_event(&e);
        assert_only(&accepted->d, "BARBWIRE_DESTINATION", "192.0.2.7 on local port 443");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_golden),
                cmocka_unit_test(test_sparse),
                cmocka_unit_test(test_flags),
                cmocka_unit_test(test_priorities),
                cmocka_unit_test(test_hostile),
                cmocka_unit_test(test_encoding),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_single),
                cmocka_unit_test(test_state),
                cmocka_unit_test(test_policy),
                cmocka_unit_test(test_foreign),
                cmocka_unit_test(test_fallback),
                cmocka_unit_test(test_delay),
                cmocka_unit_test(test_share),
                cmocka_unit_test(test_heartbeat),
                cmocka_unit_test(test_manual_page),
                cmocka_unit_test(test_catalog),
                cmocka_unit_test(test_catalog_families),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
