/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Which [Lineage] sections an executable or a unit belongs to, however many they are and however long its path:
 * the same automaton as the kernel's, for user space. Pure. */

#include "event-decode.h"
#include "glob-automaton.h"
#include "policy-file.h"

/* One bit each. */
#define LINEAGES_MAX 256

typedef struct LineageTable LineageTable;

/* Bit n stands for p->lineages[n]. *ret is NULL where there are none. 0; -E2BIG with *ret_message, which names the
 * line and the remedy; -ENOMEM. */
int lineage_table_new(const Policy *p, LineageTable **ret, PolicyMessage *ret_message);
LineageTable *lineage_table_free(LineageTable *t);

/* Those whose Exe= matches the path. t may be NULL. */
struct bw_bits lineage_match_exe(const LineageTable *t, Bytes exe);
/* Those whose Unit= matches the unit's name. */
struct bw_bits lineage_match_unit(const LineageTable *t, Bytes unit);
