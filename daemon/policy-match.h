/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Which line of the policy is meant by a path, a unit or an address: for explaining what the kernel does by its
 * tables, one line after the other. Pure. */

#include "../bpf/event.h"
#include "policy-file.h"

/* The first of the patterns that matches, or NULL. path: absolute, as the kernel sees it. */
const PolicyGlob *policy_match_path(const Policy *p, const PolicyGlob *globs, size_t n, const char *path);
const PolicyGlob *policy_match_unit(const Policy *p, const PolicyGlob *globs, size_t n, const char *unit);

/* By its address alone; and by its port, too. */
bool policy_match_network(const PolicyDestination *d, const struct bw_destination *to);
bool policy_match_destination(const PolicyDestination *d, size_t n, const struct bw_destination *to);
