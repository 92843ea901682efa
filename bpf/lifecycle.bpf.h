/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Birth, change and death of processes: true ancestry for all of them, marks for those that have one. */

#include "memory.bpf.h"

/* Name id of the executable a process runs; its text is kept. 0 for kernel threads. */
static __always_inline __u64 exe_name(struct task_struct *task) {
        struct file *file = BPF_CORE_READ(task, mm, exe_file);
        if (!file)
                return 0;

        __u64 mnt = (__u64)BPF_CORE_READ(file, f_path.mnt), dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
        return name_learn(mnt, dentry, file_salt(BPF_CORE_READ(file, f_inode)), false);
}

/* Writes the entry of a process: the lineage of its parent, and the parent itself. parent NULL: none known. */
static __always_inline struct process *process_add(
        __u32 pid, __u64 start, __u64 exe, const struct process *parent, struct task_struct *parent_task) {
        __u32 zero = 0;
        const void *from = parent ? (const void *)parent : bpf_map_lookup_elem(&bw_zero, &zero);

        if (!from)
                return NULL;
        if (bpf_map_update_elem(&bw_processes, &pid, from, BPF_ANY))
                return NULL;
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        if (!p)
                return NULL;

        __u64 parent_exe = parent ? p->exe : 0;
        if (parent)
                ancestors_add(&p->ancestors, parent);
        else if (shared.processes_known)
                p->environment = FINDING_UNSEEN; /* who floods the table must not gain by it */
        p->start_boot_ns = start;
        p->exe = exe;
        if (!parent_task)
                return p;

        struct ancestor *a = &p->lineage[p->depth % BW_LINEAGE_MAX];
        a->start_boot_ns = task_start(parent_task);
        a->exe = parent_exe;
        a->pid = BPF_CORE_READ(parent_task, tgid);
        BPF_CORE_READ_INTO(&a->comm, parent_task, group_leader, comm);
        p->depth++;
        return p;
}

/* Learns of a process that was there before us, or that was forgotten, from the process tree as it is now. */
static __always_inline struct process *process_learn(struct task_struct *task) {
        struct task_struct *leader = BPF_CORE_READ(task, group_leader);
        struct task_struct *parent = BPF_CORE_READ(leader, real_parent, group_leader);
        __u32 pid = BPF_CORE_READ(leader, tgid), parent_pid = BPF_CORE_READ(parent, tgid);
        struct process *known = NULL;

        if (parent_pid)
                known = process_find(parent_pid, task_start(parent));
        struct process *p = process_add(
                pid, BPF_CORE_READ(leader, start_boottime), exe_name(task), known, parent_pid ? parent : NULL);
        if (!p)
                return NULL;
        process_forget_findings(p);
        p->image = process_image(task);
        if (shared.processes_known)
                p->environment = FINDING_UNSEEN;
        return p;
}

/* Makes sure that the current process has an entry, and that it is about what it executes now. What it was started with
 * cannot be found out any more. */
__noinline int process_learn_current(void) {
        struct task_struct *task = current_task();
        struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));

        if (!p) {
                process_learn(task);
        } else if (p->image != process_image(task)) {
                p->exe = exe_name(task);
                process_forget_findings(p);
                p->image = process_image(task);
                p->environment = FINDING_UNSEEN;
        }
        return 0;
}

/* fork, vfork, clone: after the child was made, before it runs. Threads belong to their process. */
static __always_inline void on_fork(struct task_struct *parent, struct task_struct *child) {
        __u32 pid = BPF_CORE_READ(child, tgid);

        if (BPF_CORE_READ(child, pid) != (int)pid)
                return;

        __u32 parent_pid = BPF_CORE_READ(parent, tgid);
        __u64 start = BPF_CORE_READ(child, start_boottime), parent_start = task_start(parent);

        process_learn_current(); /* the parent */
        struct process *p = process_find(parent_pid, parent_start);
        if (p) {
                process_judge_own(parent_pid, bpf_get_current_task()); /* a reload may have come since it did exec */
                exe_name_touch(p->exe);
                for (__u32 i = 0; i < BW_LINEAGE_MAX; i++)
                        exe_name_touch(p->lineage[i].exe);
        }
        process_add(pid, start, p ? p->exe : 0, p, parent);

        memory_inherit(pid, start, address_of(child));
        mark_pass(parent_pid, parent_start, pid, start, BW_VIA_FORK, NULL);
}

/* exec: the same process, another executable. What it holds it keeps; the rules it held it loses. */
static __always_inline void on_exec(struct task_struct *task) {
        __u32 pid = BPF_CORE_READ(task, tgid);
        __u64 start = task_start(task);

        struct process *p = process_find(pid, start);
        if (!p) {
                process_learn_current();
                p = process_find(pid, start);
        }
        if (p) {
                p->exe = exe_name(task);
                process_forget_findings(p);
                p->image = process_image(task);
                for (__u32 i = 0; i < POLICY_TRIES; i++)
                        if (process_judge(pid, true) == 0)
                                break;
        }

        memory_leave(pid);
        struct mark *m = mark_find(pid, start);
        if (!m)
                return;
        mark_unbind(m);
        p = process_find(pid, start);
        if (p && !p->environment)
                environment_look(pid); /* if it is reported, it is told of */
}

/* exit of a thread; of the process, if it was the last one (kernel/exit.c do_exit() counts live down before the
 * tracepoint). Two last threads may both come here: the second finds nothing. */
static __always_inline void on_exit(struct task_struct *task) {
        if (BPF_CORE_READ(task, signal, live.counter) > 0)
                return;

        __u32 pid = BPF_CORE_READ(task, tgid);
        bpf_map_delete_elem(&bw_processes, &pid);
        memory_leave(pid);

        struct mark *m = mark_get(pid);
        if (!m)
                return;
        __u32 reported = m->reported;
        __u64 start = m->start_boot_ns;
        mark_forget(pid);
        if (reported)
                emit_exit(pid, start);
}
