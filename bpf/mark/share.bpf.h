/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Shares of the tables: an entry is charged to a user, and within the user's share to a cgroup, so that a
 * flood costs the flooder its own tracking and nobody else's. uid 0 runs the services of a machine: each of
 * its cgroups has a share of its own.
 *
 * A share of the marks counts entries, not processes: a process that writes to a pipe, socket or file takes
 * a second one, for the content, and a third if it reads another sensitive file before it writes again.
 * Contents are as large as marks and in the same map; counted apart, the one could not use what the other
 * leaves, and processes would be refused in a table that is half empty. So a share is worth between half of
 * it and all of it in processes: with 4 GiB a cgroup has 921 entries, which is 460 processes that all write.
 */

#include "abi/event.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"

/* User namespaces can be nested this deep (include/linux/user_namespace.h: level is below 33). */
#define USER_NAMESPACES_MAX 33

/* A full share is reported at most this often. */
#define SHARE_REPORT_NS 60000000000ULL

/* The uid that a task's entries are charged to: in a user namespace, the owner of the outermost one, as a
 * user has thousands of uids inside (subuid(5)). */
__noinline __u32 task_payer(__u64 task_address) {
        const struct task_struct *task = (const struct task_struct *)task_address;
        const struct user_namespace *ns = BPF_CORE_READ(task, cred, user_ns);
        __u32 uid = BPF_CORE_READ(task, cred, uid.val);

        for (__u32 i = 0; i < USER_NAMESPACES_MAX; i++) {
                const struct user_namespace *parent = BPF_CORE_READ(ns, parent);
                if (!parent)
                        break;
                uid = BPF_CORE_READ(ns, owner.val);
                ns = parent;
        }
        return uid;
}

static __always_inline __u64 task_cgroup(__u64 task_address) {
        const struct task_struct *task = (const struct task_struct *)task_address;

        return BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
}

/* The entries that a user may have in one cgroup or, with of_all, in all of them: of uid 0 each cgroup has a
 * share of its own, of others half of the user's. */
static __always_inline __u32 share_limit(__u32 table, __u32 uid, bool of_all) {
        __u32 limit = user_share[table % BW_SHARE_SLOTS];

        return uid && !of_all ? limit / 2 : limit;
}

/* An account of a user that is not of a table: its `live` are the user's accounts of cgroups. So many, as a
 * user may make as many cgroups as there is memory: 16 such users fill the table of accounts. */
#define SHARE_OF_ACCOUNTS 0xff
#define ACCOUNTS_OF_USER 4096

enum share {
        SHARE_FULL,
        SHARE_CHARGED,
        SHARE_UNOPENED, /* there is no account */
};

/* Opens an account. Returns SHARE_CHARGED for a cgroup that its user has too many others for: there the
 * user's own share alone counts. */
__noinline int share_open(__u32 table, __u32 uid, __u64 cgroup) {
        struct charge_key key = { .uid = uid, .table = SHARE_OF_ACCOUNTS };
        struct charge *accounts = NULL;
        __u32 zero = 0;
        const void *empty = bpf_map_lookup_elem(&bw_zero, &zero);

        if (!empty)
                return SHARE_UNOPENED;
        if (uid && cgroup) {
                /* May fail: then there is no account, no entry is given, and that is counted. */
                bpf_map_update_elem(&bw_charges, &key, empty, BPF_NOEXIST);
                accounts = bpf_map_lookup_elem(&bw_charges, &key);
                if (!accounts)
                        return SHARE_UNOPENED;
                if (*(volatile __s64 *)&accounts->live >= ACCOUNTS_OF_USER)
                        return SHARE_CHARGED;
        }
        key.cgroup = cgroup;
        key.table = table;
        if (MAP_INSERT(&bw_charges, &key, empty) == 0 && accounts)
                ATOMIC_ADD(&accounts->live, 1);
        return SHARE_UNOPENED;
}

/* Adds `n` to the entries of a user or cgroup if that leaves them within `limit`. Kernel 5.10 has no
 * fetch-and-add: the value is read again after XADD. Two CPUs at the limit may both be refused; it is never
 * exceeded. */
__noinline int share_add_open(__u32 table, __u32 uid, __u64 cgroup, __u32 limit, __u32 n) {
        struct charge_key key = { .cgroup = cgroup, .uid = uid, .table = table };
        struct charge *c = bpf_map_lookup_elem(&bw_charges, &key);

        if (!c)
                return SHARE_UNOPENED;
        ATOMIC_ADD(&c->live, (__s64)n);
        if (*(volatile __s64 *)&c->live <= (__s64)limit)
                return SHARE_CHARGED;
        ATOMIC_ADD(&c->live, -(__s64)n);
        return SHARE_FULL;
}

static __always_inline bool share_add(__u32 table, __u32 uid, __u64 cgroup, __u32 limit, __u32 n) {
        int r = share_add_open(table, uid, cgroup, limit, n);

        if (r == SHARE_UNOPENED) {
                r = share_open(table, uid, cgroup);
                if (r == SHARE_UNOPENED)
                        r = share_add_open(table, uid, cgroup, limit, n);
        }
        return r == SHARE_CHARGED;
}

/* Counts an entry that the share of a user or cgroup has no room for, or that no account can be charged for.
 * The next system call of the process of `task` reports a full share. */
__noinline int share_refuse(__u32 table, __u32 uid, __u64 cgroup, __u64 task) {
        struct charge_key key = { .cgroup = cgroup, .uid = uid, .table = table };
        struct charge *c = bpf_map_lookup_elem(&bw_charges, &key);

        if (c)
                ATOMIC_ADD(&c->refused, 1);
        else
                report_loss(BW_LOSS_ACCOUNT_REFUSED);
        shared.share_full = BPF_CORE_READ((struct task_struct *)task, tgid);
        return 0;
}

/* Stores the name of the cgroup of `task` in the account of user `uid` there, if it has none. With one word
 * of stack for the way to the name. */
__noinline int share_name(__u32 table, __u32 uid, __u64 task) {
        struct charge_key key = { .uid = uid, .table = table };
        __u64 at = task;

        bpf_core_read(&at, sizeof(at), &((struct task_struct *)at)->cgroups);
        bpf_core_read(&at, sizeof(at), &((struct css_set *)at)->dfl_cgrp);
        bpf_core_read(&at, sizeof(at), &((struct cgroup *)at)->kn);
        bpf_core_read(&key.cgroup, sizeof(key.cgroup), &((struct kernfs_node *)at)->id);
        struct charge *c = bpf_map_lookup_elem(&bw_charges, &key);
        if (!c || c->name[0])
                return 0;
        bpf_core_read(&at, sizeof(at), &((struct kernfs_node *)at)->name);
        bpf_probe_read_kernel_str(c->name, sizeof(c->name), (void *)at);
        return 0;
}

/* Removes the account with its last entry. If another CPU charges it at the same moment, that entry is
 * charged to no account, and finds none when it ends: the error lasts no longer than the entry. */
__noinline int share_subtract(__u32 table, __u32 uid, __u64 cgroup, __u32 n) {
        struct charge_key key = { .cgroup = cgroup, .uid = uid, .table = table };
        struct charge *c = bpf_map_lookup_elem(&bw_charges, &key);

        if (!c)
                return 0;
        ATOMIC_ADD(&c->live, -(__s64)n);
        if (*(volatile __s64 *)&c->live > 0 || bpf_map_delete_elem(&bw_charges, &key) || !uid || !cgroup)
                return 0;
        key.cgroup = 0;
        key.table = SHARE_OF_ACCOUNTS;
        c = bpf_map_lookup_elem(&bw_charges, &key);
        if (!c)
                return 0;
        ATOMIC_ADD(&c->live, -1);
        if (*(volatile __s64 *)&c->live <= 0)
                bpf_map_delete_elem(&bw_charges, &key);
        return 0;
}

static __always_inline void share_release_all(__u32 table, __u32 uid, __u64 cgroup, __u32 n) {
        if (uid)
                share_subtract(table, uid, 0, n);
        share_subtract(table, uid, cgroup, n);
}

static __always_inline void share_release(__u32 table, __u32 uid, __u64 cgroup) {
        share_release_all(table, uid, cgroup, 1);
}

/* Charges `n` more entries to a user in a cgroup. Returns false if the share of either is full, which the
 * next system call of the process of `task` reports. */
static __always_inline bool share_charge(__u32 table, __u32 uid, __u64 cgroup, __u32 n, __u64 task) {
        if (share_add(table, uid, cgroup, share_limit(table, uid, false), n)) {
                share_name(table, uid, task);
                if (!uid || share_add(table, uid, 0, share_limit(table, uid, true), n))
                        return true;
                share_subtract(table, uid, cgroup, n);
                cgroup = 0;
        }
        share_refuse(table, uid, cgroup, task);
        return false;
}

/* The same for the current process. */
__noinline int share_take_all(__u32 table, __u32 uid, __u64 cgroup, __u32 n) {
        return share_charge(table, uid, cgroup, n, bpf_get_current_task());
}

/* Apart, to save stack. */
__noinline __u64 task_cgroup_apart(__u64 task) {
        return task_cgroup(task);
}

/* Charges one more entry to `task`. Returns false if the share of its user or its cgroup is full. */
__noinline int share_take(__u32 table, __u64 task) {
        return share_charge(table, task_payer(task), task_cgroup_apart(task), 1, task);
}

/* Reports a full share of `task`: that of its cgroup or, with of_all, that of its user. */
__noinline int share_report(__u32 table, __u64 task_address, __u32 of_all) {
        struct task_struct *task = (struct task_struct *)task_address;
        struct charge_key key = { .cgroup = of_all ? 0 : task_cgroup(task_address), .table = table };
        __u64 now = bpf_ktime_get_ns();

        key.uid = task_payer(task_address);
        struct charge *c = bpf_map_lookup_elem(&bw_charges, &key);
        if (!c || c->refused == c->reported || (c->reported_ns && now - c->reported_ns < SHARE_REPORT_NS))
                return 0;
        c->reported_ns = now;
        c->reported = c->refused;
        struct bw_share *r = bpf_ringbuf_reserve(&bw_ring, sizeof(*r), 0);
        if (!r) {
                count_loss(BW_LOSS_RING_FULL);
                return 0;
        }
        stamp(&r->header, BW_KIND_SHARE, sizeof(*r), moment_now());
        r->cgroup_id = key.cgroup;
        r->live = c->live;
        r->refused = c->refused;
        r->table = table;
        r->uid = key.uid;
        r->pid = BPF_CORE_READ(task, tgid);
        r->zero = 0;
        BPF_CORE_READ_INTO(&r->comm, task, group_leader, comm);
        __builtin_memset(r->cgroup, 0, sizeof(r->cgroup));
        bpf_probe_read_kernel_str(
                        r->cgroup, sizeof(r->cgroup), BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, name));
        bpf_ringbuf_submit(r, 0);
        return 0;
}

/* The same for all shares of the current process, if an entry was refused to it. Called from the top of a
 * program, as the stack is short elsewhere. */
static __always_inline void shares_report(void) {
        __u64 task = bpf_get_current_task();

        if (!shared.share_full || shared.share_full != bpf_get_current_pid_tgid() >> 32)
                return;
        shared.share_full = 0;
        for (__u32 table = 0; table < BW_SHARE_TABLES; table++) {
                share_report(table, task, false);
                share_report(table, task, true);
        }
}
