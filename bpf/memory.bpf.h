/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What goes through memory goes without a call: no hook sees it. So it is remembered which processes share memory, or a
 * table of descriptors, and what one of them learns counts as learnt by all, at once. That a mapping was removed is not
 * heard of: it counts until the process ends or executes another program. */

#include "identity.bpf.h"
#include "object.bpf.h"

/* Shared objects known per process, and processes per object: what comes later takes the place of one before. Servers and
 * interpreters have a few; of a browser, which has hundreds, those of its latest tabs. Where a mark meets one that took another's
 * place, that is counted; not where it is a program's own, under a rule with Destination=. */
#define SHARES_MAX 16
#define SHARERS_MAX 16

struct share_key {
        __u32 pid;
        __u32 place;
};

struct share {
        __u64 start_boot_ns; /* of the process */
        __u64 holder, is;    /* the object */
        __u32 what;          /* that flows there, see mark_flow(); 0: nothing, it only reads */
        __u32 instead;       /* 1: it took another's place */
};

#define SHARES_READ 0
#define SHARES_FILE BW_VIA_MEMORY /* a file that it opened itself */
#define SHARES_ALL (BW_VIA_MEMORY | FLOW_BOUND)
#define SHARES_DESCRIPTORS (BW_VIA_RECEIVED | FLOW_BOUND)

/* LRU: processes that share memory and are quiet for long are forgotten. A desktop has some hundreds. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, struct share_key);
        __type(value, struct share);
} bw_shares SEC(".maps");

struct sharer_key {
        __u64 holder;
        __u64 place;
};

struct sharer {
        __u64 start_boot_ns;
        __u64 image; /* what it executed then, see process_image() */
        __u32 pid;
        __u32 instead; /* the same */
};

struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, struct sharer_key);
        __type(value, struct sharer);
} bw_sharers SEC(".maps");

/* Does it live, and has executed nothing else since? */
static __always_inline bool sharer_lives(const struct sharer *s) {
        const struct process *p = process_find(s->pid, s->start_boot_ns);

        return p && p->image == s->image;
}

/* Process `pid` shares an object from now on. */
__noinline int memory_share(__u32 pid, __u64 start, __u64 holder, __u64 is, __u32 what) {
        struct share_key key = { .pid = pid, .place = SHARES_MAX };
        struct sharer_key at = { .holder = holder, .place = SHARERS_MAX };
        struct share share = { .start_boot_ns = start, .holder = holder, .is = is, .what = what };
        const struct process *p = process_find(pid, start);
        struct sharer sharer = { .start_boot_ns = start, .image = p ? p->image : 0, .pid = pid };

        bool known = false;

        for (__u32 i = 0; i < SHARES_MAX; i++) {
                key.place = i;
                const struct share *s = bpf_map_lookup_elem(&bw_shares, &key);
                known = s && s->start_boot_ns == start && s->holder == holder;
                if (known && s->what >= what)
                        return 0;
                if (known || !s || s->start_boot_ns != start)
                        break;
                key.place = SHARES_MAX;
        }
        if (key.place == SHARES_MAX) {
                key.place = holder % SHARES_MAX;
                share.instead = 1;
        }
        bpf_map_update_elem(&bw_shares, &key, &share, BPF_ANY);
        if (known)
                return 0;

        for (__u32 i = 0; i < SHARERS_MAX; i++) {
                at.place = i;
                const struct sharer *s = bpf_map_lookup_elem(&bw_sharers, &at);
                if (!s || !sharer_lives(s))
                        break;
                at.place = SHARERS_MAX;
        }
        if (at.place == SHARERS_MAX) {
                at.place = pid % SHARERS_MAX;
                sharer.instead = 1;
        }
        bpf_map_update_elem(&bw_sharers, &at, &sharer, BPF_ANY);
        return 0;
}

/* The same as current_carries() of another process, as far as was found out when it executed its program. */
__noinline __u64 process_carries(__u32 table, __u32 pid) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!t || !p || p->object != FINDING_GOOD || p->generation != t->generation || process_is_void(p))
                return 0;
        return rules_classes(table, &p->rules, RULES_CARRIER);
}

/* An object that holds something has it from one sharer: the others hold it, too. */
__noinline int memory_reach(__u64 holder, __u32 from) {
        struct policy_view v;
        __u32 instead = 0;

        if (!policy_view_get(&v))
                return 0;
        for (__u32 i = 0; i < SHARERS_MAX; i++) {
                struct sharer_key at = { .holder = holder, .place = i };
                const struct sharer *s = bpf_map_lookup_elem(&bw_sharers, &at);
                if (!s)
                        break;
                instead |= s->instead;
                __u32 pid = s->pid;
                __u64 start = s->start_boot_ns;
                if (pid == from || !sharer_lives(s))
                        continue;
                mark_flow(holder, pid, start, BW_VIA_MEMORY, process_carries(v.index, pid));
        }
        if (instead)
                count_and_tell(BW_LOSS_FLOW_UNKNOWN);
        return 0;
}

/* The mark of process `pid` was made or has grown: who shares memory with it holds that, too. `task` is the process. */
__noinline int memory_spread(__u32 pid, __u64 start, __u64 task) {
        struct policy_view v;
        __u32 instead = 0;

        for (__u32 i = 0; i < SHARES_MAX; i++) {
                const struct share_key key = { .pid = pid, .place = i };
                const struct share *s = bpf_map_lookup_elem(&bw_shares, &key);
                if (!s || s->start_boot_ns != start)
                        break;
                __u64 holder = s->holder, is = s->is;
                instead |= s->instead;
                if (s->what && mark_flow(pid, holder, is, s->what, task) == FLOW_DONE)
                        memory_reach(holder, pid);
        }
        if (instead && policy_view_get(&v) && mark_live(v.index, pid, 0))
                count_and_tell(BW_LOSS_FLOW_UNKNOWN);
        return 0;
}

/* A child has the mappings of its parent, and with CLONE_VM or CLONE_FILES more than copies. A child of vfork(2) borrows its
 * parent's memory until it executes a program: what it opens for that is not its parent's. */
__noinline int memory_inherit(__u32 pid, __u64 start, __u64 child_address) {
        struct task_struct *child = (struct task_struct *)child_address, *parent = current_task();
        __u32 parent_pid = BPF_CORE_READ(parent, tgid);
        __u64 parent_start = task_start(parent);
        struct object o;

        for (__u32 i = 0; i < SHARES_MAX; i++) {
                const struct share_key key = { .pid = parent_pid, .place = i };
                const struct share *s = bpf_map_lookup_elem(&bw_shares, &key);
                if (!s || s->start_boot_ns != parent_start)
                        break;
                memory_share(pid, start, s->holder, s->is, s->what);
        }
        if (BPF_CORE_READ(child, vfork_done))
                return 0;
        const void *mm = BPF_CORE_READ(child, mm), *files = BPF_CORE_READ(child, files);
        if (mm && mm == BPF_CORE_READ(parent, mm)) {
                object_set(&o, BW_VIA_MEMORY, (__u64)mm, 0, 0);
                memory_share(parent_pid, parent_start, o.holder, o.is, SHARES_ALL);
                memory_share(pid, start, o.holder, o.is, SHARES_ALL);
        }
        if (files && files == BPF_CORE_READ(parent, files)) {
                object_set(&o, BW_VIA_MEMORY, (__u64)files, 0, 0);
                memory_share(parent_pid, parent_start, o.holder, o.is, SHARES_DESCRIPTORS);
                memory_share(pid, start, o.holder, o.is, SHARES_DESCRIPTORS);
        }
        return 0;
}

/* The process ends, or executes another program: its mappings are gone. */
static __always_inline void memory_leave(__u32 pid) {
        for (__u32 i = 0; i < SHARES_MAX; i++) {
                const struct share_key key = { .pid = pid, .place = i };
                if (bpf_map_delete_elem(&bw_shares, &key))
                        break;
        }
}

/* The current process has mapped an object that others may have mapped, too. */
static __always_inline void on_memory_shared(const struct object *o, __u32 what) {
        struct task_struct *task = current_task();
        __u32 pid = BPF_CORE_READ(task, tgid);
        __u64 start = task_start(task);

        memory_share(pid, start, o->holder, o->is, what);
        if (what && anything_is_marked(BW_COUNT_MARKS_LIVE) && mark_get(pid))
                memory_spread(pid, start, (__u64)task);
        if (anything_is_marked(BW_COUNT_OBJECTS_LIVE) && mark_find(o->holder, o->is))
                memory_reach(o->holder, 0);
}
