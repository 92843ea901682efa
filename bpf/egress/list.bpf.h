/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Sweeps of the tables, and the listing of all marks that barbwired asks for.
 *
 * A listing is a sweep: every live mark is in the queue of marks, and every object and every remembered file
 * in that of its kind. When it begins, an entry with its number is put at the end of each. Every sweep that
 * takes one from its queue meanwhile writes the record; as queues are first in, first out, all are written
 * when that entry comes out. Processes are in no queue, and are listed by PID from the first to the last.
 * Maps are read by descriptor with CAP_BPF only (before 5.19), which the daemon does not
 * keep. It makes the system calls that sweep, a few records at a time, and stops while the ring has others.
 *
 * All that a listing comes by refers to names, which are noted to be in use, see mark/name.bpf.h. With
 * shared.list_quiet it does nothing else. */

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/shared.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/objects.bpf.h"
#include "mark/share.bpf.h"
#include "process/identity.bpf.h"
#include "process/lifecycle.bpf.h"
#include "egress/record.bpf.h"

/* The number of the listing that is being made, also of one that writes no record; 0: none is. */
static __always_inline __u32 list_any(void) {
        __u32 number = *(volatile __u32 *)&shared.list_number;

        return number == *(volatile __u32 *)&shared.list_begun ? number : 0;
}

/* The same, of one that writes records. */
static __always_inline __u32 list_number(void) {
        return *(volatile __u32 *)&shared.list_quiet ? 0 : list_any();
}

/* Whether a record of a listing may be written: alerts come first, and have at least three quarters of the
 * ring. */
static __always_inline bool list_has_room(void) {
        if (bpf_ringbuf_query(&bw_ring, BPF_RB_AVAIL_DATA) <
                        bpf_ringbuf_query(&bw_ring, BPF_RB_RING_SIZE) / 4)
                return true;
        ATOMIC_ADD(&shared.list_missed, 1);
        return false;
}

/* Writes the account of a user in a cgroup or, with cgroup 0, in all of them, once per listing. */
__noinline int account_list(__u32 table, __u32 uid, __u64 cgroup) {
        const struct charge_key key = { .cgroup = cgroup, .uid = uid, .table = table };
        struct charge *c = bpf_map_lookup_elem(&bw_charges, &key);
        __u32 number = list_number();

        if (!c || c->listed == number)
                return 0;
        c->listed = number;
        struct bw_account *r = list_has_room() ? bpf_ringbuf_reserve(&bw_ring, sizeof(*r), 0) : NULL;
        if (!r)
                return 0;
        stamp(&r->header, BW_KIND_ACCOUNT, sizeof(*r), moment_now());
        r->cgroup_id = cgroup;
        r->live = c->live;
        r->refused = c->refused;
        r->max = share_limit(table, uid, !cgroup);
        r->table = table;
        r->uid = uid;
        r->number = number;
        r->zero = 0;
        __builtin_memcpy(r->cgroup, c->name, sizeof(r->cgroup));
        bpf_ringbuf_submit(r, 0);
        return 0;
}

/* Those of a user and cgroup in every table. */
__noinline int accounts_list(__u32 uid, __u64 cgroup) {
        for (__u32 table = 0; table < BW_SHARE_TABLES; table++) {
                account_list(table, uid, cgroup);
                if (uid)
                        account_list(table, uid, 0);
        }
        return 0;
}

/* Fills the record in a draft with what is not a string. Returns whether anything is within its window. */
__noinline int mark_describe(__u32 draft, __u64 holder) {
        const struct mark *m = mark_get(holder);
        struct draft *d = draft_get(draft);
        struct policy_view v;

        if (!m || !d || !policy_view_get(&v))
                return false;
        struct bw_mark *r = &d->mark;
        record_clear(&r->holder);
        stamp(&r->holder.header, BW_KIND_MARK, sizeof(*r), moment_now());
        __u64 plain = mark_live(v.index, holder, 0);
        r->holder.passed = plain & mark_passed(holder);
        r->holder.bound = (mark_live(v.index, holder, LIVE_BOUND) & ~plain) | r->holder.passed;
        r->holder.classes = plain | r->holder.bound;
        r->holder.generation = v.table->generation;
        r->holder.flags = holder & BW_HOLDER_OBJECT ? BW_CORRELATION_SUSPECT : 0;
        r->until_mono_ns = m->until_mono_ns;
        r->payer = m->uid;
        r->number = list_number();
        struct bw_process *p = &r->holder.process;
        p->uid = m->owner;
        p->cgroup_id = m->cgroup;
        if (!(holder & BW_HOLDER_OBJECT)) {
                p->pid = holder;
                p->start_boot_ns = m->start_boot_ns;
                __builtin_memcpy(p->comm, m->comm, sizeof(p->comm));
        }
        return r->holder.classes != 0;
}

/* Writes the record of a mark, once per listing; of a content only the account. */
__noinline int mark_list(__u64 holder) {
        struct mark *m = mark_get(holder);
        __u32 number = list_number();

        if (m && list_any())
                mark_names_touch(holder);
        if (!m || !number || m->listed == number)
                return 0;
        m->listed = number;
        if (m->charged)
                accounts_list(m->uid, m->cgroup);
        if ((holder & BW_HOLDER_OBJECT && !(holder & BW_HOLDER_SUSPECT)) || !list_has_room())
                return 0;
        __u32 draft = draft_claim(DRAFT_TRIES_ALERT);
        struct draft *d = draft_get(draft);
        if (!d) {
                ATOMIC_ADD(&shared.list_missed, 1);
                return 0;
        }
        if (mark_describe(draft, holder)) {
                const struct process *p = bpf_map_lookup_elem(&bw_processes, &d->record.process.pid);
                name_put(draft, p ? p->exe : 0, RECORD_AT(process.exe));
                record_put_files(draft, holder, ~0U);
                for (__u32 i = 0; i < BW_FILES_MAX; i++)
                        if (i < d->record.n_files)
                                route_put(draft, i);
                record_put_real(draft, holder);
                __u64 size = d->record.header.size;
                if (size > BW_RECORD_MAX || bpf_ringbuf_output(&bw_ring, d, size, 0))
                        ATOMIC_ADD(&shared.list_missed, 1);
        }
        draft_release(draft);
        return 0;
}

/* Writes the accounts that an object is charged to. */
__noinline int object_list(__u64 holder) {
        const struct object_ref *ref = object_get(holder);

        if (ref && list_number())
                accounts_list(ref->uid, ref->cgroup);
        return 0;
}

/* Whether this entry of a queue is the end of a listing, whose number is noted. */
static __always_inline bool list_ends(__u64 holder, __u32 *ret_listed) {
        if (holder & BW_HOLDER_OBJECT || !(holder & BW_HOLDER_SUSPECT))
                return false;
        *ret_listed = holder;
        return true;
}

/* Writes the accounts of the processes that the daemon's sweep looks at next. */
__noinline int lineages_list(void) {
        __u32 first = shared.pid_swept, number = list_any();

        if (!number || shared.lineages_listed == number)
                return 0;
        for (__u32 i = 0; i < SWEEP_PIDS; i++) {
                __u32 pid = first + i;
                const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
                if (p && list_number())
                        accounts_list(p->uid, p->cgroup);
                process_names_touch(pid);
        }
        if (first + SWEEP_PIDS > shared.pid_most)
                shared.lineages_listed = number;
        return 0;
}

/* ---- sweeps ---- */

/* Examines up to n of the oldest entries of a queue. Called from the top of a program, as the stack is short
 * elsewhere. */
__noinline int marks_sweep(__u32 n) {
        __u64 now = bpf_ktime_get_ns(), holder;

        for (__u32 i = 0; i < SWEEP_FULL; i++) {
                holder = 0;
                if (i >= n || bpf_map_pop_elem(&bw_marked, &holder))
                        break;
                if (list_ends(holder, &shared.marks_listed))
                        continue;
                mark_sweep(holder, now);
                mark_list(holder);
        }
        return 0;
}

__noinline int objects_sweep(__u32 n, __u32 full) {
        __u64 now = bpf_ktime_get_ns(), holder;

        for (__u32 i = 0; i < SWEEP_FULL; i++) {
                holder = 0;
                if (i >= n || bpf_map_pop_elem(&bw_object_queue, &holder))
                        break;
                if (list_ends(holder, &shared.objects_listed))
                        continue;
                object_sweep(holder, now, full);
                object_list(holder);
        }
        return 0;
}

/* Begins the listing that barbwired asks for. A queue without room: at the next call. */
static __always_inline void list_begin(void) {
        __u32 number = shared.list_number;
        __u64 end = BW_HOLDER_LISTING(number);

        if (!number || number == shared.list_begun)
                return;
        if (bpf_map_push_elem(&bw_marked, &end, BPF_ANY) ||
                        bpf_map_push_elem(&bw_object_queue, &end, BPF_ANY) ||
                        bpf_map_push_elem(&bw_sensitive_queue, &end, BPF_ANY))
                return;
        shared.pid_swept = 0;
        shared.list_begun = number;
}

/* Whether a system call has more to do than to return: anything is marked, anybody may be suspected, or
 * there is something to sweep or to report. One branch, since every call of the machine pays for it. */
static __always_inline bool tables_ask(void) {
        return *(volatile __u64 *)&shared.counts[BW_COUNT_MARKS_LIVE] |
               *(volatile __u64 *)&shared.counts[BW_COUNT_OBJECTS_LIVE] |
               *(volatile __u64 *)&shared.sweep_pid /* and sweep_due */ |
               *(volatile __u64 *)&shared.suspects /* and share_full */;
}
