/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One process reads or writes another's memory: by ptrace(2), process_vm_readv(2) and process_vm_writev(2), or the file
 * /proc/PID/mem. What is held on the side that is read is held on the other from then on; and who is written to may run
 * other code, and no rule holds for it until it executes the next program. */

#include "egress.bpf.h"
#include "syscalls.bpf.h"

/* The bytes of `from` are in the hands of `to`. */
__noinline int memory_read(__u64 from_address, __u64 to_address) {
        struct task_struct *from = (struct task_struct *)from_address, *to = (struct task_struct *)to_address;
        __u32 pid = BPF_CORE_READ(from, tgid), to_pid = BPF_CORE_READ(to, tgid);

        if (pid != to_pid)
                mark_pass(pid, task_start(from), to_pid, task_start(to), BW_VIA_TRACE, from);
        return 0;
}

/* `by` has written to the memory of `to`, or may do so. */
__noinline int memory_changed(__u64 by_address, __u64 to_address) {
        struct task_struct *by = (struct task_struct *)by_address, *to = (struct task_struct *)to_address;
        __u32 pid = BPF_CORE_READ(to, tgid);
        struct process *p = process_find(pid, task_start(to));

        if (p && (int)pid != BPF_CORE_READ(by, tgid))
                p->traced = 1;
        return 0;
}

static __always_inline void memory_written(__u64 by, __u64 to) {
        memory_changed(by, to);
        memory_read(by, to);
}

/* ---- sensors "lsm" and "fentry" ---- */

/* The current process asks for access to another's memory, and will read it or write it: that is not told. Not where it asks
 * as who opens a file (PTRACE_MODE_FSCREDS): of /proc/PID's files only "mem" gives what is in the memory, see on_memory_file();
 * some others ask for as much, and show little. */
static __always_inline void on_memory_access(const struct task_struct *child, unsigned int mode) {
        __u64 other = address_of(child), own = bpf_get_current_task();

        if (!(mode & PTRACE_MODE_ATTACH) || !(mode & PTRACE_MODE_REALCREDS))
                return;
        memory_written(own, other);
        memory_read(other, own);
}

/* ptrace(2) has read or written, long after it was attached. */
static __always_inline void on_traced_access(const struct task_struct *child, unsigned int flags) {
        __u64 other = address_of(child), own = bpf_get_current_task();

        if (flags & FOLL_WRITE)
                memory_written(own, other);
        else
                memory_read(other, own);
}

/* ---- /proc/PID/mem ---- */

/* Is it that file, also of a thread? Told by the name first: few others are as short. */
static __always_inline bool file_is_memory(const struct file *file) {
        const struct dentry *dentry = READ_OFTEN(file, f_path.dentry);
        char name[4] = {};

        if (READ_OFTEN(dentry, d_name.hash_len) >> 32 != 3)
                return false;
        bpf_probe_read_kernel(name, sizeof(name), READ_OFTEN(dentry, d_name.name));
        return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' &&
                READ_OFTEN(file, f_inode, i_sb, s_magic) == PROC_SUPER_MAGIC;
}

/* A task of this number of its own, or NULL. */
static __always_inline __u64 pid_task(const struct pid *pid) {
        __u64 link = (__u64)BPF_CORE_READ(pid, tasks[0].first);

        return link ? link - bpf_core_field_offset(struct task_struct, pid_links) : 0;
}

/* Whose memory it is. 0: of none that lives, or of `task` itself. */
static __always_inline __u64 memory_owner(const struct file *file, struct task_struct *task) {
        const struct proc_inode *own =
                (const void *)BPF_CORE_READ(file, f_inode) - bpf_core_field_offset(struct proc_inode, vfs_inode);
        __u64 owner = pid_task(BPF_CORE_READ(own, pid));

        return BPF_CORE_READ((struct task_struct *)owner, tgid) == BPF_CORE_READ(task, tgid) ? 0 : owner;
}

/* `task` has opened a file, or has one open. From the first of these on reads are looked at. */
static __always_inline void on_memory_opened(struct task_struct *task, const struct file *file) {
        if (!file_is_memory(file))
                return;
        __u64 owner = memory_owner(file, task);
        if (!owner)
                return;
        shared.reads_watched = 1;
        if (BPF_CORE_READ(file, f_mode) & FMODE_WRITE)
                memory_changed((__u64)task, owner);
}

/* The current process has read from this file, or is about to write to it. */
static __always_inline void on_memory_file(const struct file *file, bool write) {
        if (!shared.reads_watched || !file_is_memory(file))
                return;
        __u64 own = bpf_get_current_task(), owner = memory_owner(file, current_task());
        if (owner && write)
                memory_written(own, owner);
        else if (owner)
                memory_read(owner, own);
}

/* ---- sensor "tracepoint": calls ---- */

#define XARRAY_DEPTH_MAX 6 /* of 6 bits each: more than PIDs have */

/* The task that has this number where the current one lives, as find_task_by_vpid() finds it (kernel/pid.c, lib/xarray.c); 0:
 * there is none. */
__noinline __u64 pid_number_task(__u32 number) {
        struct pid_namespace *ns = task_pid_namespace(current_task());
        __u64 entry = (__u64)BPF_CORE_READ(ns, idr.idr_rt.xa_head);

        for (__u32 i = 0; i < XARRAY_DEPTH_MAX; i++) {
                if ((entry & 3) != 2) /* xa_is_node() */
                        break;
                const struct xa_node *node = (const struct xa_node *)(entry - 2);
                __u32 index = number >> (BPF_CORE_READ(node, shift) & 31);
                if (i == 0 && index > 63)
                        return 0;
                entry = 0;
                bpf_probe_read_kernel(&entry, sizeof(entry),
                        (const void *)node + bpf_core_field_offset(struct xa_node, slots) + (index & 63) * sizeof(entry));
        }
        return entry & 3 ? 0 : pid_task((const struct pid *)entry);
}

/* What a request of ptrace(2) does (include/uapi/linux/ptrace.h; arch/x86/include/uapi/asm/ptrace-abi.h, whose numbers of
 * registers are 32-bit arm's, too). */
enum trace {
        TRACE_OTHER,
        TRACE_ATTACHES,
        TRACE_READS,
        TRACE_WRITES,
};

static __always_inline enum trace trace_of(__u32 request) {
        switch (request) {
        case 16:     /* ATTACH */
        case 0x4206: /* SEIZE */
                return TRACE_ATTACHES;
        case 1:      /* PEEKTEXT */
        case 2:      /* PEEKDATA */
        case 3:      /* PEEKUSR */
        case 12:     /* GETREGS */
        case 14:     /* GETFPREGS */
        case 18:     /* GETFPXREGS */
        case 0x4204: /* GETREGSET */
                return TRACE_READS;
        case 4:      /* POKETEXT */
        case 5:      /* POKEDATA */
        case 6:      /* POKEUSR */
        case 13:     /* SETREGS */
        case 15:     /* SETFPREGS */
        case 19:     /* SETFPXREGS */
        case 0x4205: /* SETREGSET */
                return TRACE_WRITES;
        default:
                return TRACE_OTHER;
        }
}

/* May the current process do it, roughly? Whom it may not write to must not be marked by its trying. */
static __always_inline bool task_may_change(struct task_struct *task, __u64 other_address) {
        const struct task_struct *other = (const struct task_struct *)other_address;
        __u32 euid = BPF_CORE_READ(task, cred, euid.val), uid = BPF_CORE_READ(task, cred, uid.val);

        return !euid || (uid == BPF_CORE_READ(other, cred, uid.val) && uid == BPF_CORE_READ(other, cred, euid.val));
}

/* The number in question, and what is asked of ptrace(2): of process_vm_readv(2) and process_vm_writev(2) nothing. */
static __always_inline enum trace trace_asked(const struct pt_regs *regs, struct task_struct *task, enum call call) {
        return call == CALL_TRACE ? trace_of(call_argument(regs, task, 0)) :
                call == CALL_VM_READ ? TRACE_READS :
                                       TRACE_WRITES;
}

/* The current process, which is marked, is about to write to the memory of this one. by_trace: only its tracer has its request
 * carried out. */
__noinline int memory_writing(__u32 number, __u32 by_trace) {
        struct task_struct *task = current_task();
        __u64 other = pid_number_task(number);

        if (!other)
                return 0;
        if (by_trace ? BPF_CORE_READ((struct task_struct *)other, ptrace) &&
                                BPF_CORE_READ((struct task_struct *)other, parent) == task :
                       task_may_change(task, other))
                memory_written((__u64)task, other);
        return 0;
}

/* It has read it, written to it, or attached to it. */
__noinline int memory_used(__u32 number, __u32 does) {
        __u64 own = bpf_get_current_task(), other = pid_number_task(number);

        if (!other) {
                /* It has ended since: what it held cannot be asked any more. */
                if (does == TRACE_READS && anything_is_marked(BW_COUNT_MARKS_LIVE))
                        count_and_tell(BW_LOSS_FLOW_UNKNOWN);
        } else if (does == TRACE_READS) {
                memory_read(other, own);
        } else if (does == TRACE_WRITES) {
                memory_written(own, other);
        } else {
                memory_changed(own, other);
        }
        return 0;
}

/* The call begins: what is written may be used before it returns. */
static __always_inline void on_trace_begins(const struct pt_regs *regs, struct task_struct *task, enum call call) {
        if (current_is_marked() && trace_asked(regs, task, call) == TRACE_WRITES)
                memory_writing(call_argument(regs, task, call == CALL_TRACE ? 1 : 0), call == CALL_TRACE);
}

/* The call was successful. */
static __always_inline void on_trace_done(const struct pt_regs *regs, struct task_struct *task, enum call call) {
        enum trace does = trace_asked(regs, task, call);

        if (does != TRACE_OTHER)
                memory_used(call_argument(regs, task, call == CALL_TRACE ? 1 : 0), does);
}
