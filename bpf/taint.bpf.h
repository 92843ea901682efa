/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The mark of a process: make, inherit, judge, expire, forget. Every entry carries its process's start time: a PID alone is
 * never trusted. */

#include "path.bpf.h"

/* Bit n of a word, as a value of its own: testing the word itself would teach the verifier one of its bits, and it
 * would follow every combination. */
static __always_inline bool word_has(__u64 word, __u32 n) {
        __u64 bit = word >> n & 1;

        barrier_var(bit);
        return bit;
}

static __always_inline __u32 tick_now(void) {
        __u32 tick = bpf_ktime_get_ns() >> TICK_SHIFT;
        return tick ?: 1;
}

static __always_inline __u64 task_start(struct task_struct *task) {
        return BPF_CORE_READ(task, group_leader, start_boottime);
}

static __always_inline void mark_forget(__u32 pid) {
        if (bpf_map_delete_elem(&bw_marks, &pid) == 0)
                __sync_fetch_and_add(&counters[BW_COUNT_MARKS_LIVE], -1);
}

/* The mark of the process `pid` that started at `start`, or NULL. One left behind by an earlier owner of the PID is
 * removed. One that has no owner yet is being made by another thread of this process. */
static __always_inline struct mark *mark_find(__u32 pid, __u64 start) {
        struct mark *m = bpf_map_lookup_elem(&bw_marks, &pid);

        if (!m)
                return NULL;
        if (!m->start_boot_ns)
                m->start_boot_ns = start;
        if (m->start_boot_ns != start) {
                mark_forget(pid);
                return NULL;
        }
        return m;
}

/* Places looked at when there is no room, one sweep each time: a table full of expired marks is free again after some
 * hundred opens. */
#define SWEEP_PLACES 64

__u32 sweep_hand; /* shared without order: two sweepers may look at the same places */

/* Removes marks all of whose windows have passed. Their processes live on, so nothing else would. */
__noinline int marks_sweep(void) {
        __u64 now = bpf_ktime_get_ns();
        __u32 hand = *(volatile __u32 *)&sweep_hand;

        *(volatile __u32 *)&sweep_hand = hand + SWEEP_PLACES;
        for (__u32 i = 0; i < SWEEP_PLACES; i++) {
                __u32 place = (hand + i) % MARKED_PIDS;
                __u32 *pid = bpf_map_lookup_elem(&bw_marked_pids, &place);
                if (!pid || !*pid)
                        continue;
                __u32 owner = *pid;
                struct mark *m = bpf_map_lookup_elem(&bw_marks, &owner);
                if (m && now < *(volatile __u64 *)&m->until_mono_ns)
                        continue;
                *pid = 0;
                if (m && m->until_mono_ns)
                        mark_forget(owner);
        }
        return 0;
}

/* Adds an entry for a process that has none, as a copy of *from. NULL, and counted, when the table is at its limit. */
static __always_inline struct mark *mark_add(__u32 pid, const struct mark *from) {
        __u64 live = *(volatile __u64 *)&counters[BW_COUNT_MARKS_LIVE];

        if (live >= marks_limit) {
                marks_sweep();
                live = *(volatile __u64 *)&counters[BW_COUNT_MARKS_LIVE];
        }
        if (live >= marks_limit) {
                count_and_tell(BW_LOSS_MARK_REFUSED);
                return NULL;
        }
        if (bpf_map_update_elem(&bw_marks, &pid, from, BPF_NOEXIST) == 0) {
                count(BW_COUNT_MARKS_MADE);
                if (live + 1 >= marks_pressure)
                        count_and_tell(BW_COUNT_MARKS_LIVE); /* counts the new one, too */
                else
                        count(BW_COUNT_MARKS_LIVE);
                __u32 place = pid % MARKED_PIDS;
                __u32 *marked = bpf_map_lookup_elem(&bw_marked_pids, &place);
                if (marked)
                        *marked = pid;
        }
        struct mark *m = bpf_map_lookup_elem(&bw_marks, &pid);
        if (!m)
                count_and_tell(BW_LOSS_MARK_REFUSED);
        return m;
}

/* Classes within their window, of one of the two kinds. Windows are rounded up to a tick; a touch by another thread may
 * be younger than `now`. Without branches: the verifier would follow each of 2^64 ways through them. */
static __always_inline __u64 mark_live(const struct bw_table *t, const __u32 *last, __u32 now) {
        __u64 live = 0;

        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                __u64 window = t->window_ns[c], touched = last[c];
                __s64 age = (__s32)(now - last[c]);
                age &= ~(age >> 63);
                __u64 over = (window >> TICK_SHIFT) + 1 - age; /* bit 63: longer ago than that */
                live |= ((-window & -touched & ~over) >> 63) << c;
        }
        return live;
}

/* What was touched under a rule with Destination= counts as touched plainly: for a child, and after exec, the rule
 * does not hold. */
static __always_inline void mark_unbind(struct mark *m) {
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                __u32 bound = m->bound_last[c];
                if (bound && (!m->last[c] || (__s32)(bound - m->last[c]) > 0))
                        m->last[c] = bound;
                m->bound_last[c] = 0;
        }
        __builtin_memset(&m->rules, 0, sizeof(m->rules));
}

/* A forked child holds what its parent holds, if any of it is still within its window. */
static __always_inline void mark_inherit(__u32 parent, __u64 parent_start, __u32 child, __u64 child_start) {
        struct mark *from = mark_find(parent, parent_start);
        struct policy_view v;

        if (!from || !policy_view_get(&v))
                return;

        __u32 now = tick_now();
        bool live = mark_live(v.table, from->last, now) || mark_live(v.table, from->bound_last, now);
        if (!live && policy_view_held(&v))
                return;

        mark_forget(child); /* an earlier owner of the PID, whose exit was not seen */
        struct mark *m = mark_add(child, from);
        if (!m)
                return;
        m->start_boot_ns = child_start;
        m->reported = 0;
        mark_unbind(m);
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                m->files[i].via = BW_VIA_FORK;
                if (m->files[i].hops < 255)
                        m->files[i].hops++;
        }
}

/* The longest window of these classes. A function of its own also because kernels before 5.11 or so take a loop that
 * begins right behind a call for an endless one (kernel/bpf/verifier.c check_cfg()). */
__noinline __u64 longest_window(__u32 table, __u64 classes) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u64 longest = 0;

        if (!t)
                return 0;
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++)
                if (word_has(classes, c) && t->window_ns[c] > longest)
                        longest = t->window_ns[c];
        return longest;
}

/* Where the next file goes: the same file's place, or a free one, or the next in turn. Free ones are looked for from a
 * place that follows from the name, so that two threads seldom choose the same. */
static __always_inline struct touched_file *mark_place(struct mark *m, __u64 path, __u32 pid) {
        __u32 first = path >> 12;

        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                struct touched_file *f = &m->files[(first + i) % BW_FILES_MAX];
                if (f->path == path && f->pid == pid)
                        return f;
        }
        m->n_files++;
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                struct touched_file *f = &m->files[(first + i) % BW_FILES_MAX];
                if (!f->mono_ns)
                        return f;
        }
        return &m->files[m->n_files % BW_FILES_MAX];
}

/* What an open at `mono_ns` adds to the mark of the process that made it. plain: classes no rule allows; bound: classes
 * that only `rules` allow, each to its destinations; window_ns: the longest of their windows. */
static __always_inline void mark_touch(struct mark *m,
                                       __u64 mono_ns,
                                       __u64 plain,
                                       __u64 bound,
                                       __u64 window_ns,
                                       const struct bw_bits *rules) {
        __u32 now = tick_now();
        __u64 until = mono_ns + window_ns + (1ULL << (TICK_SHIFT + 1));

        if (m->until_mono_ns < until)
                m->until_mono_ns = until;
        bits_or(&m->rules, rules);
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                if (word_has(plain, c))
                        m->last[c] = now;
                if (word_has(bound, c))
                        m->bound_last[c] = now;
        }
}
