/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A process reads or writes the memory of another: by ptrace(2), process_vm_readv(2), process_vm_writev(2)
 * or /proc/PID/mem. The mark of the process whose data is read is passed to the other. A process that was
 * written to may run other code, so no rule applies to it until its next exec. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/requests.h"
#include "lib/syscalls.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/object.bpf.h"
#include "mark/pass.bpf.h"
#include "process/identity.bpf.h"
#include "process/shm.bpf.h"

/* Task `to` has data of task `from`. */
__noinline int memory_read(__u64 from_address, __u64 to_address) {
        struct task_struct *from = (struct task_struct *)from_address,
                           *to = (struct task_struct *)to_address;
        __u32 pid = BPF_CORE_READ(from, tgid), to_pid = BPF_CORE_READ(to, tgid);

        if (pid == to_pid)
                return 0;
        if (shared.memory_until && memory_is_news(pid))
                memory_arrives_all(from_address);
        if (anything_is_marked(BW_COUNT_MARKS_LIVE))
                mark_pass(pid, task_start(from), to_pid, task_start(to), BW_VIA_TRACE, from);
        return 0;
}

/* Task `by` has written to the memory of task `to`, or may do so. */
__noinline int memory_changed(__u64 by_address, __u64 to_address) {
        struct task_struct *by = (struct task_struct *)by_address, *to = (struct task_struct *)to_address;
        __u32 pid = BPF_CORE_READ(to, tgid);
        struct process *p = process_find(pid, task_start(to));

        if (p && (int)pid != BPF_CORE_READ(by, tgid)) {
                p->traced = 1;
                mark_unrule(pid);
        }
        return 0;
}

static __always_inline void memory_written(__u64 by, __u64 to) {
        memory_changed(by, to);
        memory_read(by, to);
}

/* ---- sensors "lsm" and "fentry" ---- */

/* The current process requests access to the memory of another; the hook does not say whether to read or to
 * write. Not for opens of files in /proc/PID (PTRACE_MODE_FSCREDS): only "mem" contains the memory, see
 * on_memory_file(); some others request the same access, and show little. Returns the task whose memory may
 * be read, or 0. */
static __always_inline __u64 on_memory_access(const struct task_struct *child, unsigned int mode) {
        __u64 other = address_of(child), own = bpf_get_current_task();

        if (!(mode & PTRACE_MODE_ATTACH) || !(mode & PTRACE_MODE_REALCREDS))
                return 0;
        memory_written(own, other);
        memory_read(other, own);
        return other;
}

/* ptrace(2) has read or written, possibly long after it attached. Returns the task that was read, or 0. */
static __always_inline __u64 on_traced_access(const struct task_struct *child, unsigned int flags) {
        __u64 other = address_of(child), own = bpf_get_current_task();

        if (flags & FOLL_WRITE) {
                memory_written(own, other);
                return 0;
        }
        memory_read(other, own);
        return other;
}

/* ---- /proc/PID/mem ---- */

/* Whether it is that file, of a process or a thread. Compares the length of the name first: few are as
 * short. */
static __always_inline bool file_is_memory(const struct file *file) {
        const struct dentry *dentry = READ_OFTEN(file, f_path.dentry);
        char name[4] = {};

        if (READ_OFTEN(dentry, d_name.hash_len) >> 32 != 3)
                return false;
        bpf_probe_read_kernel(name, sizeof(name), READ_OFTEN(dentry, d_name.name));
        return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' &&
               READ_OFTEN(file, f_inode, i_sb, s_magic) == PROC_SUPER_MAGIC;
}

/* The address of the task that has this struct pid as its thread id, or 0. */
static __always_inline __u64 pid_task(const struct pid *pid) {
        __u64 link = (__u64)BPF_CORE_READ(pid, tasks[0].first);

        return link ? link - bpf_core_field_offset(struct task_struct, pid_links) : 0;
}

/* The task whose memory it is; 0 if that has exited, or is of the process of `task` itself. */
static __always_inline __u64 memory_owner(const struct file *file, struct task_struct *task) {
        const struct proc_inode *own = (const void *)BPF_CORE_READ(file, f_inode) -
                                       bpf_core_field_offset(struct proc_inode, vfs_inode);
        __u64 owner = pid_task(BPF_CORE_READ(own, pid));

        return BPF_CORE_READ((struct task_struct *)owner, tgid) == BPF_CORE_READ(task, tgid) ? 0 : owner;
}

/* `task` has opened a file, or had one open. From the first /proc/PID/mem on all reads are checked. */
static __always_inline void on_memory_opened(struct task_struct *task, const struct file *file) {
        if (!file_is_memory(file))
                return;
        __u64 owner = memory_owner(file, task);
        if (!owner)
                return;
        shared.reads_checked = 1;
        if (BPF_CORE_READ(file, f_mode) & FMODE_WRITE)
                memory_changed((__u64)task, owner);
}

/* The current process has read from this file, or is about to write to it. */
static __always_inline void on_memory_file(const struct file *file, bool write) {
        if (!shared.reads_checked || !file_is_memory(file))
                return;
        __u64 own = bpf_get_current_task(), owner = memory_owner(file, current_task());
        if (owner && write)
                memory_written(own, owner);
        else if (owner)
                memory_read(owner, own);
}

/* ---- sensor "tracepoint": calls ---- */

#define XARRAY_DEPTH_MAX 6 /* levels of 6 bits: more than a PID has */

/* The task with this number in the current PID namespace, as find_task_by_vpid() finds it (kernel/pid.c,
 * lib/xarray.c); 0 if there is none. */
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
                                (const void *)node + bpf_core_field_offset(struct xa_node, slots) +
                                                (index & 63) * sizeof(entry));
        }
        return entry & 3 ? 0 : pid_task((const struct pid *)entry);
}

/* What a ptrace(2) request does, by the table of lib/requests.h. */
enum trace {
        TRACE_SWAPS,   /* reads and writes; also of a request that no table lists */
        TRACE_NOTHING, /* these two have no body */
        TRACE_FEW,
        TRACE_ATTACHES,
        TRACE_READS,
        TRACE_WRITES,
};

/* The common requests begin at 0x4200, all others are below 64. The last place is NA's. */
#define TRACES_COMMON 0x4200
#define TRACES_MAX 64
#define TRACE_PLACE(number)                                                                                 \
        ((number) == NA ? 2 * TRACES_MAX                                                                    \
                        : ((number) & ~(TRACES_MAX - 1)) == TRACES_COMMON                                   \
                                        ? TRACES_MAX + (number) % TRACES_MAX                                \
                                        : (number))

#define TRACE_CHECK_ROW(name, x86, arm64, arm, moves, body)                                                 \
        _Static_assert((MOVES_##moves == MOVES_NONE) == (TRACE_##body == TRACE_NOTHING), #name);
BW_TRACES(TRACE_CHECK_ROW)

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winitializer-overrides"
#if defined(__TARGET_ARCH_x86)
#define TRACE_NATIVE(name, x86, arm64, arm, moves, body) [TRACE_PLACE(x86)] = TRACE_##body,
#define TRACE_COMPAT TRACE_NATIVE
#elif defined(__TARGET_ARCH_arm64)
#define TRACE_NATIVE(name, x86, arm64, arm, moves, body) [TRACE_PLACE(arm64)] = TRACE_##body,
#define TRACE_COMPAT(name, x86, arm64, arm, moves, body) [TRACE_PLACE(arm)] = TRACE_##body,
#endif
static const __u8 traces[2 * TRACES_MAX + 1] = { BW_TRACES(TRACE_NATIVE) };
static const __u8 traces_compat[2 * TRACES_MAX + 1] = { BW_TRACES(TRACE_COMPAT) };
#pragma clang diagnostic pop

/* Apart, so that the verifier walks it once. Returns enum trace. */
__noinline int trace_of(__u32 request, __u32 compat) {
        __u32 place = request < TRACES_MAX                             ? request
                      : (request & ~(TRACES_MAX - 1)) == TRACES_COMMON ? TRACES_MAX + request % TRACES_MAX
                                                                       : 2 * TRACES_MAX;

        if (place >= 2 * TRACES_MAX)
                return TRACE_SWAPS;
        place &= 2 * TRACES_MAX - 1;
        return compat ? traces_compat[place] : traces[place];
}

/* Whether the current process may do it, roughly: an attempt that fails must not mark the target. */
static __always_inline bool task_may_change(struct task_struct *task, __u64 other_address) {
        const struct task_struct *other = (const struct task_struct *)other_address;
        __u32 euid = BPF_CORE_READ(task, cred, euid.val), uid = BPF_CORE_READ(task, cred, uid.val);

        return !euid ||
               (uid == BPF_CORE_READ(other, cred, uid.val) && uid == BPF_CORE_READ(other, cred, euid.val));
}

/* What the call does: for ptrace(2) its request decides, for process_vm_readv(2) and process_vm_writev(2)
 * the call itself. */
static __always_inline enum trace trace_asked(
                const struct pt_regs *regs, struct task_struct *task, enum call call) {
        return call == CALL_TRACE     ? trace_of(call_argument(regs, task, 0), SYSCALL_IS_COMPAT(task) != 0)
               : call == CALL_VM_READ ? TRACE_READS
                                      : TRACE_WRITES;
}

/* The current, marked process is about to write to the memory of this one. by_trace: by ptrace(2), which
 * only its tracer can. */
__noinline int memory_writing(__u32 number, __u32 by_trace) {
        struct task_struct *task = current_task();
        __u64 other = pid_number_task(number);

        if (!other)
                return 0;
        if (by_trace ? BPF_CORE_READ((struct task_struct *)other,
                                       ptrace) && BPF_CORE_READ((struct task_struct *)other, parent) == task
                     : task_may_change(task, other))
                memory_written((__u64)task, other);
        return 0;
}

/* The current process has read from it, written to it, or attached to it. */
__noinline int memory_used(__u32 number, __u32 does) {
        __u64 own = bpf_get_current_task(), other = pid_number_task(number);

        if (!other) {
                /* It has exited since, and its mark is gone. */
                if (does != TRACE_WRITES && does != TRACE_ATTACHES &&
                                anything_is_marked(BW_COUNT_MARKS_LIVE))
                        report_loss(BW_LOSS_FLOW_UNKNOWN);
        } else if (does == TRACE_READS) {
                memory_read(other, own);
        } else if (does == TRACE_ATTACHES) {
                memory_changed(own, other);
        } else {
                memory_written(own, other);
                if (does == TRACE_SWAPS)
                        memory_read(other, own);
        }
        return 0;
}

/* Entry of the call: data that is written may be used before the call returns. */
static __always_inline void on_trace_begins(
                const struct pt_regs *regs, struct task_struct *task, enum call call) {
        enum trace does = current_holds() ? trace_asked(regs, task, call) : TRACE_NOTHING;

        if (does == TRACE_WRITES || does == TRACE_SWAPS)
                memory_writing(call_argument(regs, task, call == CALL_TRACE ? 1 : 0), call == CALL_TRACE);
}

/* The call was successful. Returns the task whose memory was read, or 0. */
static __always_inline __u64 on_trace_done(
                const struct pt_regs *regs, struct task_struct *task, enum call call) {
        enum trace does = trace_asked(regs, task, call);
        __u32 number = call_argument(regs, task, call == CALL_TRACE ? 1 : 0);

        if (does == TRACE_NOTHING || does == TRACE_FEW)
                return 0;
        memory_used(number, does);
        return does == TRACE_READS || does == TRACE_SWAPS ? pid_number_task(number) : 0;
}
