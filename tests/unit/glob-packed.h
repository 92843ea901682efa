/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A packed automaton for the tests of globs: built, checked against what bpf/abi/policy.h promises, and run.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "glob/automaton.h"
#include "basic/util.h"

#define CELLS_MAX (1U << 19)

DEFINE_CLEANUP(GlobAutomaton, glob_automaton_free);

typedef struct Packed {
        struct bw_cell *cells;
        size_t used, n_outputs;
        struct bw_output outputs[BW_OUTPUTS_MAX];
        uint8_t byte_class[256];
        uint32_t start;
} Packed;

static inline void packed_done(Packed *p) {
        free(p->cells);
}

/* What bpf/abi/policy.h promises about one cell. */
static inline bool cell_is_sound(const Packed *p, size_t i) {
        const struct bw_cell *cell = &p->cells[i];
        uint32_t next = cell->next & BW_STATE_MASK;

        if (next + 255 >= p->used || !(p->cells[next].check & BW_IS_HEADER))
                return false;
        if (cell->check & BW_IS_HEADER)
                return (p->cells[next].next & BW_STATE_MASK) == next &&
                       (cell->check & BW_OUTPUT_MASK) < p->n_outputs;
        return cell->check >= 1 && cell->check < i && i <= cell->check + 255 &&
               (p->cells[cell->check].check & BW_IS_HEADER) && !(cell->next & BW_DEFAULT_SKIPS);
}

static inline void packed_check(const Packed *p) {
        assert_true(p->used >= 256);
        assert_true(p->start == 0 || p->start + 255 < p->used);
        for (size_t i = 0; i < 256; i++)
                assert_int_not_equal(p->byte_class[i], 0);
        for (size_t i = 0; i < p->used; i++)
                if (!cell_is_sound(p, i))
                        fail_msg("cell %zu: next %#x, check %#x", i, p->cells[i].next, p->cells[i].check);
}

static inline void packed_add(Packed *p, const GlobAutomaton *a) {
        if (!p->cells) {
                p->cells = malloc(CELLS_MAX * sizeof(struct bw_cell));
                assert_non_null(p->cells);
                /* What another policy left behind must not show. */
                memset(p->cells, 0x01, CELLS_MAX * sizeof(struct bw_cell));
                p->used = 1;
        }
        assert_int_equal(glob_automaton_pack(a, p->cells, CELLS_MAX, &p->used, p->outputs, BW_OUTPUTS_MAX,
                                         &p->n_outputs, p->byte_class, &p->start),
                        0);
        packed_check(p);
}

static inline GlobAutomaton *automaton(const GlobPattern *patterns, size_t n) {
        GlobAutomaton *a = NULL;
        size_t culprit = SIZE_MAX;

        assert_int_equal(glob_automaton_new(patterns, n, 1U << 20, &a, &culprit), 0);
        assert_int_equal(culprit, SIZE_MAX);
        return a;
}

static inline void packed_build(Packed *p, const GlobPattern *patterns, size_t n) {
        _cleanup_(glob_automaton_freep) GlobAutomaton *a = automaton(patterns, n);

        packed_add(p, a);
}

static inline struct bw_bits packed_match(const Packed *p, const char *path, bool complete) {
        return glob_automaton_match(
                        p->cells, p->outputs, p->byte_class, p->start, path, strlen(path), complete);
}

static inline bool bits_have(const struct bw_bits *bits, unsigned bit) {
        return bits->word[bit / 64] >> (bit % 64) & 1;
}

static inline size_t bits_count(const struct bw_bits *bits) {
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(bits->word); i++)
                n += (size_t)__builtin_popcountll(bits->word[i]);
        return n;
}

static inline bool reference(const char *glob, const char *path) {
        return glob_match_reference(glob, path, strlen(path));
}
