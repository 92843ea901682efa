/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each circumstance, alone and together: the points, the words, and that they sum up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "../../daemon/score.h"
#include "../../daemon/util.h"

enum { SSH, NPM, ENV, AWS, WALLET, FREE, GONE, NEVER };
#define BIT(n) (1ULL << (n))

static PolicyClass classes[] = {
                /* Not in the order of their bits: a bit is no index. */
                {.name = (char *)"free", .score = 0, .severity = _SEVERITY_INVALID},
                {.name = (char *)"app-secrets", .score = 20, .severity = _SEVERITY_INVALID},
                {.name = (char *)"wallets",
                                .description = (char *)"Coins",
                                .score = 100,
                                .severity = SEVERITY_LOW},
                {.name = (char *)"cloud-aws", .score = 20, .severity = SEVERITY_MEDIUM},
                {.name = (char *)"package-registries", .score = 50, .severity = _SEVERITY_INVALID},
                {.name = (char *)"ssh-private-keys",
                                .description = (char *)"SSH private keys",
                                .score = 60,
                                .severity = SEVERITY_HIGH},
};
static const Policy policy = {.classes = classes, .n_classes = ELEMENTSOF(classes)};
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
                        .process = {.pid = 12,
                                        .exe = {.data = "/usr/bin/curl", .size = strlen("/usr/bin/curl")}},
                        .destination = {.family = AF_INET,
                                        .address = {192, 0, 2, 7},
                                        .port = 443,
                                        .protocol = 6},
        };
}

/* expected: lines of "POINTS TEXT". */
static void assert_score(const EventCorrelation *e, int score, Severity severity, const char *expected) {
        char lines[4096] = "";
        size_t n = 0;
        int sum = 0;
        Score s;

        assert_int_equal(score_event(e, &policy, &names, &s), 0);
        for (size_t i = 0; i < s.n_reasons; i++) {
                n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%d %s\n", s.reasons[i].points,
                                s.reasons[i].text);
                sum += s.reasons[i].points;
        }

        assert_string_equal(lines, expected);
        assert_int_equal(s.score, score);
        assert_int_equal(sum, score);
        assert_int_equal(s.severity, severity);

        score_done(&s);
        assert_int_equal(s.n_reasons, 0);
        /* Done twice is done. */
        score_done(&s);
}

static void test_one_class(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(NPM));
        assert_score(&e, 50, SEVERITY_MEDIUM, "50 touched a secret (class package-registries)\n");

        e = event_new(BIT(ENV));
        assert_score(&e, 20, SEVERITY_LOW, "20 touched a secret (class app-secrets)\n");
}

static void test_severity_floor(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(SSH));
        assert_score(&e, 60, SEVERITY_HIGH,
                        "60 touched a secret: SSH private keys (class ssh-private-keys)\n"
                        "0 class ssh-private-keys is never less than high\n");

        e = event_new(BIT(AWS));
        assert_score(&e, 20, SEVERITY_MEDIUM,
                        "20 touched a secret (class cloud-aws)\n"
                        "0 class cloud-aws is never less than medium\n");

        /* A floor, not a ceiling. */
        e = event_new(BIT(WALLET));
        assert_score(&e, 100, SEVERITY_HIGH, "100 touched a secret: Coins (class wallets)\n");

        /* The strictest one counts, whatever its score. */
        e = event_new(BIT(AWS) | BIT(NPM) | BIT(SSH));
        e.destination.address[0] = 127;
        assert_score(&e, 60, SEVERITY_HIGH,
                        "60 touched a secret: SSH private keys (class ssh-private-keys)\n"
                        "20 touched 3 different classes of secrets\n"
                        "-20 the destination is this host itself\n"
                        "0 class ssh-private-keys is never less than high\n");
}

static void test_severity_limits(void **state) {
        (void)state;
        static const struct {
                unsigned score;
                Severity severity;
        } limits[] = {
                        {1, SEVERITY_LOW},
                        {39, SEVERITY_LOW},
                        {40, SEVERITY_MEDIUM},
                        {69, SEVERITY_MEDIUM},
                        {70, SEVERITY_HIGH},
                        {100, SEVERITY_HIGH},
        };

        for (size_t i = 0; i < ELEMENTSOF(limits); i++) {
                PolicyClass class = {.name = (char *)"free",
                                .score = limits[i].score,
                                .severity = _SEVERITY_INVALID};
                const Policy p = {.classes = &class, .n_classes = 1};
                EventCorrelation e = event_new(BIT(FREE));
                Score s;

                assert_int_equal(score_event(&e, &p, &names, &s), 0);
                assert_int_equal(s.severity, limits[i].severity);
                assert_int_equal(s.n_reasons, 1);
                score_done(&s);
        }
}

static void test_further_classes(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(ENV) | BIT(NPM));
        assert_score(&e, 60, SEVERITY_MEDIUM,
                        "50 touched a secret (class package-registries)\n"
                        "10 touched 2 different classes of secrets\n");

        /* Of equals the first bit's is named. */
        e = event_new(BIT(AWS) | BIT(ENV));
        assert_score(&e, 30, SEVERITY_MEDIUM,
                        "20 touched a secret (class app-secrets)\n"
                        "10 touched 2 different classes of secrets\n"
                        "0 class cloud-aws is never less than medium\n");

        /* At most 30, and at most 100. */
        e = event_new(BIT(SSH) | BIT(NPM) | BIT(ENV) | BIT(AWS) | BIT(FREE));
        assert_score(&e, 90, SEVERITY_HIGH,
                        "60 touched a secret: SSH private keys (class ssh-private-keys)\n"
                        "30 touched 5 different classes of secrets\n");

        e = event_new(UINT64_MAX);
        assert_score(&e, 100, SEVERITY_HIGH,
                        "100 touched a secret: Coins (class wallets)\n"
                        "30 touched 64 different classes of secrets\n"
                        "-30 no score is above 100\n");
}

static void test_lowest(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(FREE));
        assert_score(&e, 1, SEVERITY_LOW,
                        "0 touched a secret (class free)\n"
                        "1 no score is below 1\n");

        e = event_new(BIT(ENV));
        e.destination.address[0] = 127;
        e.destination.port = 53;
        assert_score(&e, 1, SEVERITY_LOW,
                        "20 touched a secret (class app-secrets)\n"
                        "-20 the destination is this host itself\n"
                        "-5 looks like a name lookup (port 53)\n"
                        "6 no score is below 1\n");
}

static void test_unknown_class(void **state) {
        (void)state;
        static const unsigned bits[] = {GONE, NEVER, 63};

        for (size_t i = 0; i < ELEMENTSOF(bits); i++) {
                EventCorrelation e = event_new(BIT(bits[i]));
                assert_score(&e, 1, SEVERITY_LOW,
                                "0 touched a secret of a class that the policy no longer has\n"
                                "1 no score is below 1\n");
        }
}

static int points_of(const EventCorrelation *e, const char *text) {
        int points = 0;
        Score s;

        assert_int_equal(score_event(e, &policy, &names, &s), 0);
        for (size_t i = 0; i < s.n_reasons; i++)
                if (strcmp(s.reasons[i].text, text) == 0)
                        points = s.reasons[i].points;
        score_done(&s);
        return points;
}

static void test_this_host(void **state) {
        (void)state;
        static const struct {
                uint16_t family;
                uint8_t address[16];
                bool local;
        } cases[] = {
                        {AF_INET, {127, 0, 0, 1}, true},
                        {AF_INET, {127, 255, 255, 255}, true},
                        {AF_INET, {0}, true},
                        {AF_INET, {0, 0, 0, 1}, false},
                        {AF_INET, {128, 0, 0, 1}, false},
                        {AF_INET, {126, 0, 0, 1}, false},
                        {AF_INET6, {[15] = 1}, true},
                        {AF_INET6, {0}, true},
                        {AF_INET6, {[15] = 2}, false},
                        {AF_INET6, {[0] = 127, [15] = 1}, false},
                        {AF_INET6, {[4] = 1}, false},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                EventCorrelation e = event_new(BIT(NPM));
                e.destination.family = cases[i].family;
                memcpy(e.destination.address, cases[i].address, 16);
                if (points_of(&e, "the destination is this host itself") != (cases[i].local ? -20 : 0))
                        fail_msg("case %zu", i);
        }
}

static void test_executable(void **state) {
        (void)state;
        static const struct {
                const char *exe, *reason;
        } cases[] = {
                        {"/tmp/x", "runs from /tmp, where anyone may write"},
                        {"/var/tmp/a/b", "runs from /var/tmp, where anyone may write"},
                        {"/dev/shm/x", "runs from /dev/shm, where anyone may write"},
                        {"/memfd:", "runs from memory, its executable is no file on disk"},
                        {"/memfd:kworker", "runs from memory, its executable is no file on disk"},
                        {"/tmpx/x", NULL},
                        {"/opt/tmp/x", NULL},
                        {"/home/memfd:x", NULL},
                        {"/memfd", NULL},
                        {"", NULL},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                EventCorrelation e = event_new(BIT(NPM));
                Score s;

                e.process.exe = (Bytes){.data = cases[i].exe, .size = strlen(cases[i].exe)};
                assert_int_equal(score_event(&e, &policy, &names, &s), 0);
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
        e.files[0] = (EventFile){.via = BW_VIA_OPEN, .pid = 12};
        e.files[1] = (EventFile){.via = BW_VIA_FORK, .pid = 11, .hops = 1};
        assert_score(&e, 50, SEVERITY_MEDIUM,
                        "50 touched a secret (class package-registries)\n"
                        "0 inherited from its parent, pid 11\n");

        e.files[1].hops = 3;
        assert_score(&e, 50, SEVERITY_MEDIUM,
                        "50 touched a secret (class package-registries)\n"
                        "0 inherited from pid 11, its ancestor 3 generations ago\n");

        e.n_files = 1;
        assert_score(&e, 50, SEVERITY_MEDIUM, "50 touched a secret (class package-registries)\n");
}

/* Every step at once: the list of reasons holds them all. */
static void test_everything(void **state) {
        (void)state;
        EventCorrelation e = event_new(BIT(SSH) | BIT(NPM));

        e.process.exe = (Bytes){.data = "/tmp/x", .size = 6};
        e.destination = (struct bw_destination){.family = AF_INET6, .address = {[15] = 1}, .port = 53};
        e.n_files = 1;
        e.files[0] = (EventFile){.via = BW_VIA_FORK, .pid = 11};
        assert_score(&e, 60, SEVERITY_HIGH,
                        "60 touched a secret: SSH private keys (class ssh-private-keys)\n"
                        "10 touched 2 different classes of secrets\n"
                        "15 runs from /tmp, where anyone may write\n"
                        "0 inherited from its parent, pid 11\n"
                        "-20 the destination is this host itself\n"
                        "-5 looks like a name lookup (port 53)\n"
                        "0 class ssh-private-keys is never less than high\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_one_class),
                        cmocka_unit_test(test_severity_floor),
                        cmocka_unit_test(test_severity_limits),
                        cmocka_unit_test(test_further_classes),
                        cmocka_unit_test(test_lowest),
                        cmocka_unit_test(test_unknown_class),
                        cmocka_unit_test(test_this_host),
                        cmocka_unit_test(test_executable),
                        cmocka_unit_test(test_inherited),
                        cmocka_unit_test(test_everything),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
