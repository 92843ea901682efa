/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Finds the [Lineage] sections that match an executable or a unit, at a cost that does not depend on the
 * number of sections: an automaton like the kernel's, in user space. Pure. */

#include "event/decode.h"
#include "glob/automaton.h"
#include "policy/types.h"

/* One bit each. */
#define LINEAGES_MAX 256

typedef struct LineageTable LineageTable;

/* Bit n stands for p->lineages[n]. *ret is NULL where there are none. 0; -E2BIG with *ret_message, which
 * names the line and the remedy; -ENOMEM. */
int lineage_table_new(const Policy *p, LineageTable **ret, PolicyMessage *ret_message);
LineageTable *lineage_table_free(LineageTable *t);

/* The sections whose Exe= matches the path. t may be NULL. */
struct bw_bits lineage_match_exe(const LineageTable *t, Bytes exe);
/* The sections whose Unit= matches the name of the unit. t may be NULL. */
struct bw_bits lineage_match_unit(const LineageTable *t, Bytes unit);
