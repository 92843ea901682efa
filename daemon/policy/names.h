/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The names of classes and rules by bit, in a memfd: marks in the kernel carry the bits and outlive the
 * instance of the daemon that assigned them. */

#include "policy/compile.h"

/* Creates the file and returns its descriptor. */
int policy_names_file_new(void);

/* A daemon that is killed while writing leaves the previous names intact. */
int policy_names_write(const PolicyNames *names, int fd);

/* *ret must be empty. -EBADMSG: the file has another format. */
int policy_names_read(int fd, PolicyNames *ret);
