/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Opens the root directory of the cgroup2 hierarchy, wherever it is mounted. Returns a descriptor; -ENOENT when no
 * cgroup2 file system is mounted with its root visible, or another errno. */
int cgroup_root_open(void);
