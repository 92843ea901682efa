/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Lays an automaton out in the cells of bpf/abi/policy.h, and walks such cells. The walk is the reference
 * for bpf/lib/path.bpf.h: change both or neither. */

#include <errno.h>
#include <string.h>

#include "glob/dfa.h"

/* A state's cells reach this far beyond its header. */
#define CLASSES_MAX 255
/* 4,096 cells: more take time and save next to nothing. */
#define BACKTRACK_WORDS 64

#define NONE UINT32_MAX

/* The targets of the classes: edges edge … end of the automaton, `other` for all other classes; `slash` for
 * '/' unless it is NONE. */
typedef struct Row {
        uint32_t other, slash, edge, end;
} Row;

typedef struct Packer {
        const GlobAutomaton *a;

        /* By row: its default, and the classes that need a cell, explicit_class[first_explicit[row] …]. Rows
         * are the states, followed by the forks. */
        uint32_t *default_row;
        uint32_t *first_explicit;
        uint8_t *explicit_class;
        uint32_t *explicit_to;
        size_t n_rows;

        /* By state that only '/' leads out of: the row of its fork, or 0. * Where patterns match anywhere in
         * a path, every state entered by a '/' branches by the first bytes of all their names; any other
         * byte leads to a state that waits for the next '/'. Such rows differ in a cell or two, so they
         * share a default row with the same branches: the fork. The fork also serves as the waiting state,
         * since only '/' is looked up after a default that skips: here, skipping is needed for correctness.
         */
        uint32_t *fork_of;
        uint32_t *fork_state; /* by fork row - n_states: the state whose branches the fork has */
        size_t n_forks;

        uint64_t *vacant; /* one bit per cell, and zeros beyond them for reading ahead */
        uint32_t *header; /* by row: its place */
        size_t first_cell, n_cells, end;
} Packer;

static void packer_done(Packer *k) {
        free(k->default_row);
        free(k->first_explicit);
        free(k->explicit_class);
        free(k->explicit_to);
        free(k->fork_of);
        free(k->fork_state);
        free(k->vacant);
        free(k->header);
}

static Row row_of(const GlobAutomaton *a, uint32_t state) {
        return (Row){
                .other = a->other[state],
                .slash = NONE,
                .edge = a->first_edge[state],
                .end = a->first_edge[state + 1],
        };
}

/* Finds the next class in which the rows may differ, and the target of each. False: there is none. */
static bool rows_step(const GlobAutomaton *a, Row *x, Row *y, unsigned *inout_class, uint32_t *ret_x,
                uint32_t *ret_y) {
        unsigned class_x = x->edge < x->end ? a->edge_class[x->edge] : CLASSES_MAX + 1;
        unsigned class_y = y->edge < y->end ? a->edge_class[y->edge] : CLASSES_MAX + 1;
        unsigned class = *inout_class + 1;

        if (x->other == y->other) {
                bool slash = (x->slash != NONE || y->slash != NONE) && class <= a->slash_class;
                unsigned listed = MIN(class_x, class_y);
                class = slash ? MIN(listed, (unsigned)a->slash_class) : listed;
        }
        if (class > a->n_classes)
                return false;
        *ret_x = class == class_x ? a->edge_to[x->edge++] : x->other;
        *ret_y = class == class_y ? a->edge_to[y->edge++] : y->other;
        if (class == a->slash_class) {
                *ret_x = x->slash != NONE ? x->slash : *ret_x;
                *ret_y = y->slash != NONE ? y->slash : *ret_y;
        }
        *inout_class = class;
        return true;
}

static size_t row_distance(const GlobAutomaton *a, Row x, Row y) {
        uint32_t to_x, to_y;
        unsigned class = 0;
        size_t n = 0;

        while (rows_step(a, &x, &y, &class, &to_x, &to_y))
                n += to_x != to_y;
        return n;
}

static uint32_t state_after_slash(const GlobAutomaton *a, uint32_t state) {
        for (uint32_t e = a->first_edge[state]; e < a->first_edge[state + 1]; e++)
                if (a->edge_class[e] == a->slash_class)
                        return a->edge_to[e];
        return a->other[state];
}

/* True if only '/' leads out of the state. */
static bool state_waits(const GlobAutomaton *a, uint32_t state) {
        uint32_t n = a->first_edge[state + 1] - a->first_edge[state];

        return a->other[state] == state &&
               (n == 0 || (n == 1 && a->edge_class[a->first_edge[state]] == a->slash_class));
}

/* The state whose branches the fork of a waiting state has: the one that '/' leads to. 0: there is no fork.
 */
static uint32_t fork_branches(const GlobAutomaton *a, uint32_t waiting) {
        uint32_t branches = state_after_slash(a, waiting);

        if (!state_waits(a, waiting) || branches == waiting || a->other[branches] != waiting)
                return 0;
        return branches;
}

/* The result of a lookup in the fork: the branches, and '/' as in the waiting state. */
static Row fork_row(const GlobAutomaton *a, uint32_t branches) {
        Row row = row_of(a, branches);

        row.slash = branches;
        return row;
}

/* Chooses the default row of a state. A state that stays where it is for most bytes is a default, also of
 * itself, which ends the lookup. Any other state takes the dead state (0) or the target of most bytes,
 * whichever it differs from least. *ret_saved: the cells that a fork of the latter saves. */
static uint32_t default_choose(const GlobAutomaton *a, uint32_t state, size_t *ret_saved) {
        size_t n_dead = a->first_edge[state + 1] - a->first_edge[state], n;
        uint32_t other = a->other[state], to = a->other[other], branches;

        *ret_saved = 0;
        if (other == state)
                return state;
        if (to == 0 || a->other[to] != to)
                return 0;
        if (other != 0) {
                n_dead = a->n_classes;
                for (uint32_t e = a->first_edge[state]; e < a->first_edge[state + 1]; e++)
                        n_dead -= a->edge_to[e] == 0;
        }
        n = MIN(n_dead, row_distance(a, row_of(a, state), row_of(a, to)));
        branches = fork_branches(a, to);
        if (branches != 0)
                *ret_saved = n - MIN(n, row_distance(a, row_of(a, state), fork_row(a, branches)));
        return n < n_dead ? to : 0;
}

/* Adds a fork where it saves more cells than it takes. */
static int packer_choose_defaults(Packer *k) {
        const GlobAutomaton *a = k->a;
        _cleanup_free_ size_t *saved = calloc(a->n_states, sizeof(size_t)),
                              *saved_by = calloc(a->n_states, sizeof(size_t));

        k->fork_of = calloc(a->n_states, sizeof(uint32_t));
        k->fork_state = calloc(a->n_states, sizeof(uint32_t));
        k->default_row = calloc(2 * a->n_states, sizeof(uint32_t));
        if (!saved || !saved_by || !k->fork_of || !k->fork_state || !k->default_row)
                return -ENOMEM;

        for (uint32_t s = 1; s < a->n_states; s++) {
                k->default_row[s] = default_choose(a, s, &saved[s]);
                saved_by[a->other[a->other[s]]] += saved[s];
        }
        for (uint32_t s = 1; s < a->n_states; s++) {
                uint32_t branches = fork_branches(a, s), fork = (uint32_t)(a->n_states + k->n_forks);

                /* A fork takes a header and the cell of '/' besides the branches. */
                if (branches == 0 || saved_by[s] <= (size_t)(a->first_edge[branches + 1] -
                                                                    a->first_edge[branches]) +
                                                                     2)
                        continue;
                k->fork_of[s] = k->default_row[fork] = fork;
                k->fork_state[k->n_forks++] = branches;
        }
        for (uint32_t s = 1; s < a->n_states; s++) {
                uint32_t fork = k->fork_of[a->other[a->other[s]]];

                if (saved[s] > 0 && fork != 0)
                        k->default_row[s] = fork;
        }
        k->n_rows = a->n_states + k->n_forks;
        return 0;
}

/* The waiting state whose fork the row is, or 0. */
static uint32_t row_waiting(const Packer *k, uint32_t row) {
        return row < k->a->n_states ? 0 : k->a->other[k->fork_state[row - k->a->n_states]];
}

static Row row_wanted(const Packer *k, uint32_t row) {
        return row < k->a->n_states ? row_of(k->a, row)
                                    : fork_row(k->a, k->fork_state[row - k->a->n_states]);
}

/* The target of a class without a cell in the row. */
static Row row_found(const Packer *k, uint32_t row) {
        uint32_t waiting = row_waiting(k, row);

        if (k->default_row[row] != row)
                return row_wanted(k, k->default_row[row]);
        return (Row){ .other = waiting != 0 ? waiting : row, .slash = NONE };
}

static int packer_choose(Packer *k) {
        size_t room = k->n_cells - k->first_cell;
        uint32_t n_explicit = 0, to, to_found;
        int r;

        r = packer_choose_defaults(k);
        if (r < 0)
                return r;
        k->first_explicit = calloc(k->n_rows + 1, sizeof(uint32_t));
        k->explicit_class = malloc(room + 1);
        k->explicit_to = reallocarray(NULL, room + 1, sizeof(uint32_t));
        if (!k->first_explicit || !k->explicit_class || !k->explicit_to)
                return -ENOMEM;

        for (uint32_t row = 1; row < k->n_rows; row++) {
                Row wanted = row_wanted(k, row), found = row_found(k, row);
                unsigned class = 0;

                while (rows_step(k->a, &wanted, &found, &class, &to, &to_found)) {
                        if (to == to_found)
                                continue;
                        if (n_explicit >= room)
                                return -ENOSPC;
                        k->explicit_class[n_explicit] = (uint8_t) class;
                        k->explicit_to[n_explicit++] = to;
                }
                k->first_explicit[row + 1] = n_explicit;
        }
        return 0;
}

static uint32_t n_explicit_of(const Packer *k, uint32_t row) {
        return k->first_explicit[row + 1] - k->first_explicit[row];
}

/* A bit per vacant cell among the 64 from `cell` on. */
static uint64_t vacant_from(const uint64_t *vacant, size_t cell) {
        size_t word = cell / 64, shift = cell % 64;

        return shift == 0 ? vacant[word] : vacant[word] >> shift | vacant[word + 1] << (64 - shift);
}

static void vacant_take(uint64_t *vacant, size_t cell) {
        vacant[cell / 64] &= ~(UINT64_C(1) << (cell % 64));
}

/* First fit from *inout_word on, 64 places at a time. *inout_word: the word of the place found. */
static int row_place(Packer *k, uint32_t row, size_t *inout_word) {
        uint32_t first = k->first_explicit[row], n = n_explicit_of(k, row);

        for (size_t word = *inout_word; word * 64 + CLASSES_MAX < k->n_cells; word++) {
                uint64_t fits = k->vacant[word];
                size_t header;

                for (uint32_t i = 0; i < n && fits != 0; i++)
                        fits &= vacant_from(k->vacant, word * 64 + k->explicit_class[first + i]);
                if (fits == 0)
                        continue;
                header = word * 64 + (size_t)__builtin_ctzll(fits);
                if (header + CLASSES_MAX >= k->n_cells)
                        return -ENOSPC;

                *inout_word = word;
                k->header[row] = (uint32_t)header;
                vacant_take(k->vacant, header);
                for (uint32_t i = 0; i < n; i++)
                        vacant_take(k->vacant, header + k->explicit_class[first + i]);
                k->end = MAX(k->end, header + CLASSES_MAX + 1);
                return 0;
        }
        return -ENOSPC;
}

/* Full rows fit few places, so they are placed first; the others fill the gaps. */
static int packer_order(const Packer *k, uint32_t **ret_order) {
        _cleanup_free_ uint32_t *order = calloc(k->n_rows, sizeof(uint32_t));
        uint32_t first_of[CLASSES_MAX + 2] = {};

        if (!order)
                return -ENOMEM;
        for (uint32_t row = 1; row < k->n_rows; row++)
                first_of[CLASSES_MAX - n_explicit_of(k, row) + 1]++;
        for (size_t i = 0; i <= CLASSES_MAX; i++)
                first_of[i + 1] += first_of[i];
        for (uint32_t row = 1; row < k->n_rows; row++)
                order[first_of[CLASSES_MAX - n_explicit_of(k, row)]++] = row;
        *ret_order = STEAL_PTR(order);
        return 0;
}

static int packer_place(Packer *k) {
        size_t last_word[CLASSES_MAX + 1][2] = {}, vacant_word = k->first_cell / 64;
        _cleanup_free_ uint32_t *order = NULL;
        int r;

        k->header = calloc(k->n_rows, sizeof(uint32_t));
        k->vacant = calloc(k->n_cells / 64 + CLASSES_MAX / 64 + 3, sizeof(uint64_t));
        if (!k->header || !k->vacant)
                return -ENOMEM;
        for (size_t word = k->first_cell / 64; word < k->n_cells / 64; word++)
                k->vacant[word] = ~UINT64_C(0);
        for (size_t cell = k->n_cells / 64 * 64; cell < k->n_cells; cell++)
                k->vacant[cell / 64] |= UINT64_C(1) << (cell % 64);
        for (size_t cell = k->first_cell / 64 * 64; cell < k->first_cell; cell++)
                vacant_take(k->vacant, cell);
        r = packer_order(k, &order);
        if (r < 0)
                return r;

        for (size_t i = 0; i + 1 < k->n_rows; i++) {
                uint32_t n = n_explicit_of(k, order[i]),
                         class = n > 0 ? k->explicit_class[k->first_explicit[order[i]]] : 0;
                size_t *last = &last_word[n == 1 ? class : n][n == 1], word;

                while (vacant_word * 64 + CLASSES_MAX < k->n_cells && k->vacant[vacant_word] == 0)
                        vacant_word++;
                /* A place without room for a single cell of a class has none later. For fuller rows of equal
                 * length this is nearly true, so that places far before the last of them are tried only
                 * before giving up. */
                word = *last;
                if (n > 1)
                        word -= MIN(word, (size_t)BACKTRACK_WORDS);
                word = MAX(word, vacant_word);
                r = row_place(k, order[i], &word);
                if (r < 0 && n > 1) {
                        word = vacant_word;
                        r = row_place(k, order[i], &word);
                }
                if (r < 0)
                        return r;
                *last = word;
        }
        return 0;
}

/* Shares outputs that exist already. On failure *ret_n and the outputs in use are untouched. */
static int outputs_merge(const GlobAutomaton *a, struct bw_output *outputs, size_t max_outputs,
                size_t n_outputs, uint32_t *index, size_t *ret_n) {

        size_t n = n_outputs;

        for (size_t i = 0; i < a->n_outputs; i++) {
                size_t j = 0;

                while (j < n && memcmp(&outputs[j], &a->outputs[i], sizeof(struct bw_output)) != 0)
                        j++;
                if (j == n) {
                        if (n >= max_outputs)
                                return -ENOSPC;
                        outputs[n++] = a->outputs[i];
                }
                index[i] = (uint32_t)j;
        }
        *ret_n = n;
        return 0;
}

/* The first word of the header: the default, and whether only '/' is looked up in it. */
static uint32_t default_encode(const Packer *k, uint32_t row) {
        uint32_t d = k->default_row[row];
        bool skips = row_waiting(k, d) != 0 || state_waits(k->a, d);

        return k->header[d] | (skips ? BW_DEFAULT_SKIPS : 0);
}

static void packer_write(const Packer *k, struct bw_cell *cells, const uint32_t *output_index) {
        const GlobAutomaton *a = k->a;

        /* No state's number has the top bit, so that a vacant cell is no state's transition. State 0 has no
         * cells of its own: the cells it reads have other states' checks, which are never 0, so that it
         * stays dead. */
        cells[0] = (struct bw_cell){ .next = BW_DEFAULT_SKIPS, .check = BW_IS_HEADER };
        for (size_t i = k->first_cell; i < k->end; i++)
                cells[i] = (struct bw_cell){ .next = 0, .check = BW_IS_HEADER };

        for (uint32_t row = 1; row < k->n_rows; row++) {
                uint32_t header = k->header[row];

                cells[header] = (struct bw_cell){
                        .next = default_encode(k, row),
                        .check = BW_IS_HEADER | (row < a->n_states ? output_index[a->output[row]] : 0),
                };
                for (uint32_t i = k->first_explicit[row]; i < k->first_explicit[row + 1]; i++)
                        cells[header + k->explicit_class[i]] = (struct bw_cell){
                                .next = k->header[k->explicit_to[i]],
                                .check = header,
                        };
        }
}

int glob_automaton_pack(const GlobAutomaton *a, struct bw_cell *cells, size_t n_cells, size_t *inout_used,
                struct bw_output *outputs, size_t max_outputs, size_t *inout_n_outputs,
                uint8_t ret_byte_class[static 256], uint32_t *ret_start) {

        /* The cells that state 0 reads must be inside the array, too. */
        _cleanup_(packer_done) Packer k = {
                .a = a,
                .first_cell = *inout_used,
                .n_cells = n_cells,
                .end = MAX(*inout_used, (size_t)CLASSES_MAX + 1),
        };
        _cleanup_free_ uint32_t *output_index = calloc(a->n_outputs, sizeof(uint32_t));
        size_t n_outputs;
        int r;

        if (!output_index)
                return -ENOMEM;
        if (k.first_cell < 1 || k.end > n_cells)
                return -ENOSPC;

        r = packer_choose(&k);
        if (r < 0)
                return r;
        r = packer_place(&k);
        if (r < 0)
                return r;
        r = outputs_merge(a, outputs, max_outputs, *inout_n_outputs, output_index, &n_outputs);
        if (r < 0)
                return r;

        packer_write(&k, cells, output_index);
        memcpy(ret_byte_class, a->byte_class, sizeof(a->byte_class));
        *inout_used = k.end;
        *inout_n_outputs = n_outputs;
        *ret_start = k.header[a->start];
        return 0;
}

/* One step: the next state, with BW_DEFAULT_SKIPS when it was reached by a default that skips. */
static inline uint32_t glob_automaton_step(const struct bw_cell *cells, uint32_t state, uint8_t class) {
        const struct bw_cell *cell = &cells[state + class];
        uint32_t encoded, default_state;

        if (cell->check == state)
                return cell->next;

        encoded = cells[state].next;
        default_state = encoded & BW_STATE_MASK;
        cell = &cells[default_state + class];
        if (cell->check == default_state)
                return cell->next;
        return encoded;
}

static void bits_merge(struct bw_bits *bits, const struct bw_bits *more) {
        for (size_t i = 0; i < ELEMENTSOF(bits->word); i++)
                bits->word[i] |= more->word[i];
}

struct bw_bits glob_automaton_match(const struct bw_cell *cells, const struct bw_output *outputs,
                const uint8_t byte_class[static 256], uint32_t start, const char *path, size_t path_length,
                bool complete) {

        struct bw_bits bits = {};
        uint32_t state = start;
        size_t at = path_length;

        /* Each round reads one component and the '/' before it. A path that ends in the middle of a
         * component matches nothing more. */
        while (state != 0 && at > 0) {
                const struct bw_output *output;
                bool skips = false;

                for (; at > 0 && path[at - 1] != '/'; at--) {
                        uint32_t next;

                        if (skips)
                                continue;
                        next = glob_automaton_step(cells, state, byte_class[(uint8_t)path[at - 1]]);
                        state = next & BW_STATE_MASK;
                        skips = next & BW_DEFAULT_SKIPS;
                }
                if (at == 0)
                        break;

                state = glob_automaton_step(cells, state, byte_class['/']) & BW_STATE_MASK;
                at--;
                output = &outputs[cells[state].check & BW_OUTPUT_MASK];
                bits_merge(&bits, &output->sticky);
                if (at == 0 && complete)
                        bits_merge(&bits, &output->final);
        }
        return bits;
}
