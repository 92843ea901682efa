/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* passwd(5) → the homes that ~/ stands for, and the users that User= names. Pure: policy/load.c reads the
 * file. */

#include <stdint.h>

#include "policy/links.h"
#include "policy/types.h"

/* Adds the homes, as the kernel sees them, and resolves the users. text: the contents of the file, which are
 * cut into pieces. passwd_file: its name, for a message. 0 or -ENOMEM. */
int policy_add_users(Policy *p, const char *passwd_file, char *text, PolicyFollow *follow);

/* Sets the UID of that user in every User=. */
void policy_resolve_user(Policy *p, const char *name, uint32_t uid);
