/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Path= of an [Allow] against the classes: by one path that each alternative of a pattern matches. That is
 * exact for a pattern without wildcards; with them, a class is found if its patterns match any name there.
 * Pure. */

#include "policy/types.h"

/* Gives a rule with Path= and without Class= the classes of these paths. 0 or -ENOMEM. */
int policy_classes_of_paths(const Policy *p, PolicyAllow *a);

/* The first item of Path= that is of none of the rule's classes, or NULL. */
const PolicyGlob *policy_path_astray(const Policy *p, const PolicyAllow *a);
