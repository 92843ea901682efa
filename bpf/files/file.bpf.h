/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Opens: if the file is sensitive, marks the process; under a rule, bound to that rule. Judges the
 * opened struct file, never the path given to the system call: that races, is relative, and misses links. */

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/policy.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "lib/syscalls.bpf.h"
#include "mark/activity.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/object.bpf.h"
#include "mark/pass.bpf.h"
#include "mark/terminal.bpf.h"
#include "process/identity.bpf.h"
#include "process/program.bpf.h"
#include "process/ptrace.bpf.h"
#include "process/shm.bpf.h"
#include "files/classify.bpf.h"
#include "files/fanotify.bpf.h"
#include "files/flow.bpf.h"
#include "files/lent.bpf.h"
#include "files/memory.bpf.h"
#include "files/names.bpf.h"

/* The name id of a file that `task` touched, whose text it stores; with BW_VIA_TRACE, see file_touched(),
 * that of the memory. *ret_inode: NULL if it has none. */
static __always_inline __u64 touched_name(
                __u64 file_address, __u32 via, __u64 task, const struct inode **ret_inode) {
        const struct file *file = (const struct file *)file_address;
        const struct task_struct *other = (const struct task_struct *)file_address;

        if (via == BW_VIA_TRACE) {
                *ret_inode = NULL;
                return memory_name(BPF_CORE_READ(other, tgid), task_start((void *)file_address), task);
        }
        const struct path *path = file_path(file);
        *ret_inode = path == &file->f_path ? BPF_CORE_READ(file, f_inode)
                                           : BPF_CORE_READ(path, dentry, d_inode);
        return name_learn((__u64)BPF_CORE_READ(path, mnt), (__u64)BPF_CORE_READ(path, dentry),
                        file_salt(*ret_inode), task);
}

/* Whether `task` is in a container, and the file on the container's root file system. What an overlay opens
 * below for itself is: the open of its own file is judged, too. */
__noinline int file_is_containers(__u64 file_address, __u64 task_address) {
        const struct file *file = (const struct file *)file_address;
        struct task_struct *task = (struct task_struct *)task_address;
        __u32 pid = BPF_CORE_READ(task, tgid);
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        return p && p->host == FINDING_INSIDE && container_seen(task) &&
               (BPF_CORE_READ(file, f_mode) & FMODE_NOACCOUNT || path_is_on_root(file_path(file), task));
}

/* The key of a second scratch of a thread, for the rules whose Path= names the file that it opens. */
#define SCRATCH_OF_FILE (1ULL << 63)

/* How many such scratches there are: mostly none, and each open of a sensitive file asks. */
__u64 named_kept SEC(".data.awaited");

/* Keeps which rules name an open file by Path=, if any rule of the process of `task` asks for that: by the
 * name that it was opened by, as a program opens its own file; that of a link is another. Before
 * file_touched() and the like, as the walk along the path has no room below them; named_rules_drop() must
 * follow. */
__noinline int named_rules_keep(__u32 table, __u64 file_address, __u64 task_address) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u32 pid = BPF_CORE_READ((struct task_struct *)task_address, tgid);
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!t || !p || !bits_meet(&p->rules, &t->asks[BW_CONDITION_PATH]))
                return 0;
        const struct path *path = file_path((const struct file *)file_address);
        __u64 thread = bpf_get_current_pid_tgid();
        if (!path_begin(table, BW_AUTOMATON_PATH, (__u64)BPF_CORE_READ(path, mnt),
                            (__u64)BPF_CORE_READ(path, dentry)))
                return 0;
        path_match_long(table, BW_AUTOMATON_PATH, 0);
        const struct scratch *s = bpf_map_lookup_elem(&bw_scratch, &thread);
        __u64 key = thread | SCRATCH_OF_FILE;
        /* Where that fails, none of these rules applies. */
        if (s && bpf_map_update_elem(&bw_scratch, &key, s, BPF_NOEXIST) == 0)
                ATOMIC_ADD(&named_kept, 1);
        scratch_put();
        return 0;
}

__noinline int named_rules_drop(void) {
        __u64 key = bpf_get_current_pid_tgid() | SCRATCH_OF_FILE;

        if (*(volatile __u64 *)&named_kept && bpf_map_delete_elem(&bw_scratch, &key) == 0)
                ATOMIC_ADD(&named_kept, -1);
        return 0;
}

/* Drops the rules with Path= but for those that were kept. */
static __always_inline void rules_narrow(const struct bw_table *t, struct bw_bits *rules) {
        const struct bw_bits *asks = &t->asks[BW_CONDITION_PATH];
        __u64 key = bpf_get_current_pid_tgid() | SCRATCH_OF_FILE;

        if (!bits_meet(rules, asks))
                return;
        const struct scratch *s = bpf_map_lookup_elem(&bw_scratch, &key);
        for (__u32 i = 0; i < BW_WORDS; i++)
                rules->word[i] &= (s ? s->walk.bits.word[i] : 0) | ~asks->word[i];
}

/* Beside enum bw_via: the hook can refuse the open, */
#define OPEN_REFUSES 0x100
/* and does nothing else. */
#define OPEN_ONLY_REFUSES 0x200
#define OPEN_FLAGS (OPEN_REFUSES | OPEN_ONLY_REFUSES)

enum touched {
        TOUCHED,
        TOUCHED_AGAIN,   /* the policy or the mark changed meanwhile: the open must be judged again */
        TOUCHED_REFUSED, /* by Access=allowed or FailClosed=yes, and not marked */
};

/* Of these classes of an open file those that no rule of this kind allows the current process. */
__noinline __u64 open_unruled(__u64 file_address, __u32 table, __u64 classes, __u32 kind) {
        struct task_struct *task = current_task();
        const struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));
        struct policy_view v = { .table = bpf_map_lookup_elem(&bw_table, &table), .index = table };
        struct bw_bits rules = {};

        if (!v.table)
                return 0;
        if (p && p->generation == v.table->generation)
                process_rules(&v, task, p, file_is_containers(file_address, (__u64)task),
                                BPF_CORE_READ((const struct file *)file_address, f_inode, i_uid.val),
                                &rules);
        rules_narrow(v.table, &rules);
        return classes & ~rules_classes(table, &rules, kind);
}

/* Whether the current process has no mark, and cannot get one. */
static __always_inline bool mark_is_refused(void) {
        struct task_struct *task = current_task();
        __u32 pid = bpf_get_current_pid_tgid() >> 32;

        return !mark_find(pid, task_start(task)) && !mark_make(pid, task_start(task), (__u64)task);
}

/* Whether the current process may not open a file of these classes to read: enum touched. Opens only to
 * write, which are judged on an overlay, are not refused. */
__noinline int open_judge(__u64 file_address, __u32 table, __u64 classes) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        struct task_struct *task = current_task();

        if (!t || !(classes & (t->locks | t->closes)) ||
                        !(BPF_CORE_READ((const struct file *)file_address, f_mode) & FMODE_READ))
                return TOUCHED;
        const struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));
        if (p && p->generation != t->generation)
                return TOUCHED_AGAIN;
        if (classes & t->locks && open_unruled(file_address, table, classes & t->locks, RULES_ALLOW))
                return TOUCHED_REFUSED;
        /* Nothing has to be followed of a process under an idle rule. */
        return classes & t->closes && open_unruled(file_address, table, classes & t->closes, RULES_IDLE) &&
                                               mark_is_refused()
                               ? TOUCHED_REFUSED
                               : TOUCHED;
}

/* The process of `task` opened or received (enum bw_via) a file of `classes`: applies the rules and
 * marks it. BW_VIA_TRACE: it has read the memory of another process, whose task is at `file_address`. */
__noinline int file_touched(__u64 task_address, __u64 file_address, __u64 classes, __u32 via) {
        struct task_struct *task = (struct task_struct *)task_address;
        __u32 pid = BPF_CORE_READ(task, tgid);
        struct process *p = process_find(pid, task_start(task));
        struct policy_view v;
        struct bw_bits rules = {};

        if (!policy_view_get(&v))
                return TOUCHED;
        if (p) {
                if (p->generation != v.table->generation && task == current_task()) /* not JUDGED_ASIDE */
                        return TOUCHED_AGAIN;
                process_rules(&v, task, p,
                                via != BW_VIA_TRACE && file_is_containers(file_address, task_address),
                                via != BW_VIA_TRACE ? BPF_CORE_READ((const struct file *)file_address,
                                                                      f_inode, i_uid.val)
                                                    : OWNER_NONE,
                                &rules);
                rules_narrow(v.table, &rules);
        }
        const __u64 bound = classes & rules_classes(v.index, &rules, RULES_ALLOW);
        const __u64 idle = rules_classes(v.index, &rules, RULES_IDLE);
        const __u64 until = mark_until(v.index, classes);
        if (!policy_view_held(&v))
                return TOUCHED_AGAIN;

        count(BW_COUNT_OPENS_MATCHED);
        if (activity_wanted())
                activity_add(pid, task_start(task), classes, ACTIVITY_OPEN);
        if (bound == classes)
                count(BW_COUNT_OPENS_ALLOWED);

        const struct inode *inode;
        __u64 name = touched_name(file_address, via, task_address, &inode);

        __u64 holder = classes & ~idle ? holder_take(pid, task_start(task), task_address)
                                       : mark_take_idle(pid, task_start(task), task_address);
        struct mark *m = holder ? mark_get(holder) : NULL;
        if (!m)
                return TOUCHED;
        if (holder & BW_HOLDER_SUSPECT)
                suspects_until(until);

        if (m->until_mono_ns < until)
                m->until_mono_ns = until;

        struct touched_file *f = mark_place(m, name, pid);
        /* What it had before, by another program or without the rule, does not become bound. */
        const __u8 had = f->classes && f->path == name && f->pid == pid ? ~f->flags & FILE_RULED : 0;
        touched_file_begin(f, task, inode, name, p ? p->exe : 0, process_script(p), via);
        /* Other processes' memory and environment has more secrets than its rule is about. */
        if (bound == classes && !had && inode && BPF_CORE_READ(inode, i_sb, s_magic) != PROC_SUPER_MAGIC)
                f->flags |= FILE_RULED;
        f->real = sensitive_name((__u64)inode, name);
        barrier();
        f->classes = classes;

        mark_touch(m, classes & ~bound, bound, &rules);

        /* A sweep may have found the mark expired just before and have removed it meanwhile. */
        m = mark_get(holder);
        return !m || m->until_mono_ns < until || (holder == pid && m->start_boot_ns != task_start(task));
}

/* Whether it is a procfs file about the process of `task` itself. A process may know its own memory and
 * environment, and allocators and sanitizers read them at every start (gperftools, compiler-rt). */
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
        bpf_probe_read_kernel(&upid.nr, sizeof(upid.nr),
                        (void *)pid + bpf_core_field_offset(struct pid, numbers) +
                                        bpf_core_field_offset(struct upid, nr));
        return pid && (upid.nr == BPF_CORE_READ(task, tgid) || upid.nr == BPF_CORE_READ(task, pid));
}

/* A tracer can read everything that its tracee reads: passes the mark on. */
__noinline int tracer_learns(__u64 task_address) {
        struct task_struct *task = (struct task_struct *)task_address, *tracer = BPF_CORE_READ(task, parent);

        if (BPF_CORE_READ(task, ptrace))
                mark_pass(BPF_CORE_READ(task, tgid), task_start(task), BPF_CORE_READ(tracer, tgid),
                                task_start(tracer), BW_VIA_TRACE, task);
        return 0;
}

/* The process of `task` was marked: passes the mark on to its tracer, and to processes that share its
 * memory. opened: it is the current one, and has only opened a file. */
static __always_inline void task_spread(struct task_struct *task, bool opened) {
        tracer_learns((__u64)task);
        if (!opened || !memory_put_off((__u64)task))
                memory_spread(BPF_CORE_READ(task, tgid), task_start(task), (__u64)task);
}

/* Apart, as loops call it. */
__noinline int current_spread(__u32 opened) {
        task_spread(current_task(), opened);
        return 0;
}

/* The current process opened a file of these classes. If it runs a script that a rule may name, and the file
 * is code that its interpreter loads by itself, which users other than root may change, trust is voided as
 * by code that it maps. Unless its rule has the class: then it reads such files as data. Returns the other
 * classes. */
__noinline __u64 code_taken(__u64 file_address, __u32 table, __u64 classes) {
        const struct file *file = (const struct file *)file_address;
        struct policy_view v = { .table = bpf_map_lookup_elem(&bw_table, &table), .index = table };
        struct task_struct *task = current_task();
        struct process *p = process_find(BPF_CORE_READ(task, tgid), task_start(task));
        struct bw_bits rules = {};

        if (!v.table)
                return classes;
        __u64 code = classes & v.table->code, rest = classes & ~code;
        if (!code || !p ||
                        !(p->program | p->script.word[0] | p->script.word[1] | p->script.word[2] |
                                        p->script.word[3]))
                return rest;
        if (p->generation == v.table->generation)
                process_rules(&v, task, p, false, BPF_CORE_READ(file, f_inode, i_uid.val), &rules);
        rules_narrow(v.table, &rules);
        if (code & ~rules_classes(table, &rules, RULES_ALLOW))
                on_code_mapped(file);
        return rest;
}

/* Of an open: whether the process was marked; or the open is to be refused; or judged again. */
#define JUDGED_MARKED 1
#define JUDGED_REFUSED 2
#define JUDGED_BUSY 3 /* the same, as the policy kept changing (FailClosed=yes) */
#define JUDGED_AGAIN 4

/* Part of file_judge_anew(): for a file of these classes, after named_rules_keep(). */
static __always_inline int file_judge_ruled(const struct policy_view *v, struct task_struct *task,
                struct file *file, __u32 via, __u64 classes) {
        classes = code_taken(address_of(file), v->index, classes);
        if (!classes)
                return 0;
        if (task_ready(task))
                return JUDGED_AGAIN;
        if (via & OPEN_FLAGS) {
                int may = open_judge(address_of(file), v->index, classes);
                if (may == TOUCHED_AGAIN || !policy_view_held(v))
                        return JUDGED_AGAIN;
                if (may == TOUCHED_REFUSED)
                        return JUDGED_REFUSED;
                if (via & OPEN_ONLY_REFUSES)
                        return 0;
        }
        return file_touched((__u64)task, address_of(file), classes, via & ~OPEN_FLAGS) == TOUCHED
                               ? JUDGED_MARKED
                               : JUDGED_AGAIN;
}

/* file_judge() for a file of this sum, which is not SUM_HARMLESS. */
static __always_inline int file_judge_anew(
                struct task_struct *task, struct file *file, __u32 via, __u64 sum) {
        /* Without read access there is no data; O_PATH has no FMODE_READ either. A file of an overlay has
         * other names below it, by which the next process may read what is written now. */
        if (!(READ_OFTEN(file, f_mode) & FMODE_READ) &&
                        !(READ_OFTEN(file, f_mode) & FMODE_WRITE &&
                                        inode_is_overlay(READ_OFTEN(file, f_inode))))
                return false;

        if ((READ_OFTEN(file, f_inode, i_mode) & S_IFMT) == S_IFDIR)
                return false;

        __u64 closed = 0;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                struct policy_view v;

                if (!policy_view_get(&v))
                        return false;
                __u64 classes = file_classes(v.index, v.table->generation, address_of(file), (__u64)task);
                closed |= classes & v.table->closes;
                if (!policy_view_held(&v))
                        continue;
                if (!classes && v.table->generation == shared.generation)
                        harmless_keep(address_of(file), sum);
                if (!classes || file_is_own(address_of(file), (__u64)task))
                        return false;
                file_call(address_of(file), v.index);
                named_rules_keep(v.index, address_of(file), (__u64)task);
                int judged = file_judge_ruled(&v, task, file, via, classes);
                named_rules_drop(); /* whether anything was kept or not: that would take a register */
                if (judged != JUDGED_AGAIN)
                        return judged;
        }
        report_loss(BW_LOSS_POLICY_BUSY);
        return closed && via & OPEN_FLAGS ? JUDGED_BUSY : 0;
}

/* The current process has read the memory of the process of the task at `other`, not by a file. Returns
 * whether it was marked. Apart, as it is verified once then. */
__noinline int memory_judge(__u64 other) {
        struct task_struct *task = current_task();

        if (!other || BPF_CORE_READ((struct task_struct *)other, tgid) == BPF_CORE_READ(task, tgid))
                return false;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                struct policy_view v;

                if (!policy_view_get(&v))
                        return false;
                __u64 classes = memory_read_classes(v.index, other);
                if (!policy_view_held(&v))
                        continue;
                if (!classes)
                        return false;
                if (task_ready(task) == 0 && file_touched((__u64)task, other, classes, BW_VIA_TRACE) == 0)
                        return true;
        }
        report_loss(BW_LOSS_POLICY_BUSY);
        return false;
}

static __always_inline void on_memory_read(__u64 other) {
        if (memory_judge(other))
                current_spread(false);
}

/* The process of `task` has an open file, or received one (enum bw_via, OPEN_*). Returns JUDGED_*, or 0. */
static __always_inline int file_judge(struct task_struct *task, struct file *file, __u32 via) {
        __u64 sum = file_sum(address_of(file));

        return sum == SUM_HARMLESS ? 0 : file_judge_anew(task, file, via, sum);
}

/* files/access.bpf.h. Beside enum bw_action: by FailClosed=yes. */
#define ACTION_CLOSED 0x100
__u64 access_classes(__u64 file_address);
__u64 access_locked(__u64 file_address, __u64 classes);
__u64 access_closed(__u64 classes);
int access_action(__u64 classes);
__u64 access_name(__u64 file_address);
int access_report(__u64 file_address, __u64 classes, __u32 action, __u64 name);

/* No rule allows the current process to open this file of a class with Access=allowed, or it is of one with
 * FailClosed=yes, and what the process does with it cannot be followed, which is the reason if both are so
 * and the policy was busy: what a rule says then is of one policy of several. Returns whether that is
 * refused, which it reports. Inlined, as there may be only eight frames. */
static __always_inline bool access_refuse(__u64 file_address, bool busy) {
        named_rules_keep(shared.policy_active % BW_TABLES, file_address, bpf_get_current_task());
        __u64 classes = access_classes(file_address), locked = access_locked(file_address, classes);
        named_rules_drop();
        __u64 closed = locked && !busy ? 0 : access_closed(classes);
        int action = access_action(locked | closed);

        if (action != BW_ACTION_ALERT)
                access_report(file_address, locked | closed, action | (closed ? ACTION_CLOSED : 0),
                                access_name(file_address));
        return action == BW_ACTION_DENIED;
}

/* The body of every hook for files that the current process opens or receives (enum bw_via, OPEN_REFUSES).
 * The file may also hold data of a marked process, and reading it need not be a system call. Returns whether
 * the open is to be refused. */
static __always_inline bool on_file_open(struct file *file, __u32 via) {
        const bool opened = (via & ~OPEN_REFUSES) == BW_VIA_OPEN;

        /* What an overlay opens below for itself is no other open. */
        if (opened && activity_wanted() && !(BPF_CORE_READ(file, f_mode) & FMODE_NOACCOUNT))
                activity_current(ACTIVITY_OPEN);
        on_script_opening(file);
        on_memory_opened(current_task(), file);
        int judged = file_judge(current_task(), file, via);
        if (via & OPEN_REFUSES && judged >= JUDGED_REFUSED) {
                if (access_refuse(address_of(file), judged == JUDGED_BUSY))
                        return true;
                judged = file_judge(current_task(), file, via & ~OPEN_REFUSES);
        }
        if (judged)
                task_spread(current_task(), opened);
        if (BPF_CORE_READ(file, f_mode) & FMODE_READ && anything_is_marked(BW_COUNT_OBJECTS_LIVE)) {
                file_taken(file, opened);
                memory_lent(file_lenders(file));
        }
        return false;
}

/* A process had this file open before us: as if it had opened it now. */
static __always_inline void on_file_found(struct task_struct *task, struct file *file) {
        if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
                return;
        on_memory_opened(task, file);
        if (file_is_fanotify(file))
                shared.reads_checked = 1;
        if (file_judge(task, file, BW_VIA_OPEN))
                task_spread(task, false);
}

/* A system call opened this descriptor, duplicated it from another process or received it. It is in the
 * table before the call returns. */
enum opened { OPENED = 0, OPENED_SENSITIVE = 1, OPENED_GONE = 2 }; /* bits, for several files */
__noinline int descriptor_judge(int fd, __u32 via) {
        struct file *file = descriptor_file(current_task(), fd);

        if (!file)
                return OPENED_GONE;
        on_script_opening(file);
        __u64 sum = file_sum((__u64)file);
        if (sum == SUM_HARMLESS)
                return OPENED;
        if (READ_OFTEN(file, f_inode, i_rdev) == PTMX_DEVICE)
                terminal_made((__u64)file);
        on_memory_opened(current_task(), file);
        return file_judge_anew(current_task(), file, via & ~OPEN_FLAGS, sum) ? OPENED_SENSITIVE : OPENED;
}

static __always_inline bool descriptor_opened(int fd, enum bw_via via) {
        int r = descriptor_judge(fd, via);

        if (r == OPENED_SENSITIVE)
                current_spread(via == BW_VIA_OPEN);
        return r != OPENED_GONE;
}

/* Counts a loss if another thread closed it meanwhile. Not if a seccomp filter refused the call with
 * SECCOMP_RET_TRAP: then the result is the call's number (syscall_rollback()), and nothing was opened. */
static __always_inline void on_open_returned(int number, long fd, enum bw_via via) {
        if (fd < 0)
                return;
        if (!descriptor_opened(fd, via) && fd != number)
                report_loss(BW_LOSS_FILE_GONE);
        if (via == BW_VIA_OPEN && activity_wanted())
                activity_current(ACTIVITY_OPEN);
        if (shared.reads_checked || anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                memory_lent(descriptor_takes(fd, via == BW_VIA_OPEN));
}

/* Called for every connect: only a unix socket may have a class. */
__noinline int descriptor_is_unix(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);

        return file && file_unix_sock(READ_OFTEN(file, f_inode));
}

/* A unix socket was connected: an agent gives access to the keys that it holds. Other sockets have no path.
 */
static __always_inline void on_unix_connected(const struct socket *socket) {
        struct file *file = BPF_CORE_READ(socket, file);

        if (file && file_judge(current_task(), file, BW_VIA_OPEN))
                task_spread(current_task(), false);
}

__noinline int script_takes(__u64 file) {
        file_taken((const struct file *)file, false);
        return 0;
}

/* The first line of a script, which the current process executes, is among the arguments of its interpreter.
 * For the sensors lsm and fentry, the hook for opens has fired. */
static __always_inline void on_script(const struct linux_binprm *bprm) {
        __u64 file = anything_is_marked(BW_COUNT_OBJECTS_LIVE) ? program_file(bprm) : 0;

        if (file)
                script_takes(file);
}

/* Memory was mapped that other processes may have mapped, too; without a file only children will. shared: by
 * MAP_SHARED; otherwise it is only read. Returns whether the process may write to a file by it. */
static __always_inline bool on_mapped_shared(const struct file *file, bool shared) {
        struct task_struct *task = current_task();
        struct object o = {};
        __u32 what = SHARES_CHILDREN;

        if (!file) {
                object_set(&o, BW_VIA_MEMORY, (__u64)task, bpf_ktime_get_ns(), 0);
        } else {
                object_of_inode(&o, BPF_CORE_READ(file, f_inode));
                if (!o.holder)
                        object_of_rings(&o, BPF_CORE_READ(file, f_inode));
                if (!shared || !(BPF_CORE_READ(file, f_mode) & FMODE_WRITE) ||
                                file_is_place(address_of(file)))
                        what = SHARES_READ;
                else if (BPF_CORE_READ(file, f_cred) == BPF_CORE_READ(task, cred))
                        what = SHARES_FILE;
                else
                        what = SHARES_INHERITED;
        }
        if (!o.holder)
                return false;
        on_memory_shared(&o, what);
        return file && what != SHARES_READ;
}

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inode___written {
        atomic_t i_writecount; /* negative: by so many it is executed */
};

#pragma clang attribute pop

/* Whether any process has it open to write. One that opens it later is missed: to list what every process
 * has mapped of libraries and of tables of characters, which nobody writes, would cost too much. */
static __always_inline bool file_is_written(const struct file *file) {
        const struct inode___written *inode = (const void *)BPF_CORE_READ(file, f_inode);

        return BPF_CORE_READ(inode, i_writecount.counter) > 0;
}

/* A file, or anonymous memory, was mapped: handles foreign code and shared memory. Returns whether the
 * process counts as one that writes to the file, as no hook fires when it writes to the mapping. */
static __always_inline bool on_mapping(const struct file *file, __u64 prot, __u64 flags) {
        if (file && BPF_CORE_READ(file, f_inode, i_rdev) == ZERO_DEVICE)
                file = NULL; /* mm/shmem.c shmem_zero_setup() */
        /* Without MAP_SHARED it has what others write to the file, until it writes there itself. */
        bool shared = flags & MAP_SHARED,
             writes = (shared || (file && file_is_written(file))) && on_mapped_shared(file, shared);

        if (file && prot & PROT_EXEC)
                on_code_mapped(file);
        return writes && anything_is_marked(BW_COUNT_MARKS_LIVE) && current_is_marked();
}

/* The same, and data that others have written to the file. Returns whether it is to be refused. */
static __always_inline bool on_mapped(const struct file *file, __u64 prot, __u64 flags, __u16 how) {
        bool denied = on_mapping(file, prot, flags) && file_given(file, NULL, how);

        if (file)
                on_file_read(file);
        return denied;
}

/* vmsplice(2): what the current process writes to its memory from now on is in the pipe, too. */
__noinline int descriptor_lent(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);
        struct object o = {};

        if (file)
                object_of_inode(&o, BPF_CORE_READ(file, f_inode));
        if (o.holder)
                on_memory_shared(&o, SHARES_PIPE);
        return 0;
}

/* ---- sensor "tracepoint": calls that end ---- */

__noinline int descriptor_mapped(int fd, __u64 prot, __u64 flags) {
        return on_mapping(flags & MAP_ANONYMOUS ? NULL : descriptor_file(current_task(), fd), prot, flags);
}

static __always_inline void on_descriptor_mapped(int fd, __u64 prot, __u64 flags) {
        /* Two functions, as the stack of both at once does not fit. */
        if (descriptor_mapped(fd, prot, flags))
                descriptor_gives(fd);
        if (!(flags & MAP_ANONYMOUS))
                descriptor_taken(fd);
}

/* shmat(2) */
__noinline int segment_attached(int id) {
        struct object o = {};

        object_of_ipc(&o, BW_VIA_MEMORY, id);
        on_memory_shared(&o, SHARES_FILE);
        return 0;
}
