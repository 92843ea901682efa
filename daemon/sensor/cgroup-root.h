/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

/* Opens the root directory of the cgroup2 hierarchy, wherever it is mounted. In a cgroup namespace
 * (cgroup_namespaces(7)) only a part of the hierarchy is available: then *ret_complete is false. Returns a
 * descriptor; -ENOENT when no cgroup2 file system is mounted with its root visible, or another errno. */
int cgroup_root_open(bool *ret_complete);
