/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The policy in force, and the one before it: records that the kernel made by it may still come. Everything that is
 * wrong with a policy is told in the log. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert-state.h"
#include "policy-compile.h"
#include "policy-file.h"

typedef struct PolicyStore {
        Policy *policy, *before; /* before: NULL until a reload */
        PolicyNames names;       /* of every policy so far */
        uint32_t generation;     /* of the kernel's table that holds `policy` */
        uint64_t realtime_usec;  /* since when */
        size_t n_patterns;
        bool refused;            /* the last reload was */
        PolicyCorrelator limits; /* those of the start, which stay in force */
        unsigned alerts_max;
        int names_file; /* where the names are written, see policy-names.h; 0: nowhere */
} PolicyStore;

/* Where the names of this daemon and the next ones are written. fd: the file of the daemon before, -1: there is none.
 * Returns whether its names are known now: if not, they are lost, and a new file is made. */
int policy_store_open(PolicyStore *s, int fd);
void policy_store_done(PolicyStore *s);

/* Reads and compiles, without touching what is in force. config_file, policy_dirs: see policy_load(); max_cells: see
 * policy_compile(). strict: one error refuses all of it. */
int policy_store_read(PolicyStore *s,
        const char *config_file,
        char *const *policy_dirs,
        size_t max_cells,
        bool strict,
        Policy **ret,
        PolicyTables **ret_tables);

/* Takes over a policy that was read, once its tables are in the kernel. The first one's limits stay. */
void policy_store_use(PolicyStore *s, Policy *p, const PolicyTables *tables, uint32_t generation);

/* The policy that a record of this generation was judged by; of an older one the oldest that is there. */
const Policy *policy_store_judge(const PolicyStore *s, uint32_t generation);

/* What is told of it. previous: the hash before; NULL: it is the first. */
StateAlert policy_store_state(const PolicyStore *s, const char *previous);
