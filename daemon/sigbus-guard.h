/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Who reads a mapped file whose disk fails, or that has become shorter, gets SIGBUS: the end of the
 * daemon, at every start anew. Under the guard such a page reads as zeros instead, for libraries that map
 * files and check what they find there. One guard at a time, in a process of one thread. */

#include <signal.h>

/* Negative errno; *ret: what was done about SIGBUS before. */
int sigbus_guard_begin(struct sigaction *ret);
void sigbus_guard_end(const struct sigaction *before);
