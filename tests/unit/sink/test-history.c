/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which unit's entries are read back, by the path of a control group. Reading a journal is tested in
 * tests/system/test-service-query.py. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sink/history.h"
#include "basic/util.h"

static void test_unit(void **state) {
        static const struct {
                const char *cgroup, *unit;
        } cases[] = {
                { "/system.slice/barbwire.service", "barbwire.service" },
                { "/barbwire.service", "barbwire.service" },
                { "/security.slice/security-watch.slice/barbwire@a\\x2db.service",
                                "barbwire@a\\x2db.service" },
                { "/system.slice/_cgroup.service", "cgroup.service" },
                /* Shared by all processes of a session. */
                { "/user.slice/user-1000.slice/session-3.scope", NULL },
                { "/user.slice/user-1000.slice/user@1000.service/app.slice/barbwire.service", NULL },
                { "/user.slice/user-1000.slice/user@1000.service/init.scope", NULL },
                /* Below a service or a container, which chooses the names. */
                { "/system.slice/docker.service/barbwire.service", NULL },
                { "/machine.slice/machine-a.scope/system.slice/barbwire.service", NULL },
                { "/docker/0123/system.slice/barbwire.service", NULL },
                { "/system.slice/barbwire.service/", NULL },
                { "/system.slice", NULL },
                { "/system.slice/", NULL },
                { "/service", NULL },
                { "/", NULL },
                { "", NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *unit = NULL;
                int r = journal_history_unit(cases[i].cgroup, &unit);

                if (cases[i].unit) {
                        assert_int_equal(r, 0);
                        assert_string_equal(unit, cases[i].unit);
                } else {
                        assert_int_equal(r, -ENXIO);
                        assert_null(unit);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
