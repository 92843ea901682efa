/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The policy in force, and the previous one, since records that the kernel made by it may still arrive.
 * Errors of a policy are logged here. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/compile.h"
#include "policy/types.h"

typedef struct PolicyStore {
        Policy *policy, *before; /* before: the previous one, NULL until a reload */
        PolicyNames names;       /* of every policy so far */
        uint32_t generation;     /* of the kernel's table that holds `policy` */
        uint64_t realtime_usec;  /* when it came into force */
        size_t n_patterns;
        bool refused;            /* the last reload was refused */
        PolicyCorrelator limits; /* of the first policy; they stay in force */
        unsigned alerts_max;
        int names_file; /* of names, see policy/names.h; 0: none */
} PolicyStore;

/* Opens the file of names. fd: the file of the previous instance, which is copied, or -1. Returns 1 if its
 * names were read; 0 if they are lost, and the file is a new one; negative errno. */
int policy_store_open(PolicyStore *s, int fd);
void policy_store_done(PolicyStore *s);

/* Loads and compiles a policy without changing the one in force. config_file, policy_dirs: see
 * policy_load(). max_cells: see policy_compile(). strict: a single error refuses the policy. */
int policy_store_read(PolicyStore *s, const char *config_file, char *const *policy_dirs, size_t max_cells,
                bool strict, Policy **ret, PolicyTables **ret_tables);

/* Puts a policy in force, once its tables are in the kernel. Takes ownership of it. The limits of the first
 * policy stay in force. */
void policy_store_use(PolicyStore *s, Policy *p, const PolicyTables *tables, uint32_t generation);

/* Returns the policy by which the kernel judged a record of this generation; the previous one for all older
 * generations. */
const Policy *policy_store_judge(const PolicyStore *s, uint32_t generation);
