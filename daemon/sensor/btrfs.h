/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Where btrfs keeps which subvolume an inode is in. All subvolumes have the same s_dev, and inode numbers of
 * their own. */

#include <stdbool.h>
#include <stdint.h>

struct btf;

typedef struct BtrfsLayout {
        uint32_t root; /* bytes from a struct inode back to the pointer to its struct btrfs_root */
        uint32_t id;   /* bytes from there to the number of the subvolume, a __u64 */
} BtrfsLayout;

/* From the kernel's types or, if btrfs is a module, from those of the module. CO-RE would look for the
 * module's types, too, but needs CAP_SYS_ADMIN for that; /sys/kernel/btf/btrfs is there for everybody. False
 * if btrfs is not loaded, and for a module before 5.11, which has no types. */
bool btrfs_layout(struct btf *kernel, BtrfsLayout *ret);
