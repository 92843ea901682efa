/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Keys that narrow a rule: Path= and ExcludeArgument=, and User= of a [Carrier]. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "glob/automaton.h"
#include "policy/compile.h"
#include "../policy-fixture.h"

/* Of rules, by their bits; the first 64 are enough here. */
static void expect_rules(const PolicyTables *t, const char *path, uint64_t expected) {
        struct bw_bits b = glob_automaton_match(t->cells, t->table->outputs,
                        t->table->byte_class[BW_AUTOMATON_PATH], t->table->start[BW_AUTOMATON_PATH], path,
                        strlen(path), true);

        if (b.word[0] != expected)
                fail_msg("%s: rules %#llx instead of %#lx", path, (unsigned long long)b.word[0], expected);
}

/* Path= and ExcludeArgument= of a rule. */
static void test_narrowed(void **state) {
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        _cleanup_(policy_freep) Policy *p =
                        finished("[Class a]\nPath=/a/** ~/.a/[!b]?\nExcludePath=/a/not\n[Class b]\nPath=/b\n"
                                 "[Class c]\nPath=/a/c\n"
                                 "[Allow one]\nClass=a b\nPath=/a/x* ~/.a/yy\nExe=/usr/bin/one\n"
                                 "[Allow two]\nPath=/{a/c,b}\nExe=/usr/bin/two\nExcludeArgument=--long* -x\n"
                                 "[Carrier r]\nExe=/r\nUser=0\n[Carrier u]\nExe=/u\nUser=7\n");
        dump(p);
        assert_int_equal(p->n_messages, 0);
        assert_int_equal(p->allows[1].n_classes, 3);
        _cleanup_(policy_tables_freep) PolicyTables *t = NULL;
        PolicyMessage m = {};
        assert_int_equal(policy_compile(p, &names, 0, &t, &m), 0);
        const struct bw_table *table = t->table;
        assert_int_equal(table->rules[1].classes, 7);
        assert_int_equal(table->asks[BW_CONDITION_PATH].word[0], 3);
        assert_int_equal(table->asks[BW_CONDITION_ARGUMENT].word[0], 2);
        assert_int_equal(table->asks[BW_CONDITION_USER].word[0], 12);
        assert_int_equal(table->asks[BW_CONDITION_STARTED].word[0], 4);
        expect_rules(t, "/a/x1", 1);
        expect_rules(t, "/box/home/ana/.a/yy", 1);
        expect_rules(t, "/a/y", 0);
        expect_rules(t, "/a/c", 2);
        expect_rules(t, "/b", 2);

        const struct bw_argument *argument = table->arguments;
        assert_int_equal(t->n_arguments, 2);
        assert_int_equal(argument[0].rule, 1);
        assert_memory_equal(argument[0].text, "--long\0", 8);
        assert_memory_equal(argument[0].mask, "\xff\xff\xff\xff\xff\xff\0", 8);
        assert_memory_equal(argument[1].text, "-x\0\0", 5);
        assert_memory_equal(argument[1].mask, "\xff\xff\xff\0", 4);
        assert_int_equal(argument[0].used & argument[1].used & !argument[2].used, 1);

        /* Files of no class, and of another class than the rule's. */
        static const struct {
                const char *text, *says;
        } odd[] = {
                { "Path=/none\nExe=/x\n", "no file of its Path= is of a class" },
                { "Path=/a/not\nExe=/x\n", "no file of its Path= is of a class" },
                { "Class=b\nPath=/b /a/x\nExe=/x\n", "/a/x is of none of the classes of [Allow o]" },
        };
        for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
                char text[256];

                (void)snprintf(text, sizeof(text),
                                "[Class a]\nPath=/a/**\nExcludePath=/a/not\n[Class b]\nPath=/b\n[Allow "
                                "o]\n%s",
                                odd[i].text);
                _cleanup_(policy_freep) Policy *q = finished(text);
                assert_int_equal(q->n_messages, 1);
                assert_non_null(strstr(q->messages[0].text, odd[i].says));
                assert_int_equal(q->n_allows, i == 2);
        }

        /* No room for more. */
        char many[1024];
        size_t n = (size_t)snprintf(many, sizeof(many),
                        "[Class a]\nPath=/a\n[Allow m]\nClass=a\nExe=/x\n"
                        "ExcludeArgument=");
        for (unsigned i = 0; i <= BW_ARGUMENTS_MAX; i++)
                n += (size_t)snprintf(many + n, sizeof(many) - n, "-%u ", i);
        _cleanup_(policy_freep) Policy *full = finished(many);
        PolicyTables *none = NULL;
        assert_int_equal(policy_compile(full, &names, 0, &none, &m), -E2BIG);
        assert_non_null(strstr(m.text, "the limit of 32 arguments of all rules"));
        assert_int_equal(m.origin.line, 6);
        free(m.text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_narrowed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
