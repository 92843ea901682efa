/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Propagation by writes and reads: an object that a marked process writes to is marked before the data is
 * there; a process that reads from it is marked before it has the data. Files of the kernel's file systems
 * hold no mark, as all processes share them. */

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/policy.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "lib/requests.h"
#include "lib/syscalls.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/object.bpf.h"
#include "mark/objects.bpf.h"
#include "mark/pass.bpf.h"
#include "mark/terminal.bpf.h"
#include "process/identity.bpf.h"
#include "process/lifecycle.bpf.h"
#include "process/ptrace.bpf.h"
#include "process/shm.bpf.h"
#include "egress/destination.bpf.h"
#include "egress/egress.bpf.h"
#include "egress/list.bpf.h"
#include "egress/record.bpf.h"
#include "files/lent.bpf.h"
#include "files/loopback.bpf.h"
#include "files/names.bpf.h"

/* Judges the process of `task` by the active policy, unless that is done; makes an entry for the current
 * one, if it has none. Returns 0, or 1 if the policy changed meanwhile. */
static __always_inline int task_ready(struct task_struct *task) {
        __u32 pid = BPF_CORE_READ(task, tgid);
        bool own = task == current_task();
        struct policy_view v;

        if (own)
                process_learn_current();
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        if (!p || !policy_view_get(&v) || p->generation == v.table->generation)
                return 0;
        ancestors_judge(pid, (__u64)task);
        return process_judge(pid, (__u64)task, own ? JUDGED_LATER : JUDGED_ASIDE);
}

/* Judges the current process, if its user and cgroup are suspected: its egress is then held against its
 * rules (suspect_may_send()), and the programs for egress have no room for this. */
__noinline int suspect_ready(void) {
        __u32 pid = bpf_get_current_pid_tgid() >> 32;
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!(p && p->generation == shared.generation) && current_suspect())
                task_ready(current_task());
        return 0;
}

/* ---- from a process to an object, and from there to another ---- */

/* Classes that do not mark the current process when it reads, because a [Carrier] names its executable.
 * kind: RULES_CARRIER, or RULES_TERMINAL for reads from a terminal. Its entry must have been judged. */
__noinline __u64 current_carries(__u32 table, __u32 pid, __u32 kind) {
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct policy_view v = { .table = bpf_map_lookup_elem(&bw_table, &table), .index = table };
        struct bw_bits rules;

        if (!p || !v.table)
                return 0;
        process_rules(&v, current_task(), p, false, OWNER_NONE, &rules);
        return rules_classes(table, &rules, kind);
}

/* Whether the mark of the source has been passed on, or may not pass, and has not changed since. */
__noinline int flow_is_done(__u64 from, __u64 to, __u64 to_is) {
        const struct flow_key key = { .from = from, .to = to, .to_is = to_is };
        const struct flow_value *v = bpf_map_lookup_elem(&bw_flowed, &key);
        const struct mark *source = mark_get(from);

        if (!v || !source || v->changes != source->changes || v->generation != shared.generation)
                return false;
        return v->stopped || (to & BW_HOLDER_OBJECT ? object_get(to) != NULL : mark_get(to) != NULL);
}

/* It has, of what was there at that change, by the policy of that generation. */
__noinline int flow_set_done(__u64 from, __u64 to, __u64 to_is, __u64 changes_generation, __u32 stopped) {
        const struct flow_key key = { .from = from, .to = to, .to_is = to_is };
        const struct flow_value v = {
                .changes = changes_generation >> 32, .generation = changes_generation, .stopped = stopped
        };

        /* May fail: then the flow is made again at the next write. */
        bpf_map_update_elem(&bw_flowed, &key, &v, BPF_ANY);
        return 0;
}

/* BW_CARRIER_* of a file, or of the path that a unix socket is bound to. */
static __always_inline __u64 path_carries(__u32 table, const struct path *path) {
        __u64 mnt = (__u64)BPF_CORE_READ(path, mnt), dentry = (__u64)BPF_CORE_READ(path, dentry);

        return dentry ? path_match(table, BW_AUTOMATON_CARRIER, mnt, dentry) : 0;
}

/* Whether a file of BW_CARRIER_* is the own one of a process, by what was determined at its exec. That is
 * not noted as done: the process may execute another program. */
__noinline int process_owns(__u32 table, __u32 pid, __u64 carrier) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!t || !p || p->object != FINDING_GOOD || p->host != FINDING_GOOD ||
                        p->generation != t->generation || process_is_void(p) ||
                        !(rules_classes(table, &p->rules, RULES_OWN) & carrier))
                return false;
        count(BW_COUNT_FLOWS_STOPPED);
        return true;
}

/* Whether what the current process writes to this file marks no reader, as a [Carrier] says. No hook fires
 * for what is written to a mapping, so it is asked when the file is mapped. */
__noinline int file_is_place(__u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        __u32 pid = bpf_get_current_pid_tgid() >> 32;

        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                struct policy_view v;

                if (!policy_view_get(&v))
                        return false;
                __u64 carrier = path_carries(v.index, &file->f_path);
                if (!policy_view_held(&v))
                        continue;
                return carrier & BW_CARRIER_SILENT ||
                       (carrier & BW_CARRIER_OWN_ALL && process_owns(v.index, pid, carrier));
        }
        return false;
}

/* Egress through a local service that uses the network on behalf of its clients, or to a file on another
 * host. */
static __always_inline bool on_local_egress(const struct path *path, __u16 family, __u16 how) {
        const struct bw_destination d = { .family = family, .act = BW_ACT_SEND | ACT_GOES_ON | how };
        __u64 mnt = (__u64)BPF_CORE_READ(path, mnt), dentry = (__u64)BPF_CORE_READ(path, dentry);
        __u64 id = name_learn(mnt, dentry, file_salt(BPF_CORE_READ(path, dentry, d_inode)),
                        bpf_get_current_task());

        egress_begins(how);
        return correlate_and_enforce(id,
                        family == BW_FAMILY_FILE ? BPF_CORE_READ(path, dentry, d_sb, s_dev) : 0,
                        DESTINATION_PACK(&d));
}

/* Whether a write of the current process to this file is egress: the file is stored on another host, and the
 * sensitive file was not on the same file system (where homes are on NFS, every program that reads a key
 * writes there). */
__noinline int file_leaves(__u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        const struct super_block *super = BPF_CORE_READ(file, f_inode, i_sb);
        const struct mark *m = mark_get(bpf_get_current_pid_tgid() >> 32);
        __u32 device = BPF_CORE_READ(super, s_dev);

        if (!m || !super_is_remote(super))
                return false;
        for (__u32 i = 0; i < BW_FILES_MAX; i++)
                if (m->files[i].classes && m->files[i].device != device)
                        return true;
        return m->n_files > BW_FILES_MAX; /* some are not listed any more */
}

enum given {
        GIVEN,
        GIVEN_TO_EGRESS, /* to a service that a [Carrier] declares egress */
        GIVEN_NEWS, /* newly to a file, which others may have mapped, and which may be on another host */
};

/* Whether process `pid` holds anything under rules that pass it on this way: FLOW_*. */
__noinline int bound_passes(__u32 pid, __u32 what) {
        const struct mark *m = mark_get(pid);
        struct policy_view v;

        if (!m || !policy_view_get(&v))
                return false;
        __u64 bound = mark_live(v.index, pid, LIVE_BOUND);
        return bound &&
               bound & ~rules_classes(v.index, &m->rules, RULES_KEEPING(what >> 8 & BW_RULE_PASSES));
}

/* The current, marked process is about to write to this file. Of the classes bound by a rule, those flow
 * that the rule passes to files, if the process opened this one or connected the socket, or to its output,
 * if it was started with it. receiver: the sock that a datagram goes to; 0: the peer. */
__noinline int file_flows(__u64 file_address, __u64 receiver) {
        const struct file *file = (const struct file *)file_address;
        struct task_struct *task = current_task();
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        const struct path *to_path = &file->f_path, *own_path = NULL;
        __u32 pid = BPF_CORE_READ(task, tgid);
        struct policy_view v;
        struct object o = {};

        const struct mark *source = mark_find(pid, task_start(task));
        if (!source)
                return 0;
        const __u32 passes =
                        BPF_CORE_READ(file, f_cred) != BPF_CORE_READ(task, cred) ? FLOW_OUTPUT : FLOW_FILES;
        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK) {
                const struct unix_sock *own = (const struct unix_sock *)file_unix_sock(inode);
                const struct unix_sock *peer = (const struct unix_sock *)receiver;
                if (own && !peer)
                        peer = (const struct unix_sock *)BPF_CORE_READ(own, peer);
                if (!peer)
                        return 0;
                object_of_sock(&o, (const struct sock *)peer, false);
                to_path = &peer->path;
                own_path = &own->path;
        } else {
                const __u32 device = BPF_CORE_READ(inode, i_rdev);
                const struct tty_struct *terminal = device_terminal(file, device);
                /* Not back to the terminal that its mark came from: otherwise, after "cat key" below
                 * sudo(8), which relays a pseudo-terminal, later keystrokes would mark everything that is
                 * started there. */
                object_of_terminal(&o, terminal);
                if (o.holder && source->only == o.holder && !bound_passes(pid, passes))
                        return 0;
                object_of_inode(&o, inode);
                if (terminal)
                        object_of_terminal(&o, BPF_CORE_READ(terminal, link));
                else if (device == LOG_DEVICE)
                        object_of_log(&o);
        }
        if (!o.holder || flow_is_done(pid, o.holder, o.is))
                return 0;

        __u32 is_file = FLOW_VIA(o.via) == BW_VIA_FILE;
        o.via |= passes;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                __u64 changes = source->changes;
                int r = FLOW_NOTHING;

                if (!policy_view_get(&v))
                        return 0;
                changes = changes << 32 | v.table->generation;
                __u64 carrier = path_carries(v.index, to_path);
                if (own_path)
                        carrier |= path_carries(v.index, own_path) & BW_CARRIER_SILENT;
                if (!policy_view_held(&v))
                        continue;
                __u64 egress = carrier & BW_CARRIER_EGRESS;
                if (egress && !is_file)
                        return GIVEN_TO_EGRESS;
                if (carrier & BW_CARRIER_OWN_ALL && process_owns(v.index, pid, carrier))
                        return is_file ? GIVEN_NEWS : GIVEN;
                if (carrier & BW_CARRIER_SILENT)
                        count(BW_COUNT_FLOWS_STOPPED);
                else
                        r = object_give((__u64)task, o.holder, o.is, o.via, o.address);
                if (r == FLOW_AGAIN)
                        continue;
                if (r != FLOW_REFUSED)
                        flow_set_done(pid, o.holder, o.is, changes, r == FLOW_NOTHING);
                if (!is_file || r == FLOW_NOTHING)
                        return GIVEN;
                return egress ? GIVEN_TO_EGRESS : GIVEN_NEWS;
        }
        report_loss(BW_LOSS_POLICY_BUSY);
        return 0;
}

/* Gives it to an object that no rule knows by a path. what: see mark_flow(). Apart from the stack of
 * file_flows(). */
__noinline int object_filled(__u64 holder, __u64 is, __u32 what) {
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid);
        const struct mark *source = mark_find(pid, task_start(task));

        if (!holder || !source || flow_is_done(pid, holder, is))
                return 0;
        __u64 changes = (__u64)source->changes << 32 | shared.generation;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                int r = object_give((__u64)task, holder, is, what, 0);
                if (r == FLOW_DONE || r == FLOW_NOTHING)
                        flow_set_done(pid, holder, is, changes, r == FLOW_NOTHING);
                if (r != FLOW_AGAIN)
                        return 0;
        }
        report_loss(BW_LOSS_POLICY_BUSY);
        return 0;
}

/* The current process writes to this file. how: ACT_ENFORCEMENT. Returns whether that is to be refused. */
static __always_inline bool file_given(const struct file *file, const struct sock *receiver, __u16 how) {
        int r = file_flows(address_of(file), (__u64)receiver);
        const struct inode *inode = BPF_CORE_READ(file, f_inode);

        if (r == GIVEN) {
                if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK) {
                        struct object o = {};
                        object_of_netlink(&o, inode);
                        if (o.holder)
                                o.via |= FLOW_FILES;
                        else
                                loopback_given(&o, inode);
                        object_filled(o.holder, o.is, o.via);
                }
                return false;
        }
        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK) {
                memory_file_written((__u64)inode);
                return (r == GIVEN_TO_EGRESS || file_leaves(address_of(file))) &&
                       on_local_egress(&file->f_path, BW_FAMILY_FILE, how);
        }
        const struct socket *socket = BPF_CORE_READ(file, private_data);
        const struct unix_sock *own = (const struct unix_sock *)BPF_CORE_READ(socket, sk);
        const struct unix_sock *peer = receiver ? (const struct unix_sock *)receiver
                                                : (const struct unix_sock *)BPF_CORE_READ(own, peer);
        return on_local_egress(&peer->path, AF_UNIX, how);
}

/* Adds the rules that the current process may use now to its mark: what it receives from a holder that is
 * bound itself is bound to them. Not those with Path=: what it receives is of no file by its name. */
__noinline int receiver_rules(__u32 table, __u32 pid) {
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct policy_view v = { .table = bpf_map_lookup_elem(&bw_table, &table), .index = table };
        struct mark *m = mark_get(pid);
        struct bw_bits rules;

        if (!p || !v.table || !m)
                return 0;
        process_rules(&v, current_task(), p, false, OWNER_NONE, &rules);
        for (__u32 i = 0; i < BW_WORDS; i++)
                rules.word[i] &= ~v.table->asks[BW_CONDITION_PATH].word[i];
        bits_or(&m->rules, &rules);
        return 0;
}

/* Classes of the file at this inode, if the process has opened it under a rule: then it may read it, also
 * after an editor or the program itself has written it. */
__noinline __u64 own_file_classes(__u32 table, __u32 pid, __u64 inode_address) {
        const struct inode *inode = (const struct inode *)inode_address;
        const struct mark *m = mark_get(pid);
        __u64 classes = 0;

        if (!m || !inode)
                return 0;
        __u64 number = BPF_CORE_READ(inode, i_ino);
        __u32 device = BPF_CORE_READ(inode, i_sb, s_dev);
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                __u64 other = (m->files[i].inode ^ number) | (m->files[i].device ^ device) |
                              (m->files[i].pid ^ pid);
                classes |= m->files[i].classes & (((other | -other) >> 63) - 1);
        }
        return classes ? classes & rules_classes(table, &m->rules, RULES_ALLOW) : 0;
}

/* The current process has read from an object. Returns FLOW_AGAIN if its entry must be judged first, or the
 * policy changed. inode: the address of its inode; 0: it has none. */
__noinline int object_taken(__u64 holder, __u64 is, __u32 via, __u64 inode) {
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid);
        __u64 start = task_start(task), content = object_content(holder, is);
        __u64 is_now = start ^ process_image(task);
        const struct mark *source = content ? mark_get(content) : NULL;
        struct policy_view v;

        if (!source || flow_is_done(content, pid, is_now) || !policy_view_get(&v))
                return FLOW_NOTHING;
        const struct process *p = process_find(pid, start);
        __u64 changes = source->changes;
        changes = changes << 32 | v.table->generation;
        if (p && p->generation != v.table->generation)
                return FLOW_AGAIN;
        __u64 stopped = current_carries(
                        v.index, pid, via == BW_VIA_TERMINAL ? RULES_TERMINAL : RULES_CARRIER);
        if (via == BW_VIA_FILE)
                stopped |= own_file_classes(v.index, pid, inode);
        if (!policy_view_held(&v))
                return FLOW_AGAIN;
        struct mark *m = mark_find(pid, start);
        bool only = !m || m->only == holder || !mark_live(v.index, pid, 0);
        if (flow_classes(content, via, stopped) && holder_take(pid, start, (__u64)task) == pid)
                receiver_rules(v.index, pid);
        int r = mark_flow_to(content, pid, start, via, stopped);
        m = mark_get(pid);
        if (r == FLOW_DONE && only && m)
                m->only = holder; /* whatever its content was each time */
        if (r == FLOW_DONE)
                count(BW_COUNT_FLOWS);
        if (r == FLOW_DONE || r == FLOW_NOTHING)
                flow_set_done(content, pid, is_now, changes, r == FLOW_NOTHING);
        return r;
}

/* The current process received data from an object, or with `opened` has only opened it: passes its mark on.
 */
static __always_inline void object_reaches(const struct object *o, bool opened) {
        if (!o->holder || !object_get(o->holder))
                return;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                int r = object_taken(o->holder, o->is, FLOW_VIA(o->via), o->address);
                struct task_struct *task = current_task();
                if (r == FLOW_DONE && (!opened || !memory_put_off((__u64)task)))
                        memory_spread(BPF_CORE_READ(task, tgid), task_start(task), (__u64)task);
                if (r != FLOW_AGAIN)
                        return;
                task_ready(task);
        }
        report_loss(BW_LOSS_POLICY_BUSY);
}

/* The inode that the current process reads from by way of an overlay: that of a lower layer, if the file was
 * marked there before it was copied. */
__noinline __u64 overlay_source(__u64 inode) {
        struct object o = {};

        object_of_inode(&o, (const struct inode *)inode);
        return object_get(o.holder) ? inode : overlay_lower(inode) ?: inode;
}

/* The current process has read from this file, or may read it without a hook: it mapped it, or opened it for
 * reading. */
static __always_inline void file_taken(const struct file *file, bool opened) {
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        struct object o = {};

        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK) {
                const struct sock *sk = file_unix_sock(inode);
                if (sk)
                        object_of_sock(&o, sk, false);
                else
                        object_of_netlink(&o, inode);
                if (!o.holder)
                        loopback_taken(&o, inode);
                if (sk && !object_get(o.holder) && sock_bound_late((__u64)sk))
                        object_of_sock(&o, sk, true);
        } else {
                if (inode_is_overlay(inode))
                        inode = (const struct inode *)overlay_source((__u64)inode);
                object_of_inode(&o, inode);
                if (!o.holder)
                        object_of_device(&o, file, BPF_CORE_READ(inode, i_rdev));
        }
        object_reaches(&o, opened);
}

/* ---- from hooks that have the kernel's objects ---- */

/* The current process has read from it, possibly after it was blocked. */
static __always_inline void on_file_read(const struct file *file) {
        if (anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                file_taken(file, false);
}

/* A file is about to be read from, or written to. Returns whether that is to be refused. */
static __always_inline bool on_file_used(const struct file *file, int mask, __u16 how) {
        /* Pages that are sent without a message. */
        bool denied = mask & MAY_WRITE && how & ACT_DENIES && on_socket_written(file, how, false);

        if (mask & MAY_WRITE && current_holds()) {
                denied |= on_device_written(file, how);
                on_memory_file(file, true);
                denied |= file_given(file, NULL, how);
        }
        if (!(mask & MAY_READ))
                return denied;
        on_memory_file(file, false);
        on_file_read(file);
        return denied;
}

static __always_inline void on_socket_received(const struct socket *socket) {
        on_file_read(BPF_CORE_READ(socket, file));
}

/* A message is about to be sent on a unix socket. receiver: of a message with an address. */
static __always_inline bool on_unix_sending(
                const struct socket *socket, const struct socket *receiver, __u16 how) {
        return current_holds() &&
               file_given(BPF_CORE_READ(socket, file), receiver ? BPF_CORE_READ(receiver, sk) : NULL, how);
}

/* ---- core dumps ---- */

#define PF_DUMPCORE 0x00000200 /* include/linux/sched.h */

/* fs/coredump.c do_coredump(): the current process, which a signal ends, has opened the file that its memory
 * is written to, without a call that a hook reports. */
static __always_inline void on_dump(const struct file *file) {
        if (BPF_CORE_READ(file, f_mode) & FMODE_WRITE && current_holds())
                file_given(file, NULL, 0);
}

/* ---- sensor "tracepoint": calls ---- */

/* Apart from descriptor_leaves(), for its stack. */
__noinline int descriptor_sends(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);

        return file && on_socket_written(file, ACT_DENIED_LATER, false);
}

__noinline int descriptor_leaves(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);

        if (file) {
                on_device_written(file, ACT_DENIED_LATER);
                on_memory_file(file, true);
        }
        return 0;
}

__noinline int descriptor_gives(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);

        if (file)
                file_given(file, NULL, ACT_DENIED_LATER);
        return 0;
}

/* Returns whether the current process is marked. */
static __always_inline bool descriptor_given(int fd) {
        memory_arrive();
        if (!current_may_leak())
                return false;
        descriptor_sends(fd);
        descriptor_leaves(fd);
        if (!current_is_marked())
                return false;
        descriptor_gives(fd);
        return true;
}

/* Returns what memory_lent() wants of a file that was opened. */
__noinline __u64 descriptor_takes(int fd, __u32 opened) {
        const struct file *file = descriptor_file(current_task(), fd);

        if (!file || (opened && !(READ_OFTEN(file, f_mode) & FMODE_READ)))
                return 0;
        on_memory_file(file, false);
        if (anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                file_taken(file, opened);
        return opened ? file_lenders(file) : 0;
}

static __always_inline void descriptor_taken(int fd) {
        if (shared.reads_checked || anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                descriptor_takes(fd, false);
}

/* Moves data between descriptors: the process counts as a reader of the one and a writer of the other. */
static __always_inline int call_moves(struct task_struct *task, const struct pt_regs *regs, enum call call) {
        int to = call_argument(regs, task, call == CALL_SENDFILE ? 0 : call == CALL_TEE ? 1 : 2);

        descriptor_taken(call_argument(regs, task, call == CALL_SENDFILE ? 1 : 0));
        descriptor_given(to);
        return to;
}

/* Whether vmsplice(2) writes to it; otherwise it reads (fs/splice.c vmsplice_type()). */
__noinline int descriptor_writable(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);

        return file && BPF_CORE_READ(file, f_mode) & FMODE_WRITE;
}

/* Requests of ioctl(2), by the table of lib/requests.h. */
enum control {
        CONTROL_OTHER,
        CONTROL_HOLE,
        CONTROL_FEW,
        CONTROL_CLONE,       /* from the descriptor that is the third argument to the first */
        CONTROL_CLONE_RANGE, /* the third points to it */
        CONTROL_ADDS,        /* a descriptor to another process, which the third describes */
        CONTROL_COPIES,      /* to the memory of the process that a userfaultfd(2) is of */
};

#define CONTROL_CASE(name, number, moves, body)                                                             \
        case number:                                                                                        \
                return CONTROL_##body;

static __always_inline enum control control_of(__u32 request) {
        switch (request) {
                BW_CONTROLS(CONTROL_CASE)
        default:
                return CONTROL_OTHER;
        }
}

/* The descriptor whose blocks this request shares with the first argument; -1 if there is none. */
__noinline int control_source(__u32 request, __u64 argument) {
        enum control control = control_of(request);
        __s64 from = (int)argument;

        if (control != CONTROL_CLONE && control != CONTROL_CLONE_RANGE)
                return -1;
        if (control == CONTROL_CLONE_RANGE && bpf_probe_read_user(&from, sizeof(from), (void *)argument))
                return -1;
        return from;
}

/* io_submit(2): include/uapi/linux/aio_abi.h struct iocb, of which these are the operation and the
 * descriptor. */
struct submission {
        __u16 operation;
        __u16 priority;
        __u32 fd;
};

#define IOCB_OPERATION 16 /* offset */
#define IOCB_CMD_PREAD 0
#define IOCB_CMD_PWRITE 1
#define IOCB_CMD_PREADV 7
#define IOCB_CMD_PWRITEV 8
#define SUBMISSIONS_MAX 16 /* examined per call; more are counted as a loss */

/* The descriptor of request i of `n` to io_submit(2), if it writes, or else reads; -1: it does not, or there
 * is none. */
__noinline int submission_fd(__u64 regs_address, __u32 i, __s64 n, __u32 writes) {
        bool compat = SYSCALL_IS_COMPAT(current_task());
        struct submission s = {};
        __u64 request = 0, at = argument_read(regs_address, 2);

        if (i >= n)
                return -1;
        if (compat)
                bpf_probe_read_user(&request, sizeof(__u32), (void *)at + i * sizeof(__u32));
        else
                bpf_probe_read_user(&request, sizeof(__u64), (void *)at + i * sizeof(__u64));
        if (!request || bpf_probe_read_user(&s, sizeof(s), (void *)request + IOCB_OPERATION))
                return -1;
        if (writes)
                return s.operation == IOCB_CMD_PWRITE || s.operation == IOCB_CMD_PWRITEV ? (int)s.fd : -1;
        return s.operation == IOCB_CMD_PREAD || s.operation == IOCB_CMD_PREADV ? (int)s.fd : -1;
}

/* What `n` requests to io_submit(2) have read, or will read: it reads before it returns, except from a file
 * by O_DIRECT, whose mark does not come later than the data. Nothing is done with a descriptor of -1:
 * without branches, the verifier walks each round once. */
static __always_inline void submissions_take(const struct pt_regs *regs, __s64 n) {
        bool takes = shared.reads_checked || anything_is_marked(BW_COUNT_OBJECTS_LIVE);

        for (__u32 i = 0; takes && i < SUBMISSIONS_MAX; i++)
                descriptor_takes(submission_fd(address_of(regs), i, n, false), false);
}

/* io_submit(2) begins. */
static __always_inline void on_submit(const struct pt_regs *regs, struct task_struct *task) {
        __s64 n = call_argument(regs, task, 1);

        submissions_take(regs, n);
        if (!current_may_leak())
                return;
        for (__u32 i = 0; i < SUBMISSIONS_MAX; i++) {
                int to = submission_fd(address_of(regs), i, n, true);
                descriptor_sends(to);
                descriptor_leaves(to);
                descriptor_gives(to);
        }
        if (n > SUBMISSIONS_MAX)
                report_loss(BW_LOSS_FLOW_UNKNOWN);
}

/* AF_XDP: what is sent from then on is in memory that the kernel reads when it likes, or when poll(2) asks
 * it to. */
__noinline int descriptor_binds(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);
        struct bw_destination d = { .family = AF_XDP, .act = BW_ACT_SEND };

        if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
                return 0;
        const struct socket *socket = BPF_CORE_READ(file, private_data);
        if (BPF_CORE_READ(socket, sk, __sk_common.skc_family) == AF_XDP)
                on_egress(&d);
        return 0;
}
