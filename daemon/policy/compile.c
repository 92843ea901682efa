/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Policy → tables: bits for names, automata for globs, ranges for destinations. Must not give the bit of a
 * name to another name while an unused bit is left, since processes marked under the previous policy carry
 * the bits. */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "glob/automaton.h"
#include "policy/compile.h"
#include "basic/hash.h"
#include "policy/pattern-list.h"
#include "policy/values.h"
#include "policy/variants.h"

/* The default policy has some 26,000 for files. A state takes at least two cells, so that this many fill the
 * largest table; exceeding it takes a third of a second. */
#define STATES_MAX (POLICY_CELLS_MAX / 2)

static const char *const automaton_names[BW_AUTOMATA] = {
        [BW_AUTOMATON_FILE] = "files",
        [BW_AUTOMATON_EXE] = "executables",
        [BW_AUTOMATON_SCRIPT] = "scripts",
        [BW_AUTOMATON_UNIT] = "units",
        [BW_AUTOMATON_ANCESTOR] = "ancestors",
        [BW_AUTOMATON_CARRIER] = "carriers",
        [BW_AUTOMATON_PATH] = "files of rules",
};

/* Never= makes two rules of no class: a unit counts whatever it executes. */
typedef enum Never {
        NEVER_EXE,
        NEVER_UNIT,
        NEVERS,
} Never;

static const char *const never_labels[NEVERS] = { "Never:exe", "Never:unit" };

/* The bits of the names in the policy, and the names to add to PolicyNames on success. */
typedef struct Numbering {
        unsigned class_bits[BW_CLASSES_MAX];    /* per class of the policy */
        const PolicyAllow *rules[BW_RULES_MAX]; /* the rules of the policy that name a program */
        size_t n_rules;
        char *labels[BW_RULES_MAX]; /* per rule; that of a carrier cannot be the name of an [Allow] */
        uint32_t flags[BW_RULES_MAX];
        unsigned rule_bits[BW_RULES_MAX];
        char *class_names[BW_CLASSES_MAX]; /* per bit: the name that is new there */
        char *rule_names[BW_RULES_MAX];
        uint64_t rule_prints[BW_RULES_MAX]; /* per rule of the policy */
        PolicyAllow never[NEVERS];          /* rules that stand for Never= */
        bool denies;                        /* the kernel refuses something of some class */
} Numbering;

static void strings_clear(char **strings, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(strings[i]);
                strings[i] = NULL;
        }
}

static void numbering_done(Numbering *n) {
        strings_clear(n->labels, ELEMENTSOF(n->labels));
        strings_clear(n->class_names, ELEMENTSOF(n->class_names));
        strings_clear(n->rule_names, ELEMENTSOF(n->rule_names));
        free(n->never[NEVER_EXE].exes);
        free(n->never[NEVER_UNIT].units);
}

void policy_names_done(PolicyNames *n) {
        strings_clear(n->class_names, ELEMENTSOF(n->class_names));
        strings_clear(n->rule_names, ELEMENTSOF(n->rule_names));
}

PolicyTables *policy_tables_free(PolicyTables *t) {
        if (!t)
                return NULL;
        free(t->table);
        free(t->cells);
        free(t);
        return NULL;
}

/* Sets *ret_message and returns error, or -ENOMEM if the message cannot be allocated. */
_printf_(4, 5) static int fail(
                PolicyMessage *ret_message, int error, PolicyOrigin origin, const char *format, ...) {
        char *text = FORMAT_ARGUMENTS(format);

        if (!text)
                return -ENOMEM;
        *ret_message = (PolicyMessage){ .level = POLICY_ERROR, .origin = origin, .text = text };
        return error;
}

/* A process stores the results of these conditions of a rule, so that a change of their text makes another
 * rule. A weak hash suffices: a collision would need an attacker who chooses both policies. */
static int rule_print(const Policy *p, const PolicyAllow *a, uint64_t *ret) {
        const PolicyGlob *const lists[] = { a->scripts, a->ancestors };
        const size_t n[] = { a->n_scripts, a->n_ancestors };
        uint64_t print = FNV1A_INIT;

        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                _cleanup_(pattern_list_done) PatternList l = {};

                for (size_t k = 0; k < n[i]; k++) {
                        int r = pattern_list_append_variants(&l, p, lists[i] + k, 0);
                        if (r < 0)
                                return r;
                }
                /* including NUL, which separates the items */
                for (size_t k = 0; k < l.n; k++)
                        print = fnv1a(print, l.patterns[k].glob, strlen(l.patterns[k].glob) + 1);
                print = fnv1a(print, &(unsigned char){ (unsigned char)i }, 1);
        }
        *ret = print;
        return 0;
}

/* Assigns bits to names. old: names per bit. ret_names: new names per bit. A name keeps its bit if the
 * prints are equal, too; old_prints: per bit, prints: per name, NULL if names have none. */
static int numbers_assign(char *const *old, const uint64_t *old_prints, unsigned max, char *const *names,
                const uint64_t *prints, size_t n_names, char **ret_names, unsigned *ret_bits) {
        bool taken[BW_RULES_MAX] = {}, known[BW_RULES_MAX] = {};

        for (size_t i = 0; i < n_names; i++)
                for (unsigned bit = 0; bit < max; bit++)
                        if (!known[i] && old[bit] && strcmp(old[bit], names[i]) == 0 &&
                                        (!prints || old_prints[bit] == prints[i])) {
                                ret_bits[i] = bit;
                                taken[bit] = known[i] = true;
                        }

        for (size_t i = 0; i < n_names; i++) {
                unsigned bit = 0;

                if (known[i])
                        continue;
                while (bit < max && (taken[bit] || old[bit]))
                        bit++;
                if (bit == max)
                        for (bit = 0; taken[bit]; bit++)
                                ; /* one is left, as there are at most max names */
                taken[bit] = true;
                ret_bits[i] = bit;
                ret_names[bit] = strdup(names[i]);
                if (!ret_names[bit])
                        return -ENOMEM;
        }
        return 0;
}

static uint32_t carrier_flags(const PolicyCarrier *c) {
        return BW_RULE_TERMINAL | (c->own ? BW_RULE_OWN : c->terminal ? 0 : BW_RULE_CARRIER);
}

/* The number of a [Carrier] with Own=yes among those. */
static unsigned carrier_own(const Policy *p, const PolicyCarrier *c) {
        unsigned n = 0;

        for (const PolicyCarrier *other = p->carriers; other < c; other++)
                n += other->own;
        return n;
}

static uint64_t carrier_bit(const Policy *p, const PolicyCarrier *c) {
        if (c->own)
                return BW_CARRIER_OWN(carrier_own(p, c));
        return c->egress ? BW_CARRIER_EGRESS : BW_CARRIER_SILENT;
}

static int rule_append(Numbering *n, const Policy *p, const PolicyAllow *a, uint32_t flags,
                const char *prefix, const char *name) {
        n->rules[n->n_rules] = a;
        int r = rule_print(p, a, &n->rule_prints[n->n_rules]);
        if (r < 0)
                return r;
        n->flags[n->n_rules] = flags;
        if (asprintf(&n->labels[n->n_rules], "%s%s", prefix, name) < 0) {
                n->labels[n->n_rules] = NULL;
                return -ENOMEM;
        }
        n->n_rules++;
        return 0;
}

static int rules_collect(const Policy *p, Numbering *n, PolicyMessage *ret_message) {
        const PolicyAllow *a;

        for (size_t i = 0; (a = policy_rule(p, i)); i++) {
                bool carrier = i >= p->n_allows;

                if (a->n_exes == 0) /* a carrier with Path= only */
                        continue;
                if (n->n_rules == BW_RULES_MAX)
                        return fail(ret_message, -E2BIG, a->origin,
                                        "[%s %s] exceeds the limit of %u rules, which includes carriers "
                                        "with Exe=: merge rules with the same Class= and Destination=",
                                        carrier ? "Carrier" : "Allow", a->name, BW_RULES_MAX);
                const PolicyCarrier *c = carrier ? p->carriers + (i - p->n_allows) : NULL;
                if (c && c->own && carrier_own(p, c) == BW_CARRIER_OWN_MAX)
                        return fail(ret_message, -E2BIG, a->origin,
                                        "[Carrier %s] exceeds the limit of %u carriers with Own=yes: merge "
                                        "those of the same programs",
                                        a->name, BW_CARRIER_OWN_MAX);
                int r = rule_append(n, p, a, c ? carrier_flags(c) : a->passes, carrier ? "Carrier:" : "",
                                a->name);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The globs are borrowed. */
static int never_collect(const Policy *p, Numbering *n, PolicyMessage *ret_message) {
        const PolicyEnforcement *e = &p->enforcement;
        PolicyAllow *exe = &n->never[NEVER_EXE], *unit = &n->never[NEVER_UNIT];
        int r = 0;

        exe->exes = calloc(e->n_never + 1, sizeof(*exe->exes));
        unit->units = calloc(e->n_never + 1, sizeof(*unit->units));
        if (!exe->exes || !unit->units)
                return -ENOMEM;
        for (size_t i = 0; i < e->n_never; i++)
                if (e->never[i].glob[0] == '/')
                        exe->exes[exe->n_exes++] = e->never[i];
                else
                        unit->units[unit->n_units++] = e->never[i];
        for (Never i = 0; i < NEVERS && r == 0; i++) {
                if (n->never[i].n_exes + n->never[i].n_units == 0)
                        continue;
                if (n->n_rules == BW_RULES_MAX)
                        return fail(ret_message, -E2BIG, e->never[0].origin,
                                        "Never= exceeds the limit of %u rules: merge rules with the same "
                                        "Class= and Destination=",
                                        BW_RULES_MAX);
                r = rule_append(n, p, &n->never[i], 0, "", never_labels[i]);
        }
        return r;
}

static int names_number(const Policy *p, const PolicyNames *old, Numbering *n, PolicyMessage *ret_message) {
        char *names[BW_CLASSES_MAX] = {};

        if (p->n_classes > BW_CLASSES_MAX)
                return fail(ret_message, -E2BIG, p->classes[BW_CLASSES_MAX].origin,
                                "[Class %s] exceeds the limit of %u classes: merge classes that need no "
                                "rules of their own",
                                p->classes[BW_CLASSES_MAX].name, BW_CLASSES_MAX);

        for (size_t i = 0; i < p->n_classes; i++)
                names[i] = p->classes[i].name;
        int r = numbers_assign(old->class_names, NULL, BW_CLASSES_MAX, names, NULL, p->n_classes,
                        n->class_names, n->class_bits);
        if (r == 0)
                r = rules_collect(p, n, ret_message);
        for (size_t i = 0; i < p->n_classes; i++)
                n->denies |= policy_class_denies(p, p->classes + i) || policy_class_locks(p, p->classes + i);
        if (r == 0 && n->denies)
                r = never_collect(p, n, ret_message);
        if (r < 0)
                return r;
        return numbers_assign(old->rule_names, old->rule_prints, BW_RULES_MAX, n->labels, n->rule_prints,
                        n->n_rules, n->rule_names, n->rule_bits);
}

static void names_commit(PolicyNames *names, Numbering *n) {
        for (size_t i = 0; i < n->n_rules; i++)
                names->rule_prints[n->rule_bits[i]] = n->rule_prints[i];
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++)
                if (n->class_names[bit]) {
                        free(names->class_names[bit]);
                        names->class_names[bit] = STEAL_PTR(n->class_names[bit]);
                }
        for (unsigned bit = 0; bit < BW_RULES_MAX; bit++)
                if (n->rule_names[bit]) {
                        free(names->rule_names[bit]);
                        names->rule_names[bit] = STEAL_PTR(n->rule_names[bit]);
                }
}

static int file_patterns(const Policy *p, const Numbering *n, PatternList *l) {
        for (size_t i = 0; i < p->n_classes; i++) {
                const PolicyClass *c = p->classes + i;
                unsigned include = 64 * BW_FILE_WORD_INCLUDE + n->class_bits[i];
                unsigned exclude = 64 * BW_FILE_WORD_EXCLUDE + n->class_bits[i];
                int r = 0;

                for (size_t k = 0; r == 0 && k < c->n_paths; k++)
                        r = pattern_list_append_variants(l, p, c->paths + k, include);
                for (size_t k = 0; r == 0 && k < c->n_excludes; k++)
                        r = pattern_list_append_variants(l, p, c->excludes + k, exclude);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int carrier_patterns(const Policy *p, PatternList *l) {
        int r = 0;

        for (size_t i = 0; i < p->n_carriers; i++) {
                const PolicyCarrier *c = p->carriers + i;
                unsigned bit = (unsigned)__builtin_ctzll(carrier_bit(p, c));

                for (size_t k = 0; r == 0 && k < c->n_paths; k++)
                        r = pattern_list_append_variants(l, p, c->paths + k, bit);
        }
        return r;
}

static int rule_patterns(const Policy *p, const Numbering *n, enum bw_automaton which, PatternList *l) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n->n_rules; i++) {
                const PolicyAllow *a = n->rules[i];
                const PolicyGlob *globs[BW_AUTOMATA] = {
                        [BW_AUTOMATON_EXE] = a->exes,
                        [BW_AUTOMATON_SCRIPT] = a->scripts,
                        [BW_AUTOMATON_UNIT] = a->units,
                        [BW_AUTOMATON_ANCESTOR] = a->ancestors,
                        [BW_AUTOMATON_PATH] = a->paths,
                };
                const size_t n_globs[BW_AUTOMATA] = {
                        [BW_AUTOMATON_EXE] = a->n_exes,
                        [BW_AUTOMATON_SCRIPT] = a->n_scripts,
                        [BW_AUTOMATON_UNIT] = a->n_units,
                        [BW_AUTOMATON_ANCESTOR] = a->n_ancestors,
                        [BW_AUTOMATON_PATH] = a->n_paths,
                };

                for (size_t k = 0; r == 0 && k < n_globs[which]; k++) {
                        const PolicyGlob *g = globs[which] + k;
                        unsigned bit = n->rule_bits[i];

                        r = which == BW_AUTOMATON_UNIT ? pattern_list_append(l, "/", g->glob, bit, g)
                                                       : pattern_list_append_variants(l, p, g, bit);
                }
        }
        return r;
}

/* The first 16 digits of the hash. */
static uint64_t policy_identity(const Policy *p) {
        char digits[17] = {};

        memcpy(digits, p->hash, sizeof(digits) - 1);
        return strtoull(digits, NULL, 16);
}

/* What is refused, and to whom nothing is. */
static void enforcement_fill(const Policy *p, const Numbering *n, struct bw_table *t) {
        for (size_t i = 0; i < p->n_classes; i++) {
                const PolicyClass *c = p->classes + i;
                uint64_t bit = policy_class_denies(p, c) ? UINT64_C(1) << n->class_bits[i] : 0;

                t->denies |= bit;
                t->stops |= c->action == POLICY_STOP ? bit : 0;
                t->kills |= c->action == POLICY_KILL ? bit : 0;
                for (unsigned hops = c->action_hops + 1; hops < BW_FAR_SLOTS; hops++)
                        t->far[hops] |= bit;
                t->locks |= policy_class_locks(p, c) ? UINT64_C(1) << n->class_bits[i] : 0;
                t->closes |= policy_class_closes(p, c) ? UINT64_C(1) << n->class_bits[i] : 0;
        }
        t->dry = p->enforcement.enabled == POLICY_ENFORCED_DRY_RUN ? ~UINT64_C(0) : 0;
        for (size_t i = 0; i < n->n_rules; i++)
                if (n->rules[i] == &n->never[NEVER_EXE])
                        t->never_exe = (uint16_t)(n->rule_bits[i] + 1);
                else if (n->rules[i] == &n->never[NEVER_UNIT])
                        t->never_unit = (uint16_t)(n->rule_bits[i] + 1);
}

static void net_fill(struct bw_net *net, const PolicyAddress *d, unsigned rule) {
        uint8_t mask[16] = {};

        for (unsigned bit = 0; bit < d->prefix; bit++)
                mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
        net->family = (uint16_t)d->family;
        net->rule = (uint16_t)rule;
        net->port_first = d->port_first;
        net->port_last = d->port_last;
        memcpy(net->address, d->address, sizeof(net->address));
        memcpy(net->mask, mask, sizeof(net->mask));
}

/* Whether this address and the next one are the two of any:PORT. */
static bool address_is_any(const PolicyAddress *d) {
        return d[0].prefix == 0 && d[1].prefix == 0 && d[0].family != d[1].family &&
               d[0].port_first == d[1].port_first && d[0].port_last == d[1].port_last;
}

/* The entries that they take. */
static size_t nets_count(const PolicyAllow *a) {
        size_t n = 0;

        for (size_t k = 0; k < a->n_destinations; k++, n++)
                k += k + 1 < a->n_destinations && address_is_any(a->destinations + k);
        return n;
}

/* "--x*" leaves the rest open, "--x" includes the NUL. */
static void argument_fill(struct bw_argument *argument, const char *text, unsigned rule) {
        size_t n = strlen(text), n_equal = text[n - 1] == '*' ? n - 1 : n + 1;

        memcpy(argument->text, text, MIN(n, n_equal));
        memset(argument->mask, 0xff, n_equal);
        argument->rule = (uint16_t)rule;
        argument->used = 1;
}

static int rule_fill(
                const Policy *p, const Numbering *n, size_t i, PolicyTables *t, PolicyMessage *ret_message) {
        const PolicyAllow *a = n->rules[i];
        unsigned bit = n->rule_bits[i];
        struct bw_rule *rule = t->table->rules + bit;
        const bool asks[BW_CONDITIONS] = {
                [BW_CONDITION_SCRIPT] = a->n_scripts > 0,
                [BW_CONDITION_UNIT] = a->n_units > 0,
                [BW_CONDITION_ANCESTOR] = a->n_ancestors > 0,
                [BW_CONDITION_USER] = a->n_users > 0,
                [BW_CONDITION_HOST] = !a->container,
                [BW_CONDITION_OWNER] = policy_rule_is_users(a),
                [BW_CONDITION_PATH] = a->n_paths > 0,
                [BW_CONDITION_ARGUMENT] = a->n_excluded > 0,
        };

        for (unsigned c = 0; c < BW_CONDITIONS; c++)
                if (asks[c])
                        t->table->asks[c].word[bit / 64] |= UINT64_C(1) << bit % 64;
        for (size_t k = 0; k < a->n_classes; k++)
                for (size_t c = 0; c < p->n_classes; c++)
                        if (strcmp(p->classes[c].name, a->classes[k].name) == 0)
                                rule->classes |= UINT64_C(1) << n->class_bits[c];

        rule->flags = n->flags[i];
        if (rule->flags == (BW_RULE_TERMINAL | BW_RULE_OWN))
                rule->classes = carrier_bit(p, (const PolicyCarrier *)a); /* which it begins with */
        else if (rule->flags & BW_RULE_TERMINAL && a->n_classes == 0)
                rule->classes = UINT64_MAX;
        if (a->n_users > BW_USERS_MAX - t->n_users)
                return fail(ret_message, -E2BIG, a->users[BW_USERS_MAX - t->n_users].origin,
                                "[%s %s] exceeds the limit of %u users of all rules: use Unit= or Ancestor=",
                                rule->flags & BW_RULE_TERMINAL ? "Carrier" : "Allow", a->name, BW_USERS_MAX);
        for (size_t k = 0; k < a->n_users; k++) {
                if (a->users[k].uid == 0 && rule->flags & BW_RULE_TERMINAL)
                        t->table->asks[BW_CONDITION_STARTED].word[bit / 64] |= UINT64_C(1) << bit % 64;
                t->table->users[t->n_users++] = (struct bw_user){
                        .uid = a->users[k].uid,
                        .rule = (uint16_t)bit,
                        .used = 1,
                };
        }

        if (a->n_excluded > BW_ARGUMENTS_MAX - t->n_arguments)
                return fail(ret_message, -E2BIG, a->excluded[BW_ARGUMENTS_MAX - t->n_arguments].origin,
                                "[Allow %s] exceeds the limit of %u arguments of all rules: use fewer, that "
                                "end in *",
                                a->name, BW_ARGUMENTS_MAX);
        for (size_t k = 0; k < a->n_excluded; k++)
                argument_fill(t->table->arguments + t->n_arguments++, a->excluded[k].name, bit);

        if (nets_count(a) > BW_NETS_MAX - t->n_nets)
                return fail(ret_message, -E2BIG, a->destinations[BW_NETS_MAX - t->n_nets].origin,
                                "[Allow %s] exceeds the limit of %u destinations of all rules: use larger "
                                "networks, or port ranges",
                                a->name, BW_NETS_MAX);
        rule->n_nets = (uint32_t)a->n_destinations;
        for (size_t k = 0; k < a->n_destinations; k++) {
                struct bw_net *net = t->table->nets + t->n_nets++;

                net_fill(net, a->destinations + k, bit);
                if (k + 1 < a->n_destinations && address_is_any(a->destinations + k)) {
                        net->family = BW_NET_ANY;
                        k++;
                }
        }
        return 0;
}

DEFINE_CLEANUP(GlobAutomaton, glob_automaton_free);

/* Builds an automaton of the first n patterns of the list and packs it after the cells in use. */
static int automaton_pack(const PatternList *l, size_t n, enum bw_automaton which, size_t max_cells,
                PolicyTables *t, size_t *ret_culprit) {
        _cleanup_(glob_automaton_freep) GlobAutomaton *a = NULL;
        struct bw_table *table = t->table;

        int r = glob_automaton_new(l->patterns, n, STATES_MAX, &a, ret_culprit);
        if (r < 0)
                return r;
        t->n_states[which] = glob_automaton_n_states(a);
        t->n_patterns[which] = n;
        return glob_automaton_pack(a, t->cells, max_cells, &t->n_cells, table->outputs, BW_OUTPUTS_MAX,
                        &t->n_outputs, table->byte_class[which], &table->start[which]);
}

/* Finds the first pattern with which the list no longer fits. The tables are unusable afterwards. */
static size_t automaton_overflow(const PatternList *l, enum bw_automaton which, size_t max_cells,
                size_t n_cells, size_t n_outputs, PolicyTables *t) {
        size_t fits = 0, overflows = l->n, ignored;

        while (overflows - fits > 1) {
                size_t middle = fits + (overflows - fits) / 2;

                t->n_cells = n_cells;
                t->n_outputs = n_outputs;
                if (automaton_pack(l, middle, which, max_cells, t, &ignored) < 0)
                        overflows = middle;
                else
                        fits = middle;
        }
        return overflows - 1;
}

static int automaton_compile(const PatternList *l, enum bw_automaton which, size_t max_cells,
                PolicyTables *t, PolicyMessage *ret_message) {
        size_t n_cells = t->n_cells, n_outputs = t->n_outputs, culprit = 0;
        char quoted[VALUE_QUOTE_SIZE];

        int r = automaton_pack(l, l->n, which, max_cells, t, &culprit);
        if (r == 0 || r == -ENOMEM)
                return r;
        if (r == -ENOSPC)
                culprit = automaton_overflow(l, which, max_cells, n_cells, n_outputs, t);

        const PolicyGlob *source = l->sources[culprit];
        (void)value_quote(source->glob, strlen(source->glob), quoted);
        if (r == -EINVAL) /* well-formed as written, so that the replacement of "~/" made it too long */
                return fail(ret_message, -E2BIG, source->origin,
                                "%s is too long or has too many alternatives after ~/ is replaced by a "
                                "home: shorten or split it",
                                quoted);
        if (r == -ENOSPC)
                return fail(ret_message, -ENOSPC, source->origin,
                                "from %s on the patterns for %s do not fit into the table of %zu cells: use "
                                "fewer patterns, or fewer with ** or * in the middle",
                                quoted, automaton_names[which], max_cells);
        return fail(ret_message, -E2BIG, source->origin,
                        "with %s the patterns for %s exceed the limit of %u states, or of patterns that "
                        "match one path: use fewer patterns, or fewer with ** or * in the middle",
                        quoted, automaton_names[which], STATES_MAX);
}

static int tables_new(size_t max_cells, PolicyTables **ret) {
        _cleanup_(policy_tables_freep) PolicyTables *t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;

        t->table = calloc(1, sizeof(*t->table));
        t->cells = calloc(max_cells, sizeof(*t->cells));
        if (!t->table || !t->cells)
                return -ENOMEM;
        t->n_cells = 1;   /* the dead state */
        t->n_outputs = 1; /* the empty one */
        *ret = STEAL_PTR(t);
        return 0;
}

int policy_compile(const Policy *p, PolicyNames *names, size_t max_cells, PolicyTables **ret,
                PolicyMessage *ret_message) {
        _cleanup_(policy_tables_freep) PolicyTables *t = NULL;
        _cleanup_(numbering_done) Numbering numbering = {};

        if (max_cells == 0 || max_cells > POLICY_CELLS_MAX)
                max_cells = POLICY_CELLS_MAX;

        int r = names_number(p, names, &numbering, ret_message);
        if (r < 0)
                return r;
        r = tables_new(max_cells, &t);
        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && i < numbering.n_rules; i++)
                r = rule_fill(p, &numbering, i, t, ret_message);
        if (r < 0)
                return r;
        t->table->hops_max = p->hops_max;
        t->identity = policy_identity(p);
        enforcement_fill(p, &numbering, t->table);
        for (size_t i = 0; i < p->n_classes; i++) {
                const PolicyClass *c = p->classes + i;
                unsigned bit = numbering.class_bits[i];

                t->table->code |= (uint64_t)c->code << bit;
                t->table->fresh_ns[bit] = c->window_usec * NSEC_PER_USEC;
                t->table->window_ns[bit] = MAX(c->window_usec, c->late_window_usec) * NSEC_PER_USEC;
        }

        for (enum bw_automaton which = 0; which < BW_AUTOMATA; which++) {
                _cleanup_(pattern_list_done) PatternList l = {};

                r = which == BW_AUTOMATON_FILE      ? file_patterns(p, &numbering, &l)
                    : which == BW_AUTOMATON_CARRIER ? carrier_patterns(p, &l)
                                                    : rule_patterns(p, &numbering, which, &l);
                if (r == 0)
                        r = automaton_compile(&l, which, max_cells, t, ret_message);
                if (r < 0)
                        return r;
        }

        names_commit(names, &numbering);
        *ret = STEAL_PTR(t);
        return 0;
}

const PolicyClass *policy_class_by_bit(const Policy *p, const PolicyNames *names, unsigned bit) {
        if (bit >= BW_CLASSES_MAX || !names->class_names[bit])
                return NULL;
        return policy_class_by_name(p, names->class_names[bit]);
}
