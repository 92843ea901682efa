/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each circumstance, alone and together: the points, the reasons, and their sum. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "policy/build.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "alert/evidence.h"
#include "alert/score.h"
#include "basic/util.h"
#include "../score-lines.h"

enum { SSH, NPM, ENV, AWS, WALLET, FREE, GONE, NEVER };
#define BIT(n) (1ULL << (n))

static PolicyClass classes[] = {
        /* Not in the order of their bits: a bit is no index. */
        { .name = (char *)"free", .score = 0, .severity = _SEVERITY_INVALID },
        { .name = (char *)"app-secrets", .score = 20, .severity = _SEVERITY_INVALID },
        { .name = (char *)"wallets",
                        .description = (char *)"Coins",
                        .score = 100,
                        .severity = SEVERITY_LOW },
        { .name = (char *)"cloud-aws", .score = 20, .severity = SEVERITY_MEDIUM },
        { .name = (char *)"package-registries", .score = 50, .severity = _SEVERITY_INVALID },
        { .name = (char *)"ssh-private-keys",
                        .description = (char *)"SSH private keys",
                        .score = 60,
                        .severity = SEVERITY_HIGH },
};
static const Policy policy = {
        .classes = classes,
        .n_classes = ELEMENTSOF(classes),
        .scoring = { .alert = 20, .medium = 40, .high = 70 },
};
static const PolicyNames names = {
                .class_names =
                                {
                                                [SSH] = (char *)"ssh-private-keys",
                                                [NPM] = (char *)"package-registries",
                                                [ENV] = (char *)"app-secrets",
                                                [AWS] = (char *)"cloud-aws",
                                                [WALLET] = (char *)"wallets",
                                                [FREE] = (char *)"free",
                                                [GONE] = (char *)"given-up",
                                },
};

static EventCorrelation event_new(uint64_t touched) {
        return (EventCorrelation){
                .classes = touched,
                .fresh = touched,
                .process = { .pid = 12,
                                .exe = { .data = "/usr/bin/curl", .size = strlen("/usr/bin/curl") },
                                .cgroup = { .data = "" } },
                .destination = { .family = AF_INET,
                                .address = { 192, 0, 2, 7 },
                                .port = 443,
                                .protocol = 6 },
        };
}

#define NOW (100000 * NSEC_PER_SEC)

static Score score_of(const EventCorrelation *e, const Policy *p) {
        Score s;

        assert_int_equal(score_event(e, NOW, p, &names, 0, &s), 0);
        return s;
}

/* expected: lines of "POINTS TEXT". */
static void assert_score_in(const Policy *p, const EventCorrelation *e, uint64_t lineage_classes, int score,
                Severity severity, const char *expected) {
        Score s;

        assert_int_equal(score_event(e, NOW, p, &names, lineage_classes, &s), 0);
        assert_score_lines(&s, false, score, expected);
        assert_int_equal(s.severity, severity);

        score_done(&s);
        assert_int_equal(s.n_reasons, 0);
        /* A second call does nothing. */
        score_done(&s);
}

static void assert_score(const EventCorrelation *e, int score, Severity severity, const char *expected) {
        assert_score_in(&policy, e, 0, score, severity, expected);
}

/* The classes above, and these sections. */
static Policy *policy_with(const char *sections) {
        static const char path[] = "\nPath=/x\n";
        _cleanup_free_ char *text = NULL;
        Policy *p = NULL;

        assert_true(asprintf(&text,
                                    "[Class package-registries]%sScore=50\n[Class app-secrets]%sScore=20\n"
                                    "[Class cloud-aws]%sScore=20\nSeverity=medium\n"
                                    "[Class ssh-private-keys]%sScore=60\n%s",
                                    path, path, path, path, sections) > 0);
        assert_int_equal(policy_new(&p), 0);
        assert_int_equal(policy_parse(p, "f", text, strlen(text)), 0);
        assert_int_equal(policy_finish(p), 0);
        for (size_t i = 0; i < p->n_messages; i++)
                fail_msg("%s", p->messages[i].text);
        return p;
}

static void test_one_class(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(NPM));
        assert_score(&e, 50, SEVERITY_MEDIUM, "50 accessed a sensitive file (class package-registries)\n");

        e = event_new(BIT(ENV));
        assert_score(&e, 20, SEVERITY_LOW, "20 accessed a sensitive file (class app-secrets)\n");
}

static void test_severity_floor(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(SSH));
        assert_score(&e, 60, SEVERITY_HIGH,
                        "60 accessed a sensitive file: SSH private keys (class ssh-private-keys)\n"
                        "0 class ssh-private-keys has a severity of at least high\n");

        /* Not of a process that got it by a connection within this host: it may serve others. */
        e.n_files = 1;
        e.files[0] = (EventFile){ .classes = BIT(SSH),
                .via = BW_VIA_LOOPBACK,
                .n_route = 1,
                .route = { { .via = BW_VIA_LOOPBACK } } };
        assert_score(&e, 20, SEVERITY_LOW,
                        "60 accessed a sensitive file: SSH private keys (class ssh-private-keys)\n"
                        "-3 the data was written and read again once: it may no longer contain the secret\n"
                        "-40 the data went through a connection within this host, to a process that may "
                        "serve "
                        "others, too\n"
                        "3 raised to the alert threshold: delay, indirection and destination may not "
                        "suppress an "
                        "alert\n");

        e = event_new(BIT(AWS));
        assert_score(&e, 20, SEVERITY_MEDIUM,
                        "20 accessed a sensitive file (class cloud-aws)\n"
                        "0 class cloud-aws has a severity of at least medium\n");

        /* A floor, not a ceiling. */
        e = event_new(BIT(WALLET));
        assert_score(&e, 100, SEVERITY_HIGH, "100 accessed a sensitive file: Coins (class wallets)\n");

        /* The strictest one counts, whatever its score. */
        e = event_new(BIT(AWS) | BIT(NPM) | BIT(SSH));
        e.fresh = 0;
        assert_score(&e, 55, SEVERITY_HIGH,
                        "60 accessed a sensitive file: SSH private keys (class ssh-private-keys)\n"
                        "-25 opened the file longer ago than the class's window\n"
                        "20 accessed sensitive files of 3 classes\n"
                        "0 class ssh-private-keys has a severity of at least high\n");
}

static void test_severity_limits(void **state) {
        (void)state;
        static const struct {
                unsigned score;
                Severity severity;
        } limits[] = {
                { 1, SEVERITY_LOW },
                { 19, SEVERITY_LOW },
                { 20, SEVERITY_LOW },
                { 39, SEVERITY_LOW },
                { 40, SEVERITY_MEDIUM },
                { 69, SEVERITY_MEDIUM },
                { 70, SEVERITY_HIGH },
                { 100, SEVERITY_HIGH },
        };

        for (size_t i = 0; i < ELEMENTSOF(limits); i++) {
                PolicyClass class = {
                        .name = (char *)"free", .score = limits[i].score, .severity = _SEVERITY_INVALID
                };
                const Policy p = { .classes = &class, .n_classes = 1, .scoring = policy.scoring };
                EventCorrelation e = event_new(BIT(FREE));
                Score s = score_of(&e, &p);

                assert_int_equal(s.below, limits[i].score < 20);
                assert_int_equal(s.severity, limits[i].severity);
                assert_int_equal(s.n_reasons, 1);
                score_done(&s);
        }
}

static void test_further_classes(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(ENV) | BIT(NPM));
        assert_score(&e, 60, SEVERITY_MEDIUM,
                        "50 accessed a sensitive file (class package-registries)\n"
                        "10 accessed sensitive files of 2 classes\n");

        /* Of equals the first bit's is named. */
        e = event_new(BIT(AWS) | BIT(ENV));
        assert_score(&e, 30, SEVERITY_MEDIUM,
                        "20 accessed a sensitive file (class app-secrets)\n"
                        "10 accessed sensitive files of 2 classes\n"
                        "0 class cloud-aws has a severity of at least medium\n");

        /* At most 30, and at most 100. */
        e = event_new(BIT(SSH) | BIT(NPM) | BIT(ENV) | BIT(AWS) | BIT(FREE));
        assert_score(&e, 90, SEVERITY_HIGH,
                        "60 accessed a sensitive file: SSH private keys (class ssh-private-keys)\n"
                        "30 accessed sensitive files of 5 classes\n");

        e = event_new(UINT64_MAX);
        assert_score(&e, 100, SEVERITY_HIGH,
                        "100 accessed a sensitive file: Coins (class wallets)\n"
                        "30 accessed sensitive files of 64 classes\n"
                        "-30 capped at the highest score, 100\n");
}

static void test_lowest(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(FREE));
        assert_score(&e, 1, SEVERITY_LOW,
                        "0 accessed a sensitive file (class free)\n"
                        "1 raised to the lowest score, 1\n");

        e = event_new(BIT(ENV));
        e.fresh = 0;
        assert_score(&e, 1, SEVERITY_LOW,
                        "20 accessed a sensitive file (class app-secrets)\n"
                        "-25 opened the file longer ago than the class's window\n"
                        "6 raised to the lowest score, 1\n");
}

static void test_unknown_class(void **state) {
        (void)state;
        static const unsigned bits[] = { GONE, NEVER, 63 };

        for (size_t i = 0; i < ELEMENTSOF(bits); i++) {
                EventCorrelation e = event_new(BIT(bits[i]));
                e.fresh = i % 2 ? e.classes : 0;
                assert_score(&e, 20, SEVERITY_LOW,
                                "20 accessed a sensitive file of a class that the policy no longer has\n");
        }
}

/* From the end of the class's window on. Ages are those of the newest file of the class that scores. */
static void test_late(void **state) {
        static const struct {
                uint64_t age_sec;
                const char *text;
        } ages[] = {
                { 61, "opened the file 61 s ago" },
                { 119, "opened the file 119 s ago" },
                { 120, "opened the file 2 min ago" },
                { 7199, "opened the file 119 min ago" },
                { 7200, "opened the file 2 h ago" },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(ages); i++) {
                EventCorrelation e = event_new(BIT(NPM));
                char expected[256];

                e.fresh = 0;
                e.n_files = 3;
                e.files[0] = (EventFile){
                        .via = BW_VIA_OPEN, .classes = BIT(ENV), .mono_ns = NOW - NSEC_PER_SEC
                };
                e.files[1] = (EventFile){ .via = BW_VIA_OPEN,
                        .classes = BIT(NPM) | BIT(ENV),
                        .mono_ns = NOW - ages[i].age_sec * NSEC_PER_SEC };
                e.files[2] = (EventFile){ .via = BW_VIA_OPEN, .classes = BIT(NPM), .mono_ns = 1 };
                (void)snprintf(expected, sizeof(expected),
                                "50 accessed a sensitive file (class package-registries)\n"
                                "-25 %s, longer than the class's window\n",
                                ages[i].text);
                assert_score(&e, 25, SEVERITY_LOW, expected);
        }

        /* 60 late are less than 50 fresh, 80 would be more; a late class still counts as one. */
        EventCorrelation e = event_new(BIT(WALLET) | BIT(NPM));
        e.fresh = BIT(NPM);
        assert_score(&e, 85, SEVERITY_HIGH,
                        "100 accessed a sensitive file: Coins (class wallets)\n"
                        "-25 opened the file longer ago than the class's window\n"
                        "10 accessed sensitive files of 2 classes\n");
        _cleanup_(policy_freep) Policy *p = policy_with("");
        e = event_new(BIT(SSH) | BIT(NPM));
        e.fresh = BIT(NPM);
        assert_score_in(p, &e, 0, 60, SEVERITY_MEDIUM,
                        "50 accessed a sensitive file (class package-registries)\n"
                        "10 accessed sensitive files of 2 classes\n");
}

/* The kind of each class, the points of the one that scores, and the kind of the alert: the strongest. */
static void test_evidence(void **state) {
        static const struct {
                uint64_t classes, fresh, bound;
                Evidence evidence;
                int score;
                const char *reasons;
        } cases[] = {
                { BIT(NPM), BIT(NPM), 0, EVIDENCE_UNBOUND, 50,
                                "50 accessed a sensitive file (class package-registries)\n" },
                { BIT(NPM), BIT(NPM), BIT(NPM), EVIDENCE_BOUND, 30,
                                "50 accessed a sensitive file (class package-registries)\n"
                                "-20 a rule allows the access, but not this destination\n" },
                { BIT(NPM), 0, 0, EVIDENCE_LATE, 25,
                                "50 accessed a sensitive file (class package-registries)\n"
                                "-25 opened the file longer ago than the class's window\n" },
                /* One of several: the class that scores has its own, and the alert the strongest. */
                { BIT(WALLET) | BIT(NPM), BIT(WALLET) | BIT(NPM), BIT(WALLET), EVIDENCE_UNBOUND, 90,
                                "100 accessed a sensitive file: Coins (class wallets)\n"
                                "-20 a rule allows the access, but not this destination\n"
                                "10 accessed sensitive files of 2 classes\n" },
                { BIT(WALLET) | BIT(NPM), BIT(NPM), BIT(NPM), EVIDENCE_BOUND, 85,
                                "100 accessed a sensitive file: Coins (class wallets)\n"
                                "-25 opened the file longer ago than the class's window\n"
                                "10 accessed sensitive files of 2 classes\n" },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                EventCorrelation e = event_new(cases[i].classes);

                e.fresh = cases[i].fresh;
                e.bound = cases[i].bound;
                assert_int_equal(evidence_of_event(&e), cases[i].evidence);
                Score s = score_of(&e, &policy);
                assert_score_lines(&s, false, cases[i].score, cases[i].reasons);
                score_done(&s);
        }
        for (Evidence k = 0; k < _EVIDENCE_MAX; k++)
                assert_non_null(evidence_to_string(k));
        assert_string_equal(evidence_to_string(EVIDENCE_BOUND), "bound");
}

/* One process for each file or one for all: the same sum. */
static void test_lineage_classes(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(NPM));

        assert_score_in(&policy, &e, BIT(NPM), 50, SEVERITY_MEDIUM,
                        "50 accessed a sensitive file (class package-registries)\n");
        assert_score_in(&policy, &e, BIT(NPM) | BIT(ENV) | BIT(AWS), 70, SEVERITY_HIGH,
                        "50 accessed a sensitive file (class package-registries)\n"
                        "20 its lineage accessed sensitive files of 2 more classes within 5 minutes\n");
        e = event_new(BIT(NPM) | BIT(ENV));
        assert_score_in(&policy, &e, UINT64_MAX, 80, SEVERITY_HIGH,
                        "50 accessed a sensitive file (class package-registries)\n"
                        "10 accessed sensitive files of 2 classes\n"
                        "20 its lineage accessed sensitive files of 62 more classes within 5 minutes\n");
}

static Bytes bytes_of(const char *s) {
        return (Bytes){ .data = s, .size = strlen(s) };
}

static void test_lineage(void **state) {
        (void)state;
        _cleanup_(policy_freep) Policy *p =
                        policy_with("[Lineage shells]\nExe=/usr/bin/{bash,zsh}\nScore=5\n"
                                    "Description=below a shell\n"
                                    "[Lineage web]\nUnit=nginx.service apache*.service\n"
                                    "Score=20\n"
                                    "[Lineage both]\nExe=/opt/**\nUnit=app@*.service\n"
                                    "Score=-30\n"
                                    "[Lineage said]\nExe=/usr/sbin/cron\nDescription=below cron\n");
        EventCorrelation e = event_new(BIT(NPM));

        e.process.cgroup = bytes_of("/system.slice/apache2.service");
        e.n_lineage = 3;
        e.lineage[0] = (EventAncestor){ .pid = 7, .exe = bytes_of("/usr/bin/dash") };
        e.lineage[1] = (EventAncestor){ .pid = 8, .exe = bytes_of("/usr/sbin/cron") };
        e.lineage[2] = (EventAncestor){ .pid = 9, .exe = bytes_of("/usr/bin/zsh") };
        assert_score_in(p, &e, 0, 75, SEVERITY_HIGH,
                        "50 accessed a sensitive file (class package-registries)\n"
                        "5 below a shell (lineage shells, pid 9)\n"
                        "20 has a lineage that the policy rates (lineage web)\n"
                        "0 below cron (lineage said, pid 8)\n");

        /* Each once, and its own executable before an ancestor's. */
        e.process.exe = bytes_of("/usr/bin/bash");
        e.process.cgroup = bytes_of("/system.slice/my-nginx.service");
        assert_score_in(p, &e, 0, 55, SEVERITY_MEDIUM,
                        "50 accessed a sensitive file (class package-registries)\n"
                        "5 below a shell (lineage shells)\n"
                        "0 below cron (lineage said, pid 8)\n");

        /* Exe= and Unit=: both. */
        e.n_lineage = 1;
        e.process.exe = bytes_of("/usr/bin/curl");
        e.lineage[0].exe = bytes_of("/opt/app/bin/run");
        assert_score_in(p, &e, 0, 50, SEVERITY_MEDIUM,
                        "50 accessed a sensitive file (class package-registries)\n");
        e.process.cgroup = bytes_of("/system.slice/system-app.slice/app@1.service");
        assert_score_in(p, &e, 0, 20, SEVERITY_LOW,
                        "50 accessed a sensitive file (class package-registries)\n"
                        "-30 has a lineage that the policy rates (lineage both, pid 7)\n");
        e.lineage[0].exe = bytes_of("");
        assert_score_in(p, &e, 0, 50, SEVERITY_MEDIUM,
                        "50 accessed a sensitive file (class package-registries)\n");
}

/* Reasons beyond the limit are not shown and do not count. */
static void test_many_lineages(void **state) {
        char text[4096] = "";
        Score s;
        (void)state;

        for (unsigned i = 0; i < 20; i++)
                (void)sprintf(text + strlen(text), "[Lineage l%u]\nExe=/usr/bin/curl\nScore=1\n", i);
        _cleanup_(policy_freep) Policy *p = policy_with(text);
        EventCorrelation e = event_new(UINT64_MAX);

        e.process.flags = BW_PROCESS_EXE_DELETED | BW_PROCESS_NOT_HOST | BW_PROCESS_INJECTED |
                          BW_PROCESS_FOREIGN_CODE | BW_PROCESS_TRACED;
        e.n_files = 1;
        e.files[0] = (EventFile){ .via = BW_VIA_FORK, .pid = 11 };
        s = score_of(&e, p);
        assert_int_equal(s.score, 100);
        assert_string_equal(
                        s.reasons[s.n_reasons - 2].text, "has a lineage that the policy rates (lineage l7)");
        score_done(&s);
}

/* Of a packet on a raw socket that the tracepoint sensor saw: it is not this host, whose address it has. */
static void test_destination_unknown(void **state) {
        (void)state;
        _cleanup_(policy_freep) Policy *p =
                        policy_with("[Destination loopback]\nAddress=loopback\nScore=-20\n");
        static const uint16_t families[] = { AF_INET, AF_INET6 };

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                EventCorrelation e = event_new(BIT(NPM));
                Score s;

                e.destination = (struct bw_destination){ .family = families[i], .act = BW_ACT_SEND };
                s = score_of(&e, p);
                assert_int_equal(s.score, 50);
                assert_non_null(strstr(s.reasons[s.n_reasons - 1].text, "not known"));
                score_done(&s);
                e.destination.port = 53;
                s = score_of(&e, p);
                assert_int_equal(s.score, 30);
                score_done(&s);
        }
}

static void test_destination(void **state) {
        static const struct {
                uint16_t family;
                uint8_t address[16];
                uint16_t port;
                const char *name; /* of the section that scores; NULL: none */
                bool ignored;
        } cases[] = {
                { AF_INET, { 127, 0, 0, 1 }, 1, "loopback", false },
                { AF_INET, { 127, 255, 255, 255 }, 443, "loopback", false },
                { AF_INET, { 0 }, 1, "loopback", false },
                { AF_INET, { 0, 0, 0, 1 }, 1, NULL, false },
                { AF_INET, { 128, 0, 0, 1 }, 1, NULL, false },
                { AF_INET6, { [15] = 1 }, 1, "loopback", false },
                { AF_INET6, { 0 }, 1, "loopback", false },
                { AF_INET6, { [15] = 2 }, 1, NULL, false },
                { AF_INET6, { [0] = 127, [15] = 1 }, 1, NULL, false },
                { AF_INET, { 192, 0, 2, 7 }, 53, "names", false },
                { AF_INET6, { [0] = 0x20 }, 53, "names", false },
                { AF_INET, { 127, 0, 0, 53 }, 53, "loopback",
                                false }, /* 8 bits are more specific than none */
                { AF_INET, { 10, 1, 2, 3 }, 1, "private", false },
                { AF_INET, { 10, 200, 2, 3 }, 1, "private-too", false },
                { AF_INET, { 10, 200, 7, 3 }, 1, "backup", true },
                { AF_INET, { 10, 200, 7, 4 }, 1, "backup", true },
                { AF_INET, { 10, 200, 7, 5 }, 1, "exception", true }, /* one with Ignore=yes is enough */
                { AF_INET, { 10, 200, 8, 0 }, 1, "private-too", false },
                { AF_INET, { 10, 200, 7, 3 }, 9, "private-too", false },
                { AF_INET, { 192, 168, 1, 1 }, 1, "first", false }, /* of equals the first */
                { AF_INET, { 172, 31, 255, 255 }, 1, "odd-bits", false },
                { AF_INET, { 172, 32, 0, 0 }, 1, NULL, false },
        };
        (void)state;
        _cleanup_(policy_freep) Policy *p = policy_with(
                        "[Destination names]\nPort=53\nScore=-1\n"
                        "[Destination loopback]\nAddress=loopback\nScore=-1\n"
                        "[Destination private]\nAddress=10.0.0.0/8\nScore=-1\n"
                        "[Destination private-too]\nAddress=10.128.0.0/9\nScore=-1\n"
                        "[Destination backup]\nAddress=10.200.7.0/24\nPort=1 4-8\nIgnore=yes\nScore=-1\n"
                        "[Destination exception]\nAddress=10.200.7.5\nScore=-1\n"
                        "[Destination first]\nAddress=192.168.0.0/16\nScore=-1\n"
                        "[Destination second]\nAddress=192.168.0.0/16\nScore=-1\n"
                        "[Destination odd-bits]\nAddress=172.16.0.0/12\nScore=-1\n");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                EventCorrelation e = event_new(BIT(NPM));
                char expected[128] = "";
                Score s;

                e.destination.family = cases[i].family;
                e.destination.port = cases[i].port;
                memcpy(e.destination.address, cases[i].address, 16);
                if (cases[i].name)
                        (void)snprintf(expected, sizeof(expected),
                                        "the destination is one that the policy rates (destination %s)",
                                        cases[i].name);
                s = score_of(&e, p);
                if (s.n_reasons != (cases[i].name ? 2 : 1) || s.score != (cases[i].name ? 49 : 50) ||
                                strcmp(cases[i].name ? s.reasons[1].text : "", expected) != 0 ||
                                s.ignored != cases[i].ignored)
                        fail_msg("case %zu: %s", i, s.n_reasons > 1 ? s.reasons[1].text : "-");
                score_done(&s);
        }
}

/* A score below Alert= raises no alert, unless the class has a Severity=. */
static void test_below(void **state) {
        static const struct {
                uint64_t classes;
                bool below;
        } cases[] = { { BIT(NPM), false }, { BIT(ENV), true }, { BIT(AWS), false },
                { BIT(AWS) | BIT(ENV), false } };
        (void)state;
        _cleanup_(policy_freep) Policy *p = policy_with("[Scoring]\nAlert=50\nMedium=51\nHigh=80\n");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                EventCorrelation e = event_new(cases[i].classes);
                Score s = score_of(&e, p);

                assert_int_equal(s.below, cases[i].below);
                assert_int_equal(s.severity, cases[i].classes & BIT(AWS) ? SEVERITY_MEDIUM : SEVERITY_LOW);
                score_done(&s);
        }
}

static void test_flags(void **state) {
        static const struct {
                uint32_t flags;
                int points;
                const char *reasons;
        } cases[] = {
                { BW_PROCESS_EXE_MEMORY | BW_PROCESS_EXE_DELETED | BW_PROCESS_EXE_NOT_ROOTS |
                                                BW_PROCESS_FOREIGN_CODE,
                                15, "15 runs from memory: its executable is not a file on disk\n" },
                { BW_PROCESS_EXE_DELETED | BW_PROCESS_EXE_DIR_WRITABLE, 15,
                                "15 runs from a directory that anyone may write to\n" },
                { BW_PROCESS_EXE_DELETED | BW_PROCESS_EXE_NOT_ROOTS, 10,
                                "10 its executable was deleted or replaced after it started\n" },
                { BW_PROCESS_EXE_WRITABLE | BW_PROCESS_EXE_NOT_ROOTS | BW_PROCESS_FOREIGN_CODE, 10,
                                "10 its executable is writable by others than its owner\n" },
                { BW_PROCESS_EXE_NOT_ROOTS, 5, "5 its executable is not owned by root\n" },
                { BW_PROCESS_NOT_HOST, 0,
                                "0 runs in a container or chroot: it sees other files than the host\n" },
                { BW_PROCESS_UNREAD, 0,
                                "0 was started with an environment that is too large to be examined, so "
                                "that no rule applies to it\n" },
                { BW_PROCESS_INJECTED | BW_PROCESS_FOREIGN_CODE | BW_PROCESS_TRACED, 30,
                                "10 was started with LD_PRELOAD= or the like, which makes it run other "
                                "code\n"
                                "10 runs code from a file that users other than root may change\n"
                                "10 is traced by another process, which may control it\n" },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                EventCorrelation e = event_new(BIT(NPM));
                char expected[512];

                e.process.flags = cases[i].flags;
                (void)snprintf(expected, sizeof(expected),
                                "50 accessed a sensitive file (class package-registries)\n%s",
                                cases[i].reasons);
                assert_score(&e, 50 + cases[i].points,
                                50 + cases[i].points < 70 ? SEVERITY_MEDIUM : SEVERITY_HIGH, expected);
        }
}

static void test_executable(void **state) {
        (void)state;
        static const struct {
                const char *exe, *reason;
        } cases[] = {
                { "/tmp/x", "runs from /tmp, which anyone may write to" },
                { "/var/tmp/a/b", "runs from /var/tmp, which anyone may write to" },
                { "/dev/shm/x", "runs from /dev/shm, which anyone may write to" },
                { "/tmpx/x", NULL },
                { "/opt/tmp/x", NULL },
                { "", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                EventCorrelation e = event_new(BIT(NPM));

                e.process.exe = bytes_of(cases[i].exe);
                Score s = score_of(&e, &policy);
                if (cases[i].reason) {
                        assert_int_equal(s.score, 65);
                        assert_int_equal(s.n_reasons, 2);
                        assert_string_equal(s.reasons[1].text, cases[i].reason);
                        assert_int_equal(s.reasons[1].points, 15);
                } else {
                        assert_int_equal(s.score, 50);
                        assert_int_equal(s.n_reasons, 1);
                }
                score_done(&s);
        }
}

static void test_inherited(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(NPM));

        e.n_files = 2;
        e.files[0] = (EventFile){ .via = BW_VIA_OPEN, .pid = 12 };
        e.files[1] = (EventFile){ .via = BW_VIA_FORK, .pid = 11, .generation = 1 };
        assert_score(&e, 50, SEVERITY_MEDIUM,
                        "50 accessed a sensitive file (class package-registries)\n"
                        "0 inherited from its parent, pid 11\n");

        e.files[1].generation = 3;
        assert_score(&e, 50, SEVERITY_MEDIUM,
                        "50 accessed a sensitive file (class package-registries)\n"
                        "0 inherited from its ancestor, pid 11, 3 generations up\n");

        e.n_files = 1;
        assert_score(&e, 50, SEVERITY_MEDIUM, "50 accessed a sensitive file (class package-registries)\n");
}

/* Every step at once. */
static void test_everything(void **state) {
        (void)state;
        _cleanup_(policy_freep) Policy *p = policy_with("[Lineage l]\nExe=/tmp/x\nScore=5\n"
                                                        "[Destination d]\nAddress=loopback\nScore=-20\n"
                                                        "Description=over there\n");
        EventCorrelation e = event_new(BIT(SSH) | BIT(AWS));

        e.fresh = 0;
        e.process.exe = bytes_of("/tmp/x");
        e.process.flags = BW_PROCESS_TRACED;
        e.destination = (struct bw_destination){ .family = AF_INET6, .address = { [15] = 1 }, .port = 53 };
        e.n_files = 1;
        e.files[0] = (EventFile){
                .via = BW_VIA_FORK, .pid = 11, .classes = BIT(SSH), .mono_ns = NOW - 70 * NSEC_PER_SEC
        };
        assert_score_in(p, &e, BIT(ENV), 65, SEVERITY_MEDIUM,
                        "60 accessed a sensitive file (class ssh-private-keys)\n"
                        "-25 opened the file 70 s ago, longer than the class's window\n"
                        "10 accessed sensitive files of 2 classes\n"
                        "10 its lineage accessed sensitive files of 1 more class within 5 minutes\n"
                        "15 runs from /tmp, which anyone may write to\n"
                        "10 is traced by another process, which may control it\n"
                        "0 inherited from its parent, pid 11\n"
                        "5 has a lineage that the policy rates (lineage l)\n"
                        "-20 the destination is over there (destination d)\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_class),
                cmocka_unit_test(test_severity_floor),
                cmocka_unit_test(test_severity_limits),
                cmocka_unit_test(test_further_classes),
                cmocka_unit_test(test_lowest),
                cmocka_unit_test(test_unknown_class),
                cmocka_unit_test(test_late),
                cmocka_unit_test(test_evidence),
                cmocka_unit_test(test_lineage_classes),
                cmocka_unit_test(test_lineage),
                cmocka_unit_test(test_many_lineages),
                cmocka_unit_test(test_destination),
                cmocka_unit_test(test_destination_unknown),
                cmocka_unit_test(test_below),
                cmocka_unit_test(test_flags),
                cmocka_unit_test(test_executable),
                cmocka_unit_test(test_inherited),
                cmocka_unit_test(test_everything),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
