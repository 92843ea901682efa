/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Policy → the tables of bpf/abi/policy.h. Pure: no files, no kernel. */

#include <stddef.h>
#include <stdint.h>

#include "abi/policy.h"
#include "policy/types.h"

/* The name of each bit. Marks in the kernel carry the bits, which therefore outlive a reload: a name keeps
 * its bit, and a new name takes a bit that was never used, or that of a removed name if there is none. A
 * rule whose Script= or Ancestor= changed counts as new, since processes store the result of those
 * conditions by the bit. */
typedef struct PolicyNames {
        char *class_names[BW_CLASSES_MAX];
        char *rule_names[BW_RULES_MAX];
        uint64_t rule_prints[BW_RULES_MAX]; /* of what processes remember by the bit: Script= and Ancestor=
                                             */
} PolicyNames;

void policy_names_done(PolicyNames *n);

typedef struct PolicyTables {
        struct bw_table *table; /* seq and generation are set by the loader */
        struct bw_cell *cells;
        size_t n_cells; /* used */
        size_t n_states[BW_AUTOMATA];
        size_t n_patterns[BW_AUTOMATA];
        size_t n_outputs;
        size_t n_nets, n_users, n_arguments;
        uint64_t identity; /* the first bytes of the policy's hash */
} PolicyTables;

PolicyTables *policy_tables_free(PolicyTables *t);
DEFINE_CLEANUP(PolicyTables, policy_tables_free);

/* Compiles the policy. Extends *names, on success only. max_cells: the size of the kernel's table (0:
 * POLICY_CELLS_MAX). -E2BIG: too many classes, rules, destinations or states; -ENOSPC: it does not fit
 * max_cells; for both *ret_message names the place and the remedy. -ENOMEM. */
int policy_compile(const Policy *p, PolicyNames *names, size_t max_cells, PolicyTables **ret,
                PolicyMessage *ret_message);

/* 2^19 cells of 8 bytes are 4 MiB, the largest map value on every supported kernel (KMALLOC_MAX_SIZE). */
#define POLICY_CELLS_MAX (1U << 19)

/* The class that has the bit in this policy, or NULL if it was removed. */
const PolicyClass *policy_class_by_bit(const Policy *p, const PolicyNames *names, unsigned bit);
