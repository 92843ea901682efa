/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Counts what each process does, while a client of the daemon looks at that: otherwise every place that
 * would count costs one branch.
 *
 * The table is an array of sets: an entry is made in the set that a hash of its process selects. In a full
 * set it takes the place of the one that was counted in longest ago, which is counted as dropped. One that
 * was counted in this very tick stays, and the newcomer is refused: so that a crowd does not empty the table
 * of itself. */

#include "abi/activity.h"
#include "abi/shared.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/mark.bpf.h"

/* Set by sensor/load.c: the number of sets minus one, a power of two minus one. */
const volatile __u32 activity_sets_mask = 2047;

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(map_flags, BPF_F_MMAPABLE);
        __uint(max_entries, 16384); /* (activity_sets_mask + 1) * BW_ACTIVITY_WAYS */
        __type(key, __u32);
        __type(value, struct bw_activity);
} bw_activity SEC(".maps");

enum activity {
        ACTIVITY_OPEN,
        ACTIVITY_GIVEN,
        ACTIVITY_TAKEN,
        ACTIVITY_EGRESS,
};

/* As often two programs may want the same entry of a set, or another thread of the process makes its entry.
 */
#define ACTIVITY_TRIES 4

/* What activity_find() returns beside the number in the set: it is of this process, and not the one to
 * replace. */
#define ACTIVITY_FOUND 0x100

/* Whether anybody looks. */
static __always_inline bool activity_wanted(void) {
        return *(volatile __u32 *)&shared.activity_wanted;
}

static __always_inline struct bw_activity *activity_at(__u32 set, __u32 way) {
        __u32 i = (set & activity_sets_mask) * BW_ACTIVITY_WAYS + (way & (BW_ACTIVITY_WAYS - 1));

        return bpf_map_lookup_elem(&bw_activity, &i);
}

/* The number of the process's entry in the set, with ACTIVITY_FOUND, or of the one that is to be replaced.
 */
__noinline int activity_find(__u32 set, __u32 pid, __u64 start, __u64 classes) {
        __u32 oldest = ~0U, number = 0;

#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_ACTIVITY_WAYS; i++) {
                const struct bw_activity *a = activity_at(set, i);

                if (!a)
                        break;
                if (a->pid == pid && a->start_boot_ns == start && a->classes == classes)
                        return i | ACTIVITY_FOUND;
                __u32 tick = a->pid ? a->tick : 0;
                if (tick < oldest) {
                        oldest = tick;
                        number = i;
                }
        }
        return number;
}

/* Makes that entry of the set the process's. Returns false if another program makes it, or has just made it
 * or counted in it. 5.10 has no compare-and-swap: of two that add, at most one reads 1.
 *
 * The order of what it writes is the compiler's only. x86 keeps it; arm64 need not: there the next program
 * may see `claims` end before the rest is written, and an entry is rarely a mixture of two processes, or a
 * copy that the daemon takes of one. That is a wrong row of top, and a later claim overwrites it: no rule
 * reads these. */
__noinline int activity_claim(__u32 place, __u32 pid, __u64 start, __u64 classes) {
        struct bw_activity *a = activity_at(place / BW_ACTIVITY_WAYS, place);
        bool mine = false;

        if (!a)
                return false;
        ATOMIC_ADD(&a->claims, 1);
        if (*(volatile __u32 *)&a->claims == 1 && (!a->pid || a->tick != tick_now())) {
                if (a->pid)
                        ATOMIC_ADD(&shared.activity_dropped, 1);
                else
                        ATOMIC_ADD(&shared.activity_live, 1);
                *(volatile __u32 *)&a->pid = 0;
                a->start_boot_ns = start;
                a->classes = classes;
                a->opens = a->given = a->taken = a->egress = a->uid = 0;
                __builtin_memset(a->comm, 0, sizeof(a->comm));
                *(volatile __u32 *)&a->tick = tick_now();
                barrier();
                *(volatile __u32 *)&a->pid = pid;
                mine = true;
        }
        ATOMIC_ADD(&a->claims, -1);
        return mine;
}

/* Adds to an entry, and names its process: as it is called now if it is the current one, otherwise as its
 * mark has it, which every other process has that this is called for. */
__noinline int activity_count(__u32 place, __u32 pid, __u32 what) {
        struct bw_activity *a = activity_at(place / BW_ACTIVITY_WAYS, place);
        struct task_struct *task = current_task();

        if (!a)
                return 0;
        if (what == ACTIVITY_OPEN)
                ATOMIC_ADD(&a->opens, 1);
        else if (what == ACTIVITY_GIVEN)
                ATOMIC_ADD(&a->given, 1);
        else if (what == ACTIVITY_TAKEN)
                ATOMIC_ADD(&a->taken, 1);
        else
                ATOMIC_ADD(&a->egress, 1);
        const struct mark *m = mark_get(pid);
        if ((__u32)BPF_CORE_READ(task, tgid) == pid) {
                a->uid = bpf_get_current_uid_gid();
                BPF_CORE_READ_INTO(&a->comm, task, group_leader, comm);
        } else if (m) {
                a->uid = m->owner;
                __builtin_memcpy(a->comm, m->comm, sizeof(a->comm));
        }
        *(volatile __u32 *)&a->tick = tick_now();
        return 0;
}

/* Counts for the process `pid`; classes: of the files that it opened, 0: it need not be any. */
__noinline int activity_add(__u32 pid, __u64 start, __u64 classes, __u32 what) {
        __u32 set = hash_mix(hash_mix(classes, start), pid) >> 8;

        set &= activity_sets_mask;
        for (__u32 i = 0; i < ACTIVITY_TRIES; i++) {
                __u32 number = activity_find(set, pid, start, classes);
                __u32 place = set * BW_ACTIVITY_WAYS + (number & (BW_ACTIVITY_WAYS - 1));

                if (number & ACTIVITY_FOUND || activity_claim(place, pid, start, classes)) {
                        activity_count(place, pid, what);
                        return 0;
                }
        }
        ATOMIC_ADD(&shared.activity_refused, 1);
        return 0;
}

/* The same for the current process. Apart from the stack of its callers, also the next one. */
__noinline int activity_current(__u32 what) {
        struct task_struct *task = current_task();

        return activity_add(BPF_CORE_READ(task, tgid), task_start(task), 0, what);
}

/* The marked process `pid` has handed data over. */
__noinline int activity_given(__u32 pid) {
        const struct mark *m = mark_get(pid);

        return m ? activity_add(pid, m->start_boot_ns, 0, ACTIVITY_GIVEN) : 0;
}

/* The mark of the process or object `from` was passed on to another process. giver: whether the process
 * `from` has handed it over, and the other was not forked. */
__noinline int activity_flow(__u64 from, __u32 to, __u64 to_start, __u32 giver) {
        const struct mark *m = mark_get(from);

        if (giver && m && !(from & BW_HOLDER_OBJECT))
                activity_add(from, m->start_boot_ns, 0, ACTIVITY_GIVEN);
        if (giver || from & BW_HOLDER_OBJECT)
                activity_add(to, to_start, 0, ACTIVITY_TAKEN);
        return 0;
}
