/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Reading a mapped file whose disk fails, or that was truncated, raises SIGBUS, which would end the daemon
 * at every start. Under the guard such a page reads as zeros instead, for libraries that map files and
 * validate their content. One guard at a time, in a process with one thread. */

#include <signal.h>

/* Negative errno; *ret: what was done about SIGBUS before. */
int sigbus_guard_begin(struct sigaction *ret);
void sigbus_guard_end(const struct sigaction *before);
