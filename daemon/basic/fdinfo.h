/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Numbers that the kernel shows of a descriptor in /proc/self/fdinfo (proc_pid_fdinfo(5)): it takes no
 * privilege, and an fdinfo file that is open stays readable after all privilege is gone. */

#include <stdbool.h>
#include <stdint.h>

/* Opens fd's file. Returns a descriptor of the caller's, or a negative errno. */
int fdinfo_open(int fd);

/* Reads the line "KEY:\tNUMBER", as it is now. False: there is no such line. fdinfo may be -1. */
bool fdinfo_read(int fdinfo, const char *key, uint64_t *ret);

/* Both, for one number. -1: there is no such line. */
int64_t fdinfo_get(int fd, const char *key);
