/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The users that NSS knows (nsswitch.conf(5)): of LDAP, AD, systemd-userdbd. */

#include <stdbool.h>
#include <stddef.h>

/* Appends lines of passwd(5) to *text, of *size bytes: the users that getpwent(3) lists, and those who are
 * logged in, as sssd lists nobody by default (sssd.conf(5), "enumerate"). *ret_complete: false if that took
 * too long, or there are too many. 0 or a negative errno. */
int directory_users_append(char **text, size_t *size, bool *ret_complete);
