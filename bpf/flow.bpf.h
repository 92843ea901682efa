/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The secret moves on: what a marked process writes to is marked before the bytes are there; what reads from that is marked
 * before it has seen them. The files of the kernel are no objects: everybody's bytes meet there. */

#include "egress.bpf.h"
#include "terminal.bpf.h"
#include "trace.bpf.h"

/* The process of `task` is judged by the policy in force, if it is not yet; the current one gets an entry, if it has none.
 * Returns 0, or 1 when the policy changed meanwhile. */
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

/* ---- from a process to an object, and from there to another ---- */

/* Classes of which the current process, by what it executes, is not marked by what it reads. kind: RULES_CARRIER, or
 * RULES_TERMINAL where it reads from a terminal. Its entry is judged. */
__noinline __u64 current_carries(__u32 table, __u32 pid, __u32 kind) {
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        struct policy_view v = { .table = bpf_map_lookup_elem(&bw_table, &table), .index = table };
        struct bw_bits rules;

        if (!p || !v.table)
                return 0;
        process_rules(&v, current_task(), p, &rules);
        return rules_classes(table, &rules, kind);
}

/* Has what `from` holds flowed to `to`, or can it not? Nothing of it has changed since. */
static __always_inline bool flow_is_done(const struct flow_key *key, const struct mark *source) {
        const struct flow_value *v = bpf_map_lookup_elem(&bw_flowed, key);

        return v && v->changes == source->changes && v->generation == shared.generation &&
                (v->stopped || mark_get(key->to));
}

static __always_inline void flow_set_done(const struct flow_key *key, __u32 changes, __u32 generation, bool stopped) {
        struct flow_value v = { .changes = changes, .generation = generation, .stopped = stopped };

        bpf_map_update_elem(&bw_flowed, key, &v, BPF_ANY);
}

/* What does a [Carrier] say of a file, or of the path that a unix socket is bound to? */
static __always_inline __u64 path_carries(__u32 table, const struct path *path) {
        __u64 mnt = (__u64)BPF_CORE_READ(path, mnt), dentry = (__u64)BPF_CORE_READ(path, dentry);

        return dentry ? path_match(table, BW_AUTOMATON_CARRIER, mnt, dentry) : 0;
}

/* Who is behind a local socket reaches the network for whoever asks; a file may be another machine's. */
static __always_inline void on_local_egress(const struct path *path, __u16 family) {
        const struct bw_destination d = { .family = family, .act = BW_ACT_SEND | ACT_GOES_ON };
        __u64 mnt = (__u64)BPF_CORE_READ(path, mnt), dentry = (__u64)BPF_CORE_READ(path, dentry);
        __u64 id = name_learn(mnt, dentry, file_salt(BPF_CORE_READ(path, dentry, d_inode)), true);

        correlate(id, family == BW_FAMILY_FILE ? BPF_CORE_READ(path, dentry, d_sb, s_dev) : 0, DESTINATION_PACK(&d));
}

/* Does what the current process holds leave this machine when it is in this file? What is of the same file system has been there
 * before: where homes are on NFS, each program that reads a secret there writes there, too. */
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
        return m->n_files > BW_FILES_MAX; /* some are forgotten */
}

enum given {
        GIVEN,
        GIVEN_TO_EGRESS, /* what is given there goes to the network, a [Carrier] says */
        GIVEN_NEWS,      /* to a file, which others may have mapped, and which may be another machine's */
};

/* The current process, which is marked, is about to write to this file. What it does under a rule with Destination= to
 * files that it opened and sockets that it connected is its own business; what it inherited, such as its standard output,
 * belongs to whoever started it. receiver: the sock that a datagram goes to; 0: whom it is connected to. */
__noinline int file_flows(__u64 file_address, __u64 receiver) {
        const struct file *file = (const struct file *)file_address;
        struct task_struct *task = current_task();
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        const struct path *to_path = &file->f_path, *own_path = NULL;
        struct flow_key key = { .from = BPF_CORE_READ(task, tgid) };
        struct policy_view v;
        struct object o = {};

        const struct mark *source = mark_find(key.from, task_start(task));
        if (!source)
                return 0;
        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK) {
                const struct unix_sock *own = (const struct unix_sock *)file_unix_sock(inode);
                const struct unix_sock *peer = (const struct unix_sock *)receiver;
                if (own && !peer)
                        peer = (const struct unix_sock *)BPF_CORE_READ(own, peer);
                if (!peer)
                        return 0;
                object_of_sock(&o, (const struct sock *)peer);
                to_path = &peer->path;
                own_path = &own->path;
        } else {
                const struct tty_struct *terminal = file_terminal(file, inode);
                /* Who has both hands on a terminal, and what they hold from there alone, types to those who had it: after
                 * "cat key" below sudo(8) all that is started there later would be marked by the keys that are pressed. */
                object_of_terminal(&o, terminal);
                if (o.holder && source->only == o.holder)
                        return 0;
                object_of_inode(&o, inode);
                if (terminal)
                        object_of_terminal(&o, BPF_CORE_READ(terminal, link));
        }
        key.to = o.holder;
        key.to_is = o.is;
        if (!o.holder || flow_is_done(&key, source))
                return 0;

        __u32 is_file = o.via == BW_VIA_FILE;
        if (BPF_CORE_READ(file, f_cred) != BPF_CORE_READ(task, cred))
                o.via |= FLOW_BOUND | FLOW_PRINTED;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                __u32 changes = source->changes;
                int r = FLOW_NOTHING;

                if (!policy_view_get(&v))
                        return 0;
                __u32 generation = v.table->generation;
                __u64 carrier = path_carries(v.index, to_path);
                if (own_path)
                        carrier |= path_carries(v.index, own_path) & BW_CARRIER_SILENT;
                if (!policy_view_held(&v))
                        continue;
                __u64 egress = carrier & BW_CARRIER_EGRESS;
                if (egress && !is_file)
                        return GIVEN_TO_EGRESS;
                if (carrier & BW_CARRIER_SILENT)
                        count(BW_COUNT_FLOWS_STOPPED);
                else
                        r = mark_flow(key.from, key.to, key.to_is, o.via, (__u64)task);
                if (r == FLOW_AGAIN)
                        continue;
                if (r != FLOW_REFUSED)
                        flow_set_done(&key, changes, generation, r == FLOW_NOTHING);
                if (!is_file || r == FLOW_NOTHING)
                        return GIVEN;
                return egress ? GIVEN_TO_EGRESS : GIVEN_NEWS;
        }
        count_and_tell(BW_LOSS_POLICY_BUSY);
        return 0;
}

static __always_inline void file_given(const struct file *file, const struct sock *receiver) {
        int r = file_flows(address_of(file), (__u64)receiver);

        if (r == GIVEN)
                return;
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK) {
                struct object o;
                object_of_inode(&o, inode);
                memory_reach(o.holder, bpf_get_current_pid_tgid() >> 32);
                if (r == GIVEN_TO_EGRESS || file_leaves(address_of(file)))
                        on_local_egress(&file->f_path, BW_FAMILY_FILE);
                return;
        }
        const struct socket *socket = BPF_CORE_READ(file, private_data);
        const struct unix_sock *own = (const struct unix_sock *)BPF_CORE_READ(socket, sk);
        const struct unix_sock *peer = receiver ? (const struct unix_sock *)receiver :
                                                  (const struct unix_sock *)BPF_CORE_READ(own, peer);
        on_local_egress(&peer->path, AF_UNIX);
}

/* The current process has read from an object. Returns FLOW_AGAIN where its entry is to be judged first, or the policy
 * changed. */
__noinline int object_taken(__u64 holder, __u64 is, __u32 via) {
        struct task_struct *task = current_task();
        __u64 start = task_start(task);
        struct flow_key key = {
                .from = holder,
                .to = BPF_CORE_READ(task, tgid),
                .to_is = start ^ process_image(task),
        };
        const struct mark *source = mark_find(holder, is);
        struct policy_view v;

        if (!source || flow_is_done(&key, source) || !policy_view_get(&v))
                return FLOW_NOTHING;
        const struct process *p = process_find(key.to, start);
        __u32 changes = source->changes, generation = v.table->generation;
        if (p && p->generation != generation)
                return FLOW_AGAIN;
        __u64 stopped = current_carries(v.index, key.to, via == BW_VIA_TERMINAL ? RULES_TERMINAL : RULES_CARRIER);
        if (!policy_view_held(&v))
                return FLOW_AGAIN;
        int r = mark_flow(holder, key.to, start, via, stopped);
        if (r == FLOW_DONE)
                count(BW_COUNT_FLOWS);
        if (r == FLOW_DONE || r == FLOW_NOTHING)
                flow_set_done(&key, changes, generation, r == FLOW_NOTHING);
        return r;
}

/* What waits in an object is in the hands of the current process. */
static __always_inline void object_reaches(const struct object *o) {
        if (!o->holder || !mark_get(o->holder))
                return;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                int r = object_taken(o->holder, o->is, o->via);
                struct task_struct *task = current_task();
                if (r == FLOW_DONE)
                        memory_spread(BPF_CORE_READ(task, tgid), task_start(task), (__u64)task);
                if (r != FLOW_AGAIN)
                        return;
                task_ready(task);
        }
        count_and_tell(BW_LOSS_POLICY_BUSY);
}

/* The current process has read from this file, or may have: it maps it, or has opened it for reading. */
static __always_inline void file_taken(const struct file *file) {
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        struct object o = {};

        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK) {
                const struct sock *sk = file_unix_sock(inode);
                if (sk)
                        object_of_sock(&o, sk);
        } else {
                object_of_inode(&o, inode);
                if (!o.holder)
                        object_of_terminal(&o, file_terminal(file, inode));
        }
        object_reaches(&o);
}

/* ---- where the hook sees the kernel's own objects ---- */

/* Something was read from it; perhaps it was waited for. */
static __always_inline void on_file_read(const struct file *file) {
        if (anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                file_taken(file);
}

/* A file is about to be read from, or written to. */
static __always_inline void on_file_used(const struct file *file, int mask) {
        if (mask & MAY_WRITE && anything_is_marked(BW_COUNT_MARKS_LIVE) && current_is_marked()) {
                on_device_written(file);
                on_memory_file(file, true);
                file_given(file, NULL);
        }
        if (!(mask & MAY_READ))
                return;
        on_memory_file(file, false);
        on_file_read(file);
}

static __always_inline void on_socket_received(const struct socket *socket) {
        on_file_read(BPF_CORE_READ(socket, file));
}

/* A message goes out on a unix socket; receiver: to an address. */
static __always_inline void on_unix_sending(const struct socket *socket, const struct socket *receiver) {
        if (!anything_is_marked(BW_COUNT_MARKS_LIVE) || !current_is_marked())
                return;
        file_given(BPF_CORE_READ(socket, file), receiver ? BPF_CORE_READ(receiver, sk) : NULL);
}

/* ---- message queues of System V's: POSIX's are files ---- */

/* The current process, which is marked, is about to send to it. */
__noinline int queue_gives(int id) {
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid);
        struct object o;

        if (!mark_find(pid, task_start(task)))
                return 0;
        object_of_ipc(&o, BW_VIA_QUEUE, id);
        for (__u32 i = 0; i < POLICY_TRIES; i++)
                if (mark_flow(pid, o.holder, o.is, o.via, (__u64)task) != FLOW_AGAIN)
                        return 0;
        count_and_tell(BW_LOSS_POLICY_BUSY);
        return 0;
}

/* It has received from it. */
__noinline int queue_takes(int id) {
        struct object o;

        object_of_ipc(&o, BW_VIA_QUEUE, id);
        object_reaches(&o);
        return 0;
}

static __always_inline void on_queue_received(int id) {
        if (anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                queue_takes(id);
}

/* ---- sensor "tracepoint": calls ---- */

__noinline int descriptor_leaves(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);

        if (file) {
                on_socket_written(file);
                on_device_written(file);
                on_memory_file(file, true);
        }
        return 0;
}

__noinline int descriptor_gives(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);

        if (file)
                file_given(file, NULL);
        return 0;
}

static __always_inline void descriptor_given(int fd) {
        if (!current_is_marked())
                return;
        descriptor_leaves(fd);
        descriptor_gives(fd);
}

__noinline int descriptor_takes(int fd) {
        const struct file *file = descriptor_file(current_task(), fd);

        if (!file)
                return 0;
        on_memory_file(file, false);
        on_file_read(file);
        return 0;
}

static __always_inline void descriptor_taken(int fd) {
        if (shared.reads_watched || anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                descriptor_takes(fd);
}

/* From one descriptor to another: what comes from the one is in the process's hands, too. */
static __always_inline int call_moves(struct task_struct *task, const struct pt_regs *regs, enum call call) {
        int to = call_argument(regs, task, call == CALL_SENDFILE ? 0 : call == CALL_TEE ? 1 : 2);

        descriptor_taken(call_argument(regs, task, call == CALL_SENDFILE ? 1 : 0));
        descriptor_given(to);
        return to;
}

/* A system call begins. */
static __always_inline void on_call(const struct pt_regs *regs) {
        if (!anything_is_marked(BW_COUNT_MARKS_LIVE) && !anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                return;
        struct task_struct *task = current_task();
        enum call call = call_of(regs, task);
        if (call == CALL_WRITE)
                descriptor_given(call_argument(regs, task, 0));
        else if (call == CALL_SENDFILE || call == CALL_SPLICE || call == CALL_TEE)
                call_moves(task, regs, call);
        else if (call == CALL_VM_WRITE || call == CALL_TRACE)
                on_trace_begins(regs, task, call);
        else if (call == CALL_QUEUE_SEND && current_is_marked())
                queue_gives(call_argument(regs, task, 0));
}

__noinline int descriptor_moved(int fd) {
        const struct file *file = current_is_marked() ? descriptor_file(current_task(), fd) : NULL;

        on_socket_moved(file);
        return 0;
}

/* It ends. What it read came while it waited, perhaps; and went on at once, if it was moved to a connection. */
static __always_inline void on_call_took(const struct pt_regs *regs, struct task_struct *task, enum call call, long ret) {
        if (ret <= 0)
                return;
        if (call == CALL_READ || call == CALL_READ_PARTS || call == CALL_RECEIVE || call == CALL_RECEIVE_MANY)
                descriptor_taken(call_argument(regs, task, 0));
        else if (call == CALL_SENDFILE || call == CALL_SPLICE || call == CALL_TEE)
                descriptor_moved(call_moves(task, regs, call));
}
