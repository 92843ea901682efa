/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Patterns → a small nondeterministic automaton, which automaton.c makes deterministic. Private to glob/.
 *
 * A position stands for how much of some patterns has been read, backwards. Patterns share positions at both
 * ends: a common end of their paths, which is read first, and a common rest if they set the same bit.
 * Sharing the rest keeps many patterns of one class that have a '*' in the middle from multiplying with each
 * other. */

#include <stddef.h>
#include <stdint.h>

#include "glob/automaton.h"
#include "glob/parse.h"
#include "basic/util.h"

/* A position that may stay where it is. */
typedef enum GlobLoop {
        GLOB_LOOP_NONE,
        GLOB_LOOP_COMPONENT, /* while there is no '/' */
        GLOB_LOOP_ANY,
        GLOB_LOOP_DIRS, /* on any byte; entered together with the target of its edge, which is '/' */
} GlobLoop;

/* The label of an edge: the number of a byte class, GLOB_LABEL_SET plus the index of a set of byte classes,
 * or one of the labels below, which need no byte. The edges of a position are sorted by label. */
#define GLOB_LABEL_SET 256U
#define GLOB_LABEL_COMPONENT 0xfffffff0U
#define GLOB_LABEL_ANY 0xfffffff1U
#define GLOB_LABEL_DIRS 0xfffffff2U

static inline GlobLoop glob_label_loop(uint32_t label) {
        return label >= GLOB_LABEL_COMPONENT ? (GlobLoop)(label - GLOB_LABEL_COMPONENT + GLOB_LOOP_COMPONENT)
                                             : GLOB_LOOP_NONE;
}

typedef struct GlobEdge {
        uint32_t label;
        uint32_t to;
} GlobEdge;

typedef struct GlobPosition {
        uint32_t first_edge;
        uint32_t n_edges;
        uint32_t output; /* index into outputs */
        GlobLoop loop;
} GlobPosition;

typedef struct GlobPositions {
        uint8_t byte_class[256];
        size_t n_classes; /* 1 … n_classes are in use */
        uint8_t slash_class;
        uint8_t other_class; /* the bytes that no pattern tells apart; no edge has it as its label */

        ByteSet *sets; /* of bytes while patterns are added, of byte classes afterwards */
        size_t n_sets, sets_size;

        GlobPosition *positions;
        size_t n_positions, positions_size;
        GlobEdge *edges;
        size_t n_edges, edges_size;
        uint32_t start;

        struct bw_output *outputs; /* [0] is empty */
        size_t n_outputs, outputs_size;
} GlobPositions;

/* -EINVAL: patterns[*ret_culprit] is malformed; -E2BIG: with it there are more positions than any table
 * holds. */
int glob_positions_new(const GlobPattern *patterns, size_t n, GlobPositions **ret, size_t *ret_culprit);
GlobPositions *glob_positions_free(GlobPositions *p);
DEFINE_CLEANUP(GlobPositions, glob_positions_free);

/* Room for one more element than n, at least doubling: -ENOMEM. */
int glob_array_grow(void *inout_array, size_t *inout_size, size_t n, size_t element_bytes);
