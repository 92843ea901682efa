/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* barbwired --check --replay=: what a policy would make of the alerts of a journal. */

#include <stdint.h>

#include "policy/compile.h"

/* The value of --replay= that stands for this machine's own journal. */
#define REPLAY_SYSTEM "system"

/* Prints a line for each alert of the journal in `path` (a file, a directory, REPLAY_SYSTEM), and their
 * numbers. names: of policy_compile(). Logs its errors. */
int replay_print(const char *path, uint64_t since_usec, uint64_t until_usec, const Policy *p,
                const PolicyNames *names);
