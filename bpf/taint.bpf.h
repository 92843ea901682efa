/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The mark of a holder, a process or an object: make, inherit, pass on, judge, expire, forget. Every entry of a process
 * carries its start time: a PID alone is never trusted. */

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

static __always_inline struct mark *mark_get(__u64 holder) {
        return bpf_map_lookup_elem(&bw_marks, &holder);
}

/* Which counter counts the marks of such holders. */
static __always_inline enum bw_counter holder_counter(__u64 holder) {
        return holder & BW_HOLDER_OBJECT ? BW_COUNT_OBJECTS_LIVE : BW_COUNT_MARKS_LIVE;
}

static __always_inline void mark_forget(__u64 holder) {
        if (bpf_map_delete_elem(&bw_marks, &holder) == 0)
                __sync_fetch_and_add(&shared.counters[holder_counter(holder)], -1);
}

/* The mark of the holder that started at `start`, or NULL. One left behind by an earlier owner of the PID, or of the hash,
 * is removed. One that has no owner yet is being made by another thread. */
static __always_inline struct mark *mark_find(__u64 holder, __u64 start) {
        struct mark *m = mark_get(holder);

        if (!m)
                return NULL;
        if (!m->start_boot_ns)
                m->start_boot_ns = start;
        if (m->start_boot_ns != start) {
                mark_forget(holder);
                return NULL;
        }
        return m;
}

/* Entries of the queue looked at each time a mark is made, and once more when there is no room. */
#define SWEEP_ALWAYS 4 /* more than the one that is added */
#define SWEEP_FULL 64

/* Is anything marked, a process or an object? As long as nothing is, this is all that a hook does. */
static __always_inline bool anything_is_marked(enum bw_counter live) {
        return *(volatile __u64 *)&shared.counters[live];
}

static __always_inline void marked_push(__u64 holder) {
        __u32 place = (*(volatile __u32 *)&shared.marked_tail)++ % MARKED_MAX;
        __u64 *to = bpf_map_lookup_elem(&bw_marked, &place);

        if (to)
                *to = holder;
}

/* The next entry of the queue: removes its mark if all windows have passed, or puts it back. false: there is none. */
__noinline int marks_sweep_one(__u64 now) {
        __u32 head = *(volatile __u32 *)&shared.marked_head, place = head % MARKED_MAX;
        const __u64 *from = bpf_map_lookup_elem(&bw_marked, &place);

        if (!from || head == *(volatile __u32 *)&shared.marked_tail)
                return false;
        *(volatile __u32 *)&shared.marked_head = head + 1;

        __u64 holder = *from;
        const struct mark *m = mark_get(holder);
        if (!m)
                return true; /* the process has ended */
        __u64 until = *(volatile __u64 *)&m->until_mono_ns;
        if (until && now > until) /* 0: being made */
                mark_forget(holder);
        else
                marked_push(holder);
        return true;
}

/* Removes marks all of whose windows have passed: their holders live on, or nobody hears of their end. Takes up to n entries
 * from the queue and puts the ones that are still needed back. A process that is being marked again at this moment
 * sees that its mark is gone, and makes another (file_touched()). */
__noinline int marks_sweep(__u32 n) {
        __u64 now = bpf_ktime_get_ns();

        for (__u32 i = 0; i < SWEEP_FULL; i++)
                if (i >= n || !marks_sweep_one(now))
                        break;
        return 0;
}

/* Makes sure that a holder has an entry, which begins empty. false, and counted, when the table is at its limit. */
static __always_inline bool mark_make(__u64 holder, __u64 start) {
        bool object = holder & BW_HOLDER_OBJECT;
        __u32 limit = object ? objects_limit : marks_limit, zero = 0;
        __u64 *count_live = &shared.counters[object ? BW_COUNT_OBJECTS_LIVE : BW_COUNT_MARKS_LIVE];
        __u64 live = *(volatile __u64 *)count_live;
        const struct mark *empty = bpf_map_lookup_elem(&bw_zero, &zero);

        if (!empty)
                return false;
        marks_sweep(live >= limit ? SWEEP_FULL : SWEEP_ALWAYS);
        if (live >= limit)
                live = *(volatile __u64 *)count_live;
        if (live < limit && bpf_map_update_elem(&bw_marks, &holder, empty, BPF_NOEXIST) == 0) {
                if (!object)
                        count(BW_COUNT_MARKS_MADE);
                if (object)
                        count(BW_COUNT_OBJECTS_LIVE);
                else if (live + 1 >= marks_pressure)
                        count_and_tell(BW_COUNT_MARKS_LIVE); /* counts the new one, too */
                else
                        count(BW_COUNT_MARKS_LIVE);
                marked_push(holder);
        }
        struct mark *m = live < limit ? mark_get(holder) : NULL;
        if (!m) {
                if (object)
                        count_and_tell(BW_LOSS_OBJECT_REFUSED);
                else
                        count_and_tell(BW_LOSS_MARK_REFUSED);
                return false;
        }
        m->start_boot_ns = start;
        return true;
}

/* The mark of a holder, made if it has none. NULL, and counted: the table is at its limit. */
static __always_inline struct mark *mark_take(__u64 holder, __u64 start) {
        struct mark *m = mark_find(holder, start);

        if (m || !mark_make(holder, start))
                return m;
        return mark_get(holder);
}

/* Which touches, and within which window. */
#define LIVE_BOUND 1 /* under a rule with Destination= */
#define LIVE_FRESH 2 /* within the window in which an egress is not late */

/* Classes in one function, and as many turns around it, for the verifier's sake. Divides BW_CLASSES_MAX. */
#define CLASSES_AT_ONCE 8

/* Classes of the mark of a holder that are within their window, of some: bits from `first` on. Windows are rounded up to a tick; a
 * touch by another thread may be younger than now. Without branches: the verifier would follow each of 2^8 ways through them. */
__noinline __u64 mark_live_some(__u32 table, __u64 holder, __u32 which, __u32 first) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct mark *m = mark_get(holder);
        __u32 now = tick_now();
        __u64 live = 0;

        if (!t || !m)
                return 0;
        first &= (BW_CLASSES_MAX - 1) & ~(CLASSES_AT_ONCE - 1);
        /* A distance, where a branch would double the verifier's way through the loop. */
        __u64 fresh = (which & LIVE_FRESH) / LIVE_FRESH, bound = which & LIVE_BOUND;
        const __u64 *windows = (const void *)t + offsetof(struct bw_table, window_ns) +
                fresh * (offsetof(struct bw_table, fresh_ns) - offsetof(struct bw_table, window_ns)) + first * sizeof(*windows);
        const __u32 *last = (const void *)m + offsetof(struct mark, last) +
                bound * (offsetof(struct mark, bound_last) - offsetof(struct mark, last)) + first * sizeof(*last);
#pragma clang loop unroll(disable) /* unrolled it takes more stack */
        for (__u32 c = 0; c < CLASSES_AT_ONCE; c++) {
                __u64 window = windows[c], touched = last[c];
                __s64 age = (__s32)(now - last[c]);
                age &= ~(age >> 63);
                __u64 over = (window >> TICK_SHIFT) + 1 - age; /* bit 63: longer ago than that */
                live |= ((-window & -touched & ~over) >> 63) << c;
        }
        return live << first;
}

__noinline __u64 mark_live(__u32 table, __u64 holder, __u32 which) {
        __u64 live = 0;

        for (__u32 i = 0; i < BW_CLASSES_MAX; i += CLASSES_AT_ONCE)
                live |= mark_live_some(table, holder, which, i);
        return live;
}

/* 1 where n is not 0; where a is later than b, as ticks are. Arithmetic instead of branches, as the verifier would follow both
 * ways in each turn of a loop. */
static __always_inline __u64 is_set(__u32 n) {
        return -(__u64)n >> 63;
}

static __always_inline __u64 tick_is_later(__u32 a, __u32 b) {
        return -(__u64)(__s64)(__s32)(a - b) >> 63 & (is_set(a) & is_set(b));
}

/* The later one of two ticks; 0 is earlier than any. */
static __always_inline __u32 tick_later(__u32 a, __u32 b) {
        __u32 second = -(tick_is_later(b, a) | (1 - is_set(a)));

        barrier_var(second);
        return (b & second) | (a & ~second);
}

/* What was touched under a rule with Destination= counts as touched plainly: for a child, and after exec, the rule
 * does not hold. */
static __always_inline void mark_unbind(struct mark *m) {
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                if (m->bound_last[c])
                        m->last[c] = tick_later(m->last[c], m->bound_last[c]);
                m->bound_last[c] = 0;
        }
        __builtin_memset(&m->rules, 0, sizeof(m->rules));
}

/* Adds the times of the mark of holder `from` to those of `to`, for some classes, and all of them as plain: of classes `plain`
 * those that were, of `bound` those that were bound. Was anything new? */
__noinline int marks_join_some(__u64 to, __u64 from, __u64 plain, __u64 bound, __u32 first) {
        const struct mark *source = mark_get(from);
        struct mark *m = mark_get(to);
        __u32 news = 0;

        if (!source || !m)
                return false;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < CLASSES_AT_ONCE; i++) {
                __u32 c = (first + i) % BW_CLASSES_MAX, own = m->last[c];
                __u32 last = source->last[c] & -(__u32)(plain >> c & 1), other = source->bound_last[c] & -(__u32)(bound >> c & 1);
                __u32 later = tick_later(tick_later(own, last), other);
                if (later != own) /* nothing is written back that another thread may have changed */
                        m->last[c] = later;
                news |= later ^ own;
        }
        return news != 0;
}

static __always_inline bool marks_join(__u64 to, __u64 from, __u64 plain, __u64 bound) {
        bool news = false;

        for (__u32 i = 0; i < BW_CLASSES_MAX; i += CLASSES_AT_ONCE)
                news |= marks_join_some(to, from, plain, bound, i);
        return news;
}

/* The longest window of these classes; fresh: of the windows in which an egress is not late. A function of its own also
 * because kernels before 5.11 or so take a loop that begins right behind a call for an endless one
 * (kernel/bpf/verifier.c check_cfg()). */
__noinline __u64 longest_window(__u32 table, __u64 classes, __u32 fresh) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u64 longest = 0;

        if (!t)
                return 0;
        const __u64 *windows = (const void *)t + offsetof(struct bw_table, window_ns) +
                (fresh & 1) * (offsetof(struct bw_table, fresh_ns) - offsetof(struct bw_table, window_ns));
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                __u64 window = windows[c] & -(classes >> c & 1);
                longest += (window - longest) & (__u64)((__s64)(longest - window) >> 63); /* windows are below 2^63 */
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

        m->changes++;
        m->only = 0;
        bits_or(&m->rules, rules);
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                if (word_has(plain, c))
                        m->last[c] = now;
                if (word_has(bound, c))
                        m->bound_last[c] = now;
        }
}

/* ---- flow: from holder to holder ---- */

/* Kinds of rules, as sets of what struct bw_rule.flags and, above them, whether it has destinations can be: */
#define RULES_CARRIER 0xaaaa  /* [Carrier] */
#define RULES_TERMINAL 0xf0f0 /* the same, and those that are so only of terminals */
#define RULES_UNBOUND 0x000f  /* [Allow] without Destination= */
#define RULES_BOUND 0x0f00    /* with it */
#define RULES_PRINTING 0x0300 /* with it, and not vouched for: what the process writes may be the secret */

/* What the rules of one kind name of these 64, number 64 × word and so on, that are set in `rules`. */
__noinline __u64 rules_word_classes(__u32 table, __u32 word, __u64 rules, __u32 kind) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u64 classes = 0;

        if (!t || !rules || word >= BW_WORDS)
                return 0;
        for (__u32 i = 0; i < BW_RULES_MAX / BW_WORDS; i++) {
                const struct bw_rule *r = &t->rules[word * (BW_RULES_MAX / BW_WORDS) + i];
                __u64 is = kind >> ((r->flags & 7) | is_set(r->n_nets) << 3);
                classes |= r->classes & -(is & rules >> i & 1);
        }
        return classes;
}

static __always_inline __u64 rules_classes(__u32 table, const struct bw_bits *rules, __u32 kind) {
        __u64 classes = 0;

        for (__u32 i = 0; i < BW_WORDS; i++)
                classes |= rules_word_classes(table, i, rules->word[i], kind);
        return classes;
}

/* The hand-over by process `pid`, whose task is at `giver`, of what had come by `before`; its key. */
static __always_inline __u64 hop_learn(__u64 before, __u32 via, __u64 giver) {
        struct task_struct *task = (struct task_struct *)giver;
        struct hop hop = { .before = before, .via = via };

        hop.pid = BPF_CORE_READ(task, tgid);
        BPF_CORE_READ_INTO(&hop.comm, task, group_leader, comm); /* not that of a thread that serves io_uring */
        __u64 id = hash_mix(hash_mix(shared.name_seed, before), hash_mix((__u64)via << 32 | hop.pid, task_start(task)));
        bpf_map_update_elem(&bw_hops, &id, &hop, BPF_ANY);
        return id;
}

enum flow {
        FLOW_NOTHING, /* there is nothing that could */
        FLOW_DONE,
        FLOW_REFUSED, /* the target could not be marked: counted */
        FLOW_AGAIN, /* the policy changed meanwhile, nothing was done: once more */
};

/* What flows, beside what is held plainly: */
#define FLOW_BOUND 0x100   /* what is held under a rule with Destination=, too */
#define FLOW_PRINTED 0x200 /* of that, what the rule does not vouch for */
#define FLOW_VIA(what) ((what) & 0xff)

/* File number `index` of holder `from` becomes one of holder `to`, if that does not know it: by a way that is no longer, or
 * because it touched it itself. Was it added? See mark_flow(). */
__noinline int file_pass(__u64 from, __u64 to, __u32 index, __u32 what, __u64 giver) {
        const struct mark *source = mark_get(from);
        struct mark *m = mark_get(to);

        if (!source || !m)
                return false;
        const struct touched_file *file = &source->files[index % BW_FILES_MAX];
        struct touched_file *f = mark_place(m, file->path, file->pid);
        if (f->classes && f->path == file->path && f->pid == file->pid)
                return false;
        *f = *file;
        f->via = FLOW_VIA(what);
        if (giver) {
                f->way = hop_learn(file->way, FLOW_VIA(what), giver);
                f->flags |= BW_FILE_HANDED_OVER;
                f->handed++;
        }
        if (!(to & BW_HOLDER_OBJECT) && f->hops < 255)
                f->hops++;
        return true;
}

/* What holder `from` holds that is within its window, the holder `to` that started at `to_start` holds from now on, too,
 * plainly. what: enum bw_via, and FLOW_*. giver: the task that hands it over; 0: nobody does, as it was forked. Out of an object
 * it was put there by one: then `giver` has the classes that do not come through. */
__noinline int mark_flow(__u64 from, __u64 to, __u64 to_start, __u32 what, __u64 giver) {
        struct mark *source = mark_get(from);
        struct policy_view v;

        if (!source || !policy_view_get(&v))
                return FLOW_NOTHING;
        __u64 plain = mark_live(v.index, from, 0), bound = 0, live, carried = 0;
        if (from & BW_HOLDER_OBJECT) {
                plain &= ~giver;
                giver = 0;
        }
        if (what & (FLOW_BOUND | FLOW_PRINTED))
                bound = mark_live(v.index, from, LIVE_BOUND);
        if (bound && what & FLOW_PRINTED)
                bound &= rules_classes(v.index, &source->rules, RULES_PRINTING);
        __u32 hops_max = giver ? v.table->hops_max : 256;
        if (!policy_view_held(&v))
                return FLOW_AGAIN;
        live = plain | bound;
        if (!live)
                return FLOW_NOTHING;

        for (__u32 i = 0; i < BW_FILES_MAX; i++)
                if (source->files[i].handed < hops_max)
                        carried |= source->files[i].classes;
        if (source->n_files > BW_FILES_MAX)
                carried = live; /* files are forgotten, classes are not */
        plain &= carried;
        bound &= carried;
        if (!(plain | bound)) {
                count(BW_COUNT_FLOWS_STOPPED);
                return FLOW_NOTHING;
        }

        struct mark *m = mark_take(to, to_start);
        if (!m)
                return FLOW_REFUSED;
        if (m->until_mono_ns < source->until_mono_ns)
                m->until_mono_ns = source->until_mono_ns;

        __u32 added = 0;
        for (__u32 i = 0; i < BW_FILES_MAX; i++)
                if (source->files[i].classes & live && source->files[i].handed < hops_max)
                        added |= file_pass(from, to, i, what, giver);
        if (source->n_files > BW_FILES_MAX && m->n_files <= BW_FILES_MAX)
                m->n_files = source->n_files;
        if (m->only != from)
                m->only = m->changes ? 0 : from;
        if (marks_join(to, from, plain, bound) || added)
                m->changes++;
        return FLOW_DONE;
}

/* Flows what process `from` holds to process `to`, all of it. A policy that changes without end: what was read last may be
 * of two policies, and no mark is made; the next reload is a second away. */
static __always_inline void mark_pass(
        __u32 from, __u64 from_start, __u32 to, __u64 to_start, enum bw_via via, struct task_struct *giver) {
        if (!mark_find(from, from_start))
                return;
        for (__u32 i = 0; i < POLICY_TRIES; i++) {
                int r = mark_flow(from, to, to_start, via | FLOW_BOUND, (__u64)giver);
                /* A sweep may have found the target's mark expired just before, and have removed it meanwhile. */
                if (r == FLOW_NOTHING || r == FLOW_REFUSED || (r == FLOW_DONE && mark_get(to)))
                        return;
        }
        count_and_tell(BW_LOSS_POLICY_BUSY);
}
