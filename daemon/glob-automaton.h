/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Globs → one deterministic automaton over reversed paths, in the cell format of bpf/policy.h.
 *
 * Pure: bytes in, tables out; no globals, no I/O. The kernel runs the same cells (bpf/path.bpf.h);
 * glob_automaton_match() below is the same walk in user space, for tests and for explaining a verdict. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bpf/policy.h"

typedef struct GlobPattern {
        const char *glob; /* absolute: begins with '/' */
        unsigned bit;     /* 0 … 255: set in the output when the path matches */
} GlobPattern;

typedef struct GlobAutomaton GlobAutomaton;

/* Is this a well-formed glob? 0, or -EINVAL with *ret_offset the offending byte and *ret_message a constant
 * sentence that says what is wrong and what would be right. */
int glob_check(const char *glob, size_t *ret_offset, const char **ret_message);

/* Builds the automaton. -EINVAL: patterns[*ret_culprit] is malformed. -E2BIG: with patterns[*ret_culprit] the
 * automaton passed max_states or an output limit. -ENOMEM. n = 0 is fine: matches nothing. */
int glob_automaton_new(
        const GlobPattern *patterns, size_t n, size_t max_states, GlobAutomaton **ret, size_t *ret_culprit);
GlobAutomaton *glob_automaton_free(GlobAutomaton *a);

size_t glob_automaton_n_states(const GlobAutomaton *a);
size_t glob_automaton_n_byte_classes(const GlobAutomaton *a);

/* Packs into cells[*inout_used … n_cells), adding outputs to outputs[0 … *inout_n_outputs) (shared between
 * automata, equal ones once, index 0 is and stays empty). *ret_start is the start state (0: matches nothing).
 * On success *inout_used is past the last cell that any state may touch. -ENOSPC: cells or outputs are full,
 * nothing is to be used. *inout_used must be ≥ 1: cell 0 is the dead state. */
int glob_automaton_pack(
        const GlobAutomaton *a,
        struct bw_cell *cells,
        size_t n_cells,
        size_t *inout_used,
        struct bw_output *outputs,
        size_t max_outputs,
        size_t *inout_n_outputs,
        uint8_t ret_byte_class[static 256],
        uint32_t *ret_start);

/* Runs packed cells over an absolute path (no trailing slash; "//", "." and ".." are not interpreted) exactly as
 * the kernel does. `whole` false: the path's beginning is missing, only sticky outputs count. */
struct bw_bits glob_automaton_match(
        const struct bw_cell *cells,
        const struct bw_output *outputs,
        const uint8_t byte_class[static 256],
        uint32_t start,
        const char *path,
        size_t path_length,
        bool whole);

/* The plain matcher the automaton is tested against: backtracking, straight from the definition. */
bool glob_match_reference(const char *glob, const char *path, size_t path_length);
