/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The secret moves on: what a marked process writes to is marked before the bytes are there; what reads from that is marked
 * before it has seen them. Terminals and the files of the kernel are no objects: everybody's bytes meet there. */

#include "egress.bpf.h"
#include "syscalls.bpf.h"

/* The current process gets an entry that is judged by the policy in force, if it has none. Returns 0, or 1 when the
 * policy changed meanwhile. */
static __always_inline int process_ready(struct task_struct *task, const struct policy_view *v) {
        __u32 pid = BPF_CORE_READ(task, tgid);

        process_learn_current();
        struct process *p = process_find(pid, task_start(task));
        if (!p || p->generation == v->table->generation)
                return 0;
        ancestors_judge(pid);
        return process_judge(pid, false);
}

/* ---- from a process to an object, and from there to another ---- */

/* Is the current process, by what it executes, one that is not marked by what it reads? */
static __always_inline bool current_is_carrier(const struct policy_view *v, struct process *p) {
        struct bw_bits rules = {};
        __u64 carries = 0;

        if (!p)
                return false;
        process_rules(v, current_task(), p, &rules);
        for (__u32 i = 0; i < BW_RULES_MAX; i++)
                carries |= -(rules.word[i / 64] >> i % 64 & 1) & v->table->rules[i].flags;
        return carries & BW_RULE_CARRIER;
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

        return dentry ? path_match(table, BW_AUTOMATON_CARRIER, 0, mnt, dentry) : 0;
}

/* Who is behind a local socket reaches the network for whoever asks. */
static __always_inline void on_local_egress(const struct path *path) {
        const struct bw_destination d = { .family = AF_UNIX, .act = BW_ACT_SEND | ACT_GOES_ON };
        __u64 mnt = (__u64)BPF_CORE_READ(path, mnt), dentry = (__u64)BPF_CORE_READ(path, dentry);

        correlate(name_learn(mnt, dentry, file_salt(BPF_CORE_READ(path, dentry, d_inode)), true), 0, DESTINATION_PACK(&d));
}

/* The current process, which is marked, is about to write to this file. What it does under a rule with Destination= to
 * files that it opened and sockets that it connected is its own business; what it inherited, such as its standard output,
 * belongs to whoever started it. */
__noinline int file_given(__u64 file_address) {
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
                const struct unix_sock *peer = own ? (const struct unix_sock *)BPF_CORE_READ(own, peer) : NULL;
                if (!peer)
                        return 0;
                object_of_sock(&o, (const struct sock *)peer);
                to_path = &peer->path;
                own_path = &own->path;
        } else {
                object_of_inode(&o, inode);
        }
        key.to = o.holder;
        key.to_is = o.is;
        if (!o.holder || flow_is_done(&key, source))
                return 0;

        __u32 what = o.via;
        if (BPF_CORE_READ(file, f_cred) != BPF_CORE_READ(task, cred))
                what |= FLOW_BOUND | FLOW_PRINTED;
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
                if (carrier & BW_CARRIER_EGRESS)
                        on_local_egress(to_path);
                if (carrier)
                        count(BW_COUNT_FLOWS_STOPPED);
                else
                        r = mark_flow(key.from, key.to, key.to_is, what, (__u64)task);
                if (r == FLOW_AGAIN)
                        continue;
                if (r != FLOW_REFUSED)
                        flow_set_done(&key, changes, generation, r == FLOW_NOTHING);
                return 0;
        }
        count_and_tell(BW_LOSS_POLICY_BUSY);
        return 0;
}

/* The current process has read from this file, or may have: it maps it, or has opened it for reading. */
__noinline int file_taken(__u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        struct task_struct *task = current_task();
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        struct flow_key key = { .to = BPF_CORE_READ(task, tgid) };
        __u64 start = task_start(task);
        struct policy_view v;
        struct object o = {};

        if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK) {
                const struct sock *sk = file_unix_sock(inode);
                if (sk)
                        object_of_sock(&o, sk);
        } else {
                object_of_inode(&o, inode);
        }
        const struct mark *source = o.holder ? mark_find(o.holder, o.is) : NULL;
        if (!source)
                return 0;
        key.from = o.holder;
        key.to_is = start ^ process_image(task);
        if (flow_is_done(&key, source))
                return 0;

        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                __u32 changes = source->changes, generation;
                int r = FLOW_NOTHING;

                if (!policy_view_get(&v))
                        return 0;
                generation = v.table->generation;
                if (process_ready(task, &v))
                        continue;
                bool stopped = current_is_carrier(&v, process_find(key.to, start));
                if (!policy_view_held(&v))
                        continue;
                if (stopped)
                        count(BW_COUNT_FLOWS_STOPPED);
                else
                        r = mark_flow(key.from, key.to, start, o.via, 0);
                if (r == FLOW_AGAIN)
                        continue;
                if (r == FLOW_DONE) {
                        count(BW_COUNT_FLOWS);
                        memory_spread(key.to, start, (__u64)task);
                }
                if (r != FLOW_REFUSED)
                        flow_set_done(&key, changes, generation, r == FLOW_NOTHING);
                return 0;
        }
        count_and_tell(BW_LOSS_POLICY_BUSY);
        return 0;
}

/* ---- sensor "tracepoint": calls ---- */

static __always_inline void descriptor_given(struct task_struct *task, const struct pt_regs *regs, __u32 argument) {
        const struct file *file = descriptor_file(task, (int)call_argument(regs, task, argument));

        if (!file || !current_is_marked())
                return;
        on_socket_written(file);
        on_device_written(file);
        file_given((__u64)file);
}

static __always_inline void descriptor_taken(struct task_struct *task, const struct pt_regs *regs, __u32 argument) {
        const struct file *file = NULL;

        if (*(volatile __u64 *)&shared.counters[BW_COUNT_OBJECTS_LIVE])
                file = descriptor_file(task, (int)call_argument(regs, task, argument));
        if (file)
                file_taken((__u64)file);
}

/* From one descriptor to another: what comes from the one is in the process's hands, too. */
static __always_inline void call_moved(struct task_struct *task, const struct pt_regs *regs, enum call call) {
        descriptor_taken(task, regs, call == CALL_SENDFILE ? 1 : 0);
        descriptor_given(task, regs, call == CALL_SENDFILE ? 0 : call == CALL_TEE ? 1 : 2);
}

/* A system call begins. */
static __always_inline void on_call(const struct pt_regs *regs) {
        struct task_struct *task = current_task();

        if (!(*(volatile __u64 *)&shared.counters[BW_COUNT_MARKS_LIVE] |
              *(volatile __u64 *)&shared.counters[BW_COUNT_OBJECTS_LIVE]))
                return;
        enum call call = call_of(regs, task);
        if (call == CALL_WRITE)
                descriptor_given(task, regs, 0);
        else if (call == CALL_SENDFILE || call == CALL_SPLICE || call == CALL_TEE)
                call_moved(task, regs, call);
}

/* It ends. What it read came while it waited, perhaps. */
static __always_inline void on_call_took(const struct pt_regs *regs, struct task_struct *task, enum call call, long ret) {
        if (ret <= 0)
                return;
        if (call == CALL_READ || call == CALL_RECEIVE || call == CALL_RECEIVE_MANY)
                descriptor_taken(task, regs, 0);
        else if (call == CALL_SENDFILE || call == CALL_SPLICE || call == CALL_TEE)
                call_moved(task, regs, call);
}
