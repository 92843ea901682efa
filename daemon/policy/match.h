/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Finds the line of the policy that matches a path, a unit or an address, to explain what the kernel decides
 * by its tables. Pure. */

#include "abi/event.h"
#include "policy/types.h"

/* A path that is compared with many patterns. */
typedef struct PolicyPath {
        const char *text;
        size_t length;
        const PolicyLink *links[16]; /* that lead to it, or to a directory above it */
        size_t n_links;              /* more than fit above: any may */
} PolicyPath;

PolicyPath policy_path_look(const Policy *p, const char *text);

/* Returns the first pattern that matches, or NULL. path: absolute, as the kernel sees it. */
const PolicyGlob *policy_match_looked(
                const Policy *p, const PolicyGlob *globs, size_t n, const PolicyPath *path);
const PolicyGlob *policy_match_path(const Policy *p, const PolicyGlob *globs, size_t n, const char *path);
const PolicyGlob *policy_match_unit(const Policy *p, const PolicyGlob *globs, size_t n, const char *unit);

/* policy_match_network() compares the address only, policy_match_address() also the port. */
bool policy_match_network(const PolicyAddress *d, const struct bw_destination *to);
bool policy_match_address(const PolicyAddress *d, size_t n, const struct bw_destination *to);
