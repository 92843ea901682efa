/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The mark of a process: make, inherit, judge, expire, forget. Every entry carries its process's start time: a
 * PID alone is never trusted. */

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
                __sync_fetch_and_add(&shared.counters[BW_COUNT_MARKS_LIVE], -1);
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

/* Entries of the queue looked at each time a mark is made, and once more when there is no room. */
#define SWEEP_ALWAYS 4 /* more than the one that is added */
#define SWEEP_FULL 64

static __always_inline void marked_push(__u32 pid) {
        __u32 place = (*(volatile __u32 *)&shared.marked_tail)++ % MARKED_PIDS;
        __u32 *to = bpf_map_lookup_elem(&bw_marked_pids, &place);

        if (to)
                *to = pid;
}

/* Removes marks all of whose windows have passed: their processes live on, so nothing else would. Takes up to n entries
 * from the queue and puts the ones that are still needed back. A process that is being marked again at this moment
 * sees that its mark is gone, and makes another (file_touched()). */
__noinline int marks_sweep(__u32 n) {
        __u64 now = bpf_ktime_get_ns();

        for (__u32 i = 0; i < SWEEP_FULL; i++) {
                __u32 head = *(volatile __u32 *)&shared.marked_head;
                if (i >= n || head == *(volatile __u32 *)&shared.marked_tail)
                        break;
                *(volatile __u32 *)&shared.marked_head = head + 1;

                __u32 place = head % MARKED_PIDS;
                __u32 *from = bpf_map_lookup_elem(&bw_marked_pids, &place);
                if (!from)
                        break;
                __u32 pid = *from;
                struct mark *m = bpf_map_lookup_elem(&bw_marks, &pid);
                if (!m)
                        continue; /* the process has ended */
                __u64 until = *(volatile __u64 *)&m->until_mono_ns;
                if (until && now > until) /* 0: being made */
                        mark_forget(pid);
                else
                        marked_push(pid);
        }
        return 0;
}

/* Adds an entry for a process that has none, as a copy of *from. NULL, and counted, when the table is at its limit. */
static __always_inline struct mark *mark_add(__u32 pid, const struct mark *from) {
        __u64 live = *(volatile __u64 *)&shared.counters[BW_COUNT_MARKS_LIVE];

        marks_sweep(live >= marks_limit ? SWEEP_FULL : SWEEP_ALWAYS);
        if (live >= marks_limit) {
                live = *(volatile __u64 *)&shared.counters[BW_COUNT_MARKS_LIVE];
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
                marked_push(pid);
        }
        struct mark *m = bpf_map_lookup_elem(&bw_marks, &pid);
        if (!m)
                count_and_tell(BW_LOSS_MARK_REFUSED);
        return m;
}

/* Which touches, and within which window. */
#define LIVE_BOUND 1 /* under a rule with Destination= */
#define LIVE_FRESH 2 /* within the window in which an egress is not late */

/* Classes of the mark of process `pid` that are within their window. Windows are rounded up to a tick; a touch by another
 * thread may be younger than now. Without branches: the verifier would follow each of 2^64 ways through them. */
__noinline __u64 mark_live(__u32 table, __u32 pid, __u32 which) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct mark *m = bpf_map_lookup_elem(&bw_marks, &pid);
        __u32 now = tick_now();
        __u64 live = 0;

        if (!t || !m)
                return 0;
        /* A distance, where a branch would double the verifier's way through the loop. */
        __u64 fresh = (which & LIVE_FRESH) / LIVE_FRESH, bound = which & LIVE_BOUND;
        const __u64 *windows = (const void *)t + offsetof(struct bw_table, window_ns) +
                fresh * (offsetof(struct bw_table, fresh_ns) - offsetof(struct bw_table, window_ns));
        const __u32 *last = (const void *)m + offsetof(struct mark, last) +
                bound * (offsetof(struct mark, bound_last) - offsetof(struct mark, last));
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                __u64 window = windows[c], touched = last[c];
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

/* Adds the times of one mark to those of another, all of them as plain. */
static __always_inline void marks_join(struct mark *to, const struct mark *from) {
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                __u32 last = from->last[c], bound = from->bound_last[c], own = to->last[c];
                if (!last || (bound && (__s32)(bound - last) > 0))
                        last = bound;
                if (last && (!own || (__s32)(last - own) > 0))
                        to->last[c] = last;
        }
}

/* The longest window of these classes; fresh: of the windows in which an egress is not late. A function of its own also
 * because kernels before 5.11 or so take a loop that begins right behind a call for an endless one
 * (kernel/bpf/verifier.c check_cfg()). */
__noinline __u64 longest_window(__u32 table, __u64 classes, __u32 fresh) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u64 longest = 0;

        if (!t)
                return 0;
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                __u64 window = fresh ? t->fresh_ns[c] : t->window_ns[c];
                if (word_has(classes, c) && window > longest)
                        longest = window;
        }
        return longest;
}

/* Where the next file goes: the same file's place, or a free one, or the next in turn. */
static __always_inline struct touched_file *mark_place(struct mark *m, __u64 path, __u32 pid) {
        struct file_place key = { .start_boot_ns = m->start_boot_ns, .pid = pid };
        __u8 taken = 1;

        for (__u32 i = 0; i < BW_FILES_MAX; i++)
                if (m->files[i].path == path && m->files[i].pid == pid)
                        return &m->files[i];

        __u32 turn = m->n_files++;
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                key.place = i;
                if (!m->files[i].mono_ns && bpf_map_update_elem(&bw_file_places, &key, &taken, BPF_NOEXIST) == 0)
                        return &m->files[i];
        }
        return &m->files[turn % BW_FILES_MAX];
}

/* What an open adds to the mark of the process that made it. plain: classes no rule allows; bound: classes that only
 * `rules` allow, each to its destinations. */
static __always_inline void mark_touch(
        struct mark *m, __u64 plain, __u64 bound, const struct bw_bits *rules) {
        __u32 now = tick_now();

        bits_or(&m->rules, rules);
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                if (word_has(plain, c))
                        m->last[c] = now;
                if (word_has(bound, c))
                        m->bound_last[c] = now;
        }
}

enum flow { FLOW_NOTHING, FLOW_DONE, FLOW_AGAIN };

/* What process `from` holds that is within its window, the process `to` that started at `to_start` holds from now on, too,
 * plainly and one hop further. Returns FLOW_DONE; FLOW_NOTHING, there is nothing; or FLOW_AGAIN, the policy changed
 * meanwhile, and nothing was done. */
__noinline int mark_flow(__u32 from, __u32 to, __u64 to_start, __u32 via) {
        struct mark *source = bpf_map_lookup_elem(&bw_marks, &from);
        struct policy_view v;

        if (!source || !policy_view_get(&v))
                return FLOW_NOTHING;
        bool live = mark_live(v.index, from, 0) || mark_live(v.index, from, LIVE_BOUND);
        if (!policy_view_held(&v))
                return FLOW_AGAIN;
        if (!live)
                return FLOW_NOTHING;

        struct mark *m = mark_find(to, to_start);
        if (!m) {
                __u32 zero = 0;
                const struct mark *empty = bpf_map_lookup_elem(&bw_zero, &zero);
                if (!empty)
                        return FLOW_NOTHING;
                m = mark_add(to, empty);
                if (!m)
                        return FLOW_NOTHING; /* the table is full: counted */
                m->start_boot_ns = to_start;
        }
        if (m->until_mono_ns < source->until_mono_ns)
                m->until_mono_ns = source->until_mono_ns;

        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                const struct touched_file *file = &source->files[i];
                if (!file->classes)
                        continue;
                struct touched_file *f = mark_place(m, file->path, file->pid);
                if (f->classes && f->path == file->path && f->pid == file->pid)
                        continue; /* it knows of it by a way that is no longer, or has touched it itself */
                *f = *file;
                f->via = via;
                if (via != BW_VIA_FORK)
                        f->flags |= BW_FILE_HANDED_OVER;
                if (f->hops < 255)
                        f->hops++;
        }
        if (source->n_files > BW_FILES_MAX && m->n_files <= BW_FILES_MAX)
                m->n_files = source->n_files;
        marks_join(m, source);
        return FLOW_DONE;
}

/* Flows what process `from` holds to `to`. A policy that changes without end: what was read last may be of two policies,
 * and no mark is made; the next reload is a second away. */
static __always_inline void mark_pass(__u32 from, __u64 from_start, __u32 to, __u64 to_start, enum bw_via via) {
        if (!mark_find(from, from_start))
                return;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                int r = mark_flow(from, to, to_start, via);
                /* A sweep may have found the target's mark expired just before, and have removed it meanwhile. */
                if (r == FLOW_NOTHING || (r == FLOW_DONE && bpf_map_lookup_elem(&bw_marks, &to)))
                        return;
        }
        count_and_tell(BW_LOSS_POLICY_BUSY);
}
