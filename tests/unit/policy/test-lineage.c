/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which [Lineage] an executable or a unit belongs to, its limits, and the cost of the longest paths. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "policy/lineage.h"
#include "alert/score.h"
#include "basic/util.h"
#include "../policy-fixture.h"

static Bytes bytes_of(const char *s) {
        return (Bytes){ .data = s, .size = strlen(s) };
}

static uint64_t exe(const Policy *p, const char *path) {
        return lineage_match_exe(p->lineage_table, bytes_of(path)).word[0];
}

static uint64_t unit(const Policy *p, const char *name) {
        return lineage_match_unit(p->lineage_table, bytes_of(name)).word[0];
}

static void test_match(void **state) {
        _cleanup_(policy_freep) Policy *p = finished("[Lineage a]\nExe=/usr/bin/{a,b} /opt/**\nScore=1\n"
                                                     "[Lineage u]\nUnit=a@*.service [xy].scope\nScore=1\n"
                                                     "[Lineage both]\nExe=/**/b\nUnit=*\nScore=1\n");
        _cleanup_(policy_freep) Policy *none = finished("");
        char long_name[300];
        (void)state;

        assert_int_equal(p->n_messages, 0);
        assert_int_equal(exe(p, "/usr/bin/a"), 1);
        assert_int_equal(exe(p, "/usr/bin/b"), 5);
        assert_int_equal(exe(p, "/usr/bin/ab"), 0);
        assert_int_equal(exe(p, "/opt/x/y"), 1);
        assert_int_equal(exe(p, "/opt"), 0);
        /* Names from the kernel: lost, or not a path. */
        assert_int_equal(exe(p, ""), 0);
        assert_int_equal(exe(p, "opt/x"), 0);
        assert_int_equal(unit(p, "a@1.service"), 6);
        assert_int_equal(unit(p, "x.scope"), 6);
        assert_int_equal(unit(p, "z.scope"), 4);
        assert_int_equal(unit(p, ""), 0);
        memset(long_name, 'x', sizeof(long_name));
        long_name[255] = 0;
        assert_int_equal(unit(p, long_name), 4);
        long_name[255] = 'x';
        long_name[256] = 0;
        assert_int_equal(unit(p, long_name), 0);

        /* Deeper than any installed file: its end is matched like that of any path. */
        char deep[2000];
        memset(deep, 'x', sizeof(deep));
        for (size_t i = 0; i < sizeof(deep); i += 100)
                deep[i] = '/';
        memcpy(deep, "/opt/", 5);
        strcpy(deep + sizeof(deep) - 3, "/b");
        assert_int_equal(exe(p, deep), 4);
        deep[1] = 'x';
        assert_int_equal(exe(p, deep), 4);
        memset(deep + 100, 'x', sizeof(deep) - 101);
        assert_int_equal(exe(p, deep), 0);
        deep[1024] = 0;
        assert_int_equal(exe(p, deep), 0);
        memcpy(deep, "/opt/", 5);
        assert_int_equal(exe(p, deep), 1);
        /* Where reading stops is not where the path begins. */
        memset(deep, 'x', sizeof(deep));
        deep[0] = '/';
        memcpy(deep + 476, "/opt/", 5);
        deep[1500] = 0;
        assert_int_equal(exe(p, deep), 0);
        assert_int_equal(exe(p, deep + 476), 1);

        assert_null(none->lineage_table);
        assert_int_equal(exe(none, "/usr/bin/a"), 0);
        assert_int_equal(unit(none, "a.service"), 0);
}

static void expect_refusal(const char *text, const char *at, const char *contains) {
        _cleanup_(policy_freep) Policy *p = finished(text);

        assert_int_equal(p->n_errors, 1);
        expect(p, 0, at, contains);
        assert_null(p->lineage_table);
}

static void test_limits(void **state) {
        _cleanup_free_ char *text = malloc(65536);
        char *end = text;
        (void)state;

        assert_non_null(text);
        for (unsigned i = 0; i < 257; i++)
                end += sprintf(end, "[Lineage l%u]\nExe=/%u\nScore=1\n", i, i);
        expect_refusal(text, "f:769:1: ", "there are more than 256");
        text[strlen(text) - strlen("[Lineage l256]\nExe=/256\nScore=1\n")] = 0;
        _cleanup_(policy_freep) Policy *p = finished(text);
        assert_int_equal(p->n_messages, 0);
        assert_int_equal(lineage_match_exe(p->lineage_table, bytes_of("/255")).word[3], UINT64_C(1) << 63);

        expect_refusal("[Lineage a]\nExe=/ok /x/????????????????????a*\nScore=1\n",
                        "f:2:9: ", "are too many");
}

/* Nine paths as long as the kernel has them, made so that as much as possible of each must be read. */
static void test_cost(void **state) {
        _cleanup_(policy_freep) Policy *p = finished(
                        "[Class c]\nPath=/x\n"
                        "[Lineage a]\nExe=/usr/bin/{bash,zsh,fish} /opt/**\nScore=1\n"
                        "[Lineage b]\nExe=/**/.nvm/versions/node/*/bin/node /a/**/z /**a\nScore=1\n"
                        "[Lineage c]\nExe=/**/a/**/b /usr/lib/*/c /srv/**/d\nScore=1\nUnit=*x*.service\n");
        static char paths[3][4096];
        const PolicyNames names = { .class_names = { (char *)"c" } };
        const unsigned n = 200;
        int64_t worst = 0;
        (void)state;

        assert_int_equal(p->n_messages, 0);
        for (unsigned i = 0; i < 4095; i++) {
                paths[0][i] = i % 2 ? 'a' : '/';
                paths[1][i] = i == 0 ? '/' : 'a';
                paths[2][i] = i % 32 == 0 ? '/' : "abz.nvm"[i % 7];
        }
        for (unsigned k = 0; k < ELEMENTSOF(paths); k++) {
                EventCorrelation e = { .classes = 1,
                        .fresh = 1,
                        .process.exe = bytes_of(paths[k]),
                        .process.cgroup = bytes_of("/system.slice/xxxxxxxxxxxxxxxxxxxxx.service"),
                        .destination.family = 2,
                        .n_lineage = BW_LINEAGE_MAX };
                int64_t least = INT64_MAX;

                for (unsigned i = 0; i < BW_LINEAGE_MAX; i++)
                        e.lineage[i] = (EventAncestor){ .pid = 7, .exe = bytes_of(paths[k]) };
                for (unsigned i = 0; i < n; i++) {
                        struct timespec from, to;
                        Score s;

                        (void)clock_gettime(CLOCK_MONOTONIC, &from);
                        assert_int_equal(score_event(&e, 1, p, &names, 0, &s), 0);
                        (void)clock_gettime(CLOCK_MONOTONIC, &to);
                        int64_t ns = (to.tv_sec - from.tv_sec) * (int64_t)NSEC_PER_SEC + to.tv_nsec -
                                     from.tv_nsec;
                        least = MIN(least, ns);
                        score_done(&s);
                }
                print_message("# paths of kind %u: %ld ns an event\n", k, (long)least);
                worst = MAX(worst, least);
        }
        /* 20,000 events a second leave 50 µs for each; sanitizers take ten times as long. */
        assert_true(worst < 500000);
}

/* Unit= is the system's unit: below it, a user names what he likes. */
static void test_system_unit(void **state) {
        static const struct {
                const char *cgroup;
                int score;
        } cases[] = {
                { "/system.slice/web.service", 70 },
                { "/system.slice/web.service/session-3.scope", 70 },
                { "/user.slice/user-1000.slice/session-3.scope", 45 },
                { "/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope", 45 },
                { "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service", 45 },
                { "/system.slice/shop.service/web.service", 50 },
                { "ice/user-1000.slice/user@1000.service", 50 },
        };
        _cleanup_(policy_freep) Policy *p =
                        finished("[Lineage web]\nUnit=web.service\nScore=20\n"
                                 "[Lineage session]\nUnit=session-*.scope user@*.service\n"
                                 "Score=-5\n[Class c]\nPath=/c\n");
        const PolicyNames names = { .class_names = { (char *)"c" } };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                EventCorrelation e = { .classes = 1, .fresh = 1 };
                Score s;

                e.process.exe = bytes_of("");
                e.process.cgroup = bytes_of(cases[i].cgroup);
                assert_int_equal(score_event(&e, NSEC_PER_SEC, p, &names, 0, &s), 0);
                if (s.score != cases[i].score)
                        fail_msg("%s: %d", cases[i].cgroup, s.score);
                score_done(&s);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_match),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_cost),
                cmocka_unit_test(test_system_unit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
