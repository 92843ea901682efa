/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Derives the unit and the container of a process from the path of its cgroup alone. Pure and best effort:
 * the process may have exited long ago. The views point into the path and are not NUL-terminated. */

#include "event/decode.h"

/* unit: the systemd unit of a cgroup path ("/system.slice/ssh.service" → "ssh.service"; the innermost unit
 * that is not a slice), or a view of size 0. Undoes cgroup escaping of a leading "_" (systemd
 * cg_unescape()). container: the container's id ("docker-<64 hex>.scope", "libpod-…", "/docker/<64 hex>",
 * "cri-containerd-…", kubepods, "machine-NAME.scope", "lxc.payload.NAME"), or a view of size 0. */
void cgroup_split(Bytes cgroup, Bytes *ret_unit, Bytes *ret_container);

/* The unit as the system's manager and Unit= name it: the path's outermost component that is not a slice,
 * unchanged, or a view of size 0, also where the path's beginning is not known. The names below it are
 * chosen by the unit's owner: a user's own nginx.service is in user@1000.service. The same as in
 * bpf/process/identity.bpf.h. */
Bytes cgroup_system_unit(Bytes cgroup);
