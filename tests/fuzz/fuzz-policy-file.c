/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Any bytes as a policy file, cut in two at "\n---\n" as if a drop-in followed: read, finish, compile.
 * Every result must be consistent: messages with a place in a file, complete rules, tables that can
 * be walked. */

#include <errno.h>
#include <string.h>

#include "glob/automaton.h"
#include "policy/build.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "policy/lineage.h"
#include "policy/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                  \
        do {                                                                                                \
                if (!(condition))                                                                           \
                        abort();                                                                            \
        } while (0)

static void messages_check(const Policy *p) {
        size_t n_errors = 0;

        for (size_t i = 0; i < p->n_messages; i++) {
                const PolicyMessage *m = p->messages + i;

                REQUIRE(m->origin.file && m->text && m->text[0]);
                REQUIRE((m->origin.line == 0) == (m->origin.column == 0));
                for (const char *c = m->text; *c; c++)
                        REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7f);
                n_errors += m->level == POLICY_ERROR;
        }
        REQUIRE(n_errors <= p->n_errors && (n_errors > 0) == (p->n_errors > 0));
}

static void globs_check(const PolicyGlob *globs, size_t n, bool path) {
        for (size_t i = 0; i < n; i++)
                REQUIRE(path ? globs[i].glob[0] == '/' : !strchr(globs[i].glob, '/'));
}

static void policy_check(const Policy *p) {
        for (size_t i = 0; i < p->n_classes; i++) {
                const PolicyClass *c = p->classes + i;

                REQUIRE(c->name[0] && c->n_paths > 0 && c->score <= 100);
                REQUIRE(c->window_usec >= USEC_PER_SEC && c->window_usec <= 86400 * USEC_PER_SEC);
                REQUIRE(c->late_window_usec >= c->window_usec &&
                                c->late_window_usec <= 86400 * USEC_PER_SEC);
                REQUIRE(c->n_techniques == 0 || !c->techniques[c->n_techniques]);
        }
        for (size_t i = 0; i < p->n_allows; i++) {
                const PolicyAllow *a = p->allows + i;

                REQUIRE(a->n_classes > 0 && a->n_exes > 0 && !a->broken);
                REQUIRE(!a->container || a->n_units > 0);
                for (size_t k = 0; k < a->n_classes; k++)
                        REQUIRE(policy_class_by_name(p, a->classes[k].name));
                for (size_t k = 0; k < a->n_paths; k++)
                        REQUIRE(a->paths[k].glob[0] == '/' || a->paths[k].glob[0] == '~');
                for (size_t k = 0; k < a->n_excluded; k++)
                        REQUIRE(a->excluded[k].name[0] && a->excluded[k].name[0] != '*');
                globs_check(a->exes, a->n_exes, true);
                globs_check(a->scripts, a->n_scripts, true);
                globs_check(a->ancestors, a->n_ancestors, true);
                globs_check(a->units, a->n_units, false);
                for (size_t k = 0; k < a->n_users; k++)
                        REQUIRE(a->users[k].known && a->users[k].uid < UINT32_MAX);
                for (size_t k = 0; k < a->n_destinations; k++)
                        REQUIRE(a->destinations[k].port_first <= a->destinations[k].port_last);
        }
}

static void carriers_check(const Policy *p) {
        REQUIRE(p->hops_max >= 1 && p->hops_max <= 8);
        for (size_t i = 0; i < p->n_carriers; i++) {
                const PolicyCarrier *c = p->carriers + i;

                REQUIRE(!c->rule.broken && c->rule.n_exes + c->n_paths > 0 && abs(c->score) <= 100);
                REQUIRE(c->rule.n_exes > 0 || c->rule.n_units + c->rule.n_users == 0);
                REQUIRE(!c->egress || c->n_paths > 0);
                globs_check(c->rule.exes, c->rule.n_exes, true);
                globs_check(c->rule.units, c->rule.n_units, false);
                for (size_t k = 0; k < c->rule.n_users; k++)
                        REQUIRE(c->rule.users[k].known && c->rule.users[k].uid < UINT32_MAX);
        }
}

static void scoring_check(const Policy *p) {
        REQUIRE(p->scoring.alert <= p->scoring.medium && p->scoring.medium <= p->scoring.high &&
                        p->scoring.high <= 100);
        for (size_t i = 0; i < p->n_lineages; i++) {
                globs_check(p->lineages[i].exes, p->lineages[i].n_exes, true);
                globs_check(p->lineages[i].units, p->lineages[i].n_units, false);
                REQUIRE(abs(p->lineages[i].score) <= 100);
        }
        for (size_t i = 0; i < p->n_destinations; i++) {
                REQUIRE(abs(p->destinations[i].score) <= 100);
                for (size_t k = 0; k < p->destinations[i].n_ports; k++)
                        REQUIRE(p->destinations[i].ports[k].first <= p->destinations[i].ports[k].last);
        }

        const struct bw_bits exe =
                        lineage_match_exe(p->lineage_table, (Bytes){ .data = "/usr/bin/a", .size = 10 });
        const struct bw_bits unit =
                        lineage_match_unit(p->lineage_table, (Bytes){ .data = "a.service", .size = 9 });
        for (size_t i = p->n_lineages; i < LINEAGES_MAX; i++)
                REQUIRE(!((exe.word[i / 64] | unit.word[i / 64]) >> i % 64 & 1));
}

static void tables_check(const PolicyTables *t) {
        static const char *const paths[] = { "/etc/shadow", "/home/u/.ssh/id", "/a", "/" };

        for (unsigned which = 0; which < BW_AUTOMATA; which++)
                for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                        (void)glob_automaton_match(t->cells, t->table->outputs, t->table->byte_class[which],
                                        t->table->start[which], paths[i], strlen(paths[i]), i % 2);
        for (size_t i = 0; i < t->n_nets; i++) {
                const struct bw_net *n = t->table->nets + i;

                REQUIRE(t->table->rules[n->rule].n_nets > 0);
                REQUIRE((n->address[0] & ~n->mask[0]) == 0 && (n->address[1] & ~n->mask[1]) == 0);
        }
        for (size_t i = 0; i < BW_RULES_MAX; i++)
                REQUIRE(t->table->rules[i].flags == 0 || t->table->rules[i].classes != 0);
        for (size_t i = 0; i < BW_USERS_MAX; i++)
                REQUIRE(t->table->users[i].used == (i < t->n_users) &&
                                t->table->users[i].rule < BW_RULES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char separator[] = "\n---\n";
        _cleanup_(policy_freep) Policy *p = NULL;
        _cleanup_(policy_tables_freep) PolicyTables *t = NULL;
        _cleanup_(policy_names_done) PolicyNames names = {};
        PolicyMessage m = {};
        const char *text = (const char *)data;
        const char *second = memmem(text, size, separator, strlen(separator));
        size_t n = second ? (size_t)(second - text) : size;

        REQUIRE(policy_new(&p) == 0);
        REQUIRE(policy_parse(p, "1", text, n) == 0);
        if (second)
                REQUIRE(policy_parse(p, "2", second + strlen(separator), size - n - strlen(separator)) == 0);
        REQUIRE(policy_finish(p) == 0);
        messages_check(p);
        policy_check(p);
        carriers_check(p);
        scoring_check(p);

        /* A small table: to fill the largest takes longer than a fuzzer should wait, and shows no more. */
        int r = policy_compile(p, &names, 8192, &t, &m);
        REQUIRE(r == 0 || r == -E2BIG || r == -ENOSPC);
        REQUIRE((r < 0) == (m.text != NULL) && (r < 0) == (t == NULL));
        free(m.text);
        if (t)
                tables_check(t);
        return 0;
}
