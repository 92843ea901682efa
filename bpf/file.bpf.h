/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A file was opened: is it sensitive, may this program read it, and if not, mark the process. Judged on the opened
 * struct file, never on what the system call was told: that races, is relative and misses links. */

#include "flow.bpf.h"
#include "secret.bpf.h"
#include "watch.bpf.h"

/* A file of `classes` was opened by the process of `task`, or came to it (enum bw_via): apply the rules, and mark it.
 * Returns 0, or 1 when the policy or the mark was changed meanwhile and the open must be judged again. */
__noinline int file_touched(__u64 task_address, __u64 file_address, __u64 classes, __u32 via) {
        struct file *file = (struct file *)file_address;
        struct task_struct *task = (struct task_struct *)task_address;
        __u32 pid = BPF_CORE_READ(task, tgid);
        __u64 start = task_start(task);
        struct process *p = process_find(pid, start);
        struct policy_view v;
        struct bw_bits rules = {};
        __u64 unbound, bound;

        if (!policy_view_get(&v))
                return 0;
        if (p) {
                if (p->generation != v.table->generation && task == current_task()) /* not JUDGED_ASIDE */
                        return 1;
                process_rules(&v, task, p, &rules);
        }
        unbound = rules_classes(v.index, &rules, RULES_UNBOUND);
        bound = rules_classes(v.index, &rules, RULES_BOUND);
        /* Ticks are rounded, twice. */
        const __u64 until = bpf_ktime_get_ns() + longest_window(v.index, classes, false) + (1ULL << (TICK_SHIFT + 1));
        if (!policy_view_held(&v))
                return 1;

        count(BW_COUNT_OPENS_MATCHED);
        classes &= ~unbound;
        if (!classes) {
                count(BW_COUNT_OPENS_ALLOWED);
                return 0;
        }

        const struct path *path = file_path(file);
        const struct inode *inode = path == &file->f_path ? BPF_CORE_READ(file, f_inode) : BPF_CORE_READ(path, dentry, d_inode);
        __u64 name = name_learn((__u64)BPF_CORE_READ(path, mnt), (__u64)BPF_CORE_READ(path, dentry), file_salt(inode), true);

        struct mark *m = mark_take(pid, start);
        if (!m)
                return 0;

        if (m->until_mono_ns < until)
                m->until_mono_ns = until;

        /* In place: another thread's alert sees a file that is half written without its classes, if at all. */
        struct touched_file *f = mark_place(m, name, pid);
        f->classes = 0;
        f->mono_ns = bpf_ktime_get_ns();
        f->path = name;
        f->exe = p ? p->exe : 0;
        f->inode = BPF_CORE_READ(inode, i_ino);
        f->device = BPF_CORE_READ(inode, i_sb, s_dev);
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

        /* A sweep may have found the mark expired just before and have removed it meanwhile. */
        m = mark_get(pid);
        return !m || m->start_boot_ns != start || m->until_mono_ns < until;
}

/* Is it a file about the process of `task` itself, in procfs? What is in its own memory and environment is no secret to
 * it, and allocators and sanitizers look there as every program starts (gperftools, compiler-rt). */
__noinline int file_is_own(__u64 file_address, __u64 task_address) {
        const struct file *file = (const struct file *)file_address;
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        struct task_struct *task = (struct task_struct *)task_address;
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

/* Who traces a process can read all it reads. */
__noinline int tracer_learns(__u64 task_address) {
        struct task_struct *task = (struct task_struct *)task_address, *tracer = BPF_CORE_READ(task, parent);

        if (BPF_CORE_READ(task, ptrace))
                mark_pass(BPF_CORE_READ(task, tgid), task_start(task), BPF_CORE_READ(tracer, tgid), task_start(tracer), BW_VIA_TRACE,
                        task);
        return 0;
}

/* The process of `task` has learnt something: who traces it learns it, too, and who shares memory with it. */
static __always_inline void task_spread(struct task_struct *task) {
        tracer_learns((__u64)task);
        memory_spread(BPF_CORE_READ(task, tgid), task_start(task), (__u64)task);
}

/* Apart, as loops call it. */
__noinline int current_spread(void) {
        task_spread(current_task());
        return 0;
}

/* The same as file_judge() for a file of this sum, which does not say that it is harmless. */
static __always_inline bool file_judge_anew(struct task_struct *task, struct file *file, enum bw_via via, __u64 sum) {
        /* A descriptor that cannot be read from gives nothing away; O_PATH has no FMODE_READ either. */
        if (!(READ_OFTEN(file, f_mode) & FMODE_READ))
                return false;

        if ((READ_OFTEN(file, f_inode, i_mode) & S_IFMT) == S_IFDIR)
                return false;

        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                struct policy_view v;

                if (!policy_view_get(&v))
                        return false;
                __u64 classes = file_classes(v.index, v.table->generation, address_of(file));
                if (!policy_view_held(&v))
                        continue;
                if (!classes && v.table->generation == shared.generation)
                        harmless_keep(address_of(file), sum);
                if (!classes || file_is_own(address_of(file), (__u64)task))
                        return false;
                if (task_ready(task) == 0 && file_touched((__u64)task, address_of(file), classes, via) == 0)
                        return true;
        }
        count_and_tell(BW_LOSS_POLICY_BUSY);
        return false;
}

/* An open file has come to the process of `task`, or it has one: was it marked for it? */
static __always_inline bool file_judge(struct task_struct *task, struct file *file, enum bw_via via) {
        __u64 sum = file_sum(address_of(file));

        return sum != SUM_HARMLESS && file_judge_anew(task, file, via, sum);
}

/* The body of every hook that sees an open file come to the current process. It may hold what was written there, too, and reading
 * it need not be a call. */
static __always_inline void on_file_open(struct file *file, enum bw_via via) {
        on_memory_opened(current_task(), file);
        if (file_judge(current_task(), file, via))
                task_spread(current_task());
        if (BPF_CORE_READ(file, f_mode) & FMODE_READ)
                on_file_read(file);
}

/* A process had this file open before us: as if it had opened it now. */
static __always_inline void on_file_found(struct task_struct *task, struct file *file) {
        if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
                return;
        on_memory_opened(task, file);
        if (file_is_watch(file))
                shared.reads_watched = 1;
        if (file_judge(task, file, BW_VIA_OPEN))
                task_spread(task);
}

/* A system call opened this descriptor, fetched it from another process or received it. It is in the table since before the
 * return. */
enum opened { OPENED = 0, OPENED_SECRET = 1, OPENED_GONE = 2 }; /* bits, where it is about several */
__noinline int descriptor_judge(int fd, __u32 via) {
        struct file *file = descriptor_file(current_task(), fd);

        if (!file)
                return OPENED_GONE;
        __u64 sum = file_sum((__u64)file);
        if (sum == SUM_HARMLESS)
                return OPENED;
        if (READ_OFTEN(file, f_inode, i_rdev) == PTMX_DEVICE)
                terminal_made((__u64)file);
        on_memory_opened(current_task(), file);
        return file_judge_anew(current_task(), file, via, sum) ? OPENED_SECRET : OPENED;
}

static __always_inline bool descriptor_opened(int fd, enum bw_via via) {
        int r = descriptor_judge(fd, via);

        if (r == OPENED_SECRET)
                current_spread();
        return r != OPENED_GONE;
}

/* Another thread that closed it meanwhile is counted. Not where a sandbox's filter refused the call with SECCOMP_RET_TRAP: the
 * kernel then puts the call's number back where its result would be (syscall_rollback()), and nothing was opened. */
static __always_inline void on_open_returned(int number, long fd, enum bw_via via) {
        if (fd < 0)
                return;
        if (!descriptor_opened(fd, via) && fd != number)
                count_and_tell(BW_LOSS_FILE_GONE);
        descriptor_taken(fd);
}

/* Asked whenever a socket was connected: only of a unix socket there is more to ask. */
__noinline int descriptor_is_unix(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);

        if (!file)
                return false;
        const struct socket_alloc *alloc =
                (const void *)READ_OFTEN(file, f_inode) - bpf_core_field_offset(struct socket_alloc, vfs_inode);
        const struct sock *sk = READ_OFTEN(alloc, socket.sk);
        return READ_OFTEN(sk, __sk_common.skc_family) == AF_UNIX;
}

/* A unix socket was connected: an agent's is asked for what the agent holds. Other sockets have no path. */
static __always_inline void on_unix_connected(const struct socket *socket) {
        struct file *file = BPF_CORE_READ(socket, file);

        if (file && file_judge(current_task(), file, BW_VIA_OPEN))
                task_spread(current_task());
}

/* The kernel opens a file on behalf of the current task: not one of its own, which are file servers (nfsd) and the like. Below an
 * overlay's file another is opened; that is when the kernel tells what it is. */
static __always_inline void on_kernel_open(struct file *file) {
        if (!(BPF_CORE_READ(current_task(), flags) & PF_KTHREAD))
                on_file_open(file, BW_VIA_OPEN);
}

/* Memory was mapped that others may have mapped, too; without a file that children will have. */
static __always_inline void on_mapped_shared(const struct file *file) {
        struct task_struct *task = current_task();
        struct object o = {};
        __u32 what = SHARES_ALL;

        if (!file) {
                object_set(&o, BW_VIA_MEMORY, (__u64)task, bpf_ktime_get_ns(), 0);
        } else {
                object_of_inode(&o, BPF_CORE_READ(file, f_inode));
                if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE))
                        what = SHARES_READ;
                else if (BPF_CORE_READ(file, f_cred) == BPF_CORE_READ(task, cred))
                        what = SHARES_FILE;
        }
        if (!o.holder)
                return;
        on_memory_shared(&o, what);
        /* Of what it will write there is no other sign. */
        if (file && what != SHARES_READ && anything_is_marked(BW_COUNT_MARKS_LIVE) && current_is_marked())
                file_given(file, NULL);
}

/* A file was mapped, or memory without one: code that is foreign, what others will write to it. */
static __always_inline void on_mapping(const struct file *file, __u64 prot, __u64 flags) {
        if (flags & MAP_SHARED)
                on_mapped_shared(file);
        if (file && prot & PROT_EXEC)
                on_code_mapped(file);
}

/* And what they have written. */
static __always_inline void on_mapped(const struct file *file, __u64 prot, __u64 flags) {
        on_mapping(file, prot, flags);
        if (file)
                on_file_read(file);
}

/* ---- sensor "tracepoint": calls that end ---- */

__noinline int descriptor_mapped(int fd, __u64 prot, __u64 flags) {
        on_mapping(flags & MAP_ANONYMOUS ? NULL : descriptor_file(current_task(), fd), prot, flags);
        return 0;
}

static __always_inline void on_descriptor_mapped(int fd, __u64 prot, __u64 flags) {
        descriptor_mapped(fd, prot, flags);
        if (!(flags & MAP_ANONYMOUS))
                descriptor_taken(fd);
}

/* Where the arguments are in memory: number n of them. */
static __always_inline __u32 argument_in_memory(__u64 at, __u32 n) {
        __u32 argument = 0;

        bpf_probe_read_user(&argument, sizeof(argument), (void *)at + n * sizeof(argument));
        return argument;
}

/* shmat(2) */
__noinline int segment_attached(int id) {
        struct object o = {};

        object_of_ipc(&o, BW_VIA_MEMORY, id);
        on_memory_shared(&o, SHARES_ALL);
        return 0;
}

/* struct user_msghdr and struct cmsghdr (include/linux/socket.h), and where the other ABI has the same things. */
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
/* Control messages looked at in one message, and descriptors in one call (include/net/scm.h SCM_MAX_FD). */
#define CONTROLS_MAX 4
#define MESSAGES_MAX 64 /* of recvmmsg(2) */
#define DESCRIPTORS_MAX 253

/* Where the descriptors lie that recvmsg(2) brought, and how many: the first one's address. Only the process's own memory
 * says it, and another thread may change that meanwhile; the sensors lsm and fentry ask the kernel, which puts all of them into
 * one control message (net/core/scm.c scm_detach_fds()). */
__noinline __u64 message_descriptors(__u64 message, __u32 compat) {
        const __u64 word_size = compat ? 4 : 8, header = word_size + 8;
        __u64 at = 0, length = 0;
        __u32 word[2] = {};

        bpf_probe_read_user(&at, word_size & 0xf, (void *)message + 4 * word_size);
        bpf_probe_read_user(&length, word_size & 0xf, (void *)message + 5 * word_size);
        for (__u32 i = 0; i < CONTROLS_MAX; i++) {
                __u64 size = 0;
                if (!at || length < header || bpf_probe_read_user(&size, word_size & 0xf, (void *)at) ||
                    bpf_probe_read_user(word, sizeof(word), (void *)at + word_size) || size < header || size > length)
                        break;
                if (word[0] == SOL_SOCKET && word[1] == SCM_RIGHTS)
                        return at + header;
                __u64 step = (size + word_size - 1) & ~(word_size - 1);
                if (step > length)
                        break;
                at += step;
                length -= step;
        }
        return 0;
}

/* recvmsg(2), recvmmsg(2): descriptor number `index` of those that came with `n` messages, one behind the other. -1: there are
 * fewer. */
__noinline int message_descriptor(__u64 message, __u32 n, __u32 index, __u32 compat) {
        const __u64 word_size = compat ? 4 : 8;

        for (__u32 i = 0; i < MESSAGES_MAX; i++) {
                __u64 size = 0;
                int fd = -1;
                if (i >= n)
                        break;
                __u64 at = message_descriptors(message + i * (compat ? 32 : 64) /* struct mmsghdr */, compat);
                if (!at || bpf_probe_read_user(&size, word_size & 0xf, (void *)at - word_size - 8) || size < word_size + 8)
                        continue;
                __u32 here = (size - word_size - 8) / sizeof(fd);
                if (index < here)
                        return bpf_probe_read_user(&fd, sizeof(fd), (void *)at + index * sizeof(fd)) ? -1 : fd;
                index -= here;
        }
        return -1;
}

static __always_inline void messages_received(__u64 message, __u32 n, __u32 compat) {
        __u32 opened = 0;

        for (__u32 i = 0; i < DESCRIPTORS_MAX; i++) {
                int fd = message_descriptor(message, n, i, compat);
                if (fd < 0)
                        break;
                opened |= descriptor_judge(fd, BW_VIA_RECEIVED);
        }
        if (opened & OPENED_SECRET)
                task_spread(current_task());
}

/* A watcher has read so many bytes of events. What cannot be found among them was opened, and is not judged: that counts once. */
static __always_inline void on_watch_read(__u64 at, __u64 bytes) {
        __u32 opened = 0;

        for (__u32 i = 0; i < WATCH_EVENTS_MAX; i++) {
                __u64 event = watch_event(at, bytes);
                if (!event)
                        break;
                if ((int)event >= 0)
                        opened |= descriptor_judge((int)event, BW_VIA_OPEN);
                at += event >> 32;
                bytes -= event >> 32;
        }
        if (opened & OPENED_SECRET)
                task_spread(current_task());
        if (bytes || opened & OPENED_GONE)
                count_and_tell(BW_LOSS_FILE_GONE);
}

static __always_inline void on_call_returned(const struct pt_regs *regs, long ret) {
        struct task_struct *task = current_task();
        enum call call = call_of(regs, task);

        switch (call) {
        case CALL_OPEN:
                on_open_returned(SYSCALL_NUMBER(regs), ret, BW_VIA_OPEN);
                break;
        case CALL_FETCH:
                on_open_returned(SYSCALL_NUMBER(regs), ret, BW_VIA_RECEIVED);
                break;
        case CALL_CONNECT:
                if (ret == 0 && descriptor_is_unix(call_argument(regs, task, 0)))
                        descriptor_opened(call_argument(regs, task, 0), BW_VIA_OPEN);
                break;
        case CALL_MAP:
                if ((__u64)ret < (__u64)-MAX_ERRNO)
                        on_descriptor_mapped((int)call_argument(regs, task, 4), call_argument(regs, task, 2),
                                call_argument(regs, task, 3));
                break;
        case CALL_MAP_OLD:
                if ((__u64)ret < (__u64)-MAX_ERRNO) {
                        __u64 at = call_argument(regs, task, 0);
                        on_descriptor_mapped((int)argument_in_memory(at, 4), argument_in_memory(at, 2), argument_in_memory(at, 3));
                }
                break;
        case CALL_ATTACH:
                if ((__u64)ret < (__u64)-MAX_ERRNO)
                        segment_attached(call_argument(regs, task, 0));
                break;
        case CALL_QUEUE_RECEIVE:
                if (ret >= 0) /* without text there is still its type */
                        on_queue_received(call_argument(regs, task, 0));
                break;
        case CALL_WATCH:
                shared.reads_watched = 1;
                break;
        case CALL_RECEIVE:
        case CALL_RECEIVE_MANY:
                if (ret >= 0)
                        messages_received(call_argument(regs, task, 1), call == CALL_RECEIVE ? 1 : ret, SYSCALL_IS_COMPAT(task) != 0);
                on_call_took(regs, task, call, ret);
                break;
        case CALL_VM_READ:
        case CALL_VM_WRITE:
        case CALL_TRACE:
                if (call == CALL_TRACE ? ret == 0 : ret > 0)
                        on_trace_done(regs, task, call);
                break;
        default:
                on_call_took(regs, task, call, ret);
                if (!shared.reads_watched || (call != CALL_READ && call != CALL_READ_PARTS) || ret <= 0 ||
                    !descriptor_is_watch(call_argument(regs, task, 0)))
                        break;
                if (call == CALL_READ)
                        on_watch_read(call_argument(regs, task, 1), ret);
                else /* several reads in one, each with events of its own; no watcher is known to do it */
                        count_and_tell(BW_LOSS_FILE_GONE);
        }
}
