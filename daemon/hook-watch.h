/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Whether a program of ours is still where it was attached, and who else is there. Who may load BPF programs may also
 * take ours off a cgroup, or put another one in its place (BPF_LINK_DETACH, BPF_LINK_UPDATE). The kernel lets nobody do
 * either to a tracepoint's link, but its last holder, which is us. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct HookWatch {
        int fdinfo; /* of the link; -1: nothing to watch */
        uint64_t program;
} HookWatch;

/* link_fd must stay open. Nothing later needs a privilege: bpf(2) would (CAP_BPF before 5.19), a file that is open does
 * not. What cannot be watched counts as intact. */
HookWatch hook_watch_open(int link_fd);
void hook_watch_close(HookWatch *w);

/* false: it was detached, or its program is another one. */
bool hook_watch_intact(const HookWatch *w);

/* Every program that is attached to this cgroup where ours will be: asked before they are. It can refuse a connection, or
 * send it somewhere else than we see. Programs further down in the tree do so, too, for those below; they are not looked
 * for. *ret: newly allocated texts, NULL-terminated: "cgroup/connect4: program 12 (name)"; the name is known to root only.
 * Needs CAP_NET_ADMIN. own: ids that are not told. -ENOMEM, or what bpf(2) says. */
int hook_watch_foreign(int cgroup_fd, const uint32_t *own, size_t n_own, char ***ret);
char **hook_watch_foreign_free(char **programs);
