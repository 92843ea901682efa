/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Fork, exec and exit of processes: keeps their true ancestry, and passes marks on. */

#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/pass.bpf.h"
#include "process/exec-env.bpf.h"
#include "process/identity.bpf.h"
#include "process/program.bpf.h"
#include "process/script.bpf.h"
#include "process/shm.bpf.h"

/* Name id of the executable a process runs; its text is kept. 0 for kernel threads. */
static __always_inline __u64 exe_name(struct task_struct *task) {
        struct file *file = BPF_CORE_READ(task, mm, exe_file);
        if (!file)
                return 0;

        __u64 mnt = (__u64)BPF_CORE_READ(file, f_path.mnt),
              dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
        return name_learn(mnt, dentry, program_salt(BPF_CORE_READ(file, f_inode)), address_of(task));
}

/* Notes that the names which the entry of a process has are in use. */
__noinline int process_names_touch(__u32 pid) {
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p)
                return 0;
        name_touch(p->exe);
        name_touch(p->program);
        name_touch(p->run_name);
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_LINEAGE_MAX; i++)
                name_touch(p->lineage[i].exe);
        return 0;
}

/* Removes the entry of a process and its mappings, and uncharges its user. */
__noinline int process_forget(__u32 pid) {
        memory_leave(pid);
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        if (!p)
                return 0;
        __u32 uid = p->uid;
        __u64 cgroup = p->cgroup;
        if (bpf_map_delete_elem(&bw_processes, &pid))
                return 0;
        ATOMIC_ADD(&shared.counts[BW_COUNT_LINEAGES_LIVE], -1);
        share_release(BW_SHARE_LINEAGES, uid, cgroup);
        return 0;
}

/* Inserts a copy of another entry for the process of the task at `task`, and charges it. Returns whether it
 * is new. Beyond the share of its user a process has no entry, and no rule applies to it. */
static __always_inline bool process_enter(__u32 pid, const void *from, __u64 task) {
        __u32 uid = task_payer(task);
        __u64 cgroup = task_cgroup(task);

        if (!share_take_all(BW_SHARE_LINEAGES, uid, cgroup, 1)) {
                count(BW_COUNT_LINEAGES_REFUSED);
                return false;
        }
        int r = MAP_INSERT(&bw_processes, &pid, from);
        if (r) {
                share_release(BW_SHARE_LINEAGES, uid, cgroup);
                if (r != -EEXIST) /* -E2BIG, -ENOMEM */
                        report_loss(BW_LOSS_LINEAGE_REFUSED);
                return false;
        }
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        if (p) {
                p->task = 0; /* see process_exists() */
                p->uid = uid;
                p->cgroup = cgroup;
                p->mappings = p->unlisted = p->unlisted_written = p->put_off = p->awaits = 0;
        }
        count(BW_COUNT_LINEAGES_LIVE);
        if (pid > shared.pid_most)
                shared.pid_most = pid;
        return true;
}

/* Makes the entry of the process of `task`, with the lineage of its parent and the parent itself. parent
 * NULL: not known. */
static __always_inline struct process *process_add(__u32 pid, __u64 start, __u64 exe,
                const struct process *parent, struct task_struct *parent_task, __u64 task) {
        __u32 zero = 0;
        const void *from = parent ? (const void *)parent : bpf_map_lookup_elem(&bw_zero, &zero);

        if (!from || !process_enter(pid, from, task))
                return NULL;
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        if (!p)
                return NULL;

        __u64 parent_exe = parent ? p->exe : 0;
        if (parent)
                ancestors_add(&p->ancestors, parent);
        else if (shared.processes_known)
                p->environment = FINDING_UNSEEN; /* flooding the table must not gain trust */
        p->start_boot_ns = start;
        p->task = task;
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

/* Whether root has executed what a process runs that was there before us: it is root, or its parent is and
 * runs the same. A server that becomes another user for a session (sshd) leaves the parent as it is. */
static __always_inline bool task_was_roots(struct task_struct *task, struct task_struct *parent) {
        return !BPF_CORE_READ(task, cred, uid.val) ||
               (!BPF_CORE_READ(parent, cred, uid.val) &&
                               BPF_CORE_READ(parent, mm, exe_file, f_inode) ==
                                               BPF_CORE_READ(task, mm, exe_file, f_inode));
}

/* Makes the entry of a process that was there before us, or was refused one, from the current process tree.
 */
static __always_inline struct process *process_learn(struct task_struct *task) {
        struct task_struct *leader = BPF_CORE_READ(task, group_leader);
        struct task_struct *parent = BPF_CORE_READ(leader, real_parent, group_leader);
        __u32 pid = BPF_CORE_READ(leader, tgid), parent_pid = BPF_CORE_READ(parent, tgid);
        struct process *known = NULL;

        if (parent_pid)
                known = process_find(parent_pid, task_start(parent));
        struct process *p = process_add(pid, BPF_CORE_READ(leader, start_boottime), exe_name(task), known,
                        parent_pid ? parent : NULL, (__u64)leader);
        if (!p)
                return NULL;
        process_forget_findings(p);
        p->roots = task_was_roots(task, parent);
        p->image = process_image(task);
        if (shared.processes_known)
                p->environment = FINDING_UNSEEN;
        return p;
}

/* Makes sure that the current process has an entry for what it executes now. Its environment and arguments
 * are not reliable any more. */
__noinline int process_learn_current(void) {
        struct task_struct *task = current_task();
        struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));

        if (!p) {
                process_learn(task);
        } else if (p->image != process_image(task)) {
                memory_leave(BPF_CORE_READ(task, tgid));
                p->exe = exe_name(task);
                process_forget_findings(p);
                p->roots = !BPF_CORE_READ(task, cred, uid.val);
                p->image = process_image(task);
                p->environment = FINDING_UNSEEN;
        }
        return 0;
}

/* fork, vfork, clone: the child exists and has not run. Threads belong to their process. */
static __always_inline void on_fork(struct task_struct *parent, struct task_struct *child) {
        __u32 pid = BPF_CORE_READ(child, tgid);

        if (BPF_CORE_READ(child, pid) != (int)pid)
                return;

        __u32 parent_pid = BPF_CORE_READ(parent, tgid);
        __u64 start = BPF_CORE_READ(child, start_boottime), parent_start = task_start(parent);

        process_learn_current(); /* the parent */
        struct process *p = process_find(parent_pid, parent_start);
        if (p) {
                process_judge_own(parent_pid,
                                bpf_get_current_task()); /* a reload may have come since it did exec */
                process_names_touch(parent_pid);
        }
        if (bpf_map_lookup_elem(&bw_processes, &pid)) /* of an earlier process, whose exit was missed */
                process_forget(pid);
        process_add(pid, start, p ? p->exe : 0, p, parent, address_of(child));

        memory_inherit(pid, address_of(child));
        mark_pass(parent_pid, parent_start, pid, start, BW_VIA_FORK, NULL);
        struct mark *m = mark_get(pid);
        if (m)
                mark_name(m, child);
}

/* A process may have dropped privileges, or moved to another cgroup, since the fork: charges its entry to
 * the user that it belongs to now. If that share is full, the former user goes on paying: root's service
 * started it. */
__noinline int process_recharge(__u32 pid, __u64 task) {
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        __u32 uid = task_payer(task);
        __u64 cgroup = task_cgroup(task);

        if (!p || (p->uid == uid && p->cgroup == cgroup))
                return 0;
        if (!share_take_all(BW_SHARE_LINEAGES, uid, cgroup, 1))
                return 0;
        __u32 before = p->uid;
        __u64 cgroup_before = p->cgroup;
        p->uid = uid;
        p->cgroup = cgroup;
        share_release(BW_SHARE_LINEAGES, before, cgroup_before);
        return 0;
}

/* PIDs that one system call of the daemon examines. */
#define SWEEP_PIDS 64

/* Removes the entry of a process whose exit was missed: a program that interrupts itself is skipped, and a
 * table may be copied while processes end. */
__noinline int process_sweep(__u32 pid) {
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p || process_exists(p, pid))
                return 0;
        process_forget(pid);
        count(BW_COUNT_LINEAGES_SWEPT);
        return 0;
}

/* The same of some PIDs. Goes on where the last call stopped. */
__noinline int processes_sweep(void) {
        __u32 first = shared.pid_swept;

        for (__u32 i = 0; i < SWEEP_PIDS; i++)
                process_sweep(first + i);
        shared.pid_swept = first + SWEEP_PIDS > shared.pid_most ? 0 : first + SWEEP_PIDS;
        return 0;
}

/* The classes that a process got under rules that do not pass them to what it executes. If the policy keeps
 * changing meanwhile: none. */
__noinline __u64 mark_kept(__u32 pid) {
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                const struct mark *m = mark_get(pid);
                struct policy_view v;

                if (!m || !policy_view_get(&v))
                        return 0;
                __u64 kept = rules_classes(v.index, &m->rules, RULES_KEEPING(BW_RULE_CHILDREN));
                if (policy_view_held(&v))
                        return kept;
        }
        return 0;
}

/* Unbinds some classes, but for those of `kept`, which are dropped. Returns those that are left. */
__noinline __u64 mark_unbind_some(__u32 pid, __u64 kept, __u32 first) {
        struct mark *m = mark_get(pid);
        __u64 left = 0;

        if (!m)
                return 0;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < CLASSES_AT_ONCE; i++) {
                __u32 c = (first + i) % BW_CLASSES_MAX, bound = m->bound_last[c] & ((kept >> c & 1) - 1);
                __u32 last = tick_later(m->last[c], bound);
                m->last[c] = last;
                m->bound_last[c] = 0;
                left |= is_set(last) << c;
        }
        return left;
}

/* exec: the rules of the previous program apply no more. What they pass to children counts as a plain open
 * from now on; the rest was in the memory of the previous program, and ends with it. */
__noinline int mark_unbind(__u32 pid) {
        __u64 kept = mark_kept(pid), left = 0;

        for (__u32 i = 0; i < BW_CLASSES_MAX; i += CLASSES_AT_ONCE)
                left |= mark_unbind_some(pid, kept, i);
        struct mark *m = mark_get(pid);
        if (!m)
                return 0;
        __builtin_memset(&m->rules, 0, sizeof(m->rules));
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                m->files[i].classes &= left;
                m->files[i].flags |= BW_FILE_EXECED;
        }
        m->changes++;
        if (!left && !m->reported)
                mark_forget(pid);
        return 0;
}

/* exec: the process keeps its mark, and loses the rules of the previous executable. */
static __always_inline void on_exec(struct task_struct *task, const struct linux_binprm *bprm) {
        __u32 pid = BPF_CORE_READ(task, tgid);
        __u64 start = task_start(task);

        memory_arrive();
        memory_leave(pid);
        struct process *p = process_find(pid, start);
        if (!p) {
                process_learn_current();
                p = process_find(pid, start);
        }
        if (p) {
                process_recharge(pid, address_of(task));
                p->task = address_of(task); /* another thread may have become the leader */
                p->exe = exe_name(task);
                bool users = false;
                __u64 program = program_of_exec(p, address_of(bprm), &users);
                process_forget_findings(p);
                p->roots = !BPF_CORE_READ(task, cred, uid.val);
                p->program = program;
                p->users_program = program && users;
                p->through_env = program && program_asks_env(bprm);
                p->passed = BPF_CORE_READ_BITFIELD_PROBED(bprm, have_execfd);
                p->image = process_image(task);
                script_await(address_of(bprm));
                for (__u32 i = 0; i < POLICY_TRIES; i++)
                        if (process_judge(pid, address_of(task), JUDGED_AT_EXEC) == 0)
                                break;
        }

        struct mark *m = mark_find(pid, start);
        if (!m)
                return;
        mark_unbind(pid);
        m = mark_get(pid);
        if (!m)
                return;
        mark_name(m, task);
        p = process_find(pid, start);
        if (p && !p->environment)
                environment_look(pid); /* for its alert */
}

/* Exit of a thread, and of the process if that was its last (kernel/exit.c do_exit() decrements live before
 * the tracepoint). Two last threads may both get here: the second finds nothing. */
static __always_inline void on_exit(struct task_struct *task) {
        if (BPF_CORE_READ(task, signal, live.counter) > 0)
                return;

        __u32 pid = BPF_CORE_READ(task, tgid);
        process_forget(pid);

        struct mark *m = mark_get(pid);
        if (!m)
                return;
        __u32 reported = m->reported;
        __u64 start = m->start_boot_ns;
        mark_forget(pid);
        if (reported)
                emit_exit(pid, start);
}
