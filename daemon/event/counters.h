/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The names of losses and what to do about them, the one place that has them for people: those of the kernel
 * programs (bpf/abi/counters.h) and those that only the daemon knows. A new one is one line in its table. */

#include "abi/counters.h"

/* As BW_LOSSES. */
/* clang-format off */
#define DAEMON_LOSSES(X)                                                                                   \
        X(RECURSION_MISSES, "recursion_misses",                                                            \
                "a BPF program was skipped because it had interrupted itself: an open, a fork or a connection " \
                "was not judged",                                                                          \
                NULL)                                                                                      \
        X(MALFORMED, "malformed",                                                                          \
                "a record of the kernel could not be made an alert: out of memory, or a bug in Barbwire",  \
                NULL)                                                                                      \
        X(HOOK_GONE, "hook_gone",                                                                          \
                "a BPF program was detached from its hook or replaced: activity there is not monitored",   \
                "find out which program did it, and restart barbwired")                                    \
        X(UNWRITTEN, "unwritten",                                                                          \
                "an alert could not be written to standard output, or too many waited for the journal",    \
                "check that the journal, or the reader, is running and that the disk is not full")         \
        X(MARKS_DROPPED, "marks_dropped",                                                                  \
                "a process that read a sensitive file before barbwired was restarted is not marked any more", \
                NULL)
/* clang-format on */

/* The kernel's losses keep their numbers; the daemon's follow. */
#define DAEMON_LOSS_ENUMERATOR(enumerator, name, meaning, remedy) LOSS_##enumerator,
enum { LOSS_KERNEL_LAST = BW_LOSS_MAX - 1, DAEMON_LOSSES(DAEMON_LOSS_ENUMERATOR) LOSSES_MAX };

typedef struct LossInfo {
        const char *name;    /* the cause, for key=value and JSON */
        const char *meaning; /* what was lost and why */
        const char *remedy;  /* what the administrator can do; NULL: nothing */
} LossInfo;

/* loss: enum bw_loss or LOSS_*, below LOSSES_MAX. */
const LossInfo *loss_info(unsigned loss);
