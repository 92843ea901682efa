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
        int names_file; /* where the names are written, see policy-names.h */
} PolicyStore;

/* Where the names of this daemon and the next ones are written. fd: the file of the daemon before, -1: there is none.
 * Returns whether its names are known now: if not, they are lost, and a new file is made. */
int policy_store_open(PolicyStore *s, int fd);
void policy_store_done(PolicyStore *s);

/* A policy that is being read: what it is read with, and what came of it. */
typedef struct PolicyDraft {
        const char *config_file; /* see policy_load() */
        char *const *policy_dirs;
        size_t max_cells; /* see policy_compile() */
        bool strict;      /* one error refuses all of it */
        int names_file;

        Policy *policy;
        PolicyTables *tables;
        PolicyNames names;
        int loaded, compiled; /* as these two have returned */
        PolicyMessage message;
} PolicyDraft;

/* Reads and compiles. Touches nothing but the draft and logs nothing: a thread of its own may do it. */
void policy_draft_read(PolicyDraft *d);
void policy_draft_done(PolicyDraft *d);

/* Says in the log what is wrong with it, and takes its names over. What is in force stays as it is. */
int policy_store_take(PolicyStore *s, PolicyDraft *d, Policy **ret, PolicyTables **ret_tables);

/* Takes over a policy that was read, once its tables are in the kernel. The first one's limits stay. */
void policy_store_use(PolicyStore *s, Policy *p, const PolicyTables *tables, uint32_t generation);

/* The policy that a record of this generation was judged by; of an older one the oldest that is there. */
const Policy *policy_store_judge(const PolicyStore *s, uint32_t generation);

/* What is told of it. previous: the hash before; NULL: it is the first. */
StateAlert policy_store_state(const PolicyStore *s, const char *previous);
