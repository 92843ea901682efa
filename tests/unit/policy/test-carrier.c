/* SPDX-License-Identifier: GPL-2.0-or-later */

/* [Carrier], Passes= and MaxHops= in a policy's text: their meaning, and the effect of each error. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "abi/policy.h"
#include "policy/check.h"
#include "policy/homes.h"
#include "../policy-fixture.h"

#define C "[Class c]\n"
#define GOOD C "Path=/a\n[Allow a]\nClass=c\nExe=/usr/bin/a\n"

static void test_carriers(void **state) {
        static const char good[] =
                        "[Carrier bus]\nExe=/usr/bin/dbus-daemon /usr/bin/x\nUnit=dbus.service\nUser=7 ana\n"
                        "Path=/run/bus ~/.bus\nDescription=The bus\n"
                        "[Carrier docker]\nPath=/run/docker.sock\nEgress=yes\nScore=-10\n"
                        "[Allow docker]\nClass=c\nExe=/a\nDestination=any:1\nPasses=nothing\n"
                        "[Allow b]\nClass=c\nExe=/a\n"
                        "[Allow e]\nClass=c\nExe=/a\nPasses=nothing\nPasses=\n"
                        "[Allow f]\nClass=c\nExe=/a\nPasses=nothing\nPasses=files \t output\n"
                        "[Correlator]\nMaxHops=3\n" C "Path=/a\n";
        Policy *q = parsed(good, strlen(good));
        (void)state;

        policy_resolve_user(q, "ana", 1000);
        assert_int_equal(policy_finish(q), 0);
        _cleanup_(policy_freep) Policy *p = q;
        if (p->n_messages > 0)
                dump(p);
        assert_int_equal(p->n_messages, 0);
        assert_int_equal(p->n_carriers, 2);
        assert_int_equal(p->hops_max, 3);
        const PolicyCarrier *c = p->carriers;
        assert_string_equal(c->rule.name, "bus");
        assert_string_equal(c->description, "The bus");
        assert_int_equal(c->rule.n_exes, 2);
        assert_string_equal(c->rule.units[0].glob, "dbus.service");
        assert_int_equal(c->rule.users[0].uid, 7);
        assert_int_equal(c->rule.users[1].uid, 1000);
        assert_int_equal(c->n_paths, 2);
        assert_string_equal(c->paths[1].glob, "~/.bus");
        assert_int_equal(c->paths[1].origin.line, 5);
        assert_false(c->egress);
        assert_true(c[1].egress);
        assert_int_equal(c[1].score, -10);
        assert_int_equal(c[1].rule.n_exes, 0);
        static const unsigned passes[] = { 0, BW_RULE_PASSES, BW_RULE_PASSES,
                BW_RULE_FILES | BW_RULE_OUTPUT };
        for (size_t i = 0; i < ELEMENTSOF(passes); i++)
                assert_int_equal(p->allows[i].passes, passes[i]);
        assert_ptr_equal(policy_rule(p, 3), p->allows + 3);
        assert_ptr_equal(policy_rule(p, 5), &p->carriers[1].rule);
        assert_null(policy_rule(p, 6));

        _cleanup_(policy_freep) Policy *empty = finished("");
        assert_int_equal(empty->hops_max, 8);
}

/* Unusable and odd sections. Nothing of an unusable one is left. */
static void test_bad_carriers(void **state) {
        static const struct {
                const char *text, *at, *contains;
                size_t n_left;
        } cases[] = {
                { "[Carrier k]\n", "f:1:1: ", "[Carrier k] is ignored: it has neither Exe= nor Path=", 0 },
                { "[Carrier k]\nPath=/a\nUnit=x.service\n", "f:1:1: ",
                                "is ignored: it has Class=, Unit=, User= or Terminal= without Exe=", 0 },
                { "[Carrier k]\nPath=/a\nUser=0\n", "f:1:1: ",
                                "is ignored: it has Class=, Unit=, User= or Terminal= without Exe=", 0 },
                { "[Carrier k]\nExe=/a\nOwn=yes\n",
                                "f:1:1: ", "is ignored: it has Own=yes without both Exe= and Path=", 0 },
                { "[Carrier k]\nPath=/a\nOwn=yes\n",
                                "f:1:1: ", "is ignored: it has Own=yes without both Exe= and Path=", 0 },
                { "[Carrier k]\nExe=/a\nPath=/b\nEgress=yes\nOwn=yes\n",
                                "f:1:1: ", "is ignored: it has Own=yes with Class=, Unit=, User=", 0 },
                { "[Carrier k]\nExe=/a\nEgress=yes\n",
                                "f:1:1: ", "is ignored: it has Egress=yes without Path=", 0 },
                { "[Carrier k]\nExe=/a\nUser=ana\n", "f:3:6: ", "[Carrier k] is ignored: ", 0 },
                { "[Carrier k]\nExe=/a\nScript=/b\n",
                                "f:3:1: ", "Script= belongs in [Allow NAME], not in [Carrier NAME]", 0 },
                { "[Carrier k]\nExe=/a\nPath=b\n", "f:3:6: ", "[Carrier k] is ignored: ", 0 },
                { "[Carrier k]\nExe=~/a\n", "f:2:5: ", "[Carrier k] is ignored: ", 0 },
                { "[Carrier k]\nPath=/a\nScore=101\n", "f:3:7: ", "[Carrier k] is ignored: ", 0 },
                { "[Carrier k]\nPath=/a\nScore=1\n",
                                "f:1:1: ", "Score= without Egress=yes, which has no effect", 1 },
                { "[Carrier k]\nExe=/usr/bin/python3\n", "f:2:5: ",
                                "the interpreter \"python\" and therefore every script: add Unit=", 1 },
                { "[Carrier k]\nExe=/tmp/a\n", "f:2:5: ", "is where users can put programs", 1 },
                { GOOD "Passes=output dirt\n",
                                "f:6:15: ", "must be nothing, or a list of output, files and children", 0 },
                { GOOD "Passes=output nothing\n", "f:6:8: ", "nothing stands alone", 0 },
                { GOOD "Output=clean\n", "f:6:1: ", "write Passes=children for Output=clean", 0 },
                { "[Correlator]\nMaxHops=0\n", "f:2:9: ", "", 0 },
                { "[Correlator]\nMaxHops=9\n", "f:2:9: ", "", 0 },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(policy_freep) Policy *p = finished(cases[i].text);

                expect(p, 0, cases[i].at, cases[i].contains);
                assert_int_equal(p->n_messages, 1);
                assert_int_equal(p->n_carriers, cases[i].n_left);
                assert_int_equal(p->hops_max, 8);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_carriers),
                cmocka_unit_test(test_bad_carriers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
