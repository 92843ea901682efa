/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Policy → tables. The default policy (daemon/policy.d below $BW_SOURCE_ROOT or argv[1]) is tested in
 * test-default.c. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "glob/automaton.h"
#include "policy/load.h"
#include "policy/compile.h"
#include "../policy-fixture.h"

static const char *source_root;

static PolicyTables *compiled(const Policy *p, PolicyNames *names) {
        PolicyTables *t = NULL;
        PolicyMessage m = {};

        int r = policy_compile(p, names, 0, &t, &m);
        if (r < 0)
                fail_msg("%d: %s", r, m.text ? m.text : "-");
        assert_null(m.text);
        return t;
}

/* A policy without a message. */
static PolicyTables *compiled_text(const char *text, PolicyNames *names) {
        _cleanup_(policy_freep) Policy *p = finished(text);

        dump(p);
        assert_int_equal(p->n_messages, 0);
        return compiled(p, names);
}

static struct bw_bits match(const PolicyTables *t, enum bw_automaton which, const char *path) {
        return glob_automaton_match(t->cells, t->table->outputs, t->table->byte_class[which],
                        t->table->start[which], path, strlen(path), true);
}

static uint64_t classes_of(const PolicyTables *t, const char *path) {
        struct bw_bits b = match(t, BW_AUTOMATON_FILE, path);
        return b.word[BW_FILE_WORD_INCLUDE] & ~b.word[BW_FILE_WORD_EXCLUDE];
}

static void expect_classes(const PolicyTables *t, const char *path, uint64_t expected) {
        uint64_t found = classes_of(t, path);

        if (found != expected)
                fail_msg("%s: classes %#" PRIx64 " instead of %#" PRIx64, path, found, expected);
}

/* Of rules, by their bits; the first 64 are enough here. */
static void expect_rules(
                const PolicyTables *t, enum bw_automaton which, const char *name, uint64_t expected) {
        uint64_t found = match(t, which, name).word[0];

        if (found != expected)
                fail_msg("%s: rules %#" PRIx64 " instead of %#" PRIx64, name, found, expected);
}

/* Compiling must fail with r, and say so at `at`. */
static void expect_failure(const Policy *p, size_t max_cells, int r, const char *at, const char *contains) {
        _cleanup_(policy_names_done) PolicyNames names = {};
        PolicyTables *t = NULL;
        PolicyMessage m = {};

        assert_int_equal(policy_compile(p, &names, max_cells, &t, &m), r);
        assert_null(t);
        assert_null(names.class_names[0]);
        expect_message(&m, at, contains);
        free(m.text);
}

static void test_tables(void **state) {
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        _cleanup_(policy_tables_freep) PolicyTables *t =
                        compiled_text("[Class a]\nPath=/a/** /both\nExcludePath=/a/not\nWindow=2s\n"
                                      "[Class b]\nPath=/b /both ~/x\nExcludePath=~/x/y\n"
                                      "[Allow one]\nClass=a b\nExe=/usr/bin/one /usr/bin/{many,three}\n"
                                      "[Allow two]\nClass=b\nExe=/usr/bin/two\nDestination=192.0.2.0/23:443 "
                                      "[2001:db8::/33]:1-2\n"
                                      "[Allow three]\nClass=b\nExe=/usr/bin/three\nDestination=any:53\n",
                                        &names);
        assert_string_equal(names.class_names[0], "a");
        assert_string_equal(names.class_names[1], "b");
        assert_string_equal(names.rule_names[2], "three");
        assert_int_equal(t->table->fresh_ns[0], 2000000000);
        assert_int_equal(t->table->fresh_ns[1], 60000000000);
        assert_int_equal(t->table->window_ns[0], 3600000000000);
        assert_int_equal(t->table->window_ns[1], 3600000000000);
        assert_int_equal(t->table->window_ns[2], 0);
        assert_int_equal(t->n_patterns[BW_AUTOMATON_FILE], 9);
        assert_int_equal(t->n_patterns[BW_AUTOMATON_EXE], 4);
        assert_true(t->n_states[BW_AUTOMATON_FILE] > 0 && t->n_states[BW_AUTOMATON_EXE] > 0);
        assert_true(t->n_outputs > 1 && t->n_cells > 256);

        expect_classes(t, "/a/x/y", 1);
        expect_classes(t, "/a/not", 0);
        assert_int_equal(match(t, BW_AUTOMATON_FILE, "/a/not").word[BW_FILE_WORD_INCLUDE], 1);
        assert_int_equal(match(t, BW_AUTOMATON_FILE, "/a/not").word[BW_FILE_WORD_EXCLUDE], 1);
        expect_classes(t, "/both", 3);
        expect_classes(t, "/home/u/x", 2);
        assert_int_equal(match(t, BW_AUTOMATON_FILE, "/root/x/y").word[BW_FILE_WORD_EXCLUDE], 2);
        expect_rules(t, BW_AUTOMATON_EXE, "/usr/bin/one", 1);
        expect_rules(t, BW_AUTOMATON_EXE, "/usr/bin/two", 2);
        expect_rules(t, BW_AUTOMATON_EXE, "/usr/bin/three", 5);
        expect_rules(t, BW_AUTOMATON_EXE, "/a/x", 0);

        const struct bw_rule *rules = t->table->rules;
        assert_int_equal(rules[0].classes, 3);
        assert_int_equal(rules[0].n_nets, 0);
        assert_int_equal(rules[1].classes, 2);
        assert_int_equal(rules[1].n_nets, 2);
        assert_int_equal(rules[2].n_nets, 2);
        assert_int_equal(rules[3].classes, 0);
        assert_int_equal(t->n_nets, 3); /* any: is one for both families */

        static const struct {
                const char *address, *mask;
                unsigned family, rule, first, last;
        } nets[] = {
                { "192.0.2.0", "255.255.254.0", AF_INET, 1, 443, 443 },
                { "2001:db8::", "ffff:ffff:8000::", AF_INET6, 1, 1, 2 },
                { "::", "::", BW_NET_ANY, 2, 53, 53 },
        };
        for (size_t i = 0; i < ELEMENTSOF(nets); i++) {
                const struct bw_net *n = t->table->nets + i;
                uint8_t address[16] = {}, mask[16] = {};

                int family = nets[i].family == BW_NET_ANY ? AF_INET6 : (int)nets[i].family;

                assert_int_equal(inet_pton(family, nets[i].address, address), 1);
                assert_int_equal(inet_pton(family, nets[i].mask, mask), 1);
                assert_memory_equal(n->address, address, 16);
                assert_memory_equal(n->mask, mask, 16);
                assert_int_equal(n->family, nets[i].family);
                assert_int_equal(n->rule, nets[i].rule);
                assert_int_equal(n->port_first, nets[i].first);
                assert_int_equal(n->port_last, nets[i].last);
        }
        assert_int_equal(t->table->nets[3].family, 0);

        _cleanup_(policy_tables_freep) PolicyTables *empty = compiled_text("", &names);
        expect_classes(empty, "/both", 0);
        assert_string_equal(names.class_names[0], "a");
}

static bool asks(const PolicyTables *t, enum bw_condition c, unsigned rule) {
        return t->table->asks[c].word[rule / 64] >> rule % 64 & 1;
}

/* What a rule asks for beside its executable. */
static void test_conditions(void **state) {
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        _cleanup_(policy_tables_freep) PolicyTables *t = compiled_text(
                        "[Class a]\nPath=/a\nWindow=2h\nLateWindow=3h\n[Class b]\nPath=/b\nLateWindow=0\n"
                        "Code=yes\n"
                        "[Allow plain]\nClass=a\nExe=/x\n"
                        "[Allow all]\nClass=a\nExe=/x\nScript=/opt/{s,t}.py\nAncestor=/usr/sbin/cron\n"
                        "Unit=ssh@*.service docker-????.scope\nUser=0 1000\n"
                        "[Allow contained]\nClass=a\nExe=/x\nUnit=u.service\nContainer=yes\nUser=7\n"
                        "[Allow own-exe]\nClass=a\nExe=/y ~/x\nDestination=any:1\n"
                        "[Allow own-script]\nClass=a\nExe=/y\nScript=~/s /z\nDestination=any:1\n",
                        &names);
        static const bool expected[5][BW_CONDITIONS] = {
                { [BW_CONDITION_HOST] = true },
                { true, true, true, true, true },
                { [BW_CONDITION_UNIT] = true, [BW_CONDITION_USER] = true },
                { [BW_CONDITION_HOST] = true, [BW_CONDITION_OWNER] = true },
                { [BW_CONDITION_SCRIPT] = true, [BW_CONDITION_HOST] = true, [BW_CONDITION_OWNER] = true },
        };
        assert_int_equal(t->table->code, 2);
        for (unsigned rule = 0; rule < ELEMENTSOF(expected); rule++)
                for (unsigned c = 0; c < BW_CONDITIONS; c++)
                        assert_int_equal(asks(t, c, rule), expected[rule][c]);
        assert_int_equal(t->table->asks[BW_CONDITION_HOST].word[0], 27);
        expect_rules(t, BW_AUTOMATON_EXE, "/home/ana/x", 8);
        expect_rules(t, BW_AUTOMATON_SCRIPT, "/home/ana/s", 16);

        expect_rules(t, BW_AUTOMATON_EXE, "/x", 7);
        expect_rules(t, BW_AUTOMATON_SCRIPT, "/opt/t.py", 2);
        expect_rules(t, BW_AUTOMATON_SCRIPT, "/opt/u.py", 0);
        expect_rules(t, BW_AUTOMATON_ANCESTOR, "/usr/sbin/cron", 2);
        expect_rules(t, BW_AUTOMATON_UNIT, "/ssh@1-2.service", 2);
        expect_rules(t, BW_AUTOMATON_UNIT, "/docker-abcd.scope", 2);
        expect_rules(t, BW_AUTOMATON_UNIT, "/docker-abcde.scope", 0);
        expect_rules(t, BW_AUTOMATON_UNIT, "/u.service", 4);
        expect_rules(t, BW_AUTOMATON_UNIT, "/v/u.service", 0);

        static const struct bw_user users[] = { { 0, 1, 1 }, { 1000, 1, 1 }, { 7, 2, 1 }, { 0, 0, 0 } };
        assert_memory_equal(t->table->users, users, sizeof(users));
        assert_int_equal(t->n_users, 3);

        assert_int_equal(t->table->fresh_ns[0], 7200 * NSEC_PER_SEC);
        assert_int_equal(t->table->window_ns[0], 10800 * NSEC_PER_SEC);
        assert_int_equal(t->table->window_ns[1], 60 * NSEC_PER_SEC);
}

static unsigned rule_bit(const PolicyNames *names, const char *name) {
        for (unsigned bit = 0; bit < BW_RULES_MAX; bit++)
                if (names->rule_names[bit] && strcmp(names->rule_names[bit], name) == 0)
                        return bit;
        fail_msg("no rule %s", name);
        return 0;
}

/* Programs are rules beside those of [Allow], also of the same name; places are an automaton of their own.
 */
static void test_carriers(void **state) {
        static const struct {
                const char *path;
                uint64_t is;
        } places[] = {
                { "/run/x/a/b", BW_CARRIER_SILENT },
                { "/home/ana/.x", BW_CARRIER_SILENT },
                { "/root/.x", BW_CARRIER_SILENT },
                { "/var/log/a", BW_CARRIER_SILENT },
                { "/run/a.sock", BW_CARRIER_EGRESS },
                { "/run/a/b.sock", 0 },
                { "/run/two", BW_CARRIER_SILENT | BW_CARRIER_EGRESS },
                { "/c", 0 },
                { "/usr/bin/bus", 0 },
        };
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        _cleanup_(policy_tables_freep) PolicyTables *t = compiled_text(
                        "[Class c]\nPath=/c\n"
                        "[Carrier x]\nExe=/usr/bin/bus "
                        "/usr/bin/both\nUnit=x.service\nUser=7\nPath=/run/x/** ~/.x\n"
                        "[Carrier places]\nPath=/var/log/** /run/two\n"
                        "[Carrier z]\nClass=c\nExe=/usr/bin/some\nTerminal=yes\n"
                        "[Carrier out]\nPath=/run/*.sock /run/two\nEgress=yes\n"
                        "[Allow x]\nClass=c\nExe=/usr/bin/a /usr/bin/both\nDestination=any:1\nPasses=files\n"
                        "[Allow y]\nClass=c\nExe=/usr/bin/a\n"
                        "[Correlator]\nMaxHops=5\n",
                        &names);
        assert_int_equal(t->table->hops_max, 5);
        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                struct bw_bits b = match(t, BW_AUTOMATON_CARRIER, places[i].path);

                if (b.word[0] != places[i].is || (b.word[1] | b.word[2] | b.word[3]))
                        fail_msg("%s: %#llx", places[i].path, b.word[0]);
                if (strcmp(places[i].path, "/c") != 0)
                        expect_classes(t, places[i].path, 0);
        }

        unsigned allow = rule_bit(&names, "x"), plain = rule_bit(&names, "y"),
                 carrier = rule_bit(&names, "Carrier:x");
        const struct bw_rule *rules = t->table->rules;
        assert_true(allow != carrier && plain != carrier);
        assert_int_equal(rules[allow].flags, BW_RULE_FILES);
        assert_int_equal(rules[allow].classes, 1);
        assert_int_equal(rules[plain].flags, BW_RULE_PASSES);
        assert_int_equal(rules[carrier].flags, BW_RULE_CARRIER | BW_RULE_TERMINAL);
        assert_true(rules[carrier].classes == UINT64_MAX); /* of none it takes a mark */
        assert_int_equal(rules[carrier].n_nets, 0);
        assert_int_equal(rules[rule_bit(&names, "Carrier:z")].classes, 1);
        assert_int_equal(rules[rule_bit(&names, "Carrier:z")].flags, BW_RULE_TERMINAL);
        assert_null(names.rule_names[4]); /* places have no number */
        expect_rules(t, BW_AUTOMATON_EXE, "/usr/bin/bus", 1U << carrier);
        expect_rules(t, BW_AUTOMATON_EXE, "/usr/bin/both", 1U << carrier | 1U << allow);
        expect_rules(t, BW_AUTOMATON_UNIT, "/x.service", 1U << carrier);
        assert_int_equal(t->table->asks[BW_CONDITION_UNIT].word[0], 1U << carrier);
        assert_int_equal(t->table->asks[BW_CONDITION_USER].word[0], 1U << carrier);
        assert_int_equal(t->table->asks[BW_CONDITION_HOST].word[0], 15);
        assert_int_equal(t->n_users, 1);
        assert_int_equal(t->table->users[0].rule, carrier);

        /* Without any, and with every default. */
        _cleanup_(policy_tables_freep) PolicyTables *u = compiled_text("[Class c]\nPath=/c\n", &names);
        assert_int_equal(u->table->hops_max, 8);
        assert_int_equal(u->table->start[BW_AUTOMATON_CARRIER], 0);
        assert_int_equal(u->table->rules[carrier].flags, 0);
        assert_string_equal(names.rule_names[carrier], "Carrier:x"); /* it keeps its number */
}

/* Both kinds share the numbers. */
static void test_carriers_limit(void **state) {
        _cleanup_free_ char *text = malloc(64 * (BW_RULES_MAX + 2));
        char *end = stpcpy(
                        text, "[Class c]\nPath=/c\n[Allow a]\nClass=c\nExe=/a\n[Carrier place]\nPath=/p\n");
        (void)state;

        for (unsigned i = 1; i < BW_RULES_MAX; i++)
                end += sprintf(end, "[Carrier k%u]\nExe=/a\n", i);
        _cleanup_(policy_freep) Policy *fits = finished(text);
        _cleanup_(policy_names_done) PolicyNames names = {};
        _cleanup_(policy_tables_freep) PolicyTables *t = compiled(fits, &names);
        assert_int_equal(t->table->rules[rule_bit(&names, "Carrier:k255")].flags,
                        BW_RULE_CARRIER | BW_RULE_TERMINAL);

        (void)stpcpy(end, "[Carrier more]\nExe=/a\n");
        _cleanup_(policy_freep) Policy *p = finished(text);
        expect_failure(p, 0, -E2BIG, "f:518:1: ", "[Carrier more] exceeds the limit of 256 rules");
}

/* Homes are matched literally, whatever bytes they contain. */
static void test_homes(void **state) {
        _cleanup_(policy_freep) Policy *p = finished("[Class a]\nPath=~/.k/{x,y}\n");
        static const char *const homes[] = { "/srv/*", "/srv/[a]", "/srv/{b,c}", "/srv/d\\e", "/h\xff?" };
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        p->homes = calloc(ELEMENTSOF(homes) + 1, sizeof(char *));
        assert_non_null(p->homes);
        for (size_t i = 0; i < ELEMENTSOF(homes); i++)
                p->homes[p->n_homes++] = strdup(homes[i]);

        _cleanup_(policy_tables_freep) PolicyTables *t = compiled(p, &names);
        for (size_t i = 0; i < ELEMENTSOF(homes); i++)
                for (unsigned k = 0; k < 4; k++) {
                        char path[64];

                        (void)snprintf(path, sizeof(path), "%s%s/.k/%c", k & 1 ? "/var/machine" : "",
                                        homes[i], k & 2 ? 'y' : 'x');
                        expect_classes(t, path, 1);
                }
        expect_classes(t, "/srv/z/.k/x", 0);
        expect_classes(t, "/srv/a/.k/x", 0);
        expect_classes(t, "/srv/b/.k/x", 0);
        expect_classes(t, "/srv/de/.k/x", 0);
        expect_classes(t, "/h\xffx/.k/x", 0);
        expect_classes(t, "/home/u/v/.k/x", 0);
        expect_classes(t, "/root/.k/z", 0);
}

/* "PARENT/": every directory in it, and nothing else of its name is taken for a pattern. */
static void test_neighbours(void **state) {
        _cleanup_(policy_freep) Policy *p = finished("[Class a]\nPath=~/.k/x\n");
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        p->homes = calloc(2, sizeof(char *));
        assert_non_null(p->homes);
        p->homes[p->n_homes++] = strdup("/srv/[p]/");

        _cleanup_(policy_tables_freep) PolicyTables *t = compiled(p, &names);
        expect_classes(t, "/srv/[p]/ana/.k/x", 1);
        expect_classes(t, "/var/machine/srv/[p]/*/.k/x", 1);
        expect_classes(t, "/srv/[p]/.k/x", 0);
        expect_classes(t, "/srv/[p]/ana/b/.k/x", 0);
        expect_classes(t, "/srv/p/ana/.k/x", 0);
}

static Policy *many_classes(unsigned first, unsigned n) {
        _cleanup_free_ char *text = malloc(100 * n + 1);
        char *end = text;

        assert_non_null(text);
        *end = 0;
        for (unsigned i = first; i < first + n; i++)
                end += sprintf(end, "[Class c%u]\nPath=/%u\n[Allow r%u]\nClass=c%u\nExe=/%u\n", i, i, i, i,
                                i);
        return finished(text);
}

static void test_names(void **state) {
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        _cleanup_(policy_freep) Policy *p = finished("[Class a]\nPath=/a\n[Class b]\nPath=/b\n");
        _cleanup_(policy_tables_freep) PolicyTables *t = compiled(p, &names);
        expect_classes(t, "/b", 2);
        assert_ptr_equal(policy_class_by_bit(p, &names, 1), policy_class_by_name(p, "b"));
        assert_null(policy_class_by_bit(p, &names, 2));
        assert_null(policy_class_by_bit(p, &names, 64));

        /* a is given up, b stays, c does not get a's bit. */
        _cleanup_(policy_freep) Policy *q =
                        finished("[Class c]\nPath=/c\n[Class b]\nPath=/b\n[Allow x]\nClass=c\nExe=/x\n");
        _cleanup_(policy_tables_freep) PolicyTables *u = compiled(q, &names);
        assert_string_equal(names.class_names[0], "a");
        assert_string_equal(names.class_names[1], "b");
        assert_string_equal(names.class_names[2], "c");
        assert_null(policy_class_by_bit(q, &names, 0));
        expect_classes(u, "/b", 2);
        expect_classes(u, "/c", 4);
        assert_int_equal(u->table->rules[0].classes, 4);
        assert_int_equal(u->table->window_ns[0], 0);

        /* 61 more fill it up; then the bits of removed names are used, the lowest first. */
        _cleanup_(policy_freep) Policy *r = many_classes(0, 61);
        _cleanup_(policy_tables_freep) PolicyTables *v = compiled(r, &names);
        expect_classes(v, "/0", 1 << 3);
        assert_string_equal(names.class_names[2], "c");
        assert_string_equal(names.class_names[3], "c0");
        assert_string_equal(names.class_names[63], "c60");
        assert_string_equal(names.rule_names[1], "r0");
        _cleanup_(policy_freep) Policy *s = many_classes(1, 61);
        _cleanup_(policy_tables_freep) PolicyTables *w = compiled(s, &names);
        assert_string_equal(names.class_names[0], "c61");
        assert_string_equal(names.class_names[4], "c1");
        expect_classes(w, "/61", 1);
        expect_classes(w, "/1", 1 << 4);
        assert_int_equal(w->table->rules[2].classes, 1 << 4);
        expect_rules(w, BW_AUTOMATON_EXE, "/1", 1 << 2);

        /* A failure does not change the names. */
        _cleanup_(policy_freep) Policy *big = many_classes(100, 65);
        PolicyTables *none = NULL;
        PolicyMessage m = {};
        assert_int_equal(policy_compile(big, &names, 0, &none, &m), -E2BIG);
        free(m.text);
        assert_string_equal(names.class_names[0], "c61");
}

/* A process remembers by the bit what was judged by Script= and Ancestor=: with another text it is another
 * rule. */
static void test_remembered_rules(void **state) {
#define RULE "[Class c]\nPath=/c\n[Allow r]\nClass=c\nExe=/usr/bin/node\n"
        static const struct {
                const char *text;
                unsigned bit;
        } steps[] = {
                { RULE "Script=/opt/a.js\n", 0 },
                { RULE "Script=/opt/a.js\nUnit=u.service\nUser=0\nDestination=1.2.3.4\nExe=/opt/node\n", 0 },
                { RULE "Script=/opt/b.js\n", 1 },
                { RULE "Script=/opt/b.js\nAncestor=/x\n", 2 },
                { RULE "Ancestor=/opt/b.js\n", 3 },
                { RULE "Script=/opt/b.js /x\n", 4 },
                { RULE, 5 },
                /* The same again means the same again. */
                { RULE "Script=/opt/a.js\n", 0 },
        };
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                _cleanup_(policy_freep) Policy *p = finished(steps[i].text);
                _cleanup_(policy_tables_freep) PolicyTables *t = compiled(p, &names);

                expect_rules(t, BW_AUTOMATON_EXE, "/usr/bin/node", UINT64_C(1) << steps[i].bit);
                assert_int_equal(t->table->rules[steps[i].bit].classes, 1);
                assert_string_equal(names.rule_names[steps[i].bit], "r");
        }
        assert_null(names.rule_names[6]);
}

static void test_limits(void **state) {
        _cleanup_free_ char *text = malloc(65536);
        char *end = text;
        (void)state;

        _cleanup_(policy_freep) Policy *classes = many_classes(0, 65);
        expect_failure(classes, 0, -E2BIG, "f:321:1: ", "[Class c64] exceeds the limit of 64 classes");

        assert_non_null(text);
        end = stpcpy(text, "[Class c]\nPath=/c\n");
        for (unsigned i = 0; i < 257; i++)
                end += sprintf(end, "[Allow r%u]\nClass=c\nExe=/x\n", i);
        _cleanup_(policy_freep) Policy *rules = finished(text);
        expect_failure(rules, 0, -E2BIG, "f:771:1: ", "[Allow r256] exceeds the limit of 256 rules");

        end = stpcpy(text, "[Class c]\nPath=/c\n[Allow a]\nClass=c\nExe=/x\nDestination=1.1.1.1\n"
                           "[Allow b]\nClass=c\nExe=/x\n");
        for (unsigned i = 0; i < 256; i++)
                end += sprintf(end, "Destination=1.1.1.1\n");
        _cleanup_(policy_freep) Policy *nets = finished(text);
        expect_failure(nets, 0, -E2BIG, "f:265:13: ", "[Allow b] exceeds the limit of 256 destinations");

        end = stpcpy(text, "[Class c]\nPath=/c\n[Allow a]\nClass=c\nExe=/x\nUser=9\n[Allow "
                           "b]\nClass=c\nExe=/x\n"
                           "User=1");
        for (unsigned i = 0; i < 127; i++)
                end += sprintf(end, " %u", i);
        _cleanup_(policy_freep) Policy *users = finished(text);
        expect_failure(users, 0, -E2BIG, "f:10:402: ", "[Allow b] exceeds the limit of 128 users");

        _cleanup_(policy_freep) Policy *scripts = finished("[Class c]\nPath=/c\n[Allow a]\nClass=c\nExe=/x\n"
                                                           "Script=/ok /x/????????????????????a*\n");
        expect_failure(scripts, 0, -E2BIG,
                        "f:6:12: ", "with /x/????????????????????a* the patterns for scripts");

        /* Read backwards, any a may be the one that 20 bytes are left after: 2^20 sets of places to
         * remember. */
        _cleanup_(policy_freep) Policy *states =
                        finished("[Class c]\nPath=/ok /x/????????????????????a*\nPath=/c\n");
        expect_failure(states, 0, -E2BIG,
                        "f:2:10: ", "with /x/????????????????????a* the patterns for files");

        end = stpcpy(text, "[Class c]\nPath=");
        for (unsigned i = 0; i < 200; i++)
                end += sprintf(end, "/some/directory/%u/file\\\n ", i * 7919);
        _cleanup_(policy_freep) Policy *cells = finished(text);
        assert_int_equal(cells->n_messages, 0);
        expect_failure(cells, 700, -ENOSPC, "f:", "do not fit into the table of 700 cells");
        expect_failure(cells, 300, -ENOSPC,
                        "f:3:2: ", "from /some/directory/7919/file on the patterns for files");
}

/* The drop-in that the README shows, beside the default policy: no word about it, and it does what it says.
 */
static void test_drop_in(void **state) {
        static const char drop_in[] = "# /etc/barbwire/policy.d/90-site.conf\n"
                                      "[Class payroll]\n"
                                      "Description=Payroll exports\n"
                                      "Path=/srv/payroll/**.csv ~/payroll/**\n"
                                      "Window=5min\n"
                                      "Score=60\n"
                                      "[Allow nightly-backup]\n"
                                      "Class=payroll ssh-private-keys\n"
                                      "Exe=/usr/bin/restic\n"
                                      "Destination=198.51.100.7:443\n";
        char vendor[4096], site[] = "/tmp/test-policy-compile-XXXXXX", file[64], link[64];
        char *dirs[] = { site, NULL };
        _cleanup_(policy_freep) Policy *p = NULL;
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        if (!source_root)
                skip();
        assert_non_null(mkdtemp(site));
        (void)snprintf(file, sizeof(file), "%s/90-site.conf", site);
        (void)snprintf(link, sizeof(link), "%s/20-ssh.conf", site);
        (void)snprintf(vendor, sizeof(vendor), "%s/daemon/policy.d/20-ssh.conf", source_root);
        _cleanup_fclose_ FILE *f = fopen(file, "w");
        assert_non_null(f);
        assert_true(fputs(drop_in, f) >= 0 && fflush(f) == 0);
        assert_int_equal(symlink(vendor, link), 0);
        assert_int_equal(policy_load("/dev/null", dirs, "/dev/null", &p), 0);
        assert_int_equal(unlink(file) + unlink(link) + rmdir(site), 0);

        dump(p);
        assert_int_equal(p->n_messages, 0);
        _cleanup_(policy_tables_freep) PolicyTables *t = compiled(p, &names);
        const PolicyClass *payroll = policy_class_by_name(p, "payroll");
        assert_non_null(payroll);
        assert_int_equal(payroll->score, 60);
        unsigned class = 0, rule = 0;
        while (strcmp(names.class_names[class], "payroll") != 0)
                class ++;
        while (strcmp(names.rule_names[rule], "nightly-backup") != 0)
                rule++;
        assert_int_equal(t->table->fresh_ns[class], 300 * NSEC_PER_SEC);
        expect_classes(t, "/srv/payroll/2026/may.csv", UINT64_C(1) << class);
        expect_classes(t, "/srv/payroll/may.txt", 0);
        expect_classes(t, "/home/ana/payroll/x/y", UINT64_C(1) << class);
        uint64_t both = classes_of(t, "/root/.ssh/id_rsa") | UINT64_C(1) << class;
        assert_int_equal(t->table->rules[rule].classes, both);
        assert_int_equal(t->table->rules[rule].n_nets, 1);
        assert_int_equal(match(t, BW_AUTOMATON_EXE, "/usr/bin/restic").word[rule / 64],
                        UINT64_C(1) << rule % 64);
        assert_true(asks(t, BW_CONDITION_HOST, rule));
}

/* Which classes are refused, and what Never= stands for. */
static void test_enforcement(void **state) {
        (void)state;
#define DENIED "[Class a]\nPath=/a\n[Class b]\nPath=/b\nAction=deny\n[Allow x]\nClass=b\nExe=/usr/bin/x\n"
#define NEVER "Never=/usr/bin/y z*.service\n"
        _cleanup_(policy_names_done) PolicyNames names = {};
        _cleanup_(policy_tables_freep) PolicyTables *plain = compiled_text(DENIED, &names);
        assert_int_equal(plain->table->denies, 2);
        assert_int_equal(plain->table->dry, 0);
        assert_int_equal(plain->table->locks, 0);
        assert_int_equal(plain->table->stops | plain->table->kills, 0);
        _cleanup_(policy_names_done) PolicyNames others = {};
        _cleanup_(policy_tables_freep) PolicyTables *signals = compiled_text(DENIED
                        "[Class a]\nAction=stop\n[Class b]\nAction=kill\n[Allow y]\nClass=a\n"
                        "Exe=/usr/bin/x\n",
                        &others);
        assert_int_equal(signals->table->denies, 3);
        assert_int_equal(signals->table->stops, 1);
        assert_int_equal(signals->table->kills, 2);
        assert_int_equal(plain->table->never_exe, 0);
        assert_int_equal(plain->table->never_unit, 0);

        _cleanup_(policy_tables_freep) PolicyTables *never =
                        compiled_text(DENIED "[Enforcement]\nEnabled=dry-run\n" NEVER, &names);
        assert_int_equal(never->table->denies, 2);
        assert_true(never->table->dry == ~UINT64_C(0));
        unsigned exe = never->table->never_exe - 1U, unit = never->table->never_unit - 1U;
        assert_true(exe < BW_RULES_MAX && unit < BW_RULES_MAX && exe != unit);
        assert_int_equal(match(never, BW_AUTOMATON_EXE, "/usr/bin/y").word[exe / 64],
                        UINT64_C(1) << exe % 64);
        assert_int_equal(match(never, BW_AUTOMATON_UNIT, "/z1.service").word[unit / 64],
                        UINT64_C(1) << unit % 64);
        /* They allow nothing. */
        assert_int_equal(never->table->rules[exe].classes | never->table->rules[unit].classes, 0);

        /* Access=allowed, beside Action= or alone. */
        _cleanup_(policy_names_done) PolicyNames locked_names = {};
        _cleanup_(policy_tables_freep) PolicyTables *locked =
                        compiled_text("[Class a]\nPath=/a\nAccess=allowed\n[Allow x]\nClass=a\n"
                                      "Exe=/usr/bin/x\n[Enforcement]\n" NEVER,
                                        &locked_names);
        assert_int_equal(locked->table->locks, 1);
        assert_int_equal(locked->table->denies, 0);
        assert_true(locked->table->never_exe && locked->table->never_unit);

        /* FailClosed=, of what is enforced at all. */
        _cleanup_(policy_names_done) PolicyNames closed_names = {};
        _cleanup_(policy_freep) Policy *failing =
                        finished("[Class a]\nPath=/a\nAction=deny\nFailClosed=yes\n"
                                 "[Class b]\nPath=/b\nFailClosed=yes\n"
                                 "[Class c]\nPath=/c\nAccess=allowed\nFailClosed=yes\n"
                                 "[Class d]\nPath=/d\nAction=deny\n");
        _cleanup_(policy_tables_freep) PolicyTables *closed = compiled(failing, &closed_names);
        assert_int_equal(closed->table->closes, 1 | 4);

        /* ActionHops= */
        _cleanup_(policy_names_done) PolicyNames near_names = {};
        _cleanup_(policy_tables_freep) PolicyTables *near = compiled_text(
                        DENIED "[Class a]\nAction=deny\nActionHops=0\n[Allow x]\nClass=a b\n", &near_names);
        assert_int_equal(near->table->far[0], 0);
        assert_int_equal(near->table->far[1], 1);
        assert_int_equal(near->table->far[8], 1);
        assert_int_equal(near->table->far[9], 3); /* MaxHops= is at most 8 */

        /* Where nothing is refused, they cost nothing. */
        _cleanup_(policy_tables_freep) PolicyTables *off =
                        compiled_text(DENIED "[Enforcement]\nEnabled=no\n" NEVER, &names);
        assert_int_equal(off->table->denies, 0);
        assert_int_equal(off->table->never_exe | off->table->never_unit, 0);
        assert_int_equal(off->n_patterns[BW_AUTOMATON_UNIT], 0);

        /* barbwire.enforce=0 */
        _cleanup_(policy_freep) Policy *p = finished(DENIED);
        p->enforcement.off = true;
        _cleanup_(policy_tables_freep) PolicyTables *rescued = compiled(p, &names);
        assert_int_equal(rescued->table->denies, 0);
}

/* What will hurt. */
static void test_enforcement_warnings(void **state) {
        (void)state;
        _cleanup_(policy_freep) Policy *alone = finished("[Class b]\nPath=/b\nAction=deny\n");
        assert_int_equal(alone->n_messages, 1);
        expect(alone, 0, "f:1:1: ", "has Action=deny and no [Allow] section");

        _cleanup_(policy_freep) Policy *idle = finished("[Class b]\nPath=/b\nFailClosed=yes\n");
        assert_int_equal(idle->n_messages, 1);
        expect(idle, 0, "f:1:1: ", "has FailClosed=yes, which has no effect");

        _cleanup_(policy_freep) Policy *shadow = finished("[Class s]\nPath=/etc/shadow\nAction=deny\n"
                                                          "[Allow some]\nClass=s\n"
                                                          "Exe=/usr/sbin/sshd /usr/bin/{su,sudo}\n"
                                                          "Exe=/usr/sbin/unix_chkpwd\n");
        dump(shadow);
        assert_int_equal(shadow->n_messages, 2);
        expect(shadow, 0, "f:1:1: ", "/usr/bin/login");
        expect(shadow, 1, "f:1:1: ", "/usr/lib/systemd/systemd-executor");

        _cleanup_(policy_freep) Policy *nobody = finished("[Class b]\nPath=/b\nAccess=allowed\n");
        assert_int_equal(nobody->n_messages, 1);
        expect(nobody, 0, "f:1:1: ", "has Access=allowed and no [Allow] section: no program can read");

        _cleanup_(policy_freep) Policy *logins = finished("[Class s]\nPath=/etc/shadow\nAccess=allowed\n"
                                                          "[Allow some]\nClass=s\n"
                                                          "Exe=/usr/sbin/sshd /usr/bin/{su,sudo,login}\n"
                                                          "Exe=/usr/sbin/unix_chkpwd\n");
        assert_int_equal(logins->n_messages, 1);
        expect(logins, 0, "f:1:1: ", "logins will fail");

        _cleanup_(policy_freep) Policy *off = finished("[Class s]\nPath=/etc/shadow\nAction=deny\n"
                                                       "[Enforcement]\nEnabled=no\n");
        assert_int_equal(off->n_messages, 0);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tables),
                cmocka_unit_test(test_conditions),
                cmocka_unit_test(test_carriers),
                cmocka_unit_test(test_carriers_limit),
                cmocka_unit_test(test_homes),
                cmocka_unit_test(test_neighbours),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_remembered_rules),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_drop_in),
                cmocka_unit_test(test_enforcement),
                cmocka_unit_test(test_enforcement_warnings),
        };

        source_root = argc > 1 ? argv[1] : getenv("BW_SOURCE_ROOT");
        return cmocka_run_group_tests(tests, NULL, NULL);
}
