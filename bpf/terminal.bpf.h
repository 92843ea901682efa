/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Pseudo-terminals: what is written at one end is read at the other. What a terminal echoes is no flow: it goes back to who
 * wrote it. A serial line and a console of the machine have one end, and nobody reads there what was shown. */

#include "object.bpf.h"

/* include/uapi/linux/major.h. The second of the auxiliary ones are /dev/tty, /dev/console and /dev/ptmx, which are terminals, too. */
#define PTY_MASTER_MAJOR 2
#define PTY_SLAVE_MAJOR 3
#define TTYAUX_MAJOR 5
#define UNIX98_PTY_SLAVE_MAJOR 136
#define UNIX98_PTY_MAJOR_COUNT 8

/* The terminal that a file is, or NULL. */
static __always_inline const struct tty_struct *file_terminal(const struct file *file, const struct inode *inode) {
        __u32 major = BPF_CORE_READ(inode, i_rdev) >> 20;

        if (major != TTYAUX_MAJOR && major != PTY_MASTER_MAJOR && major != PTY_SLAVE_MAJOR &&
            major - UNIX98_PTY_SLAVE_MAJOR >= UNIX98_PTY_MAJOR_COUNT)
                return NULL;
        const struct tty_file_private *own = BPF_CORE_READ(file, private_data);
        const struct tty_struct *tty = BPF_CORE_READ(own, tty);
        return tty;
}

/* What can be read at this end. The kernel numbers no terminals, but gives the lowest free number again and again: it is where what was
 * allocated for this terminal is, and a new one that is there is told of, see terminal_made(). Of a terminal that has no other end
 * `o` is left as it is. */
static __always_inline void object_of_terminal(struct object *o, const struct tty_struct *tty) {
        const struct tty_struct *link = BPF_CORE_READ(tty, link);

        if (!link)
                return;
        object_set(o, BW_VIA_TERMINAL, (__u64)tty, (__u64)BPF_CORE_READ(tty, driver_data) ^ (__u64)BPF_CORE_READ(link, driver_data),
                (__u64)BPF_CORE_READ(tty, port) ^ (__u64)BPF_CORE_READ(link, port));
}

#define PTMX_DEVICE (TTYAUX_MAJOR << 20 | 2)

/* Who opens /dev/ptmx gets a new terminal: nothing waits there, whatever was known of one in its place. */
__noinline int terminal_made(__u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        const struct tty_struct *tty = file_terminal(file, BPF_CORE_READ(file, f_inode));
        struct object o = {};

        object_of_terminal(&o, tty);
        mark_forget(o.holder);
        object_of_terminal(&o, BPF_CORE_READ(tty, link));
        mark_forget(o.holder);
        return 0;
}
