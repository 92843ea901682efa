/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Who a process is: the rules its executable may use. A path is a name, and anyone can make a file of a name, so a rule
 * holds for an object: a file that root owns and nobody else may write, executed where the host's file system is seen,
 * and by a process that nothing made run other code. The conditions of a rule come on top.
 *
 * What exec settles is found out at exec (process_judge()); what can change, when it is needed (process_rules()). */

#include "started.bpf.h"

static __always_inline struct process *process_find(__u32 pid, __u64 start) {
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        return p && p->start_boot_ns == start ? p : NULL;
}

/* Which file a process executes, and which opening of it: tells one exec from the next, should the program that hears of
 * them be skipped (it is, when it is interrupted by itself). */
static __always_inline __u64 process_image(struct task_struct *task) {
        const struct file *file = BPF_CORE_READ(task, mm, exe_file);

        return file ? hash_mix((__u64)file, file_salt(BPF_CORE_READ(file, f_inode))) : 0;
}

/* ---- the host ---- */

static __always_inline const struct host *host_get(void) {
        __u32 zero = 0;
        return bpf_map_lookup_elem(&bw_host, &zero);
}

/* The host is what the init of barbwired's own PID namespace sees: run by barbwired. */
static __always_inline void host_learn(void) {
        struct pid_namespace *namespace = task_pid_namespace(current_task());
        struct task_struct *init = BPF_CORE_READ(namespace, child_reaper);
        __u32 zero = 0;

        struct host *h = bpf_map_lookup_elem(&bw_host, &zero);
        if (!h)
                return;
        h->mount_namespace = (__u64)BPF_CORE_READ(init, nsproxy, mnt_ns);
        h->user_namespace = (__u64)BPF_CORE_READ(init, nsproxy, mnt_ns, user_ns);
        h->root = (__u64)BPF_CORE_READ(init, fs, root.dentry);
        h->cgroup = (__u64)BPF_CORE_READ(init, nsproxy, cgroup_ns, root_cset, dfl_cgrp, kn);
        shared.host_known = h->mount_namespace && h->root;
}

/* Does a task see the host's file system? Its mount namespace is the host's, or was made by the host's root: services
 * with PrivateTmp= and the like have one with a clone of the host's root mount. A container has another root, and so
 * has chroot(2); a user who makes a mount namespace has to make a user namespace for it. */
static __always_inline bool host_seen(struct task_struct *task) {
        const struct host *h = host_get();
        __u64 namespace = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns);

        if (!h || !shared.host_known)
                return false;
        if (namespace != h->mount_namespace &&
            (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns, user_ns) != h->user_namespace)
                return false;
        return (__u64)BPF_CORE_READ(task, fs, root.dentry) == h->root;
}

/* ---- the executable ---- */

static __always_inline __u64 file_mount_namespace(const struct file *file) {
        __u64 mount = (__u64)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt);
        const struct mount *m = (const struct mount *)mount;

        return (__u64)BPF_CORE_READ(m, mnt_ns);
}

/* May anyone but root change what is in this file? */
static __always_inline bool inode_is_roots(const struct inode *inode) {
        return BPF_CORE_READ(inode, i_uid.val) == 0 && !(BPF_CORE_READ(inode, i_mode) & 0022);
}

/* Finds out about the object that `task` executes. A file that was removed since it was executed is still what it was
 * (an upgrade does that); one that was removed before never had a path. The mount it came by must be of the
 * namespace that the process is in: /proc/PID/root/… of a user's own namespace shows what that user mounted there. */
__noinline int object_look(__u32 pid, __u64 task_address, __u32 at_exec) {
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct task_struct *task = (struct task_struct *)task_address;
        const struct file *file = BPF_CORE_READ(task, mm, exe_file);
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        __u64 namespace = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns);
        bool good = (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFREG && inode_is_roots(inode) &&
                !(at_exec && BPF_CORE_READ(inode, i_nlink) == 0);

        if (!p)
                return 0;
        p->object = good ? FINDING_GOOD : FINDING_BAD;
        p->host = host_seen(task) && file_mount_namespace(file) == namespace ? FINDING_GOOD : FINDING_BAD;
        return 0;
}

static __always_inline bool task_is_traced(struct task_struct *task) {
        return BPF_CORE_READ(task, ptrace) || BPF_CORE_READ(task, group_leader, ptrace);
}

/* Something made the process run other code than its executable's, or it cannot be excluded. */
static __always_inline bool process_is_void(const struct process *p) {
        return p->environment > FINDING_GOOD || p->foreign || p->traced;
}

/* Which rules take the executable of `task`, the process `pid`, for an ancestor; where the entry does not know for the
 * policy in force. */
__noinline int process_judge_own(__u32 pid, __u64 task_address) {
        struct task_struct *task = (struct task_struct *)task_address;
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct policy_view v;

        if (!p || !policy_view_get(&v))
                return 0;
        __u32 generation = v.table->generation;
        if (p->own_generation == generation)
                return 0;

        const struct file *file = BPF_CORE_READ(task, mm, exe_file);
        if (file && path_match_rules(v.index, BW_AUTOMATON_ANCESTOR, pid, &file->f_path) && !p->object)
                object_look(pid, task_address, false);
        if (policy_view_held(&v))
                p->own_generation = generation;
        return 0;
}

/* What a child inherits from its parent's executable. */
static __always_inline void ancestors_add(struct bw_bits *to, const struct process *parent) {
        if (parent->object == FINDING_GOOD && parent->host == FINDING_GOOD && !process_is_void(parent))
                bits_or(to, &parent->own);
}

/* Ancestors looked at: the living ones; what dead ones passed on has come down by fork. */
#define ANCESTORS_MAX 16

/* The ancestors of `task`, the process `pid`, for the policy in force. */
__noinline int ancestors_judge(__u32 pid, __u64 task_address) {
        struct task_struct *task = (struct task_struct *)task_address;
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p)
                return 0;
        for (__u32 i = 0; i < ANCESTORS_MAX; i++) {
                task = BPF_CORE_READ(task, group_leader, real_parent, group_leader);
                __u32 parent_pid = BPF_CORE_READ(task, tgid);
                if (!parent_pid)
                        break;
                struct process *parent = process_find(parent_pid, task_start(task));
                if (!parent)
                        continue;
                process_judge_own(parent_pid, (__u64)task);
                ancestors_add(&p->ancestors, parent);
        }
        return 0;
}

/* When a process is judged. */
enum judged {
        JUDGED_AT_EXEC,
        JUDGED_LATER, /* it opens a sensitive file */
        JUDGED_ASIDE, /* another one looks at it, who cannot read what it was started with: that remains to be found out */
};

/* Which rules the executable of `task`, the process `pid`, may use under the policy in force, and, where one does, all that
 * exec settles. Returns 1 when the policy changed meanwhile: once more, please. */
__noinline int process_judge(__u32 pid, __u64 task_address, __u32 when) {
        struct task_struct *task = (struct task_struct *)task_address;
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct policy_view v;

        if (!p || !policy_view_get(&v))
                return 0;
        __u32 generation = v.table->generation;

        const struct file *file = BPF_CORE_READ(task, mm, exe_file);
        bool rules = file && path_match_rules(v.index, BW_AUTOMATON_EXE, pid, &file->f_path);
        bool own = file && path_match_rules(v.index, BW_AUTOMATON_ANCESTOR, pid, &file->f_path);
        if (rules | own) {
                if (!p->object)
                        object_look(pid, (__u64)task, when == JUDGED_AT_EXEC);
                if (task_is_traced(task))
                        p->traced = 1;
        }
        if (when == JUDGED_ASIDE)
                return !policy_view_held(&v);
        if (!p->environment && (rules | own || when != JUDGED_AT_EXEC)) /* later: it is told of */
                environment_look(pid);
        if (bits_meet(&p->rules, &v.table->asks[BW_CONDITION_SCRIPT]))
                script_look(v.index, pid);
        if (!policy_view_held(&v))
                return 1;
        p->generation = p->own_generation = generation;
        return 0;
}

/* A process has executed another file: all that was found out is of the one before. */
static __always_inline void process_forget_findings(struct process *p) {
        p->script_hash = 0;
        p->generation = p->own_generation = 0;
        p->object = p->host = p->environment = p->foreign = p->traced = 0;
        __builtin_memset(&p->rules, 0, sizeof(p->rules));
        __builtin_memset(&p->script, 0, sizeof(p->script));
        __builtin_memset(&p->own, 0, sizeof(p->own));
}

/* ---- conditions that can change at any time ---- */

/* Depth of the cgroup tree that is seen. A process that is deeper, which any user with a delegated cgroup can bring
 * about, has no unit. */
#define UNIT_DEPTH_MAX 32

/* The unit of a task: the outermost component of its cgroup2 path that is no slice. Below it, whoever the
 * cgroup is delegated to (user@1000.service) chooses the names. Returns the output of the automaton for it. */
__noinline __u32 unit_match(__u32 table, __u64 task_address) {
        struct task_struct *task = (struct task_struct *)task_address;
        struct kernfs_node *node = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
        const struct host *h = host_get();

        if (!h)
                return 0;
        struct scratch *s = scratch_get();
        if (!s)
                return 0;
        for (__u32 i = 0; i < UNIT_DEPTH_MAX; i++) {
                struct kernfs_node *parent = kernfs_up(node);
                if (!parent || (__u64)node == h->cgroup) {
                        s->state = 1; /* seen whole */
                        break;
                }
                __u64 name = (__u64)BPF_CORE_READ(node, name);
                long n = bpf_probe_read_kernel_str(s->text, TEXT_MAX, (void *)name);
                if (n <= 1 || n > TEXT_MAX)
                        break;
                __u64 last = 0; /* seven bytes and the NUL; a shorter name begins with bytes of others */
                bpf_probe_read_kernel(&last, sizeof(last), (void *)(name + n - 8));
                bool is_slice = n > 7 && last >> 8 == 0x6563696c732e; /* ".slice" and its NUL, the first byte lowest */
                if (!is_slice) {
                        s->hash = name;
                        s->length = n - 1;
                }
                node = parent;
        }
        __u64 unit = s->state ? s->hash : 0;
        __u32 length = s->length;
        scratch_put();
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        if (!unit || !t)
                return 0;

        __u64 r = path_component(table, BW_AUTOMATON_UNIT, t->start[BW_AUTOMATON_UNIT], unit, length);
        return r & COMPONENT_FAULT ? 0 : COMPONENT_OUTPUT(r);
}

/* As NETS_AT_ONCE; divides BW_USERS_MAX. */
#define USERS_AT_ONCE 16

/* Rules for this user, of one word of them, by some users of the table. Without branches, see permitted_classes(). */
__noinline __u64 user_rules_some(__u32 table, __u32 uid, __u32 word, __u32 first) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u64 rules = 0;

        if (!t)
                return 0;
        for (__u32 i = 0; i < USERS_AT_ONCE; i++) {
                const struct bw_user *u = &t->users[(first + i) % BW_USERS_MAX];
                if (!u->used)
                        break;
                __u64 other = (__u64)(u->uid ^ uid) | (u->rule / 64 ^ word);
                __u64 differs = (other | -other) >> 63;
                rules |= (1 - differs) << u->rule % 64;
        }
        return rules;
}

__noinline __u64 user_rules(__u32 table, __u32 uid, __u32 word) {
        __u64 rules = 0;

        for (__u32 i = 0; i < BW_USERS_MAX; i += USERS_AT_ONCE)
                rules |= user_rules_some(table, uid, word, i);
        return rules;
}

/* ---- all of it ---- */

/* The rules that the process of `task` may use now. Its entry is judged by the policy in view. */
static __always_inline void process_rules(
        const struct policy_view *v, struct task_struct *task, const struct process *p, struct bw_bits *ret) {
        const struct bw_bits *asks = v->table->asks;
        bool host = p->host == FINDING_GOOD && host_seen(task);

        __builtin_memset(ret, 0, sizeof(*ret));
        if (p->object != FINDING_GOOD || process_is_void(p) || task_is_traced(task))
                return;

        for (__u32 i = 0; i < 4; i++) {
                ret->word[i] = p->rules.word[i] & (p->script.word[i] | ~asks[BW_CONDITION_SCRIPT].word[i]) &
                        (p->ancestors.word[i] | ~asks[BW_CONDITION_ANCESTOR].word[i]);
                if (!host)
                        ret->word[i] &= ~asks[BW_CONDITION_HOST].word[i];
        }
        if (bits_meet(ret, &asks[BW_CONDITION_UNIT])) {
                const struct bw_output *o = &v->table->outputs[unit_match(v->index, (__u64)task) % BW_OUTPUTS_MAX];
                for (__u32 i = 0; i < 4; i++)
                        ret->word[i] &= o->sticky.word[i] | o->final.word[i] | ~asks[BW_CONDITION_UNIT].word[i];
        }
        __u32 uid = BPF_CORE_READ(task, cred, uid.val);
        for (__u32 i = 0; i < 4; i++)
                if (ret->word[i] & asks[BW_CONDITION_USER].word[i])
                        ret->word[i] &= user_rules(v->index, uid, i) | ~asks[BW_CONDITION_USER].word[i];
}

/* Has the current process, `pid`, run other code since it executed what it executes? */
__noinline __u32 process_strayed(__u32 pid) {
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        return task_is_traced(current_task()) || (p && (p->foreign || p->traced));
}

/* BW_PROCESS_* of the current process, `pid`. */
__noinline __u32 process_flags(__u32 pid) {
        struct task_struct *task = current_task();
        const struct file *file = BPF_CORE_READ(task, mm, exe_file);
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        __u32 flags = 0;

        if (file && file_mount_namespace(file) == MNT_NS_INTERNAL) {
                /* Its owner and mode say nothing: whoever made it may write it. */
                flags |= BW_PROCESS_EXE_MEMORY;
        } else if (file) {
                if (BPF_CORE_READ(inode, i_uid.val))
                        flags |= BW_PROCESS_EXE_NOT_ROOTS;
                if (BPF_CORE_READ(inode, i_mode) & 0022)
                        flags |= BW_PROCESS_EXE_WRITABLE;
                if (BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode, i_mode) & 0002)
                        flags |= BW_PROCESS_EXE_DIR_WRITABLE;
                if (!BPF_CORE_READ(inode, i_nlink))
                        flags |= BW_PROCESS_EXE_DELETED;
        }
        if ((shared.host_known && !host_seen(task)) || (p && p->host == FINDING_BAD))
                flags |= BW_PROCESS_NOT_HOST;
        if (task_is_traced(task) || (p && p->traced))
                flags |= BW_PROCESS_TRACED;
        if (p && p->environment == FINDING_BAD)
                flags |= BW_PROCESS_INJECTED;
        if (p && p->foreign)
                flags |= BW_PROCESS_FOREIGN_CODE;
        return flags;
}

/* ---- foreign code ---- */

/* The current process runs code of this file. If others than root may change it, the process is no longer what its
 * executable says. */
static __always_inline void on_code_mapped(const struct file *file) {
        struct task_struct *task = current_task();
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG || inode_is_roots(inode))
                return;
        struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));
        if (p)
                p->foreign = 1;
}

/* A mapping of the current process changes its protection. */
static __always_inline void on_code_protected(const struct vm_area_struct *area, unsigned long prot) {
        const struct file *file = BPF_CORE_READ(area, vm_file);

        if (file && prot & PROT_EXEC)
                on_code_mapped(file);
}
