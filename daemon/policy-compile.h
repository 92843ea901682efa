/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Policy → the tables of bpf/policy.h. Pure: no files, no kernel. */

#include <stddef.h>
#include <stdint.h>

#include "../bpf/policy.h"
#include "policy-file.h"

/* Which bit stands for which name. Bits outlive a reload: marks in the kernel carry them. A name keeps its bit; a
 * new name takes a bit never used before, and one that was given up only when none is left. A rule with another
 * Script= or Ancestor= than before counts as a new name: what processes remember by the bit was judged by those. */
typedef struct PolicyNames {
        char *class_names[BW_CLASSES_MAX];
        char *rule_names[BW_RULES_MAX];
        uint64_t rule_prints[BW_RULES_MAX]; /* of what processes remember by the bit: Script= and Ancestor= */
} PolicyNames;

void policy_names_done(PolicyNames *n);

typedef struct PolicyTables {
        struct bw_table *table; /* seq and generation are the loader's business */
        struct bw_cell *cells;
        size_t n_cells; /* used */
        size_t n_states[BW_AUTOMATA];
        size_t n_patterns[BW_AUTOMATA];
        size_t n_outputs;
        size_t n_nets, n_users;
} PolicyTables;

PolicyTables *policy_tables_free(PolicyTables *t);
DEFINE_CLEANUP(PolicyTables, policy_tables_free);

/* Compiles. *names is read and, on success only, extended. max_cells: what the kernel's table holds (0: no limit
 * but POLICY_CELLS_MAX). On failure *ret_message names file, line, column and pattern, and the remedy:
 * -E2BIG too many classes, rules, destinations or states; -ENOSPC does not fit max_cells; -ENOMEM. */
int policy_compile(
        const Policy *p, PolicyNames *names, size_t max_cells, PolicyTables **ret, PolicyMessage *ret_message);

/* Cells a table may have at most: 2^19 of 8 bytes is 4 MiB, the largest map value of every kernel we claim
 * (KMALLOC_MAX_SIZE). */
#define POLICY_CELLS_MAX (1U << 19)

/* The patterns that one of Path= or ExcludePath= stands for: one, or one a home for "~/". 1 with number n, newly
 * allocated; 0: there are fewer; -ENOMEM. */
int policy_glob_variant(const Policy *p, const char *glob, size_t n, char **ret);

/* The class that owns a bit now, or NULL (a class given up since). */
const PolicyClass *policy_class_by_bit(const Policy *p, const PolicyNames *names, unsigned bit);
