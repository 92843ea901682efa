/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The names of classes and rules by bit, in a file in memory: marks in the kernel carry the bits, and outlive the daemon
 * that gave them. */

#include "policy-compile.h"

/* Makes the file. Returns its descriptor. */
int policy_names_file_new(void);

/* Whoever is killed in the midst of writing leaves what was there before. */
int policy_names_write(const PolicyNames *names, int fd);

/* *ret must be empty. -EBADMSG: it is no such file. */
int policy_names_read(int fd, PolicyNames *ret);
