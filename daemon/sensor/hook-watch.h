/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Checks that a program of the sensor is still attached, and finds other programs on the same hook. A
 * process that may load BPF programs may also detach the sensor's from a cgroup, or replace it
 * (BPF_LINK_DETACH, BPF_LINK_UPDATE). A program on a tracepoint is detached only when the last descriptor of
 * its link is closed, which the daemon has. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct HookWatch {
        int fdinfo; /* of the link; -1: nothing to watch */
        uint64_t program;
} HookWatch;

/* link_fd must stay open. The later checks need no privilege, since they read an open file: bpf(2) would
 * need CAP_BPF before 5.19. A hook that cannot be checked counts as intact. */
HookWatch hook_watch_open(int link_fd);
void hook_watch_close(HookWatch *w);

/* False if it was detached, or its program was replaced. */
bool hook_watch_intact(const HookWatch *w);

/* Lists the programs that are attached to the network hooks of this cgroup, before the sensor's are. They
 * can block a connection, or redirect it after it was judged. So can programs on cgroups below it, which are
 * not listed. *ret: newly allocated texts, NULL-terminated: "cgroup/connect4: program 12 (name)"; only root
 * gets the name. Needs CAP_NET_ADMIN. own: ids that are left out. -ENOMEM, or the error of bpf(2).
 */
int hook_watch_foreign(int cgroup_fd, const uint32_t *own, size_t n_own, char ***ret);

/* Why a program could not be attached, where others are the cause: what is in the way, and the remedy.
 * section: of our program. type: of a hook of a cgroup; 0: of a function. error: the negative errno of the
 * attempt. Newly allocated; NULL: no other program is the cause, or out of memory. */
char *hook_watch_obstacle(int error, const char *section, int cgroup_fd, int type);
