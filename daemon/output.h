/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Standard output, without ever blocking. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util.h"

typedef struct Output Output;

/* Takes over standard output. Must come before privileges are dropped: it may reopen the terminal or pipe. */
int output_new(Output **ret);
Output *output_free(Output *o);
DEFINE_CLEANUP(Output, output_free);

int output_fd(const Output *o);

/* Is a person looking, who wants colours (a terminal, TERM not "dumb", NO_COLOR (no-color.org) not set)? */
bool output_wants_colour(const Output *o);

/* Writes what the reader takes, which may be a part. A disk that is full is -EIO: it may never have room again. An
 * AlertQueueSend. */
ssize_t output_send(const char *data, size_t size, void *output);
