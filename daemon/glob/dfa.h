/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The contents of a GlobAutomaton, for the files that build and pack one. Private to glob/. */

#include <stddef.h>
#include <stdint.h>

#include "glob/automaton.h"
#include "basic/util.h"

/* State 0 is dead: it has no output, and every byte leads back to it. A state goes to other[state], except
 * for the byte classes listed in edges first_edge[state] … first_edge[state + 1], in ascending order.
 * other_class is never listed: other[] is its target in every state, so that rows compare. */
struct GlobAutomaton {
        uint32_t *other;
        uint32_t *first_edge; /* n_states + 1 */
        uint16_t *output;     /* index into outputs */
        size_t n_states;
        uint8_t *edge_class;
        uint32_t *edge_to;
        struct bw_output *outputs; /* [0] is empty; all distinct */
        size_t n_outputs;
        uint32_t start;
        uint8_t byte_class[256];
        size_t n_classes; /* 1 … n_classes are in use */
        uint8_t slash_class;
        uint8_t other_class;
};

DEFINE_CLEANUP(GlobAutomaton, glob_automaton_free);
