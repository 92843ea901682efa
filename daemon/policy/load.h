/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Finds the files of the policy and reads them, as systemd does with unit files: vendor, run-time and local
 * directories, drop-ins, masks. Must not judge what is in them, and must not stop at one that cannot be
 * read: that becomes a message, and the file of that name in a later directory is used, since a worse policy
 * is better than none. */

#include "policy/types.h"

/* config_file: NULL for the standard barbwire.conf (which may be missing), else that file (which must
 * exist). policy_dirs: NULL for the standard directories, else these (which must exist); of files with the
 * same name, the one in the first directory is used. passwd_file: NULL for /etc/passwd. Returns 0 with *ret
 * even when there are messages; negative only when a named file or directory cannot be read or on -ENOMEM.
 * In the first case *ret is set, too: the message that names the file is in it. */
int policy_load(const char *config_file, char *const *policy_dirs, const char *passwd_file, Policy **ret);
