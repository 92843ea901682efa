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

/* The unit as the system's manager knows it, and as Unit= means it: the path's outermost component that is no slice,
 * as it stands there, or a view of size 0, also where the path's beginning is not known. Below it, whoever the system
 * gave it to names what they like: a user's own nginx.service is in user@1000.service. The same as in
 * bpf/identity.bpf.h. */
Bytes cgroup_system_unit(Bytes cgroup);
