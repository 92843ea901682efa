/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* System calls that begin: what they write to is marked before the data is there. The sensors lsm and fentry
 * need them, too, as no other hook fires when pages are moved. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/requests.h"
#include "lib/syscalls.bpf.h"
#include "mark/objects.bpf.h"
#include "process/lifecycle.bpf.h"
#include "process/ptrace.bpf.h"
#include "egress/list.bpf.h"
#include "files/file.bpf.h"
#include "files/flow.bpf.h"
#include "files/loopback.bpf.h"
#include "files/names.bpf.h"
#include "files/queues.bpf.h"
#include "files/rings.bpf.h"

/* ---- a descriptor for a process whose call waits (seccomp_unotify(2)) ---- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* kernel/seccomp.c */
struct seccomp_knotif {
        struct task_struct *task;
        __u64 id;
        struct list_head list;
};

struct notification {
        struct list_head notifications;
};

struct seccomp_filter {
        struct notification *notif;
};

#pragma clang attribute pop

/* include/uapi/linux/seccomp.h struct seccomp_notif_addfd, to where these programs need it. */
struct added {
        __u64 id;
        __u32 flags;
        __u32 fd; /* of the current process */
};

/* Calls that wait for the same listener; not to find one among more is a loss. */
#define NOTIFICATIONS_MAX 64
#define NOTIFIED_BEYOND 1 /* no task's address */

/* The task whose call has this number and waits for the listener; 0: there is none, and nothing is added. */
__noinline __u64 notified_task(int listener, __u64 id) {
        const struct file *file = descriptor_file(current_task(), listener);
        const struct seccomp_filter *filter = file ? BPF_CORE_READ(file, private_data) : NULL;
        const struct notification *notif = BPF_CORE_READ(filter, notif);
        const struct list_head *at = BPF_CORE_READ(notif, notifications.next);
        __u64 end = (__u64)notif + bpf_core_field_offset(struct notification, notifications);

        for (__u32 i = 0; i < NOTIFICATIONS_MAX && at && (__u64)at != end; i++) {
                const struct seccomp_knotif *call =
                                (const void *)at - bpf_core_field_offset(struct seccomp_knotif, list);
                if (BPF_CORE_READ(call, id) == id)
                        return (__u64)BPF_CORE_READ(call, task);
                at = BPF_CORE_READ(at, next);
        }
        return at && (__u64)at != end ? NOTIFIED_BEYOND : 0;
}

/* The process of this task gets a duplicate of a descriptor of the current one. */
__noinline int task_receives(__u64 task, int fd) {
        struct file *file = descriptor_file(current_task(), fd);

        return file && file_judge((struct task_struct *)task, file, BW_VIA_RECEIVED);
}

/* Before it does: with SECCOMP_ADDFD_FLAG_SEND, its call returns at once. For the sensors lsm and fentry
 * another hook fires. */
static __always_inline void on_descriptor_added(int listener, __u64 argument) {
        struct added added = {};

        if (!bpf_core_type_exists(struct seccomp_knotif) ||
                        bpf_probe_read_user(&added, sizeof(added), (void *)argument))
                return;
        __u64 task = notified_task(listener, added.id);
        if (task == NOTIFIED_BEYOND)
                report_loss(BW_LOSS_FILE_GONE);
        else if (task && task_receives(task, added.fd))
                task_spread((struct task_struct *)task, false);
}

/* ---- the memory of a process whose page faults another one handles (userfaultfd(2)) ---- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* fs/userfaultfd.c */
struct userfaultfd_ctx {
        struct mm_struct *mm;
};

struct mm_struct___owned { /* CONFIG_MEMCG */
        struct task_struct *owner;
};

#pragma clang attribute pop

/* The current process, which holds a secret, copies its own memory to that of the process. */
__noinline int fault_filled(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);
        __u64 name = 0;

        if (!file || !bpf_core_type_exists(struct userfaultfd_ctx) ||
                        !bpf_core_field_exists(struct mm_struct___owned, owner))
                return 0;
        bpf_probe_read_kernel(&name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
        if (name != 0x756166726573755bULL) /* "[userfau", the first byte lowest */
                return 0;
        const struct userfaultfd_ctx *ctx = BPF_CORE_READ(file, private_data);
        const struct mm_struct___owned *mm = (const void *)BPF_CORE_READ(ctx, mm);
        __u64 owner = (__u64)BPF_CORE_READ(mm, owner);
        if (owner && BPF_CORE_READ((struct task_struct *)owner, tgid) != BPF_CORE_READ(current_task(), tgid))
                memory_written((__u64)current_task(), owner);
        return 0;
}

/* ---- options of sockets that packets carry ---- */

/* include/uapi/linux/in.h, in6.h: headers of all packets that are sent afterwards, also by others; groups,
 * whose addresses the report to the routers has. */
#define SOL_IP 0
#define SOL_IPV6 41
#define IP_OPTIONS 4
#define IP_ADD_MEMBERSHIP 35
#define IP_ADD_SOURCE_MEMBERSHIP 39
#define IP_MSFILTER 41
#define MCAST_JOIN_GROUP 42
#define MCAST_JOIN_SOURCE_GROUP 46
#define MCAST_MSFILTER 48
#define IPV6_2292PKTOPTIONS 6
#define IPV6_JOIN_GROUP 20
#define IPV6_JOIN_ANYCAST 27
#define IPV6_HOPOPTS 54
#define IPV6_RTHDRDSTOPTS 55
#define IPV6_RTHDR 57
#define IPV6_DSTOPTS 59

static __always_inline bool option_leaves(__u32 level, __u32 name) {
        if (level != SOL_IP && level != SOL_IPV6)
                return false;
        if (name == MCAST_JOIN_GROUP || name == MCAST_JOIN_SOURCE_GROUP || name == MCAST_MSFILTER)
                return true;
        if (level == SOL_IP)
                return name == IP_OPTIONS || name == IP_ADD_MEMBERSHIP || name == IP_ADD_SOURCE_MEMBERSHIP ||
                       name == IP_MSFILTER;
        return name == IPV6_2292PKTOPTIONS || name == IPV6_JOIN_GROUP || name == IPV6_JOIN_ANYCAST ||
               name == IPV6_HOPOPTS || name == IPV6_RTHDRDSTOPTS || name == IPV6_RTHDR ||
               name == IPV6_DSTOPTS;
}

/* The current process sets such an option of a socket, which others may have, too. */
__noinline int option_egress(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);
        struct bw_destination d = { .act = BW_ACT_SEND };

        if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
                return 0;
        const struct socket *socket = BPF_CORE_READ(file, private_data);
        const struct sock *sk = BPF_CORE_READ(socket, sk);
        if (!socket_is_inet(sk))
                return 0;
        d.protocol = socket_protocol(sk);
        if (!destination_from_socket(&d, sk))
                d.family = BPF_CORE_READ(sk, __sk_common.skc_family);
        on_egress(&d);
        return 0;
}

/* vmsplice(2) to a pipe. While nothing is marked, the sensors lsm and fentry miss it. */
static __always_inline void on_pages_given(int fd) {
        descriptor_given(fd);
        descriptor_lent(fd);
}

/* ---- datagrams within this host ---- */

/* A marked process calls sendto(2), or with in_message sendmsg(2) and the first message of sendmmsg(2). */
static __always_inline void datagram_sent(int fd, __u64 address, __u64 length, __u32 in_message) {
        struct object o = {};
        __u32 port = datagram_port(address, length, in_message);

        if (!port)
                return;
        object_of_loopback(&o, datagram_channel(fd, port));
        object_filled(o.holder, o.is, o.via);
}

/* ---- every call ---- */

static __always_inline void on_control(const struct pt_regs *regs, struct task_struct *task) {
        __u32 request = call_argument(regs, task, 1);

        if (control_of(request) == CONTROL_ADDS) {
                on_descriptor_added(call_argument(regs, task, 0), call_argument(regs, task, 2));
                return;
        }
        if (control_of(request) == CONTROL_COPIES) {
                if (current_holds())
                        fault_filled(call_argument(regs, task, 0));
                return;
        }
        int from = control_source(request, call_argument(regs, task, 2));
        if (from < 0)
                return;
        descriptor_taken(from);
        descriptor_given(call_argument(regs, task, 0));
}

/* Sweeps what is due, or a part of all tables, if barbwired asks for it by a system call of its own. */
static __always_inline void tables_sweep(void) {
        __u32 due = *(volatile __u32 *)&shared.sweep_due, asked = shared.sweep_pid;

        shares_report();

        if (asked && asked == bpf_get_current_pid_tgid() >> 32) {
                list_begin();
                lineages_list();
                objects_sweep(SWEEP_FULL, false);
                marks_sweep(SWEEP_FULL);
                files_sweep();
                processes_sweep();
                names_sweep();
                rings_sweep(SWEEP_FULL);
        } else if (due) {
                shared.sweep_due = 0;
                objects_sweep(due, due >= SWEEP_FULL);
                marks_sweep(due);
        }
}

/* A system call begins. */
static __always_inline void on_call(const struct pt_regs *regs) {
        if (!tables_ask())
                return;
        if (anybody_is_suspected())
                suspect_ready();
        struct task_struct *task = current_task();
        tables_sweep();
        enum call call = call_of(regs, task);
        bool marked = false;
        if (*(volatile __u32 *)&shared.put_off)
                memory_catch_up(call);
        if (call == CALL_WRITE || call == CALL_SEND_TO || call == CALL_SEND_MESSAGE)
                marked = descriptor_given(call_argument(regs, task, 0));
        else if (call == CALL_SENDFILE || call == CALL_SPLICE || call == CALL_TEE)
                call_moves(task, regs, call);
        else if (call == CALL_VM_WRITE || call == CALL_TRACE)
                on_trace_begins(regs, task, call);
        else if (call == CALL_QUEUE_SEND && current_holds())
                queue_gives(call_argument(regs, task, 0), BW_VIA_QUEUE);
        else if (call == CALL_SEMAPHORES)
                semaphores_used(call_argument(regs, task, 0), call_argument(regs, task, 2), true);
        else if (call == CALL_LOG)
                log_taken();
        else if (call == CALL_IOCTL)
                on_control(regs, task);
        else if (call == CALL_VMSPLICE && descriptor_writable(call_argument(regs, task, 0)))
                on_pages_given(call_argument(regs, task, 0));
        else if (call == CALL_VMSPLICE)
                descriptor_taken(call_argument(regs, task, 0));
        else if (call == CALL_SUBMIT)
                on_submit(regs, task);
        else if (call == CALL_BIND && current_may_leak())
                descriptor_binds(call_argument(regs, task, 0));
        else if (call == CALL_OPTION &&
                        option_leaves(call_argument(regs, task, 1), call_argument(regs, task, 2)) &&
                        current_may_leak())
                option_egress(call_argument(regs, task, 0));
        if (marked && call == CALL_SEND_TO)
                datagram_sent(call_argument(regs, task, 0), call_argument(regs, task, 4),
                                sizeof(struct in6_addr) + 8, false);
        else if (marked && call == CALL_SEND_MESSAGE)
                datagram_sent(call_argument(regs, task, 0), call_argument(regs, task, 1), 0, true);
}
