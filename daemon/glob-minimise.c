/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Minimises an automaton by refining a partition of its states: states begin in one block when they have the
 * same output, and a block is split where its states lead to different blocks. When it splits, its largest
 * part keeps the number, so that a state is looked at again only a logarithmic number of times. */

#include <errno.h>
#include <string.h>

#include "glob-dfa.h"

typedef struct Block {
        uint32_t begin, end; /* its states: order[begin … end) */
        uint32_t n_dirty;    /* the first of them: a block they lead to has changed */
} Block;

/* A state's row in terms of blocks: where other bytes lead, then the classes that lead elsewhere. */
typedef struct Row {
        uint32_t state;
        uint32_t n_words;
        const uint32_t *words;
} Row;

typedef struct Refiner {
        const GlobAutomaton *a;
        uint32_t *order; /* the states, block after block */
        uint32_t *place; /* its inverse */
        uint32_t *block_of;
        Block *blocks;
        uint32_t *pending; /* blocks with dirty states; each once */
        uint32_t n_blocks, n_pending;

        uint32_t *first_source; /* sources[first_source[s] … first_source[s + 1]) lead to s */
        uint32_t *sources;

        Row *rows;
        uint32_t *words;
} Refiner;

static void refiner_done(Refiner *f) {
        free(f->order);
        free(f->place);
        free(f->block_of);
        free(f->blocks);
        free(f->pending);
        free(f->first_source);
        free(f->sources);
        free(f->rows);
        free(f->words);
}

static int refiner_allocate(Refiner *f) {
        size_t n = f->a->n_states, n_edges = f->a->first_edge[n];

        f->order = calloc(n, sizeof(uint32_t));
        f->place = calloc(n, sizeof(uint32_t));
        f->block_of = calloc(n, sizeof(uint32_t));
        f->blocks = calloc(n, sizeof(Block));
        f->pending = calloc(n, sizeof(uint32_t));
        f->first_source = calloc(n + 2, sizeof(uint32_t));
        f->sources = calloc(n + n_edges, sizeof(uint32_t));
        f->rows = calloc(n, sizeof(Row));
        f->words = calloc(n + 2 * n_edges, sizeof(uint32_t));
        if (!f->order || !f->place || !f->block_of || !f->blocks || !f->pending || !f->first_source ||
                        !f->sources || !f->rows || !f->words)
                return -ENOMEM;
        return 0;
}

static void refiner_invert(Refiner *f) {
        const GlobAutomaton *a = f->a;
        uint32_t n = (uint32_t)a->n_states, n_edges = a->first_edge[n], *at = f->first_source + 1;

        /* Counted one to the right, so that filling in moves each start to where it belongs. */
        for (uint32_t s = 0; s < n; s++)
                at[a->other[s] + 1]++;
        for (uint32_t e = 0; e < n_edges; e++)
                at[a->edge_to[e] + 1]++;
        for (uint32_t s = 0; s < n; s++)
                at[s + 1] += at[s];
        for (uint32_t s = 0; s < n; s++) {
                f->sources[at[a->other[s]]++] = s;
                for (uint32_t e = a->first_edge[s]; e < a->first_edge[s + 1]; e++)
                        f->sources[at[a->edge_to[e]]++] = s;
        }
}

static int refiner_start(Refiner *f) {
        const GlobAutomaton *a = f->a;
        _cleanup_free_ uint32_t *at = calloc(a->n_outputs + 1, sizeof(uint32_t));

        if (!at)
                return -ENOMEM;
        for (size_t s = 0; s < a->n_states; s++)
                at[a->output[s] + 1]++;
        for (size_t o = 0; o < a->n_outputs; o++)
                at[o + 1] += at[o];

        /* Every output belongs to a state: no block is empty. */
        for (size_t o = 0; o < a->n_outputs; o++) {
                f->blocks[f->n_blocks++] =
                                (Block){.begin = at[o], .end = at[o + 1], .n_dirty = at[o + 1] - at[o]};
                f->pending[f->n_pending++] = (uint32_t)o;
        }
        for (uint32_t s = 0; s < a->n_states; s++) {
                uint32_t place = at[a->output[s]]++;
                f->order[place] = s;
                f->place[s] = place;
                f->block_of[s] = a->output[s];
        }
        return 0;
}

static void state_mark(Refiner *f, uint32_t state) {
        Block *block = &f->blocks[f->block_of[state]];
        uint32_t from = f->place[state], to = block->begin + block->n_dirty, moved;

        /* Alone it cannot be split. */
        if (from < to || block->end - block->begin == 1)
                return;
        moved = f->order[to];
        f->order[to] = state;
        f->place[state] = to;
        f->order[from] = moved;
        f->place[moved] = from;
        if (block->n_dirty++ == 0)
                f->pending[f->n_pending++] = f->block_of[state];
}

static uint32_t row_read(const Refiner *f, uint32_t state, uint32_t *words) {
        const GlobAutomaton *a = f->a;
        uint32_t other = f->block_of[a->other[state]];
        uint32_t n = 0;

        words[n++] = other;
        for (uint32_t e = a->first_edge[state]; e < a->first_edge[state + 1]; e++) {
                uint32_t to = f->block_of[a->edge_to[e]];

                if (to == other)
                        continue;
                words[n++] = a->edge_class[e];
                words[n++] = to;
        }
        return n;
}

static int row_compare(const void *a, const void *b) {
        const Row *x = a, *y = b;

        if (x->n_words != y->n_words)
                return x->n_words < y->n_words ? -1 : 1;
        return memcmp(x->words, y->words, x->n_words * sizeof(uint32_t));
}

/* Closes a part of the block being split: of it and the largest part so far, the smaller one gets a new
 * number. */
static void part_close(Refiner *f, uint32_t begin, uint32_t end, Block *largest) {
        Block smaller = {.begin = begin, .end = end};

        if (end - begin > largest->end - largest->begin) {
                smaller = *largest;
                *largest = (Block){.begin = begin, .end = end};
        }
        if (smaller.begin == smaller.end)
                return;
        for (uint32_t i = smaller.begin; i < smaller.end; i++)
                f->block_of[f->order[i]] = f->n_blocks;
        f->blocks[f->n_blocks++] = smaller;
}

static void block_split(Refiner *f, uint32_t b) {
        uint32_t begin = f->blocks[b].begin, end = f->blocks[b].end, n_dirty = f->blocks[b].n_dirty;
        bool has_clean = begin + n_dirty < end;
        uint32_t at = begin, part = begin, *words = f->words;
        Block largest = {.begin = begin, .end = begin};
        const Row *previous = NULL;
        Row clean = {};

        f->blocks[b].n_dirty = 0;

        for (uint32_t i = 0; i < n_dirty; i++) {
                uint32_t state = f->order[begin + i];

                f->rows[i] = (Row){.state = state, .n_words = row_read(f, state, words), .words = words};
                words += f->rows[i].n_words;
        }
        qsort(f->rows, n_dirty, sizeof(Row), row_compare);

        /* All clean states have the same row. Dirty ones that have it too go next to them, to the end. */
        if (has_clean) {
                clean.words = words;
                clean.n_words = row_read(f, f->order[begin + n_dirty], words);
        }
        for (uint32_t i = 0; i < n_dirty; i++) {
                const Row *row = &f->rows[i];

                if (has_clean && row_compare(row, &clean) == 0)
                        continue;
                if (previous && row_compare(previous, row) != 0) {
                        part_close(f, part, at, &largest);
                        part = at;
                }
                f->order[at] = row->state;
                f->place[row->state] = at++;
                previous = row;
        }
        if (at > part)
                part_close(f, part, at, &largest);
        part = at;
        for (uint32_t i = 0; has_clean && i < n_dirty; i++) {
                const Row *row = &f->rows[i];

                if (row_compare(row, &clean) != 0)
                        continue;
                f->order[at] = row->state;
                f->place[row->state] = at++;
        }
        if (has_clean)
                part_close(f, part, end, &largest);
        f->blocks[b] = largest;
}

static void refiner_run(Refiner *f) {
        while (f->n_pending > 0) {
                uint32_t first_new = f->n_blocks, n_moved = 0;

                block_split(f, f->pending[--f->n_pending]);

                /* Marking reorders blocks: take down first which states have moved. */
                for (uint32_t b = first_new; b < f->n_blocks; b++)
                        for (uint32_t i = f->blocks[b].begin; i < f->blocks[b].end; i++)
                                f->rows[n_moved++].state = f->order[i];
                for (uint32_t i = 0; i < n_moved; i++) {
                        uint32_t s = f->rows[i].state;

                        for (uint32_t j = f->first_source[s]; j < f->first_source[s + 1]; j++)
                                state_mark(f, f->sources[j]);
                }
        }
}

/* One state for each block. Blocks are numbered by their first state: the dead state stays 0, and neighbours
 * in the construction stay near each other in the table. */
static int refiner_emit(const Refiner *f, GlobAutomaton **ret) {
        const GlobAutomaton *a = f->a;
        _cleanup_(glob_automaton_freep) GlobAutomaton *m = calloc(1, sizeof(GlobAutomaton));
        _cleanup_free_ uint32_t *number = NULL, *first = NULL;
        uint32_t n = f->n_blocks, n_numbered = 0, n_edges = 0;

        if (!m)
                return -ENOMEM;
        number = malloc(n * sizeof(uint32_t));
        first = calloc(n, sizeof(uint32_t));
        if (!number || !first)
                return -ENOMEM;
        memset(number, 0xff, n * sizeof(uint32_t));
        for (uint32_t s = 0; s < a->n_states; s++) {
                uint32_t *to = &number[f->block_of[s]];

                if (*to != UINT32_MAX)
                        continue;
                first[n_numbered] = s;
                *to = n_numbered++;
                n_edges += a->first_edge[s + 1] - a->first_edge[s];
        }

        m->other = calloc(n, sizeof(uint32_t));
        m->first_edge = calloc(n + 1, sizeof(uint32_t));
        m->output = calloc(n, sizeof(uint16_t));
        m->edge_class = calloc(n_edges + 1, sizeof(uint8_t));
        m->edge_to = calloc(n_edges + 1, sizeof(uint32_t));
        m->outputs = calloc(a->n_outputs, sizeof(struct bw_output));
        if (!m->other || !m->first_edge || !m->output || !m->edge_class || !m->edge_to || !m->outputs)
                return -ENOMEM;

        n_edges = 0;
        for (uint32_t k = 0; k < n; k++) {
                uint32_t s = first[k];

                m->other[k] = number[f->block_of[a->other[s]]];
                m->output[k] = a->output[s];
                for (uint32_t e = a->first_edge[s]; e < a->first_edge[s + 1]; e++) {
                        uint32_t to = number[f->block_of[a->edge_to[e]]];

                        if (to == m->other[k])
                                continue;
                        m->edge_class[n_edges] = a->edge_class[e];
                        m->edge_to[n_edges++] = to;
                }
                m->first_edge[k + 1] = n_edges;
        }
        m->n_states = n;
        m->start = number[f->block_of[a->start]];
        memcpy(m->outputs, a->outputs, a->n_outputs * sizeof(struct bw_output));
        m->n_outputs = a->n_outputs;
        memcpy(m->byte_class, a->byte_class, sizeof(m->byte_class));
        m->n_classes = a->n_classes;
        m->slash_class = a->slash_class;
        m->other_class = a->other_class;

        *ret = STEAL_PTR(m);
        return 0;
}

int glob_automaton_minimise(const GlobAutomaton *a, GlobAutomaton **ret) {
        _cleanup_(refiner_done) Refiner f = {.a = a};
        int r;

        r = refiner_allocate(&f);
        if (r < 0)
                return r;
        refiner_invert(&f);
        r = refiner_start(&f);
        if (r < 0)
                return r;
        refiner_run(&f);
        return refiner_emit(&f, ret);
}
