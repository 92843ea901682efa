/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A file was opened: is it sensitive, may this program read it, and if not, mark the process. Judged on the opened
 * struct file, never on what the system call was told: that races, is relative and misses links. */

#include "flow.bpf.h"

/* A file of `classes` was opened by the current process, or came to it (enum bw_via): apply the rules, and mark it.
 * Returns 0, or 1 when the policy or the mark was changed meanwhile and the open must be judged again. */
__noinline int file_touched(__u64 file_address, __u64 classes, __u32 via) {
        struct file *file = (struct file *)file_address;
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid);
        __u64 start = task_start(task);
        struct process *p = process_find(pid, start);
        struct policy_view v;
        struct bw_bits rules = {};
        __u64 unbound = 0, bound = 0;

        if (!policy_view_get(&v))
                return 0;
        if (p) {
                if (p->generation != v.table->generation)
                        return 1;
                process_rules(&v, task, p, &rules);
        }
        for (__u32 i = 0; i < BW_RULES_MAX; i++) {
                if (!word_has(rules.word[i / 64], i % 64))
                        continue;
                if (v.table->rules[i].n_nets == 0)
                        unbound |= v.table->rules[i].classes;
                else
                        bound |= v.table->rules[i].classes;
        }
        __u64 window_ns = longest_window(v.index, classes, false);
        if (!policy_view_held(&v))
                return 1;

        count(BW_COUNT_OPENS_MATCHED);
        classes &= ~unbound;
        if (!classes) {
                count(BW_COUNT_OPENS_ALLOWED);
                return 0;
        }

        __u64 mnt = (__u64)BPF_CORE_READ(file, f_path.mnt), dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
        __u64 name = name_learn(mnt, dentry, file_salt(BPF_CORE_READ(file, f_inode)), true);

        __u64 now = bpf_ktime_get_ns(), exe = p ? p->exe : 0;

        struct mark *m = mark_take(pid, start);
        if (!m)
                return 0;

        __u64 until = now + window_ns + (1ULL << (TICK_SHIFT + 1)); /* ticks are rounded, twice */
        if (m->until_mono_ns < until)
                m->until_mono_ns = until;

        /* In place: another thread's alert sees a file that is half written without its classes, if at all. */
        struct touched_file *f = mark_place(m, name, pid);
        f->classes = 0;
        f->mono_ns = now;
        f->path = name;
        f->exe = exe;
        f->inode = BPF_CORE_READ(file, f_inode, i_ino);
        f->device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
        f->pid = pid;
        f->uid = BPF_CORE_READ(task, cred, uid.val);
        f->hops = f->handed = 0;
        f->way = 0;
        f->via = via;
        f->flags = NAME_IS_CUT(name) ? BW_FILE_PATH_TRUNCATED : 0;
        BPF_CORE_READ_INTO(&f->comm, task, comm);
        barrier();
        f->classes = classes;

        mark_touch(m, classes & ~bound, classes & bound, &rules);

        /* Who traces it can read all it reads. */
        if (BPF_CORE_READ(task, ptrace)) {
                struct task_struct *tracer = BPF_CORE_READ(task, parent);
                mark_pass(pid, start, BPF_CORE_READ(tracer, tgid), task_start(tracer), BW_VIA_TRACE, task);
        }

        /* A sweep may have found the mark expired just before and have removed it meanwhile. */
        m = mark_get(pid);
        return !m || m->start_boot_ns != start || m->until_mono_ns < until;
}

/* Is it a file about the current process itself, in procfs? What is in its own memory and environment is no secret to
 * it, and allocators and sanitizers look there as every program starts (gperftools, compiler-rt). */
static __always_inline bool file_is_own(struct inode *inode, struct task_struct *task) {
        struct upid upid = {};

        if (BPF_CORE_READ(inode, i_sb, s_magic) != PROC_SUPER_MAGIC)
                return false;
        struct proc_inode *own = (void *)inode - bpf_core_field_offset(struct proc_inode, vfs_inode);
        struct pid *pid = BPF_CORE_READ(own, pid); /* NULL: about no process */
        /* Of the outermost namespace, as task_struct's numbers are. */
        bpf_probe_read_kernel(&upid.nr, sizeof(upid.nr), (void *)pid + bpf_core_field_offset(struct pid, numbers) +
                bpf_core_field_offset(struct upid, nr));
        return pid && (upid.nr == BPF_CORE_READ(task, tgid) || upid.nr == BPF_CORE_READ(task, pid));
}

/* The body of every hook that sees an open file come to the current process. */
static __always_inline void on_file_open(struct file *file, enum bw_via via) {
        /* A descriptor that cannot be read from gives nothing away; O_PATH has no FMODE_READ either. */
        if (!(BPF_CORE_READ(file, f_mode) & FMODE_READ))
                return;

        struct inode *inode = BPF_CORE_READ(file, f_inode);
        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR)
                return;

        __u64 mnt = (__u64)BPF_CORE_READ(file, f_path.mnt), dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
        struct task_struct *task = current_task();
        bool judged = false, touched = false;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                struct policy_view v;

                if (!policy_view_get(&v))
                        return;
                __u64 classes = path_match(v.index, BW_AUTOMATON_FILE, 0, mnt, dentry);
                if (!policy_view_held(&v))
                        continue;
                touched = classes && !file_is_own(inode, task);
                judged = !touched ||
                        (process_ready(task, &v) == 0 && file_touched(address_of(file), classes, via) == 0);
                if (judged)
                        break;
        }
        if (!judged)
                count_and_tell(BW_LOSS_POLICY_BUSY);
        else if (touched)
                memory_spread(BPF_CORE_READ(task, tgid), task_start(task), (__u64)task);
        if (*(volatile __u64 *)&shared.counters[BW_COUNT_OBJECTS_LIVE])
                file_taken(address_of(file)); /* reading it need not be a call */
}

/* A system call returned the descriptor of a file that it opened, or fetched from another process. The descriptor is in the
 * table since before the return: another thread that closed it meanwhile is counted. */
static __always_inline void on_open_returned(struct task_struct *task, int number, long fd, enum bw_via via) {
        if (fd < 0)
                return;

        struct file *file = descriptor_file(task, fd);
        if (!file) {
                /* A sandbox's filter refused the call with SECCOMP_RET_TRAP: the kernel then puts the call's number back
                 * where its result would be (syscall_rollback()), and nothing was opened. */
                if (fd != number)
                        count_and_tell(BW_LOSS_FILE_GONE);
                return;
        }
        on_file_open(file, via);
}

/* The kernel opens a file on behalf of the current task: not one of its own, which are file servers (nfsd) and the like,
 * and not the file below an overlay's, which comes on top. */
static __always_inline void on_kernel_open(struct file *file) {
        if (BPF_CORE_READ(file, f_mode) & FMODE_NOACCOUNT || BPF_CORE_READ(current_task(), flags) & PF_KTHREAD)
                return;
        on_file_open(file, BW_VIA_OPEN);
}

/* The current process gains access to the memory of another: what either holds may go to the other. And the other may be
 * made to run other code. */
static __always_inline void on_memory_access(struct task_struct *child, unsigned int mode) {
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid), child_pid = BPF_CORE_READ(child, tgid);

        if (!(mode & PTRACE_MODE_ATTACH) || pid == child_pid)
                return;
        __u64 start = task_start(task), child_start = task_start(child);
        struct process *p = process_find(child_pid, child_start);
        if (p)
                p->traced = 1;
        mark_pass(pid, start, child_pid, child_start, BW_VIA_TRACE, task);
        mark_pass(child_pid, child_start, pid, start, BW_VIA_TRACE, child);
}

/* ---- sensor "tracepoint": calls that end ---- */

/* A file was mapped: code that is foreign; or what others wrote to it; or what it holds will go there. */
static __always_inline void on_mapped(struct task_struct *task, long fd, __u64 prot, __u64 flags) {
        const struct file *file = flags & MAP_ANONYMOUS ? NULL : descriptor_file(task, fd);
        struct object o = {};

        if (flags & MAP_SHARED) {
                if (file)
                        object_of_inode(&o, BPF_CORE_READ(file, f_inode));
                else
                        object_set(&o, BW_VIA_MEMORY, (__u64)task, bpf_ktime_get_ns(), 0); /* for children */
                if (o.holder)
                        on_memory_shared(&o);
        }
        if (!file)
                return;
        if (prot & PROT_EXEC)
                on_code_mapped(file);
        if (*(volatile __u64 *)&shared.counters[BW_COUNT_OBJECTS_LIVE])
                file_taken((__u64)file);
}

/* struct user_msghdr and struct cmsghdr (include/linux/socket.h), and where the other ABI has the same things. */
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
/* Control messages looked at in one message, and descriptors (include/net/scm.h SCM_MAX_FD). */
#define CONTROLS_MAX 4
#define MESSAGES_MAX 16 /* of recvmmsg(2) */
#define DESCRIPTORS_MAX 253

/* Another process passed this descriptor to the current one. */
__noinline int descriptor_received(int fd) {
        struct file *file = descriptor_file(current_task(), fd);

        if (file)
                on_file_open(file, BW_VIA_RECEIVED);
        return 0;
}

/* recvmsg(2) returned: descriptors may have come. Only the process's own memory says which, and another thread may change it
 * meanwhile; the sensors lsm and fentry ask the kernel. */
__noinline int message_received(__u64 message, __u32 compat) {
        __u64 at = 0, length = 0;
        __u32 word[2] = {};

        if (compat) {
                if (bpf_probe_read_user(word, sizeof(word), (void *)message + 16))
                        return 0;
                at = word[0];
                length = word[1];
        } else if (bpf_probe_read_user(&at, sizeof(at), (void *)message + 32) ||
                   bpf_probe_read_user(&length, sizeof(length), (void *)message + 40)) {
                return 0;
        }

        /* The kernel puts all of them into one control message (net/core/scm.c scm_detach_fds()). */
        const __u64 word_size = compat ? 4 : 8, header = word_size + 8;
        __u64 first = 0, end = 0;
        for (__u32 i = 0; i < CONTROLS_MAX; i++) {
                __u64 size = 0;
                if (!at || length < header || bpf_probe_read_user(&size, word_size & 0xf, (void *)at) ||
                    bpf_probe_read_user(word, sizeof(word), (void *)at + word_size) || size < header || size > length)
                        break;
                if (word[0] == SOL_SOCKET && word[1] == SCM_RIGHTS) {
                        first = at + header;
                        end = at + size;
                }
                __u64 step = (size + word_size - 1) & ~(word_size - 1);
                if (step > length)
                        break;
                at += step;
                length -= step;
        }
        for (__u32 i = 0; i < DESCRIPTORS_MAX; i++) {
                int fd = -1;
                __u64 where = first + i * sizeof(fd);
                if (where + sizeof(fd) > end || bpf_probe_read_user(&fd, sizeof(fd), (void *)where))
                        break;
                descriptor_received(fd);
        }
        return 0;
}

static __always_inline void on_call_returned(const struct pt_regs *regs, long ret) {
        struct task_struct *task = current_task();
        enum call call = call_of(regs, task);

        switch (call) {
        case CALL_OPEN:
                on_open_returned(task, SYSCALL_NUMBER(regs), ret, BW_VIA_OPEN);
                break;
        case CALL_FETCH:
                on_open_returned(task, SYSCALL_NUMBER(regs), ret, BW_VIA_RECEIVED);
                break;
        case CALL_MAP:
                if ((__u64)ret < (__u64)-MAX_ERRNO)
                        on_mapped(task, (int)call_argument(regs, task, 4), call_argument(regs, task, 2),
                                call_argument(regs, task, 3));
                break;
        case CALL_MAP_OLD: {
                __u32 arguments[6] = {};
                if ((__u64)ret >= (__u64)-MAX_ERRNO)
                        break;
                bpf_probe_read_user(arguments, sizeof(arguments), (void *)call_argument(regs, task, 0));
                on_mapped(task, (int)arguments[4], arguments[2], arguments[3]);
                break;
        }
        case CALL_ATTACH: {
                struct object o = {};
                if ((__u64)ret >= (__u64)-MAX_ERRNO)
                        break;
                object_set(&o, BW_VIA_MEMORY, BPF_CORE_READ(task, nsproxy, ipc_ns, ns.inum), (int)call_argument(regs, task, 0),
                        1);
                on_memory_shared(&o);
                break;
        }
        case CALL_RECEIVE:
                if (ret >= 0)
                        message_received(call_argument(regs, task, 1), SYSCALL_IS_COMPAT(task) ? 1 : 0);
                on_call_took(regs, task, call, ret);
                break;
        case CALL_RECEIVE_MANY:
                for (__u32 i = 0; i < MESSAGES_MAX && i < ret; i++)
                        message_received(call_argument(regs, task, 1) + i * (SYSCALL_IS_COMPAT(task) ? 32 : 64),
                                SYSCALL_IS_COMPAT(task) ? 1 : 0);
                on_call_took(regs, task, call, ret);
                break;
        default:
                on_call_took(regs, task, call, ret);
        }
}
