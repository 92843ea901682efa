/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The policy's files → tables, with everything that is wrong told in the log. */

#include <stdbool.h>
#include <stddef.h>

#include "policy-compile.h"
#include "policy-file.h"

/* config_file, policy_dirs: see policy_load(); names, max_cells: see policy_compile(). strict: one error refuses all of
 * it. Nothing is changed on failure. */
int policy_read(const char *config_file,
        char *const *policy_dirs,
        PolicyNames *names,
        size_t max_cells,
        bool strict,
        Policy **ret,
        PolicyTables **ret_tables);
