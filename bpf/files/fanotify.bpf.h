/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* fanotify(7): a listener receives a descriptor of each file that others open, and may read it. The kernel
 * opens it in the listener's read, which is the only system call to return. The sensors lsm and fentry see
 * the open itself. */

#include "lib/kernel.bpf.h"
#include "mark/object.bpf.h"

/* Events examined in one read: as many as fit into the 4 KiB that listeners read. */
#define FANOTIFY_EVENTS_MAX 170

/* Whether it is a fanotify group: the kernel names it so (fs/notify/fanotify/fanotify_user.c), and users
 * cannot. */
static __always_inline bool file_is_fanotify(const struct file *file) {
        const struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
        const char group[] = "[fanotify]";
        __u64 name = 0, wanted;

        if (BPF_CORE_READ(dentry, d_name.hash_len) >> 32 != sizeof(group) - 1)
                return false;
        __builtin_memcpy(&wanted, group, sizeof(wanted)); /* no other name has these first eight bytes */
        bpf_probe_read_kernel(&name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
        return name == wanted && BPF_CORE_READ(file, f_inode, i_sb, s_magic) == ANON_INODE_FS_MAGIC;
}

__noinline int descriptor_is_fanotify(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);

        return file && file_is_fanotify(file);
}

/* include/uapi/linux/fanotify.h struct fanotify_event_metadata */
struct fanotify_event {
        __u32 length; /* with what follows it */
        __u8 version, zero;
        __u16 metadata_length;
        __u64 mask;
        __s32 fd; /* negative: none */
        __s32 pid;
};

/* The event at this address in the process's memory, of at most so many bytes: its descriptor, and its
 * length in the upper half. 0: there is none. */
__noinline __u64 fanotify_event(__u64 at, __u64 bytes) {
        struct fanotify_event event = {};

        if (bytes < sizeof(event) || bpf_probe_read_user(&event, sizeof(event), (void *)at) ||
                        event.length < sizeof(event) || event.length > bytes)
                return 0;
        return (__u64)event.length << 32 | (__u32)event.fd;
}
