/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The language of patterns: globs → one deterministic automaton over reversed paths, in the cell format of
 * bpf/abi/policy.h.
 *
 * This folder may include basic/ and bpf/abi/policy.h. It must not know policies: what a pattern means is a
 * bit that its caller chose. Pure: bytes in, tables out; no globals, no I/O.
 *
 *     parse       a glob → items
 *     positions   items of all patterns → a nondeterministic automaton
 *     automaton   positions → a deterministic one
 *     pack        the automaton → cells, and the walk over cells
 *     reference   a plain matcher to test all of that against
 *
 * The kernel runs the same cells (bpf/lib/path.bpf.h); glob_automaton_match() below is the same walk in user
 * space, for tests and for explaining a verdict. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/policy.h"

typedef struct GlobPattern {
        const char *glob; /* absolute: begins with '/' */
        unsigned bit;     /* 0 … 255: set in the output when the path matches */
} GlobPattern;

typedef struct GlobAutomaton GlobAutomaton;

/* Checks the syntax of a glob. -EINVAL: *ret_offset is the offending byte, *ret_message a constant sentence
 * that names the error and its remedy. */
int glob_check(const char *glob, size_t *ret_offset, const char **ret_message);

/* Builds the automaton; one of no patterns matches nothing. -EINVAL: patterns[*ret_culprit] is malformed.
 * -E2BIG: with patterns[*ret_culprit] the automaton exceeds max_states or an output limit. -ENOMEM. */
int glob_automaton_new(const GlobPattern *patterns, size_t n, size_t max_states, GlobAutomaton **ret,
                size_t *ret_culprit);
GlobAutomaton *glob_automaton_free(GlobAutomaton *a);

size_t glob_automaton_n_states(const GlobAutomaton *a);
size_t glob_automaton_n_byte_classes(const GlobAutomaton *a);

/* Packs into cells[*inout_used … n_cells) and adds outputs to outputs[0 … *inout_n_outputs), which automata
 * share: equal outputs are stored once, and index 0 stays empty. *inout_used must be ≥ 1, as cell 0 is the
 * dead state; on success it is past the last cell that any state may read. *ret_start: the start state (0:
 * matches nothing). -ENOSPC: cells or outputs are full, and the result must not be used. */
int glob_automaton_pack(const GlobAutomaton *a, struct bw_cell *cells, size_t n_cells, size_t *inout_used,
                struct bw_output *outputs, size_t max_outputs, size_t *inout_n_outputs,
                uint8_t ret_byte_class[static 256], uint32_t *ret_start);

/* Runs packed cells over an absolute path exactly as the kernel does. The path has no trailing slash; "//",
 * "." and ".." are not interpreted. `complete` false: the beginning of the path is missing, so that only
 * sticky outputs count. */
struct bw_bits glob_automaton_match(const struct bw_cell *cells, const struct bw_output *outputs,
                const uint8_t byte_class[static 256], uint32_t start, const char *path, size_t path_length,
                bool complete);

/* The plain backtracking matcher that the automaton is tested against. */
bool glob_match_reference(const char *glob, const char *path, size_t path_length);
