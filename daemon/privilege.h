/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Giving up every privilege, and proving it. */

#include <sys/types.h>

/* Whom to become. name NULL: "barbwire", or if there is no such user a uid from systemd's dynamic range
 * (61184 … 65519, https://systemd.io/UIDS-GIDS) that no account and no process uses. Logs what is wrong.
 * -ESRCH: the named user does not exist; -EPERM: it is root or nobody. */
int privilege_find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid);

/* For root: changes to uid and gid, without supplementary groups. For everyone: empties the effective,
 * permitted, inheritable, ambient and, with CAP_SETPCAP, bounding sets, sets no_new_privs. Then reads
 * /proc/self/status and fails unless it is so. Logs. Nothing that needs privilege can be done afterwards. */
int privilege_drop(uid_t uid, gid_t gid);
