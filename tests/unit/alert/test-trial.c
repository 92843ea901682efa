/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which denials let a class fall back to a dry run: those of root's services, and none that a thief can
 * cause. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "alert/trial.h"

#define BYTES(text)                                                                                         \
        (Bytes) {                                                                                           \
                .data = (text), .size = strlen(text)                                                        \
        }
#define NGINX "/usr/sbin/nginx"
#define POLICY 7

/* A worker of nginx sends the key that its master has opened. */
static EventCorrelation denial(const char *cgroup) {
        EventCorrelation c = {
                .classes = 1,
                .fresh = 1,
                .generation = 7,
                .action = BW_ACTION_DENIED,
                .process = { .pid = 20, .uid = 33, .exe = BYTES(NGINX), .cgroup = BYTES(cgroup) },
                .n_lineage = 2,
                .lineage = { { .pid = 19, .exe = BYTES(NGINX) },
                                { .pid = 1, .exe = BYTES("/usr/lib/systemd/systemd") } },
                .n_files = 1,
        };

        c.files[0] = (EventFile){ .classes = 1, .pid = 19, .owned = true, .exe = BYTES(NGINX) };
        return c;
}

static void test_service(void **state) {
        static const struct {
                const char *cgroup, *service;
        } cases[] = {
                { "/system.slice/nginx.service", "nginx.service" },
                { "/system.slice/nginx.service/part", "nginx.service" },
                { "/system.slice/system-web.slice/web@4-1:2.service", "web@.service" },
                { "/system.slice/docker-12.scope", NULL },
                { "/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service", NULL },
                { "/machine.slice/nginx.service", NULL },
                { "/system.slice/nginx.serviced", NULL },
                { "/system.slice/.service", NULL },
                { "/system.slice", NULL },
                { "/", NULL },
                { "", NULL },
        };
        char name[TRIAL_SERVICE_SIZE];

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                const EventCorrelation c = denial(cases[i].cgroup);

                assert_int_equal(trial_service(&c, 1, name), cases[i].service != NULL);
                if (cases[i].service)
                        assert_string_equal(name, cases[i].service);
        }
}

/* Each of these is in reach of somebody who is not root. */
static void test_thieves(void **state) {
        char name[TRIAL_SERVICE_SIZE];
        EventCorrelation c;

        (void)state;
#define NEVER(change)                                                                                       \
        do {                                                                                                \
                c = denial("/system.slice/cron.service");                                                   \
                assert_true(trial_service(&c, 1, name));                                                    \
                change;                                                                                     \
                assert_false(trial_service(&c, 1, name));                                                   \
        } while (0)
        /* A job of cron's, which executes what the rules of many classes name. */
        NEVER(c.process.exe = BYTES("/usr/bin/ssh"));
        NEVER(c.process.exe = c.files[0].exe = BYTES("/usr/bin/ssh"));
        NEVER(c.lineage[0].exe = BYTES("/bin/sh"));
        NEVER(c.lineage[0].exe = (Bytes){ .data = "" });
        NEVER(c.n_lineage = 1);
        NEVER(c.lineage[1].pid = 2);
        NEVER(c.n_lineage = 0);
        /* A user's file, and one that a user's process opened. */
        NEVER(c.files[0].owned = false);
        NEVER(c.files[0].uid = 1000);
        /* Another program's data. */
        NEVER(c.files[0].exe = BYTES("/usr/bin/cat"));
        NEVER(c.files[0].n_route = 1);
        NEVER(c.files[0].execed = true);
        NEVER(c.files[0].classes = 2);
        NEVER(c.n_files = 0);
        NEVER(c.flags = BW_CORRELATION_FILES_MORE);
        NEVER(c.flags = BW_CORRELATION_SUSPECT);
        NEVER(c.flags = BW_CORRELATION_FLOOD);
        NEVER(c.flags = BW_CORRELATION_CLOSED);
        /* A second file, which is not root's. */
        NEVER((c.files[1] = c.files[0], c.files[1].uid = 33, c.n_files = 2));
        /* Code that others can change. */
        for (uint32_t flag = 1; flag < BW_PROCESS_FLAGS; flag <<= 1)
                if (flag != BW_PROCESS_SCRIPT)
                        NEVER(c.process.flags = flag);
}

static uint64_t count(Trial *t, const char *cgroup, uint64_t classes) {
        EventCorrelation c = denial(cgroup);

        c.files[0].classes = classes;
        return trial_count(t, POLICY, &c, classes);
}

static void test_count(void **state) {
        Trial t = {};

        (void)state;
        /* However often one service is hit, and whatever its instance is called. */
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(count(&t, "/system.slice/a.service", 1), 0);
        assert_int_equal(count(&t, "/system.slice/b@1.service", 1), 0);
        assert_int_equal(count(&t, "/system.slice/b@2.service", 1), 0);
        assert_int_equal(count(&t, "/user.slice/c.service", 1), 0);
        /* Another class has a count of its own. */
        assert_int_equal(count(&t, "/system.slice/c.service", 4), 0);
        assert_int_equal(count(&t, "/system.slice/d.service", 1 | 4), 1);
        assert_string_equal(t.services[0][2], "d.service");
        assert_int_equal(count(&t, "/system.slice/e.service", 1), 0);

        /* The count of another policy starts at nothing. */
        EventCorrelation c = denial("/system.slice/f.service");

        assert_int_equal(trial_count(&t, POLICY + 1, &c, 1), 0);
        assert_string_equal(t.services[0][1], "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_service),
                cmocka_unit_test(test_thieves),
                cmocka_unit_test(test_count),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
