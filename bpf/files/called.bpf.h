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
#include "files/names.bpf.h"

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
                task_spread((struct task_struct *)task);
}

/* ---- every call ---- */

static __always_inline void on_control(const struct pt_regs *regs, struct task_struct *task) {
        __u32 request = call_argument(regs, task, 1);

        if (control_of(request) == CONTROL_ADDS) {
                on_descriptor_added(call_argument(regs, task, 0), call_argument(regs, task, 2));
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
        if (call == CALL_WRITE)
                descriptor_given(call_argument(regs, task, 0));
        else if (call == CALL_SENDFILE || call == CALL_SPLICE || call == CALL_TEE)
                call_moves(task, regs, call);
        else if (call == CALL_VM_WRITE || call == CALL_TRACE)
                on_trace_begins(regs, task, call);
        else if (call == CALL_QUEUE_SEND && current_holds())
                queue_gives(call_argument(regs, task, 0));
        else if (call == CALL_IOCTL)
                on_control(regs, task);
        else if (call == CALL_VMSPLICE && descriptor_writable(call_argument(regs, task, 0)))
                descriptor_given(call_argument(regs, task, 0));
        else if (call == CALL_VMSPLICE)
                descriptor_taken(call_argument(regs, task, 0));
        else if (call == CALL_SUBMIT)
                on_submit(regs, task);
        else if (call == CALL_BIND && current_may_leak())
                descriptor_binds(call_argument(regs, task, 0));
}
