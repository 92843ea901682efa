/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What an item of the policy stands for: "~/" is every home, and a path that leads through a link is also
 * what it leads to. Pure. */

#include "policy/pattern-list.h"
#include "policy/types.h"

/* Returns the nth pattern, newly allocated, that an item of Path=, Exe= and the like stands for: itself and
 * what links lead to, or with "~/" one per home. 1; 0: there are fewer; -ENOMEM. */
int policy_glob_variant(const Policy *p, const char *glob, size_t n, char **ret);

/* Appends all of them. 0 or -ENOMEM. */
int pattern_list_append_variants(PatternList *l, const Policy *p, const PolicyGlob *source, unsigned bit);

/* The link that the first n bytes of `from` are, or NULL. */
const PolicyLink *policy_link_find(const Policy *p, const char *from, size_t n);

/* Visits each alternative of a pattern, `text`, whose first n bytes are literal: directories, or all of it.
 * Stops when that returns other than 0, and returns it. Or -ENOMEM. */
typedef int LiteralVisitor(void *userdata, const char *text, size_t n);
int policy_literals_each(const PolicyGlob *glob, LiteralVisitor *visit, void *userdata);
