/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Checks that need the complete policy: references between sections, incomplete sections, and rules that are
 * wider or narrower than their author may think. Pure. */

#include "policy/types.h"

/* Completes the policy after the last file. Drops unusable sections with a message: an [Allow] without
 * Class= or Exe=, or with an unknown class or user; a class without Path=. 0 or -ENOMEM. */
int policy_finish(Policy *p);

/* Returns the name of an interpreter that an absolute pattern matches, a constant, or NULL. */
const char *policy_interpreter(const char *glob);
