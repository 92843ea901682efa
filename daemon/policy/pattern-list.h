/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The patterns of one automaton, each with its origin in the policy. */

#include <stddef.h>

#include "glob/automaton.h"
#include "policy/types.h"

typedef struct PatternList {
        GlobPattern *patterns; /* the globs are owned */
        const PolicyGlob **sources;
        size_t n;
} PatternList;

void pattern_list_done(PatternList *l);

/* Appends the pattern that is `prefix` and `glob`, with the bit that a match sets; source: the item of the
 * policy that it was made of, which is borrowed. 0 or -ENOMEM. */
int pattern_list_append(PatternList *l, const char *prefix, const char *glob, unsigned bit,
                const PolicyGlob *source);
