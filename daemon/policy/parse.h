/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One file's bytes → sections of a Policy, and a message with line and column for everything that is wrong.
 * Pure: policy/load.c finds and reads the files. Our own small reader, because FILE:LINE:COLUMN errors are
 * the product.
 *
 * Must never give up on a file because of a line, and must never let an [Allow] allow more than was written:
 * a bad line voids the entire section, as it does with [Destination] and [Lineage], which can silence an
 * alert. */

#include <stddef.h>

#include "policy/types.h"

/* Adds the sections in the bytes to the policy. Any bytes are valid input: errors in them become messages,
 * which name `file`. 0 or -ENOMEM. */
int policy_parse(Policy *p, const char *file, const char *bytes, size_t n_bytes);
