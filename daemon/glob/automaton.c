/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Positions → a deterministic automaton: the subset construction. A state is the set of positions that the
 * bytes read so far can lead to. The automaton is not minimised: equal rests of patterns share a position
 * already, and minimising took half of the time to save one state in sixty of the default policy and one in
 * 100,000 of ten thousand patterns. */

#include <errno.h>
#include <string.h>

#include "glob/automaton.h"
#include "glob/dfa.h"
#include "glob/positions.h"

/* Limits of the members of all sets and of the edges of one construction: 32 and 20 MiB. A state usually has
 * a few positions; patterns that reach these limits have thousands a state, and would not fit the kernel's
 * table either. */
#define MEMBERS_MAX (1U << 23)
#define EDGES_MAX (1U << 22)

#define NONE UINT32_MAX

typedef struct Pair {
        uint32_t to;
        uint32_t next; /* of the same class */
} Pair;

typedef struct Builder {
        const GlobPositions *p;
        GlobAutomaton *a;
        size_t max_states;
        size_t other_size, first_edge_size, output_size, edge_class_size, edge_to_size, n_edges;

        /* The states' sets: members[first_member[state] … first_member[state + 1]), sorted. */
        uint32_t *members;
        uint32_t *first_member;
        uint32_t *hash;
        uint32_t *table; /* open addressing, of states */
        size_t n_members, members_size, first_member_size, hash_size, slots;

        /* The set under construction, at the end of members; a position is in it if seen[position] == round.
         */
        uint32_t *seen;
        uint32_t round;

        /* Edges of the state being explored, by class. */
        Pair *pairs;
        GlobEdge *wide; /* sets of classes that contain the other class */
        size_t n_pairs, pairs_size, n_wide, wide_size;
        uint32_t first_pair[256];
} Builder;

static void builder_done(Builder *b) {
        glob_automaton_free(b->a);
        free(b->members);
        free(b->first_member);
        free(b->hash);
        free(b->table);
        free(b->seen);
        free(b->pairs);
        free(b->wide);
}

GlobAutomaton *glob_automaton_free(GlobAutomaton *a) {
        if (!a)
                return NULL;
        free(a->other);
        free(a->first_edge);
        free(a->output);
        free(a->edge_class);
        free(a->edge_to);
        free(a->outputs);
        free(a);
        return NULL;
}

static int set_add(Builder *b, uint32_t position) {
        int r;

        if (b->seen[position] == b->round)
                return 0;
        if (b->n_members >= MEMBERS_MAX)
                return -E2BIG;
        r = glob_array_grow(&b->members, &b->members_size, b->n_members, sizeof(uint32_t));
        if (r < 0)
                return r;
        b->seen[position] = b->round;
        b->members[b->n_members++] = position;
        return 0;
}

/* Adds a position and those reachable from it without reading a byte. The recursion is shallow, as the
 * parser joins adjacent stars and adjacent runs of directories. */
static int set_enter(Builder *b, uint32_t position) {
        const GlobPosition *q = &b->p->positions[position];
        int r;

        if (b->seen[position] == b->round)
                return 0;
        r = set_add(b, position);
        if (r >= 0 && q->loop == GLOB_LOOP_DIRS)
                r = set_enter(b, b->p->edges[q->first_edge].to);
        for (uint32_t i = q->n_edges; r >= 0 && i-- > 0;) {
                const GlobEdge *e = &b->p->edges[q->first_edge + i];
                if (e->label < GLOB_LABEL_COMPONENT)
                        break;
                r = set_enter(b, e->to);
        }
        return r;
}

static int position_compare(const void *a, const void *b) {
        const uint32_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static void set_sort(uint32_t *set, size_t n) {
        if (n > 16) {
                qsort(set, n, sizeof(uint32_t), position_compare);
                return;
        }
        for (size_t i = 1; i < n; i++) {
                uint32_t moving = set[i];
                size_t j = i;

                for (; j > 0 && set[j - 1] > moving; j--)
                        set[j] = set[j - 1];
                set[j] = moving;
        }
}

static uint32_t set_hash(const uint32_t *set, size_t n) {
        uint64_t hash = n;

        for (size_t i = 0; i < n; i++) {
                hash = (hash ^ set[i]) * UINT64_C(0x9e3779b97f4a7c15);
                hash ^= hash >> 29;
        }
        return (uint32_t)(hash >> 32);
}

static int output_intern(Builder *b, const struct bw_output *output, uint16_t *ret) {
        GlobAutomaton *a = b->a;

        for (size_t i = 0; i < a->n_outputs; i++)
                if (memcmp(&a->outputs[i], output, sizeof(*output)) == 0) {
                        *ret = (uint16_t)i;
                        return 0;
                }
        if (a->n_outputs >= BW_OUTPUTS_MAX)
                return -E2BIG;
        a->outputs[a->n_outputs] = *output;
        *ret = (uint16_t)a->n_outputs++;
        return 0;
}

static int set_output(Builder *b, const uint32_t *set, size_t n, uint16_t *ret) {
        struct bw_output output = {};
        bool empty = true;

        for (size_t i = 0; i < n; i++) {
                uint32_t index = b->p->positions[set[i]].output;
                const struct bw_output *o = &b->p->outputs[index];

                if (index == 0)
                        continue;
                empty = false;
                for (size_t w = 0; w < ELEMENTSOF(output.final.word); w++) {
                        output.sticky.word[w] |= o->sticky.word[w];
                        output.final.word[w] |= o->final.word[w];
                }
        }
        if (empty) {
                *ret = 0;
                return 0;
        }
        return output_intern(b, &output, ret);
}

static int table_grow(Builder *b) {
        size_t slots = MAX(b->slots * 2, (size_t)256);
        uint32_t *table = malloc(slots * sizeof(uint32_t));

        if (!table)
                return -ENOMEM;
        memset(table, 0xff, slots * sizeof(uint32_t));
        for (size_t s = 0; s < b->a->n_states; s++) {
                size_t slot = b->hash[s] & (slots - 1);
                while (table[slot] != NONE)
                        slot = (slot + 1) & (slots - 1);
                table[slot] = (uint32_t)s;
        }
        free(b->table);
        b->table = table;
        b->slots = slots;
        return 0;
}

static void set_begin(Builder *b) {
        b->n_members = b->first_member[b->a->n_states];
        b->round++;
}

/* Finds the state of the set at the end of members, or makes one, which keeps the members. */
static int set_finish(Builder *b, uint32_t *ret_state) {
        GlobAutomaton *a = b->a;
        size_t begin = b->first_member[a->n_states], n = b->n_members - begin, slot, s = a->n_states;
        uint32_t *set = b->members + begin, hash;
        uint16_t output;
        int r;

        set_sort(set, n);
        hash = set_hash(set, n);
        for (slot = hash & (b->slots - 1); b->table[slot] != NONE; slot = (slot + 1) & (b->slots - 1)) {
                uint32_t t = b->table[slot];

                if (b->hash[t] == hash && b->first_member[t + 1] - b->first_member[t] == n &&
                                memcmp(b->members + b->first_member[t], set, n * sizeof(uint32_t)) == 0) {
                        *ret_state = t;
                        return 0;
                }
        }

        if (s >= b->max_states)
                return -E2BIG;
        r = set_output(b, set, n, &output);
        if (r < 0)
                return r;
        if (glob_array_grow(&b->hash, &b->hash_size, s, sizeof(uint32_t)) < 0 ||
                        glob_array_grow(&b->first_member, &b->first_member_size, s + 1, sizeof(uint32_t)) <
                                        0 ||
                        glob_array_grow(&a->output, &b->output_size, s, sizeof(uint16_t)) < 0)
                return -ENOMEM;
        b->hash[s] = hash;
        b->first_member[s + 1] = (uint32_t)b->n_members;
        a->output[s] = output;
        a->n_states++;
        b->table[slot] = (uint32_t)s;
        if (2 * a->n_states > b->slots) {
                r = table_grow(b);
                if (r < 0)
                        return r;
        }
        *ret_state = (uint32_t)s;
        return 0;
}

static void class_notice(Builder *b, ByteSet *interesting, uint8_t class) {
        if (byte_set_has(interesting, class))
                return;
        byte_set_add(interesting, class);
        b->first_pair[class] = NONE;
}

static int pair_add(Builder *b, ByteSet *interesting, uint8_t class, uint32_t to) {
        int r;

        class_notice(b, interesting, class);
        r = glob_array_grow(&b->pairs, &b->pairs_size, b->n_pairs, sizeof(Pair));
        if (r < 0)
                return r;
        b->pairs[b->n_pairs] = (Pair){ .to = to, .next = b->first_pair[class] };
        b->first_pair[class] = (uint32_t)b->n_pairs++;
        return 0;
}

/* Files an edge under each class that takes it, or once for all classes if the other class takes it, too. */
static int set_edge_collect(Builder *b, ByteSet *interesting, const GlobEdge *e) {
        const GlobPositions *p = b->p;
        const ByteSet *classes = &p->sets[e->label - GLOB_LABEL_SET];
        bool wide = byte_set_has(classes, p->other_class);
        int r = 0;

        if (wide) {
                r = glob_array_grow(&b->wide, &b->wide_size, b->n_wide, sizeof(GlobEdge));
                if (r < 0)
                        return r;
                b->wide[b->n_wide++] = *e;
        }
        for (unsigned c = 1; r >= 0 && c <= p->n_classes; c++)
                if (wide && !byte_set_has(classes, (uint8_t)c))
                        class_notice(b, interesting, (uint8_t)c);
                else if (!wide && byte_set_has(classes, (uint8_t)c))
                        r = pair_add(b, interesting, (uint8_t)c, e->to);
        return r;
}

/* Files the edges of a state by class. *ret_interesting: the classes whose target may differ from that of
 * the other class. */
static int state_collect(Builder *b, uint32_t state, ByteSet *ret_interesting) {
        const GlobPositions *p = b->p;
        ByteSet interesting = {};
        int r = 0;

        b->n_pairs = b->n_wide = 0;
        class_notice(b, &interesting, p->slash_class);

        for (uint32_t m = b->first_member[state]; m < b->first_member[state + 1]; m++) {
                const GlobPosition *q = &p->positions[b->members[m]];

                for (uint32_t i = 0; r >= 0 && i < q->n_edges; i++) {
                        const GlobEdge *e = &p->edges[q->first_edge + i];

                        if (e->label >= GLOB_LABEL_COMPONENT)
                                break;
                        r = e->label < GLOB_LABEL_SET ? pair_add(b, &interesting, (uint8_t)e->label, e->to)
                                                      : set_edge_collect(b, &interesting, e);
                }
        }
        *ret_interesting = interesting;
        return r;
}

/* Finds the state that one class leads to. */
static int state_target(Builder *b, uint32_t state, unsigned class, uint32_t *ret_state) {
        const GlobPositions *p = b->p;
        int r;

        set_begin(b);
        for (uint32_t i = class == p->other_class ? NONE : b->first_pair[class]; i != NONE;
                        i = b->pairs[i].next) {
                r = set_enter(b, b->pairs[i].to);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < b->n_wide; i++)
                if (byte_set_has(&p->sets[b->wide[i].label - GLOB_LABEL_SET], (uint8_t) class)) {
                        r = set_enter(b, b->wide[i].to);
                        if (r < 0)
                                return r;
                }
        /* Last, since entering a position that merely stayed must still enter its successors. */
        for (uint32_t m = b->first_member[state]; m < b->first_member[state + 1]; m++) {
                GlobLoop loop = p->positions[b->members[m]].loop;

                if (loop == GLOB_LOOP_NONE || (loop == GLOB_LOOP_COMPONENT && class == p->slash_class))
                        continue;
                r = set_add(b, b->members[m]);
                if (r < 0)
                        return r;
        }
        return set_finish(b, ret_state);
}

static int state_explore(Builder *b, uint32_t state) {
        GlobAutomaton *a = b->a;
        ByteSet interesting;
        uint32_t other, to;
        int r;

        r = state_collect(b, state, &interesting);
        if (r < 0)
                return r;
        r = state_target(b, state, b->p->other_class, &other);
        if (r < 0)
                return r;
        if (glob_array_grow(&a->other, &b->other_size, state, sizeof(uint32_t)) < 0 ||
                        glob_array_grow(&a->first_edge, &b->first_edge_size, state + 1, sizeof(uint32_t)) <
                                        0)
                return -ENOMEM;
        a->other[state] = other;

        for (size_t w = 0; w < ELEMENTSOF(interesting.word); w++)
                for (uint64_t bits = interesting.word[w]; bits != 0; bits &= bits - 1) {
                        unsigned class = (unsigned)(w * 64) + (unsigned)__builtin_ctzll(bits);

                        r = state_target(b, state, class, &to);
                        if (r < 0)
                                return r;
                        if (to == other)
                                continue;
                        if (b->n_edges >= EDGES_MAX)
                                return -E2BIG;
                        if (glob_array_grow(&a->edge_class, &b->edge_class_size, b->n_edges, 1) < 0 ||
                                        glob_array_grow(&a->edge_to, &b->edge_to_size, b->n_edges,
                                                        sizeof(uint32_t)) < 0)
                                return -ENOMEM;
                        a->edge_class[b->n_edges] = (uint8_t) class;
                        a->edge_to[b->n_edges++] = to;
                }
        a->first_edge[state + 1] = (uint32_t)b->n_edges;
        return 0;
}

static int builder_run(Builder *b) {
        GlobAutomaton *a;
        uint32_t dead;
        int r;

        a = b->a = calloc(1, sizeof(GlobAutomaton));
        if (!a)
                return -ENOMEM;
        a->outputs = calloc(BW_OUTPUTS_MAX, sizeof(struct bw_output));
        a->first_edge = calloc(64, sizeof(uint32_t));
        b->members = calloc(64, sizeof(uint32_t));
        b->first_member = calloc(64, sizeof(uint32_t));
        b->seen = calloc(b->p->n_positions, sizeof(uint32_t));
        if (!a->outputs || !a->first_edge || !b->members || !b->first_member || !b->seen)
                return -ENOMEM;
        a->n_outputs = 1;
        b->first_edge_size = b->members_size = b->first_member_size = 64;
        memcpy(a->byte_class, b->p->byte_class, sizeof(a->byte_class));
        a->n_classes = b->p->n_classes;
        a->slash_class = b->p->slash_class;
        a->other_class = b->p->other_class;
        r = table_grow(b);
        if (r < 0)
                return r;

        /* The set of no positions is state 0. */
        set_begin(b);
        r = set_finish(b, &dead);
        if (r < 0)
                return r;
        set_begin(b);
        if (b->p->n_edges > 0)
                r = set_enter(b, b->p->start);
        if (r < 0)
                return r;
        r = set_finish(b, &a->start);
        if (r < 0)
                return r;

        for (uint32_t state = 0; state < a->n_states; state++) {
                r = state_explore(b, state);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int automaton_build(const GlobPattern *patterns, size_t n, size_t max_states, GlobAutomaton **ret,
                size_t *ret_culprit) {

        _cleanup_(glob_positions_freep) GlobPositions *p = NULL;
        _cleanup_(builder_done) Builder b = { .max_states = max_states };
        int r;

        r = glob_positions_new(patterns, n, &p, ret_culprit);
        if (r < 0)
                return r;
        b.p = p;
        r = builder_run(&b);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(b.a);
        return 0;
}

/* Exceeding a limit does not tell which pattern is at fault: take the first one with which the patterns no
 * longer fit. */
static int culprit_find(const GlobPattern *patterns, size_t n, size_t max_states, size_t *ret_culprit) {
        size_t fits = 0, fails = n, ignored;

        while (fails - fits > 1) {
                _cleanup_(glob_automaton_freep) GlobAutomaton *a = NULL;
                size_t half = fits + (fails - fits) / 2;
                int r;

                r = automaton_build(patterns, half, max_states, &a, &ignored);
                if (r == -E2BIG)
                        fails = half;
                else if (r < 0)
                        return r;
                else
                        fits = half;
        }
        *ret_culprit = fails - 1;
        return -E2BIG;
}

int glob_automaton_new(const GlobPattern *patterns, size_t n, size_t max_states, GlobAutomaton **ret,
                size_t *ret_culprit) {

        int r = automaton_build(patterns, n, max_states, ret, ret_culprit);

        return r == -E2BIG ? culprit_find(patterns, n, max_states, ret_culprit) : r;
}

size_t glob_automaton_n_states(const GlobAutomaton *a) {
        return a->n_states;
}

size_t glob_automaton_n_byte_classes(const GlobAutomaton *a) {
        return a->n_classes;
}
