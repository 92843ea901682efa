/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Writes to standard output without ever blocking. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "basic/util.h"

typedef struct Output Output;

/* Makes standard output non-blocking. Must be called before privileges are dropped: it may reopen the
 * terminal or pipe. */
int output_new(Output **ret);
Output *output_free(Output *o);
DEFINE_CLEANUP(Output, output_free);

int output_fd(const Output *o);

/* Returns true for a terminal whose TERM is not "dumb", unless NO_COLOR (no-color.org) is set. */
bool output_wants_colour(const Output *o);

/* Writes as much as the reader accepts. A full disk is -EIO: it may never have room again. An
 * AlertQueueSend. */
ssize_t output_send(const char *data, size_t size, void *output);
