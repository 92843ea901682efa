/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Marks of holders, that is of processes and objects: make, pass on, evaluate, expire, remove. The mark of a
 * process has its start time: a PID alone is never trusted. */

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/policy.h"
#include "abi/shared.h"
#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/name.bpf.h"
#include "mark/share.bpf.h"

/* Bit n of a word, as a separate value: if the word itself were tested, the verifier would track the bit and
 * walk every combination. */
static __always_inline bool word_has(__u64 word, __u32 n) {
        __u64 bit = word >> n & 1;

        barrier_var(bit);
        return bit;
}

static __always_inline __u32 tick_now(void) {
        __u32 tick = bpf_ktime_get_ns() >> TICK_SHIFT;
        return tick ?: 1;
}

static __always_inline struct mark *mark_get(__u64 holder) {
        return bpf_map_lookup_elem(&bw_marks, &holder);
}

/* Removes an entry, and uncharges its user. */
__noinline int mark_forget(__u64 holder) {
        const struct mark *m = mark_get(holder);

        if (!m)
                return 0;
        __u32 uid = m->uid, charged = m->charged;
        __u64 cgroup = m->cgroup;
        if (bpf_map_delete_elem(&bw_marks, &holder))
                return 0;
        ATOMIC_ADD(&shared.counts[holder & BW_HOLDER_OBJECT ? BW_COUNT_CONTENTS_LIVE : BW_COUNT_MARKS_LIVE],
                        -1);
        if (charged)
                share_release(BW_SHARE_MARKS, uid, cgroup);
        return 0;
}

/* The mark of the holder that started at `start`, or NULL. Removes the mark of an earlier owner of the PID
 * or the hash. A mark without an owner is being made by another thread. */
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

/* Entries of a queue examined for each one that is added, and when a table is full. */
#define SWEEP_ALWAYS 4 /* more than the one that is added */
#define SWEEP_FULL 64

/* An unused content is kept for this long, as another CPU may have looked it up and not counted it yet. It
 * does so within microseconds, unless a hypervisor or an interrupt holds that CPU: half of the time after
 * which the kernel itself reports that (watchdog_thresh, 20 s). A process that reads a sensitive file again
 * before each write makes a content each time, and fills the smallest share of a cgroup (460 entries of
 * 4,096) by 46 of them a second: it is suspected then, as any flooder. */
#define CONTENT_IDLE_NS 10000000000ULL

/* An empty mark expires after this: nothing flowed to it after all. */
#define MAKING_NS 10000000000ULL

/* Whether any process, or any object, is marked. While none is, a hook does nothing else. */
static __always_inline bool anything_is_marked(enum bw_count live) {
        return *(volatile __u64 *)&shared.counts[live];
}

static __always_inline bool current_is_marked(void) {
        __u32 pid = bpf_get_current_pid_tgid() >> 32;

        return mark_get(pid);
}

/* Whether all windows of a mark have passed, or no object refers to it any more. */
static __always_inline bool mark_is_over(struct mark *m, __u64 holder, __u64 now) {
        __u64 until = *(volatile __u64 *)&m->until_mono_ns;

        if (until && now > until) /* 0: being made */
                return true;
        if (!(holder & BW_HOLDER_OBJECT) || holder & BW_HOLDER_SUSPECT)
                return false;
        if (*(volatile __u32 *)&m->refs) {
                m->idle_ns = 0;
                return false;
        }
        if (!m->idle_ns)
                m->idle_ns = now;
        return now - m->idle_ns > CONTENT_IDLE_NS;
}

/* Examines an entry that was taken from the queue: removes its mark if all windows have passed, as processes
 * may live on and the end of an object is not reported, otherwise puts it back. A process that is marked
 * again at the same moment notices that its mark is gone, and makes another (file_touched()). */
__noinline int mark_sweep(__u64 holder, __u64 now) {
        struct mark *m = mark_get(holder);

        if (!m)
                return 0; /* the process has ended */
        if (mark_is_over(m, holder, now))
                mark_forget(holder);
        else if (bpf_map_push_elem(&bw_marked, &holder, BPF_ANY))
                report_loss(BW_LOSS_SWEEP_LOST);
        return 0;
}

/* Notes that the names which a mark has are in use. */
__noinline int mark_names_touch(__u64 holder) {
        const struct mark *m = mark_get(holder);

        if (!m)
                return 0;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                name_touch(m->files[i].path);
                name_touch(m->files[i].real);
                name_touch(m->files[i].exe);
                name_touch(m->files[i].run);
        }
        return 0;
}

/* Notes who has the mark, for a listing. */
static __always_inline void mark_name(struct mark *m, struct task_struct *task) {
        m->owner = BPF_CORE_READ(task, cred, uid.val);
        BPF_CORE_READ_INTO(&m->comm, task, group_leader, comm);
}

/* Inserts a copy of another mark. `payer` is the task to charge, 0: none. Returns whether the entry is new.
 */
static __always_inline bool mark_enter(__u64 holder, const struct mark *from, __u64 payer) {
        if (bpf_map_update_elem(&bw_marks, &holder, from, BPF_NOEXIST))
                return false;
        struct mark *m = mark_get(holder);
        if (m) {
                struct task_struct *task = (struct task_struct *)payer;
                m->refs = m->charged = m->listed = 0;
                m->idle_ns = 0;
                m->comm[0] = 0;
                if (payer && (holder & BW_HOLDER_OBJECT || BPF_CORE_READ(task, tgid) == (int)holder))
                        mark_name(m, task);
                if (payer) {
                        m->uid = task_payer(payer);
                        m->cgroup = task_cgroup(payer);
                        m->charged = 1;
                }
        }
        if (bpf_map_push_elem(&bw_marked, &holder, BPF_ANY))
                report_loss(BW_LOSS_SWEEP_LOST);
        return true;
}

/* Whether the share of the user or cgroup of `task` is half used. */
__noinline int marks_are_many(__u64 task) {
        struct charge_key key = { .uid = task_payer(task), .table = BW_SHARE_MARKS };
        const struct charge *of_all = key.uid ? bpf_map_lookup_elem(&bw_charges, &key) : NULL;

        key.cgroup = task_cgroup_apart(task);
        const struct charge *c = bpf_map_lookup_elem(&bw_charges, &key);
        return *(volatile __u64 *)&shared.counts[BW_COUNT_MARKS_LIVE] >= table_limit[BW_SHARE_MARKS] / 2 ||
               (c && c->live >= share_limit(BW_SHARE_MARKS, key.uid, false) / 2) ||
               (of_all && of_all->live >= share_limit(BW_SHARE_MARKS, key.uid, true) / 2);
}

/* Makes an empty mark for a process, if it has none, and charges `task`. Returns false, and counts it, if
 * the table or the share of its user is full. */
__noinline int mark_make(__u32 pid, __u64 start, __u64 task) {
        __u64 live = *(volatile __u64 *)&shared.counts[BW_COUNT_MARKS_LIVE], holder = pid;
        __u32 limit = table_limit[BW_SHARE_MARKS], zero = 0;
        const struct mark *empty = bpf_map_lookup_elem(&bw_zero, &zero);

        if (!empty)
                return false;
        shared.sweep_due += SWEEP_ALWAYS;
        if (live >= limit) {
                shared.sweep_due = SWEEP_FULL;
                report_loss(BW_LOSS_MARK_REFUSED);
                return false;
        }
        if (!share_take(BW_SHARE_MARKS, task)) {
                shared.sweep_due = SWEEP_FULL;
                count(BW_COUNT_MARKS_SUSPECTED);
                return false;
        }
        if (mark_enter(holder, empty, task)) {
                count(BW_COUNT_MARKS_MADE);
                count(BW_COUNT_MARKS_LIVE);
                if (live + 1 >= marks_pressure)
                        report_count(BW_COUNT_MARKS_LIVE, &shared.pressure_record_ns);
        } else {
                share_release(BW_SHARE_MARKS, task_payer(task), task_cgroup(task));
        }
        struct mark *m = mark_get(holder);
        if (!m) {
                report_loss(BW_LOSS_MARK_REFUSED);
                return false;
        }
        if (!m->until_mono_ns)
                m->until_mono_ns = bpf_ktime_get_ns() + MAKING_NS;
        m->start_boot_ns = start;
        return true;
}

/* The mark of a process, made if it has none; NULL if there is no room, see suspect_take(). */
static __always_inline struct mark *mark_take(__u32 pid, __u64 start, __u64 task) {
        struct mark *m = mark_find(pid, start);

        if (m || !mark_make(pid, start, task))
                return m;
        return mark_get(pid);
}

/* The same for an open after which nothing can follow, unless the process runs other code later. Such marks
 * take at most half of the table, and of each share, and without room nobody is suspected: the servers of a
 * large machine must not cost it the marks of thieves. Returns `pid`, or 0. */
__noinline __u64 mark_take_idle(__u32 pid, __u64 start, __u64 task) {
        if (mark_find(pid, start))
                return pid;
        return !marks_are_many(task) && mark_make(pid, start, task) ? pid : 0;
}

/* ---- suspicion ---- */

/* A process that cannot be marked must not go unnoticed: what it read is attributed to its user and cgroup
 * as a whole, and egress by their unmarked processes is judged by that. A flooder and a thief may share a
 * uid. */
static __always_inline __u64 suspect_holder(__u32 uid, __u64 cgroup) {
        return BW_HOLDER_OBJECT | BW_HOLDER_SUSPECT | hash_mix(hash_mix(shared.name_seed, uid), cgroup) >> 2;
}

/* The holder that stands for a user and cgroup, marked if it was not; 0 if there are too many, which is
 * counted. */
__noinline __u64 suspect_take(__u32 uid, __u64 cgroup) {
        __u64 holder = suspect_holder(uid, cgroup);
        __u32 zero = 0;
        const struct mark *empty = bpf_map_lookup_elem(&bw_zero, &zero);
        struct mark *m = mark_get(holder);

        if (m)
                return holder;
        if (empty &&
                        *(volatile __u64 *)&shared.counts[BW_COUNT_CONTENTS_LIVE] <
                                        contents_limit + suspects_max &&
                        mark_enter(holder, empty, 0))
                count(BW_COUNT_CONTENTS_LIVE);
        m = mark_get(holder);
        if (!m) {
                report_loss(BW_LOSS_MARK_REFUSED);
                return 0;
        }
        if (!m->until_mono_ns)
                m->until_mono_ns = bpf_ktime_get_ns() + MAKING_NS;
        m->start_boot_ns = holder;
        m->uid = m->owner = uid;
        m->cgroup = cgroup;
        return holder;
}

/* The same for the user and cgroup of `task`. */
static __always_inline __u64 suspect_take_task(__u64 task) {
        return suspect_take(task_payer(task), task_cgroup(task));
}

/* The holder that data coming to process `pid` flows to: the process itself, or if there is no room, the
 * holder that stands for the user and cgroup of `task`. `task` is charged. 0: neither is possible. */
__noinline __u64 holder_take(__u32 pid, __u64 start, __u64 task) {
        return mark_take(pid, start, task) ? pid : suspect_take_task(task);
}

/* Notes that a user is suspected until then, so that egress is checked for it. */
static __always_inline void suspects_until(__u64 until_mono_ns) {
        __u32 until = until_mono_ns >> TICK_SHIFT;

        if (!shared.suspects || (__s32)(until - shared.suspects) > 0)
                shared.suspects = until ?: 1;
}

/* Whether anybody may be suspected now. */
static __always_inline bool anybody_is_suspected(void) {
        __u32 until = *(volatile __u32 *)&shared.suspects;

        return until && (__s32)(until - tick_now()) >= 0;
}

/* The holder that stands for the user and cgroup of the current process, if they are suspected; else 0. */
__noinline __u64 current_suspect(void) {
        if (!anybody_is_suspected())
                return 0;
        __u64 task = bpf_get_current_task(), holder = suspect_holder(task_payer(task), task_cgroup(task));
        return mark_get(holder) ? holder : 0;
}

/* Selects opens, and the window. */
#define LIVE_BOUND 1 /* under a rule */
#define LIVE_FRESH 2 /* within the window in which an egress is not late */

/* Classes per inner loop, to limit what the verifier walks. Divides BW_CLASSES_MAX. */
#define CLASSES_AT_ONCE 8

/* Classes of a holder's mark that are within their window, CLASSES_AT_ONCE of them from bit `first` on.
 * Windows are rounded up to a tick; an open by another thread may be younger than now. Without branches, as
 * the verifier would walk all 2^8 paths through them. */
__noinline __u64 mark_live_some(__u32 table, __u64 holder, __u32 which, __u32 first) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct mark *m = mark_get(holder);
        __u32 now = tick_now();
        __u64 live = 0;

        if (!t || !m)
                return 0;
        first &= (BW_CLASSES_MAX - 1) & ~(CLASSES_AT_ONCE - 1);
        /* An offset, as a branch would double the paths that the verifier walks. */
        __u64 fresh = (which & LIVE_FRESH) / LIVE_FRESH, bound = which & LIVE_BOUND;
        const __u64 *windows = (const void *)t + offsetof(struct bw_table, window_ns) +
                               fresh * (offsetof(struct bw_table, fresh_ns) -
                                                       offsetof(struct bw_table, window_ns)) +
                               first * sizeof(*windows);
        const __u32 *last = (const void *)m + offsetof(struct mark, last) +
                            bound * (offsetof(struct mark, bound_last) - offsetof(struct mark, last)) +
                            first * sizeof(*last);
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

/* 1 if n is not 0; if tick a is later than tick b. Arithmetic instead of branches, as the verifier would
 * walk both sides in each iteration of a loop. */
static __always_inline __u64 is_set(__u32 n) {
        return -(__u64)n >> 63;
}

static __always_inline __u64 tick_is_later(__u32 a, __u32 b) {
        return -(__u64)(__s64)(__s32)(a - b) >> 63 & (is_set(a) & is_set(b));
}

/* The later of two ticks; 0 is earlier than any. */
static __always_inline __u32 tick_later(__u32 a, __u32 b) {
        __u32 second = -(tick_is_later(b, a) | (1 - is_set(a)));

        barrier_var(second);
        return (b & second) | (a & ~second);
}

/* Merges times of the mark of holder `from` into that of `to`, for some classes, always as plain opens: the
 * plain ones of classes `plain`, and the bound ones of classes `bound`. Returns whether anything changed. */
__noinline int marks_join_some(__u64 to, __u64 from, __u64 plain, __u64 bound, __u32 first) {
        const struct mark *source = mark_get(from);
        struct mark *m = mark_get(to);
        __u32 news = 0;

        if (!source || !m)
                return false;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < CLASSES_AT_ONCE; i++) {
                __u32 c = (first + i) % BW_CLASSES_MAX, own = m->last[c];
                __u32 last = source->last[c] & -(__u32)(plain >> c & 1),
                      other = source->bound_last[c] & -(__u32)(bound >> c & 1);
                __u32 later = tick_later(tick_later(own, last), other);
                if (later != own) /* do not write back what another thread may have changed */
                        m->last[c] = later;
                news |= later ^ own;
        }
        return news != 0;
}

/* The same for bound ones that stay bound. */
__noinline int marks_bind_some(__u64 to, __u64 from, __u64 bound, __u32 first) {
        const struct mark *source = mark_get(from);
        struct mark *m = mark_get(to);
        __u32 news = 0;

        if (!source || !m)
                return false;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < CLASSES_AT_ONCE; i++) {
                __u32 c = (first + i) % BW_CLASSES_MAX, own = m->bound_last[c];
                __u32 later = tick_later(own, source->bound_last[c] & -(__u32)(bound >> c & 1));
                if (later != own)
                        m->bound_last[c] = later;
                news |= later ^ own;
        }
        return news != 0;
}

/* plain: those that become plain; kept: bound ones that stay so. */
static __always_inline bool marks_join(__u64 to, __u64 from, __u64 plain, __u64 bound, __u64 kept) {
        bool news = false;

        for (__u32 i = 0; i < BW_CLASSES_MAX; i += CLASSES_AT_ONCE) {
                news |= marks_join_some(to, from, plain, bound & ~kept, i);
                if (bound & kept)
                        news |= marks_bind_some(to, from, bound & kept, i);
        }
        return news;
}

/* In the flags of a touched_file, beside those of BW_FILE_* that a mark has: a rule let the opener open it,
 * and each hand-over since was one that its rule passes. That a process holds it is bound evidence then,
 * also if no rule of its own lets it. The value of a flag that only records have. */
#define FILE_RULED BW_FILE_NAMED

/* Classes of the mark of a process of which every file is FILE_RULED. None if it had more files than there
 * are places, and of a class without a file. */
__noinline __u64 mark_ruled(__u64 holder) {
        const struct mark *m = mark_get(holder);
        __u64 ruled = 0, other = 0;

        if (!m || m->n_files > BW_FILES_MAX || holder & BW_HOLDER_OBJECT)
                return 0;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                __u64 is = (__u64)m->files[i].flags / FILE_RULED & 1;
                ruled |= m->files[i].classes & -is;
                other |= m->files[i].classes & (is - 1);
        }
        return ruled & ~other;
}

/* Those of them that no rule of its own has let it have. */
__noinline __u64 mark_passed(__u64 holder) {
        const struct mark *m = mark_get(holder);
        __u64 own = 0;

        if (!m)
                return 0;
#pragma clang loop unroll(disable)
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++)
                own |= is_set(m->bound_last[c]) << c;
        return mark_ruled(holder) & ~own;
}

/* What the process has opened, or got, under a rule so far is no longer known to be that, as the rule ends.
 */
__noinline int mark_unrule(__u64 holder) {
        struct mark *m = mark_get(holder);

        if (!m)
                return 0;
#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_FILES_MAX; i++)
                m->files[i].flags &= ~FILE_RULED;
        m->changes++;
        return 0;
}

/* The longest window of these classes; fresh: of the windows in which an egress is not late. A separate
 * function also because kernels before about 5.11 take a loop right behind a call for an endless one
 * (kernel/bpf/verifier.c check_cfg()). */
__noinline __u64 longest_window(__u32 table, __u64 classes, __u32 fresh) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u64 longest = 0;

        if (!t)
                return 0;
        const __u64 *windows = (const void *)t + offsetof(struct bw_table, window_ns) +
                               (fresh & 1) * (offsetof(struct bw_table, fresh_ns) -
                                                             offsetof(struct bw_table, window_ns));
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                __u64 window = windows[c] & -(classes >> c & 1);
                longest += (window - longest) &
                           (__u64)((__s64)(longest - window) >> 63); /* windows are below 2^63 */
        }
        return longest;
}

/* The place of the next file: the same file's, or a free one, or the next in turn. Not inlined, and its
 * first loop not unrolled, as clang 19 and newer keep the addresses of all places on the stack otherwise. */
static __noinline struct touched_file *mark_place(struct mark *m, __u64 path, __u32 pid) {
        struct file_place key = { .start_boot_ns = m->start_boot_ns, .pid = pid };
        __u8 taken = 1;

#pragma clang loop unroll(disable)
        for (__u32 i = 0; i < BW_FILES_MAX; i++)
                if (m->files[i].path == path && m->files[i].pid == pid)
                        return &m->files[i];

        __u32 turn = m->n_files++;
        for (__u32 i = 0; i < BW_FILES_MAX; i++) {
                key.place = i;
                if (!m->files[i].mono_ns &&
                                bpf_map_update_elem(&bw_file_places, &key, &taken, BPF_NOEXIST) == 0)
                        return &m->files[i];
        }
        return &m->files[turn % BW_FILES_MAX];
}

/* When the windows of these classes are over, if the file is opened now. Ticks are rounded, twice. */
static __always_inline __u64 mark_until(__u32 table, __u64 classes) {
        return bpf_ktime_get_ns() + longest_window(table, classes, false) + (1ULL << (TICK_SHIFT + 1));
}

/* Fills the place of a file that the process of `task` opened, in place: an alert of another thread ignores
 * it until its classes are set. exe, run: name ids. */
static __always_inline void touched_file_begin(struct touched_file *f, struct task_struct *task,
                const struct inode *inode, __u64 name, __u64 exe, __u64 run, __u32 via) {
        f->classes = 0;
        f->mono_ns = bpf_ktime_get_ns();
        f->path = name;
        f->real = 0;
        f->exe = exe;
        f->run = run;
        f->inode = BPF_CORE_READ(inode, i_ino);
        f->device = BPF_CORE_READ(inode, i_sb, s_dev);
        f->pid = BPF_CORE_READ(task, tgid);
        f->uid = BPF_CORE_READ(task, cred, uid.val);
        f->generation = f->hops = 0;
        f->route = 0;
        f->via = via;
        f->flags = (NAME_IS_CUT(name) ? BW_FILE_PATH_TRUNCATED : 0) |
                   (inode && BPF_CORE_READ(inode, i_uid.val) == f->uid ? BW_FILE_OWNED : 0);
        BPF_CORE_READ_INTO(&f->comm, task, comm);
        barrier();
}

/* Adds an open to the mark of the process. plain: classes that no rule allows; bound: classes that `rules`
 * allow, each to its destinations. */
static __always_inline void mark_touch(
                struct mark *m, __u64 plain, __u64 bound, const struct bw_bits *rules) {
        __u32 now = tick_now();

        m->changes++;
        if (plain)
                m->only = 0;
        bits_or(&m->rules, rules);
        for (__u32 c = 0; c < BW_CLASSES_MAX; c++) {
                if (word_has(plain, c))
                        m->last[c] = now;
                if (word_has(bound, c))
                        m->bound_last[c] = now;
        }
}

/* ---- kinds of rules ---- */

/* Besides the flags of struct bw_rule: it has no Destination=. */
#define RULE_ANYWHERE 64
/* Kinds of rules: of the flags `of`, they have those of `has`. */
#define RULES_KIND(of, has) ((of) | (has) << 8)
#define RULES_CARRIER RULES_KIND(BW_RULE_CARRIER, BW_RULE_CARRIER) /* [Carrier] */
/* The same, and those for terminals only. */
#define RULES_TERMINAL RULES_KIND(BW_RULE_TERMINAL | BW_RULE_OWN, BW_RULE_TERMINAL)
/* [Carrier] with Own=yes, whose classes are BW_CARRIER_OWN(). */
#define RULES_OWN RULES_KIND(BW_RULE_TERMINAL | BW_RULE_OWN, BW_RULE_TERMINAL | BW_RULE_OWN)
#define RULES_ALLOW RULES_KIND(BW_RULE_TERMINAL, 0) /* [Allow] */
#define RULES_ANYWHERE RULES_KIND(BW_RULE_TERMINAL | RULE_ANYWHERE, RULE_ANYWHERE)
/* [Allow] that does not pass this on. */
#define RULES_KEEPING(what) RULES_KIND(BW_RULE_TERMINAL | (what), 0)
/* [Allow] after which nothing can follow, unless the process runs other code. */
#define RULES_IDLE RULES_KIND(BW_RULE_TERMINAL | BW_RULE_PASSES | RULE_ANYWHERE, RULE_ANYWHERE)

/* The classes of the rules of one kind among the 64 rules of this word that are set in `rules`. */
__noinline __u64 rules_word_classes(__u32 table, __u32 word, __u64 rules, __u32 kind) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u64 classes = 0;

        if (!t || !rules || word >= BW_WORDS)
                return 0;
        for (__u32 i = 0; i < BW_RULES_MAX / BW_WORDS; i++) {
                const struct bw_rule *r = &t->rules[word * (BW_RULES_MAX / BW_WORDS) + i];
                __u64 flags = r->flags | (1 - is_set(r->n_nets)) * RULE_ANYWHERE;
                __u64 is = 1 - is_set((flags & kind & 0xff) ^ kind >> 8);
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
