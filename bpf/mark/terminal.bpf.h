/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Pseudo-terminals: data written at one end is read at the other. An echo is not a flow, as it returns to
 * the writer. Serial lines and the console have one end only, and their output is not read by a process. */

#include "abi/event.h"
#include "lib/kernel.bpf.h"
#include "mark/object.bpf.h"
#include "mark/objects.bpf.h"

/* include/uapi/linux/major.h. TTYAUX_MAJOR has /dev/tty, /dev/console and /dev/ptmx, which are terminals,
 * too. */
#define PTY_MASTER_MAJOR 2
#define PTY_SLAVE_MAJOR 3
#define TTYAUX_MAJOR 5
#define UNIX98_PTY_SLAVE_MAJOR 136
#define UNIX98_PTY_MAJOR_COUNT 8

/* The terminal that a file of this device (inode.i_rdev) is, or NULL. */
static __always_inline const struct tty_struct *device_terminal(const struct file *file, __u32 device) {
        __u32 major = device >> 20;

        if (major != TTYAUX_MAJOR && major != PTY_MASTER_MAJOR && major != PTY_SLAVE_MAJOR &&
                        major - UNIX98_PTY_SLAVE_MAJOR >= UNIX98_PTY_MAJOR_COUNT)
                return NULL;
        const struct tty_file_private *own = BPF_CORE_READ(file, private_data);
        const struct tty_struct *tty = BPF_CORE_READ(own, tty);
        return tty;
}

/* The data that can be read at this end. Numbers of terminals are reused at once, so the addresses of what
 * was allocated for the terminal identify it; terminal_made() removes the marks of an earlier one at the
 * same addresses. Leaves `o` as it is if the terminal has no other end. */
static __always_inline void object_of_terminal(struct object *o, const struct tty_struct *tty) {
        const struct tty_struct *link = BPF_CORE_READ(tty, link);

        if (!link)
                return;
        object_set(o, BW_VIA_TERMINAL, (__u64)tty,
                        (__u64)BPF_CORE_READ(tty, driver_data) ^ (__u64)BPF_CORE_READ(link, driver_data),
                        (__u64)BPF_CORE_READ(tty, port) ^ (__u64)BPF_CORE_READ(link, port));
}

/* Whether it is /proc/kmsg, which is no device. Compares the length of the name first: few are as short. */
static __always_inline bool file_is_log(const struct file *file) {
        const struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
        __u32 name = 0, wanted;

        if (BPF_CORE_READ(dentry, d_name.hash_len) >> 32 != sizeof(name))
                return false;
        __builtin_memcpy(&wanted, "kmsg", sizeof(wanted));
        bpf_probe_read_kernel(&name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
        const struct super_block *super = BPF_CORE_READ(dentry, d_sb);
        return name == wanted && BPF_CORE_READ(super, s_magic) == PROC_SUPER_MAGIC &&
               BPF_CORE_READ(super, s_root) == BPF_CORE_READ(dentry, d_parent);
}

/* What can be read from a file of this device; 0: of none. */
static __always_inline void object_of_device(struct object *o, const struct file *file, __u32 device) {
        if (device == LOG_DEVICE || (!device && file_is_log(file)))
                object_of_log(o);
        else
                object_of_terminal(o, device_terminal(file, device));
}

#define PTMX_DEVICE (TTYAUX_MAJOR << 20 | 2)

/* An open of /dev/ptmx creates a new terminal, without data: removes the marks of an earlier one. */
__noinline int terminal_made(__u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        const struct tty_struct *tty = device_terminal(file, PTMX_DEVICE);
        struct object o = {};

        object_of_terminal(&o, tty);
        object_forget(o.holder);
        object_of_terminal(&o, BPF_CORE_READ(tty, link));
        object_forget(o.holder);
        return 0;
}
