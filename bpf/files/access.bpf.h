/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Access=allowed: a process that no rule allows to may not open a file of the class at all. It is decided
 * where the kernel asks whether an open is allowed, and nothing is marked, as nothing was read. The record
 * is that of an egress without a destination. */

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/policy.h"
#include "egress/egress.bpf.h"
#include "files/file.bpf.h"

/* In correlation.how: ACTION_CLOSED. */
#define ACT_CLOSED 1 /* no bit of ACT_FLAGS */

/* Further opens of the file by the same process are repeats for so long. */
#define ACCESS_WINDOW_NS 60000000000ULL

/* The classes of an open file. */
__noinline __u64 access_classes(__u64 file_address) {
        struct policy_view v;

        if (!policy_view_get(&v))
                return 0;
        return file_classes(v.index, v.table->generation, file_address, bpf_get_current_task());
}

/* Of these classes those with Access=allowed that no rule allows the current process to open the file of. */
__noinline __u64 access_locked(__u64 file_address, __u64 classes) {
        struct policy_view v;

        return policy_view_get(&v) && classes & v.table->locks
                               ? open_unruled(file_address, v.index, classes & v.table->locks, RULES_ALLOW)
                               : 0;
}

/* Of these classes those with FailClosed=yes. */
__noinline __u64 access_closed(__u64 classes) {
        struct policy_view v;

        return policy_view_get(&v) ? classes & v.table->closes : 0;
}

/* What is done with an open by the current process that is to be refused for these classes: enum bw_action.
 */
__noinline int access_action(__u64 classes) {
        __u32 pid = bpf_get_current_pid_tgid() >> 32;
        struct policy_view v;

        if (!classes || !policy_view_get(&v) || pid == 1 || is_daemon(v.table, pid) || current_is_exempt())
                return BW_ACTION_ALERT;
        return classes & ~v.table->dry ? BW_ACTION_DENIED : BW_ACTION_WOULD_DENY;
}

/* The name id of a file that the current process opens. Apart, as there may be only eight frames. */
__noinline __u64 access_name(__u64 file_address) {
        const struct inode *inode;

        return touched_name(file_address, BW_VIA_OPEN, bpf_get_current_task(), &inode);
}

/* The file of the record in a draft, which the current process opens. */
__noinline int record_put_opened(__u32 draft, __u64 file_address, __u64 name) {
        struct task_struct *task = current_task();
        const struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));
        const struct inode *inode = BPF_CORE_READ((const struct file *)file_address, f_inode);
        __u64 real = sensitive_name((__u64)inode, name);
        struct draft *d = draft_get(draft);

        if (!d)
                return 0;
        struct bw_correlation *r = &d->record;
        struct bw_touched_file *to = &r->files[0];
        to->mono_ns = r->header.mono_ns;
        to->classes = r->classes;
        to->inode = BPF_CORE_READ(inode, i_ino);
        to->device = BPF_CORE_READ(inode, i_sb, s_dev);
        to->pid = BPF_CORE_READ(task, tgid);
        to->uid = BPF_CORE_READ(task, cred, uid.val);
        to->via = BW_VIA_OPEN;
        to->flags = (NAME_IS_CUT(name) ? BW_FILE_PATH_TRUNCATED : 0) |
                    (BPF_CORE_READ(inode, i_uid.val) == to->uid ? BW_FILE_OWNED : 0);
        BPF_CORE_READ_INTO(&to->comm, task, comm);
        name_put(draft, name, RECORD_AT(files[0].path));
        name_put(draft, p ? p->exe : 0, RECORD_AT(files[0].exe));
        opener_put(draft, p ? p->exe : 0, process_script(p), 0);
        if (real)
                name_put(draft, real, RECORD_AT(files[0].real_path));
        r->n_files = 1;
        return 0;
}

/* As record_emit(). */
static __always_inline bool access_emit(const struct correlation *c, __u64 file_address, __u64 name) {
        __u32 draft;
        struct bw_correlation *r = record_begin(c, &draft);

        if (!r)
                return false;
        r->fresh = c->key.classes;
        r->destination.family = BW_FAMILY_NONE;
        r->destination.act = BW_ACT_OPEN;
        r->flags = (c->key.evidence == REPORT_FLOOD ? BW_CORRELATION_FLOOD : 0) |
                   (c->how & ACT_CLOSED ? BW_CORRELATION_CLOSED : 0);
        record_put_opened(draft, file_address, name);
        record_put_process(draft);
        r->process.flags = process_flags(BPF_CORE_READ(current_task(), tgid));
        return record_end(r, draft);
}

/* Reports an open by the current process, as correlate() does an egress. */
__noinline int access_report(__u64 file_address, __u64 classes, __u32 action, __u64 name) {
        struct task_struct *task = current_task();
        const struct file *file = (const struct file *)file_address;
        struct correlation c = { .window_ns = ACCESS_WINDOW_NS, .generation = shared.generation };
        __u64 inode = BPF_CORE_READ(file, f_inode, i_ino);
        __u32 device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);

        c.holder = c.key.pid = BPF_CORE_READ(task, tgid);
        c.key.start_boot_ns = task_start(task);
        c.how = action & ACTION_CLOSED ? ACT_CLOSED : 0;
        action &= ~ACTION_CLOSED;
        c.key.classes = classes;
        c.key.action = action;
        c.key.destination.family = BW_FAMILY_NONE;
        c.key.destination.act = BW_ACT_OPEN;
        __builtin_memcpy(c.key.destination.address, &inode, 8);
        __builtin_memcpy(c.key.destination.address + 8, &device, 4);
        count(action == BW_ACTION_DENIED ? BW_COUNT_DENIED : BW_COUNT_WOULD_DENY);
        if (repeat_count(&c, &c.key, false))
                return 0;

        const struct process *p = process_find(c.key.pid, c.key.start_boot_ns);
        __u64 exe = p ? p->exe : 0;
        __u32 uid = task_payer((__u64)task);

        if (correlation_floods(&c, uid, exe, BW_ACT_OPEN))
                return 0;
        if (!report_claim(&c))
                return 0;
        if (access_emit(&c, file_address, name)) {
                count(BW_COUNT_CORRELATIONS);
                flood_count(uid, exe);
        } else {
                bpf_map_delete_elem(&bw_reported, &c.key); /* the next attempt may be reported */
        }
        return 0;
}

/* An open by the current task, unless that is a kernel thread (file servers such as nfsd). An overlay opens
 * the file below in turn, and that open has the file's identity. refuses: the hook can refuse it. Returns
 * whether it is to be refused. */
static __always_inline bool on_kernel_open(struct file *file, bool refuses) {
        __u32 flags = BPF_CORE_READ(current_task(), flags);

        if (flags & PF_KTHREAD)
                return false;
        if (flags & PF_DUMPCORE)
                on_dump(file);
        return on_file_open(file, BW_VIA_OPEN | (refuses ? OPEN_REFUSES : 0));
}

/* The same where the hook for that comes later (fmod_ret). */
static __always_inline bool on_kernel_opening(struct file *file) {
        if (BPF_CORE_READ(current_task(), flags) & PF_KTHREAD)
                return false;
        int judged = file_judge(current_task(), file, BW_VIA_OPEN | OPEN_ONLY_REFUSES);
        return judged >= JUDGED_REFUSED && access_refuse(address_of(file), judged == JUDGED_BUSY);
}
