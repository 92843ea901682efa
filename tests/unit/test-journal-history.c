/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Whose entries are read back: what a control group's path says. The journal itself is read in
 * tests/system/test-service-query.py, which has one. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../daemon/journal-history.h"
#include "../../daemon/util.h"

static void test_unit(void **state) {
        static const struct {
                const char *cgroup, *unit;
        } cases[] = {
                { "/system.slice/barbwire.service", "barbwire.service" },
                { "/barbwire.service", "barbwire.service" },
                { "/security.slice/security-watch.slice/barbwire@a\\x2db.service", "barbwire@a\\x2db.service" },
                { "/system.slice/_cgroup.service", "cgroup.service" },
                /* Everybody's who logs in there. */
                { "/user.slice/user-1000.slice/session-3.scope", NULL },
                { "/user.slice/user-1000.slice/user@1000.service/app.slice/barbwire.service", NULL },
                { "/user.slice/user-1000.slice/user@1000.service/init.scope", NULL },
                /* Below a service, or a container: its names. */
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
