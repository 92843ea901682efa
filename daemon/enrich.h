/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What can be said about a process from its cgroup's path alone: the unit and the container it belongs to. Pure and
 * best effort: the process may be long gone. The views point into the path and are not NUL-terminated. */

#include "event-decode.h"

/* The systemd unit of a cgroup path ("/system.slice/ssh.service" → "ssh.service"; the innermost unit that is not a
 * slice), or a view of size 0. Undoes cgroup escaping of a leading "_" (systemd cg_unescape()). */
Bytes cgroup_unit(Bytes cgroup);

/* The container's id ("docker-<64 hex>.scope", "libpod-…", "/docker/<64 hex>", "cri-containerd-…", kubepods,
 * "machine-NAME.scope", "lxc.payload.NAME"), or a view of size 0. */
Bytes cgroup_container(Bytes cgroup);
