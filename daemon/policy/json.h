/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The policy that is in force as JSON, for ListRules: the sections and keys that policy/schema.c names for
 * it. Pure. */

#include <jansson.h>

#include "policy/types.h"

/* NULL: out of memory. */
json_t *policy_to_json(const Policy *p);
