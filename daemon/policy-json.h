/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What ListRules answers: the policy that is in force, as it was understood. Pure. */

#include <jansson.h>

#include "policy-file.h"

/* NULL: memory is short. */
json_t *policy_to_json(const Policy *p);
