/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A thief's choices may lower the score, but not below Alert=, if the class alone is worth Medium=; a class
 * that a reload removed still raises an alert. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "alert/score.h"
#include "basic/util.h"
#include "../policy-fixture.h"

enum { GOOD = 1, HINT = 2, GONE = 4, NEVER = 8 };

static const PolicyNames names = { .class_names = { (char *)"good", (char *)"hint", (char *)"gone" } };

/* Two classes and one destination, which matches everything. */
static Policy *policy_of(unsigned score, int points, const char *more) {
        _cleanup_free_ char *text = NULL;

        assert_true(asprintf(&text,
                                    "[Class good]\nPath=/g\nScore=%u\n[Class hint]\nPath=/h\nScore=22\n"
                                    "[Destination d]\nAddress=any\nDescription=near\nScore=%d\n%s",
                                    score, points, more) > 0);
        Policy *p = finished(text);
        assert_int_equal(p->n_messages, 0);
        return p;
}

static EventCorrelation event_of(uint64_t touched, bool late) {
        return (EventCorrelation){
                .classes = touched,
                .fresh = late ? 0 : touched,
                .process = { .pid = 12, .exe = { .data = "" }, .cgroup = { .data = "" } },
                .destination = { .family = AF_INET,
                                .address = { 192, 0, 2, 7 },
                                .port = 443,
                                .protocol = 6 },
        };
}

static void assert_event(const Policy *p, const EventCorrelation *e, int score, bool below,
                Severity severity, const char *expected) {
        char lines[1024] = "";
        size_t n = 0;
        int sum = 0;
        Score s;

        assert_int_equal(score_event(e, NSEC_PER_SEC, p, &names, 0, &s), 0);
        for (size_t i = 0; i < s.n_reasons; i++) {
                n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%d %s\n", s.reasons[i].points,
                                s.reasons[i].text);
                sum += s.reasons[i].points;
        }
        if (expected)
                assert_string_equal(lines, expected);
        if (s.score != score || sum != score || s.below != below)
                fail_msg("%d%s, wanted %d:\n%s", s.score, s.below ? ", below" : "", score, lines);
        if (severity >= 0)
                assert_int_equal(s.severity, severity);
        score_done(&s);
}

static void assert_score(
                const Policy *p, uint64_t touched, bool late, int score, bool below, const char *expected) {
        const EventCorrelation e = event_of(touched, late);

        assert_event(p, &e, score, below, _SEVERITY_INVALID, expected);
}

#define FLOOR "raised to the alert threshold: delay, indirection and destination may not suppress an alert\n"
#define LATE "-25 opened the file longer ago than the class's window\n"

static void test_floor(void **state) {
        static const struct {
                unsigned class_score;
                int points; /* of the destination */
                bool late, below;
                int score;
        } cases[] = {
                { 60, -25, true, false, 20 },
                { 60, -16, true, false, 20 },
                { 60, -15, true, false, 20 },
                { 60, -14, true, false, 21 },
                { 50, -100, false, false, 20 },
                { 40, 0, true, false, 20 },
                { 40, -20, false, false, 20 },
                { 40, -21, false, false, 20 },
                { 39, -20, false, true, 19 },
                { 39, -20, true, true, 1 },
                { 22, -5, false, true, 17 },
                { 22, 0, false, false, 22 },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(policy_freep) Policy *p = policy_of(cases[i].class_score, cases[i].points, "");

                assert_score(p, GOOD, cases[i].late, cases[i].score, cases[i].below, NULL);
        }

        _cleanup_(policy_freep) Policy *p = policy_of(60, -25, "");
        assert_score(p, GOOD, true, 20, false,
                        "60 accessed a sensitive file (class good)\n" LATE
                        "-25 the destination is near (destination d)\n"
                        "10 " FLOOR);
        /* Far below 0. */
        _cleanup_(policy_freep) Policy *far = policy_of(60, -100, "");
        assert_score(far, GOOD, true, 20, false,
                        "60 accessed a sensitive file (class good)\n" LATE
                        "-100 the destination is near (destination d)\n"
                        "85 " FLOOR);
        /* The limits are the policy's. */
        _cleanup_(policy_freep) Policy *strict =
                        policy_of(60, -25, "[Scoring]\nAlert=45\nMedium=60\nHigh=80\n");
        assert_score(strict, GOOD, true, 45, false, NULL);
        _cleanup_(policy_freep) Policy *lax =
                        policy_of(60, -25, "[Scoring]\nAlert=45\nMedium=61\nHigh=80\n");
        assert_score(lax, GOOD, true, 10, true, NULL);
        _cleanup_(policy_freep) Policy *all = policy_of(60, -100, "[Scoring]\nAlert=0\n");
        assert_score(all, GOOD, true, 1, false, NULL);
}

#define PASSED "-10 the rule of the program that opened the file passes on what it prints or leaves\n"

/* What a rule passes on is 30 less, and no alert is lost by it: neither of a mere hint, nor of a class with
 * a severity, which is that of what is not passed on alone. */
static void test_passed(void **state) {
        static const struct {
                unsigned class_score;
                bool late;
                uint64_t touched, bound, passed;
                int score;
                Severity severity;
        } cases[] = {
                { 75, false, GOOD, GOOD, 0, 55, SEVERITY_HIGH },
                { 75, false, GOOD, GOOD, GOOD, 45, SEVERITY_MEDIUM },
                { 60, false, GOOD, GOOD, GOOD, 30, SEVERITY_LOW },
                { 75, true, GOOD, 0, GOOD, 40, SEVERITY_MEDIUM },
                { 40, false, GOOD, GOOD, GOOD, 20, SEVERITY_LOW },
                { 40, false, HINT, HINT, HINT, 20, SEVERITY_LOW },
                { 75, false, GOOD | HINT, HINT, HINT, 85, SEVERITY_HIGH },
                { 75, false, GOOD | HINT, GOOD, GOOD, 55, SEVERITY_MEDIUM },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(policy_freep) Policy *p =
                                policy_of(cases[i].class_score, 0, "[Class good]\nSeverity=high\n");
                EventCorrelation e = event_of(cases[i].touched, cases[i].late);

                e.bound = cases[i].bound;
                e.passed = cases[i].passed;
                assert_event(p, &e, cases[i].score, false, cases[i].severity, NULL);
        }

        _cleanup_(policy_freep) Policy *p = policy_of(60, -25, "");
        EventCorrelation e = event_of(GOOD, false);
        e.bound = e.passed = GOOD;
        assert_event(p, &e, 20, false, SEVERITY_LOW,
                        "60 accessed a sensitive file (class good)\n"
                        "-20 a rule allows the access, but not by this program\n" PASSED
                        "-25 the destination is near (destination d)\n"
                        "15 " FLOOR);
        e.fresh = e.bound = 0;
        assert_event(p, &e, 20, false, SEVERITY_LOW,
                        "60 accessed a sensitive file (class good)\n" LATE PASSED
                        "-25 the destination is near (destination d)\n"
                        "20 " FLOOR);
        /* Its rule, and not this destination. */
        e.fresh = e.bound = GOOD;
        e.passed = 0;
        assert_event(p, &e, 20, false, SEVERITY_LOW,
                        "60 accessed a sensitive file (class good)\n"
                        "-20 a rule allows the access, but not this destination\n"
                        "-25 the destination is near (destination d)\n"
                        "5 " FLOOR);
}

static void test_class_gone(void **state) {
        _cleanup_(policy_freep) Policy *p = policy_of(60, -50, "");
        (void)state;

        assert_score(p, GONE, false, 20, false,
                        "20 accessed a sensitive file of a class that the policy no longer has\n"
                        "-50 the destination is near (destination d)\n"
                        "50 " FLOOR);
        assert_score(p, NEVER, true, 20, false, NULL);
        /* Late, the hint is worth less. */
        assert_score(p, GONE | HINT, true, 20, false,
                        "20 accessed a sensitive file of a class that the policy no longer has\n"
                        "10 accessed sensitive files of 2 classes\n"
                        "-50 the destination is near (destination d)\n"
                        "40 " FLOOR);
        assert_score(p, GONE | HINT, false, 20, false,
                        "22 accessed a sensitive file (class hint)\n"
                        "10 accessed sensitive files of 2 classes\n"
                        "-50 the destination is near (destination d)\n"
                        "38 " FLOOR);
        assert_score(p, HINT, false, 1, true, NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_floor),
                cmocka_unit_test(test_passed),
                cmocka_unit_test(test_class_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
