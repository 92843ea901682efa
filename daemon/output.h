/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Entries to standard output that never block the loop: what a slow reader does not take waits here, and when too much
 * waits the owner stops taking alerts from the kernel's ring, where they are safe until it is full. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "util.h"

typedef struct Output Output;

/* Called when the output has become congested, and when it has cleared. */
typedef void (*OutputCongestionHandler)(bool congested, void *userdata);

/* Takes over standard output. Must come before privileges are dropped: it may reopen the terminal or pipe. */
int output_new(sd_event *event, OutputCongestionHandler handler, void *userdata, Output **ret);
Output *output_free(Output *o);
DEFINE_CLEANUP(Output, output_free);

/* Is a person looking, who wants colours (a terminal, TERM not "dumb", NO_COLOR (no-color.org) not set)? */
bool output_wants_colour(const Output *o);

/* Takes a copy of one entry. -EPIPE: nobody reads any more; -ENOMEM. Any other trouble (a full disk) loses what waits,
 * which is counted, and is no error: the next entry may be written again. */
int output_write(Output *o, const char *data, size_t size);

/* Waits for the reader, up to a time; what is not written then is lost, and counted. */
void output_drain(Output *o, uint64_t timeout_usec);

/* Entries that wait for the reader, and since when (CLOCK_MONOTONIC; 0: none does). */
size_t output_n_waiting(const Output *o);
uint64_t output_waiting_usec(const Output *o);

/* Entries that were lost. */
uint64_t output_n_unwritten(const Output *o);
