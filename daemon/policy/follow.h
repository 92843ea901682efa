/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Follows links as the kernel does (path_resolution(7)), but only those that root alone can change. */

/* Follows the links of an absolute path without "//", "." and "..". Returns 1 with *ret, newly allocated (""
 * for the root directory), whether that exists or not; 0: there is no link in it; -ELOOP; -EPERM: others
 * than root can change a link in it; -EACCES: this process may not look; -ENOMEM. */
int path_follow_links(const char *path, char **ret);
