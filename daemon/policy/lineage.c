/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "policy/lineage.h"
#include "basic/util.h"
#include "policy/pattern-list.h"
#include "policy/variants.h"

/* Ten lineages of ten globs take some 1,000 states. A larger limit would only take memory and start-up time.
 */
#define STATES_MAX (1U << 16)
#define CELLS_MAX (1U << 18)
/* An event has up to nine paths, and there may be 20,000 events a second: the end of a path of this length
 * is read in 3 µs. Only patterns with a fixed beginning can miss a longer path; no installed program lies as
 * deep. */
#define EXE_READ_MAX 1024
/* systemd's UNIT_NAME_MAX: 256 with its NUL. */
#define UNIT_NAME_SIZE 256

typedef enum Kind {
        KIND_EXE,
        KIND_UNIT,
        _KIND_MAX,
} Kind;

struct LineageTable {
        struct bw_cell *cells;
        struct bw_output *outputs;
        size_t n_cells, n_outputs;
        uint8_t byte_class[_KIND_MAX][256];
        uint32_t start[_KIND_MAX];
};

DEFINE_CLEANUP(LineageTable, lineage_table_free);
DEFINE_CLEANUP(GlobAutomaton, glob_automaton_free);

/* The globs of one kind. Unit names become paths of one component. */
static int patterns_collect(const Policy *p, Kind kind, PatternList *l) {
        for (size_t i = 0; i < p->n_lineages; i++) {
                const PolicyLineage *lineage = p->lineages + i;
                const PolicyGlob *globs = kind == KIND_EXE ? lineage->exes : lineage->units;
                size_t n = kind == KIND_EXE ? lineage->n_exes : lineage->n_units;

                for (size_t k = 0; k < n; k++) {
                        int r = kind == KIND_EXE ? pattern_list_append_variants(l, p, globs + k, (unsigned)i)
                                                 : pattern_list_append(l, "/", globs[k].glob, (unsigned)i,
                                                                   globs + k);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int fail(PolicyMessage *ret_message, PolicyOrigin origin, const char *text) {
        char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        *ret_message = (PolicyMessage){ .level = POLICY_ERROR, .origin = origin, .text = copy };
        return -E2BIG;
}

static int kind_build(LineageTable *t, const Policy *p, Kind kind, PolicyMessage *ret_message) {
        _cleanup_(glob_automaton_freep) GlobAutomaton *a = NULL;
        _cleanup_(pattern_list_done) PatternList l = {};
        size_t culprit = 0;

        int r = patterns_collect(p, kind, &l);
        if (r < 0 || l.n == 0)
                return r;
        r = glob_automaton_new(l.patterns, l.n, STATES_MAX, &a, &culprit);
        if (r == 0)
                r = glob_automaton_pack(a, t->cells, CELLS_MAX, &t->n_cells, t->outputs, BW_OUTPUTS_MAX,
                                &t->n_outputs, t->byte_class[kind], &t->start[kind]);
        if (r == 0 || r == -ENOMEM)
                return r;
        return fail(ret_message, l.sources[culprit]->origin,
                        "all [Lineage] sections are ignored: their patterns are too many; use fewer, or "
                        "fewer with ** or * in the middle");
}

int lineage_table_new(const Policy *p, LineageTable **ret, PolicyMessage *ret_message) {
        _cleanup_(lineage_table_freep) LineageTable *t = NULL;

        if (p->n_lineages == 0) {
                *ret = NULL;
                return 0;
        }
        if (p->n_lineages > LINEAGES_MAX)
                return fail(ret_message, p->lineages[LINEAGES_MAX].origin,
                                "all [Lineage] sections are ignored: there are more than 256; merge those "
                                "with the same score");

        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        t->cells = calloc(CELLS_MAX, sizeof(*t->cells));
        t->outputs = calloc(BW_OUTPUTS_MAX, sizeof(*t->outputs));
        if (!t->cells || !t->outputs)
                return -ENOMEM;
        t->n_cells = 1;   /* the dead state */
        t->n_outputs = 1; /* the empty one */

        for (Kind kind = 0; kind < _KIND_MAX; kind++) {
                int r = kind_build(t, p, kind, ret_message);
                if (r < 0)
                        return r;
        }

        struct bw_cell *cells = realloc(t->cells, t->n_cells * sizeof(*cells));
        struct bw_output *outputs = realloc(t->outputs, t->n_outputs * sizeof(*outputs));
        t->cells = cells ?: t->cells;
        t->outputs = outputs ?: t->outputs;
        *ret = STEAL_PTR(t);
        return 0;
}

LineageTable *lineage_table_free(LineageTable *t) {
        if (!t)
                return NULL;
        free(t->cells);
        free(t->outputs);
        free(t);
        return NULL;
}

static struct bw_bits match(const LineageTable *t, Kind kind, const char *path, size_t n, bool complete) {
        return glob_automaton_match(
                        t->cells, t->outputs, t->byte_class[kind], t->start[kind], path, n, complete);
}

struct bw_bits lineage_match_exe(const LineageTable *t, Bytes exe) {
        if (!t || exe.size == 0 || exe.data[0] != '/')
                return (struct bw_bits){};

        size_t n = MIN(exe.size, (size_t)EXE_READ_MAX);
        return match(t, KIND_EXE, exe.data + exe.size - n, n, n == exe.size);
}

struct bw_bits lineage_match_unit(const LineageTable *t, Bytes unit) {
        char path[1 + UNIT_NAME_SIZE] = "/";

        if (!t || unit.size == 0 || unit.size >= UNIT_NAME_SIZE)
                return (struct bw_bits){};
        memcpy(path + 1, unit.data, unit.size);
        return match(t, KIND_UNIT, path, unit.size + 1, true);
}
