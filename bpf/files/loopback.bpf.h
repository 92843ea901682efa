/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* From process to process by internet sockets of this host. Only what no rule lets a process send flows:
 * what it holds bound it may send to its destinations, or it is an alert already. */

#include "abi/event.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/syscalls.bpf.h"
#include "mark/loopback.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/object.bpf.h"
#include "mark/objects.bpf.h"
#include "process/identity.bpf.h"

/* The sock behind a file that is a socket. */
static __always_inline __u64 file_socket(const struct inode *inode) {
        const struct socket_alloc *alloc =
                        (const void *)inode - bpf_core_field_offset(struct socket_alloc, vfs_inode);

        return (__u64)READ_OFTEN(alloc, socket.sk);
}

/* The current, marked process writes to this socket. What it was sent by a client, a server does not send to
 * its other clients: it serves many, of which each would be marked. */
static __always_inline void loopback_given(struct object *o, const struct inode *inode) {
        __u64 channel = loopback_channel(file_socket(inode), true);

        if (!(channel & LOOPBACK_ANSWER && loopback_brought(bpf_get_current_pid_tgid() >> 32)))
                object_of_loopback(o, channel & ~LOOPBACK_ANSWER);
}

/* Whether what was sent to this object may mark the current process: one of the same user, or one whose
 * executable anybody may have put there. A service of root's or of a user of its own is not marked: all
 * processes talk to it, and the alert that names it as the destination is there already. */
__noinline int loopback_may_mark(__u64 holder) {
        const struct object_ref *ref = object_get(holder);
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid);
        const struct process *p = process_find(pid, task_start(task));

        if (!ref)
                return false;
        if (ref->uid == task_payer((__u64)task) || !p)
                return true;
        if (!p->object) /* no rule names it, or it was there before us */
                object_look(pid, (__u64)task, false);
        return p->object != FINDING_GOOD || p->host != FINDING_GOOD || process_is_void(p);
}

/* The current process has read from this socket. */
static __always_inline void loopback_taken(struct object *o, const struct inode *inode) {
        object_of_loopback(o, loopback_channel(file_socket(inode), false));
        if (o->holder && !loopback_may_mark(o->holder))
                o->holder = 0;
}

/* ---- datagrams with an address, which the hooks at the file do not have ---- */

/* include/linux/socket.h struct user_msghdr, and the first of several messages */
struct message_name {
        __u64 name;
        __u32 length;
};

/* The port in network order of the address of a call's message, if that is this host's; 0: there is none.
 * 32-bit programs are not looked at. */
__noinline __u32 datagram_port(__u64 address, __u64 length, __u32 in_message) {
        struct message_name name = { .name = address, .length = length };
        struct {
                __u16 family, port;
                __u32 address, address6[4];
        } to = {};
        const struct { __u32 none[4]; } zero = {};

        if (in_message && bpf_probe_read_user(&name, sizeof(name), (void *)address))
                return 0;
        if (!name.name || name.length < 16 || bpf_probe_read_user(&to, 16, (void *)name.name))
                return 0;
        if (to.family == AF_INET)
                return (to.address & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000) ? to.port : 0;
        if (to.family != AF_INET6 || name.length < 24 ||
                        bpf_probe_read_user(&to.address6, 16, (void *)name.name + 8) ||
                        !ends_are_here(to.address6, zero.none))
                return 0;
        return to.port;
}

/* The object that a datagram to this port goes to, if the descriptor is such a socket. */
__noinline __u64 datagram_channel(int fd, __u32 port) {
        const struct file *file = descriptor_file(current_task(), fd);

        if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
                return 0;
        const struct sock *sk = (const struct sock *)file_socket(BPF_CORE_READ(file, f_inode));
        __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
        if ((family != AF_INET && family != AF_INET6) || BPF_CORE_READ(sk, sk_protocol) != PROTOCOL_UDP)
                return 0;
        return channel_key(sk, PROTOCOL_UDP, bpf_ntohs(port));
}
